/**
 * The opening handshake over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220), for both sides: an extended CONNECT on a stream of
 * its own. Header blocks go in and out as lists; whose HTTP/2 it is that carries them does not matter.
 *
 * That a server allows extended CONNECT it says in its settings (SETTINGS_ENABLE_CONNECT_PROTOCOL, 0x8), which are those
 * of the session, so whoever owns that looks at them before a client's request is sent (RFC 8441 §3).
 */

import { LocalProtocolError, RemoteProtocolError } from '../errors.js';
import {
  type AcceptConnection,
  type HandshakeEvent,
  type HeaderList,
  type RejectConnection,
  RejectData,
  type Request,
} from '../events.js';
import { ConnectionState, ConnectionType } from '../state.js';
import type { BodyReader } from './body.js';
import type { ByteQueue } from './byte-queue.js';
import {
  acceptHeaders,
  type ConnectResponse,
  checkConnect,
  checkResponse,
  checkScheme,
  connectHeaders,
  rejectHeaders,
  type Scheme,
} from './connect.js';
import { BlockMeter } from './h2-fields.js';
import { Handshake } from './handshake.js';
import { H2_HINTS, hintFrom } from './hints.js';
import type { HandshakeOptions } from './options.js';
import { acceptOf } from './response.js';

/** Options of `H2Handshake`; `randomBytes` is not used, for there is no key. */
export interface H2HandshakeOptions extends HandshakeOptions {
  /** Client: the scheme of the URI, `'https'` (for wss) by default. */
  readonly scheme?: Scheme;
}

/** What an event becomes on the stream, to be sent in this order. */
export interface H2Output {
  /** A header block, pseudo-headers first; null where none is to be sent. */
  readonly headers: HeaderList | null;
  /** The payload of DATA frames; empty where none is to be sent. */
  readonly data: Uint8Array;
  /** Whether this is all that this side sends: END_STREAM. */
  readonly endStream: boolean;
}

/** A header block that waits to be read, and what is known of it only when it arrives. */
interface Arrived {
  readonly headers: HeaderList;
  readonly endStream: boolean;
  /** What is wrong with its coming at all; null for nothing. */
  readonly fault: unknown;
}

const EMPTY = new Uint8Array(0);

/** An opening handshake over HTTP/2. It does no I/O: header blocks and bytes go in, events and header blocks come out. */
export class H2Handshake extends Handshake {
  readonly #scheme: Scheme;
  readonly #meter: BlockMeter;
  readonly #blocks: Arrived[] = [];

  /** @throws LocalProtocolError `INVALID_OPTION` */
  constructor(type: ConnectionType, options: H2HandshakeOptions = {}) {
    super(type, options);
    const { scheme = 'https' } = options;
    checkScheme(scheme);
    this.#scheme = scheme;
    this.#meter = new BlockMeter(this.limits);
  }

  /**
   * Takes a header block: on a server the request's; on a client those of interim responses, of the final one, and the
   * trailers of a rejection. After a fault or a rejection by a server it is dropped, as `receiveData` drops bytes.
   *
   * @param endStream whether END_STREAM came with it; `receiveData(null)` tells of one that comes later
   * @throws LocalProtocolError `INVALID_STATE` where none can be expected: a stream error of type PROTOCOL_ERROR, if it
   * was the peer's doing (RFC 9113 §8.5)
   */
  receiveHeaders(headers: HeaderList, endStream = false): void {
    if (this.ended) throw new LocalProtocolError('INVALID_STATE', 'a header block after the end of the stream');
    // Such as a response after the timeout, which is no fault of the peer's.
    if (!this.dropsInput) this.#take(headers, endStream);
    if (endStream) this.receiveData(null);
  }

  /**
   * What to send for an event. After a rejection that has no body, or the last of it, the stream has ended on our side,
   * and what still comes from the client need not be waited for: RST_STREAM with NO_ERROR (RFC 9113 §8.1).
   *
   * @throws LocalProtocolError before anything changes: `WRONG_ROLE`, `INVALID_STATE`, `INVALID_TARGET`,
   * `INVALID_HOST`, `INVALID_SUBPROTOCOL`, `INVALID_EXTENSION`, `INVALID_HEADER`, `RESERVED_HEADER`, `INVALID_STATUS`,
   * `BODY_LENGTH`
   */
  send(event: HandshakeEvent): H2Output {
    switch (event.type) {
      case 'request': {
        this.expectRole(ConnectionType.CLIENT);
        this.expectStart();
        const headers = connectHeaders(event, this.#scheme, this.supported);
        this.asks(event);
        return { headers, data: EMPTY, endStream: false };
      }
      case 'accept': {
        const headers = this.accepts(event, (request, extensions) => acceptHeaders(event, request, extensions));
        return { headers, data: EMPTY, endStream: false };
      }
      case 'reject': {
        const { headers } = this.rejects(event, () => rejectHeaders(event));
        return { headers, data: EMPTY, endStream: !event.hasBody };
      }
      default:
        return { headers: null, data: this.sendsBody(event), endStream: event.bodyFinished };
    }
  }

  protected readRequest(): Request | null {
    const block = this.#nextBlock();
    if (block === null) return null;
    const request = checkConnect(block.headers);
    // It could take no part in a closing handshake, and sends nothing.
    if (block.endStream) throw new RemoteProtocolError('UNEXPECTED_EOF', 'the stream ended with the request');
    return request;
  }

  protected readResponse(asked: Request): AcceptConnection | RejectConnection | null {
    for (;;) {
      const block = this.#nextBlock();
      if (block === null) return null;
      const response = checkResponse(block.headers);
      // RFC 9110 §15.2: any number of interim responses, here as many as fit the limits of one header block.
      if (response.statusCode < 200) continue;
      if (response.statusCode < 300) return this.accepted(acceptOf(response.headers, asked, this.proposed));
      return this.#rejected(response, block.endStream);
    }
  }

  protected hintFor(error: RemoteProtocolError): RejectConnection | null {
    return hintFrom(H2_HINTS, error);
  }

  #take(headers: HeaderList, endStream: boolean): void {
    if (this.isServer) {
      this.expectStart();
      if (this.#blocks.length > 0) throw oneTooMany();
      this.#store(headers, endStream);
    } else if (this.state === ConnectionState.REJECTING) {
      // What trailers say matters to nobody.
      if (!endStream) throw oneTooMany();
    } else {
      this.expectAsked();
      this.#store(headers, endStream);
    }
  }

  #store(headers: HeaderList, endStream: boolean): void {
    // Behind a fault nothing is read any more.
    if (this.#blocks.at(-1)?.fault) return;
    const fault = this.#faultOf(headers);
    this.#blocks.push({ headers: fault === null ? headers : [], endStream, fault });
  }

  #faultOf(headers: HeaderList): unknown {
    if (this.input.length > 0) return dataFirst();
    try {
      this.#meter.add(headers);
      return null;
    } catch (error) {
      return error;
    }
  }

  #nextBlock(): Arrived | null {
    const block = this.#blocks.shift() ?? null;
    if (block === null && this.input.length > 0) throw dataFirst();
    if (block?.fault) throw block.fault;
    return block;
  }

  #rejected({ statusCode, headers, bodyLength }: ConnectResponse, endStream: boolean): RejectConnection {
    if (endStream && (bodyLength ?? 0) > 0) throw otherLength();
    return this.rejected(statusCode, headers, endStream ? null : new StreamedBody(bodyLength));
  }
}

/** The body of a rejection, up to the end of the stream. */
class StreamedBody implements BodyReader {
  readonly #length: number | null;
  #read = 0;

  constructor(length: number | null) {
    this.#length = length;
  }

  read(input: ByteQueue, eof: boolean): RejectData | null {
    if (input.length === 0 && !eof) return null;
    const piece = input.take(input.length);
    this.#read += piece.length;
    // RFC 9113 §8.1.1.
    if (this.#length !== null && (this.#read > this.#length || (eof && this.#read < this.#length))) throw otherLength();
    return new RejectData(piece, eof);
  }
}

function oneTooMany(): LocalProtocolError {
  return new LocalProtocolError('INVALID_STATE', 'a header block too many');
}

function dataFirst(): RemoteProtocolError {
  return new RemoteProtocolError('UNEXPECTED_DATA', 'data came before the header block that it belongs behind');
}

function otherLength(): RemoteProtocolError {
  return new RemoteProtocolError(
    'INVALID_BODY',
    'the body of the rejection has another length than Content-Length says',
  );
}
