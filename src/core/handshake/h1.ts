/**
 * The opening handshake over HTTP/1.1 (RFC 6455 §4), for both sides.
 *
 *  1. Bytes wait unread until an event is asked for; the state changes when the event is handed out or sent.
 *  2. A fault of the peer is thrown once as what it is, and again on every later call. A server may still answer it,
 *     with the rejection in `eventHint`; until then it stays CONNECTING. A client is CLOSED at once.
 *  3. Whatever `send` refuses, it refuses before anything has changed.
 *  4. What cannot matter any more is dropped, not stored.
 */

import { randomBytes } from 'node:crypto';
import { Deadline } from '../deadlines.js';
import { LocalProtocolError, RemoteProtocolError } from '../errors.js';
import {
  type AcceptConnection,
  type HandshakeEvent,
  type HeaderList,
  NEED_DATA,
  RejectConnection,
  type RejectData,
  type Request,
} from '../events.js';
import type { Extension, SupportedExtension } from '../extensions/extension.js';
import { serverExtensionsHandshake } from '../extensions/negotiation.js';
import type { HandshakeLimits } from '../limits.js';
import { ConnectionState, ConnectionType } from '../state.js';
import { type BodyReader, bodyReaderFor } from './body.js';
import { ByteQueue } from './byte-queue.js';
import { checkReceivedHeaders } from './fields.js';
import { withHint } from './hints.js';
import { HeadReader, writeHead } from './http1.js';
import { generateKey } from './key.js';
import { type HandshakeOptions, handshakeLimits } from './options.js';
import { checkRequest, type ParsedRequest, parseRequestLine, type RequestLine, requestFields } from './request.js';
import {
  acceptFields,
  checkAcceptance,
  type ParsedResponse,
  parseStatusLine,
  rejectFields,
  rejectStatusLine,
  type StatusLine,
} from './response.js';

export type { HandshakeOptions } from './options.js';
export type { ParsedRequest } from './request.js';
export type { ParsedResponse } from './response.js';

const { CONNECTING, OPEN, REJECTING, CLOSED } = ConnectionState;

/** The most bytes that may wait before `receiveData` asks to stop: those that follow a request not yet answered. */
const HIGH_WATER = 64 * 1024;

/** A request, and the Sec-WebSocket-Key in it. */
interface Asked {
  readonly request: Request;
  readonly key: string;
}

const EMPTY = new Uint8Array(0);

/** An opening handshake over HTTP/1.1. It does no I/O: bytes and parsed headers go in, events and bytes come out. */
export class H1Handshake {
  readonly #type: ConnectionType;
  readonly #limits: HandshakeLimits;
  readonly #supported: readonly SupportedExtension[];
  readonly #randomBytes: (size: number) => Uint8Array;
  readonly #input = new ByteQueue();
  readonly #deadline: Deadline;
  readonly #readRequest: HeadReader<RequestLine>;
  readonly #readResponse: HeadReader<StatusLine>;

  #state = CONNECTING;
  #ended = false;
  #failure: RemoteProtocolError | null = null;
  /** What was asked, once it was received (server) or sent (client). */
  #asked: Asked | null = null;
  /** Server: whether a response has gone out. */
  #answered = false;
  /** Client: the body of the rejection that is being received. */
  #body: BodyReader | null = null;
  /** Server: what is left of the body of the rejection that is being sent; null when its length was not announced. */
  #bodyLeft: number | null = null;
  #subprotocol: string | null = null;
  #extensions: readonly Extension[] = [];
  #now = 0;

  /** @throws LocalProtocolError `INVALID_OPTION` for a limit that is not a number from 0 up */
  constructor(type: ConnectionType, options: HandshakeOptions = {}) {
    this.#type = type;
    this.#limits = handshakeLimits(options);
    this.#deadline = new Deadline(this.#limits.handshakeTimeout);
    if (this.#isServer) this.#deadline.arm();
    this.#supported = options.extensions ?? [];
    this.#randomBytes = options.randomBytes ?? randomBytes;
    // RFC 9112 §2.2: an empty line before a request is to be ignored, since old clients sent one after a body.
    this.#readRequest = new HeadReader(this.#limits, parseRequestLine, 1);
    this.#readResponse = new HeadReader(this.#limits, parseStatusLine);
  }

  /** CONNECTING, then OPEN, or CLOSED, or REJECTING and then CLOSED. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** The request received (server) or sent (client), or null before. */
  get request(): Request | null {
    return this.#asked?.request ?? null;
  }

  /** The subprotocol agreed on, or null. */
  get subprotocol(): string | null {
    return this.#subprotocol;
  }

  /** The extensions agreed on, instances of this connection, in the order they apply in (RFC 6455 §9.1). */
  get extensions(): readonly Extension[] {
    return this.#extensions;
  }

  /**
   * The bytes that followed the handshake, empty if there are none; they belong to the `Connection`. On a server they
   * may come before the answer does.
   */
  get trailingData(): Uint8Array {
    const handshakeIsRead =
      this.#state === OPEN || (this.#state === CONNECTING && this.#isServer && this.#asked !== null);
    return handshakeIsRead ? this.#input.peek() : EMPTY;
  }

  /** Whether `receiveData` was told of the end of the stream; like `trailingData`, the `Connection` has to know. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Takes bytes, or null for the end of the stream. Once OPEN, bytes are still added to `trailingData`, so that none
   * gets lost. After a fault or a rejection a server's input is dropped, and may well be read to its end: closing a
   * socket with unread input can destroy the answer on its way (RFC 9112 §9.6).
   *
   * @param data must not be changed by the caller afterwards
   * @returns false when so much waits that reading should stop; nothing given is lost
   * @throws LocalProtocolError `INVALID_STATE` for bytes after the end
   */
  receiveData(data: Uint8Array | null): boolean {
    if (data === null) {
      this.#ended = true;
      return true;
    }
    if (this.#ended) throw new LocalProtocolError('INVALID_STATE', 'bytes after the end of the stream');
    if (this.#failure !== null || this.#state === CLOSED || (this.#isServer && this.#state === REJECTING)) return true;
    this.#input.push(data);
    // A header line waits whole, so a large `maxHeaderSize` must not be cut off by a smaller high-water mark.
    const headIsRead = this.#state !== CONNECTING || (this.#isServer && this.#asked !== null);
    return this.#input.length <= (headIsRead ? HIGH_WATER : Math.max(HIGH_WATER, this.#limits.maxHeaderSize));
  }

  /**
   * The next event: `Request` on a server; on a client `AcceptConnection`, or `RejectConnection` with `RejectData` up
   * to one with `bodyFinished`. NEED_DATA also when no further event will come.
   *
   * @throws RemoteProtocolError when the peer breaks the protocol, ends the stream (`UNEXPECTED_EOF`) or is late
   * (`HANDSHAKE_TIMEOUT`); again at every later call. On a server its `eventHint` may still be sent
   */
  nextEvent(): HandshakeEvent | typeof NEED_DATA {
    if (this.#failure !== null) throw this.#failure;
    return this.#guard(() => {
      const event = this.#isServer ? this.#nextRequest() : this.#nextResponse();
      if (event !== null) return event;
      const unfinished = this.#state === CONNECTING || (this.#state === REJECTING && !this.#isServer);
      if (this.#ended && unfinished) {
        throw new RemoteProtocolError('UNEXPECTED_EOF', 'the stream ended before the handshake did');
      }
      return NEED_DATA;
    });
  }

  /** The events there are, until `nextEvent` would return NEED_DATA; throws as it does. */
  *events(): IterableIterator<HandshakeEvent> {
    for (let event = this.nextEvent(); event !== NEED_DATA; event = this.nextEvent()) yield event;
  }

  /**
   * Server: takes a request that somebody else's HTTP has read; bytes that followed it go to `receiveData`.
   *
   * @throws RemoteProtocolError as `nextEvent` does, with an `eventHint`
   * @throws LocalProtocolError `WRONG_ROLE`, `INVALID_STATE`
   */
  receiveRequest(parsed: ParsedRequest): Request {
    this.#expectRole(ConnectionType.SERVER);
    this.#expectStart();
    return this.#guard(() => {
      checkReceivedHeaders(parsed.headers, this.#limits.maxHeaderFields);
      this.#asked = checkRequest(parsed);
      return this.#asked.request;
    });
  }

  /**
   * Client: takes a response that somebody else's HTTP has read. The body of a rejection is left to that HTTP too, so
   * the event has no body and the state is CLOSED.
   *
   * @throws RemoteProtocolError as `nextEvent` does
   * @throws LocalProtocolError `WRONG_ROLE`, `INVALID_STATE`, or `INVALID_STATUS` for a 1xx other than 101
   */
  receiveResponse(parsed: ParsedResponse): AcceptConnection | RejectConnection {
    this.#expectRole(ConnectionType.CLIENT);
    const asked = this.#expectAsked();
    const { statusCode, headers } = parsed;
    if (statusCode < 200 && statusCode !== 101) {
      throw new LocalProtocolError('INVALID_STATUS', `${statusCode} is not the final response`);
    }
    return this.#guard(() => {
      checkReceivedHeaders(headers, this.#limits.maxHeaderFields);
      return statusCode === 101 ? this.#accepted(headers, asked) : this.#rejected(statusCode, headers, null);
    });
  }

  /**
   * Client: the header fields of a request, every one of them, for sending with somebody else's HTTP. What is sent is
   * remembered as by `send`.
   *
   * @throws LocalProtocolError as `send` does
   */
  requestHeaders(request: Request): HeaderList {
    this.#expectRole(ConnectionType.CLIENT);
    this.#expectStart();
    const key = generateKey(this.#randomBytes);
    const fields = requestFields(request, key, this.#supported);
    this.#asked = { request, key };
    this.#deadline.arm();
    return fields;
  }

  /**
   * Server: the header fields of the 101, for sending with somebody else's HTTP. The state becomes OPEN as by `send`.
   *
   * @throws LocalProtocolError as `send` does
   */
  acceptHeaders(accept: AcceptConnection): HeaderList {
    this.#expectRole(ConnectionType.SERVER);
    const { request, key } = this.#expectAsked();
    const { header, extensions } = serverExtensionsHandshake(request.extensions, this.#supported);
    const fields = acceptFields(accept, request, key, header);
    this.#subprotocol = accept.subprotocol;
    this.#extensions = extensions;
    this.#answered = true;
    this.#become(OPEN);
    return fields;
  }

  /**
   * The bytes of an event. After a `RejectConnection` that ends in CLOSED, and after the last `RejectData`, the caller
   * closes the connection.
   *
   * @throws LocalProtocolError before anything changes: `WRONG_ROLE`, `INVALID_STATE`, `INVALID_TARGET`,
   * `INVALID_HOST`, `INVALID_SUBPROTOCOL`, `INVALID_EXTENSION`, `INVALID_HEADER`, `RESERVED_HEADER`, `INVALID_STATUS`,
   * `BODY_LENGTH`, `INVALID_KEY`
   */
  send(event: HandshakeEvent): Uint8Array {
    switch (event.type) {
      case 'request': {
        const fields = this.requestHeaders(event);
        return writeHead(`GET ${event.target} HTTP/1.1`, fields);
      }
      case 'accept':
        return writeHead('HTTP/1.1 101 Switching Protocols', this.acceptHeaders(event));
      case 'reject':
        return this.#sendReject(event);
      default:
        return this.#sendBody(event);
    }
  }

  /**
   * When to call `handleTimeout`, on the caller's clock; null when nothing is waited for. A server waits from the start,
   * a client from its request on. While the time has not been told since, this is the time last told: `handleTimeout`
   * is to be called at once.
   */
  nextDeadline(): number | null {
    return this.#deadline.next(this.#now);
  }

  /**
   * Tells the time, in milliseconds on any clock that does not go back. The first call starts `handshakeTimeout`; one
   * that comes when it is over closes the handshake, and `nextEvent` then throws `HANDSHAKE_TIMEOUT`. A server that
   * has not answered may still send its hint, or another rejection without a body.
   */
  handleTimeout(now: number): void {
    this.#now = now;
    if (!this.#deadline.tick(now)) return;
    const error = new RemoteProtocolError(
      'HANDSHAKE_TIMEOUT',
      `the handshake took longer than handshakeTimeout, ${this.#limits.handshakeTimeout} ms`,
    );
    this.#failure ??= this.#isServer && !this.#answered ? withHint(error) : error;
    this.#become(CLOSED);
  }

  get #isServer(): boolean {
    return this.#type === ConnectionType.SERVER;
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    if (state !== REJECTING) this.#deadline.disarm();
    // Only an open connection has any use for what came after the handshake.
    if (state === CLOSED || (state === REJECTING && this.#isServer)) this.#input.clear();
  }

  /** Runs what may find a fault of the peer, and remembers the fault. */
  #guard<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      // Nobody is there to be told once the stream has ended.
      const answerable = this.#isServer && error.code !== 'UNEXPECTED_EOF';
      this.#failure = answerable ? withHint(error) : error;
      this.#input.clear();
      if (!answerable) this.#become(CLOSED);
      throw this.#failure;
    }
  }

  #expectRole(role: ConnectionType): void {
    if (role === this.#type) return;
    throw new LocalProtocolError('WRONG_ROLE', `only a ${this.#isServer ? 'client' : 'server'} does this`);
  }

  #expectStart(): void {
    if (this.#state !== CONNECTING || this.#failure !== null || this.#asked !== null) throw outOfPlace();
  }

  #expectAsked(): Asked {
    if (this.#state !== CONNECTING || this.#failure !== null || this.#asked === null) throw outOfPlace();
    return this.#asked;
  }

  #nextRequest(): Request | null {
    if (this.#asked !== null) return null;
    const head = this.#readRequest.read(this.#input);
    if (head === null) return null;
    this.#asked = checkRequest({ ...head.start, headers: head.headers });
    return this.#asked.request;
  }

  #nextResponse(): AcceptConnection | RejectConnection | RejectData | null {
    if (this.#body !== null && this.#state === REJECTING) {
      const piece = this.#body.read(this.#input, this.#ended);
      if (piece?.bodyFinished) this.#become(CLOSED);
      return piece;
    }
    if (this.#asked === null || this.#state !== CONNECTING) return null;
    for (;;) {
      const head = this.#readResponse.read(this.#input);
      if (head === null) return null;
      const { statusCode, minorVersion } = head.start;
      if (statusCode === 101) return this.#accepted(head.headers, this.#asked);
      // RFC 9110 §15.2: any number of interim responses, here as many as fit the limits of one header block.
      if (statusCode < 200) continue;
      return this.#rejected(statusCode, head.headers, bodyReaderFor(statusCode, head.headers, minorVersion));
    }
  }

  #accepted(headers: HeaderList, { request, key }: Asked): AcceptConnection {
    // An extension that had no parameter lists to offer was not offered.
    const proposed = this.#supported.filter((extension) => extension.offers().length > 0);
    const accept = checkAcceptance(headers, request, key, proposed);
    this.#subprotocol = accept.subprotocol;
    this.#extensions = accept.extensions;
    this.#become(OPEN);
    return accept;
  }

  #rejected(statusCode: number, headers: HeaderList, body: BodyReader | null): RejectConnection {
    this.#body = body;
    this.#become(body === null ? CLOSED : REJECTING);
    return new RejectConnection({ statusCode, headers, hasBody: body !== null });
  }

  #sendReject(reject: RejectConnection): Uint8Array {
    this.#expectRole(ConnectionType.SERVER);
    // After a fault only the hint opens the way; without one it takes a request to have something to reject.
    if (this.#answered || (this.#failure === null ? this.#asked : this.#failure.eventHint) === null) throw outOfPlace();
    // After a timeout the state is CLOSED for good, and has no room for a body.
    if (this.#state === CLOSED && reject.hasBody) throw outOfPlace();
    const { fields, bodyLength } = rejectFields(reject);
    this.#answered = true;
    this.#bodyLeft = bodyLength;
    this.#become(reject.hasBody ? REJECTING : CLOSED);
    return writeHead(rejectStatusLine(reject.statusCode), fields);
  }

  #sendBody(piece: RejectData): Uint8Array {
    this.#expectRole(ConnectionType.SERVER);
    if (this.#state !== REJECTING) throw outOfPlace();
    if (this.#bodyLeft !== null) {
      // A body of another length than announced makes the client wait, or read the rest as the next response.
      const left = this.#bodyLeft - piece.data.length;
      if (left < 0 || (piece.bodyFinished && left > 0)) {
        throw new LocalProtocolError('BODY_LENGTH', 'the body does not have the length that Content-Length announced');
      }
      this.#bodyLeft = left;
    }
    if (piece.bodyFinished) this.#become(CLOSED);
    return piece.data;
  }
}

function outOfPlace(): LocalProtocolError {
  return new LocalProtocolError('INVALID_STATE', 'the handshake is not at the point where this is done');
}
