/**
 * The opening handshake over HTTP/1.1 (RFC 6455 §4), for both sides: bytes, or header blocks that somebody else's HTTP
 * has read.
 */

import { randomBytes } from 'node:crypto';
import { LocalProtocolError, type RemoteProtocolError } from '../errors.js';
import type { AcceptConnection, HandshakeEvent, HeaderList, RejectConnection, Request } from '../events.js';
import { ConnectionType } from '../state.js';
import { bodyReaderFor } from './body.js';
import { checkReceivedHeaders } from './fields.js';
import { Handshake } from './handshake.js';
import { H1_HINTS, hintFrom } from './hints.js';
import { HeadReader, writeHead } from './http1.js';
import { generateKey } from './key.js';
import type { HandshakeOptions } from './options.js';
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

/** An opening handshake over HTTP/1.1. It does no I/O: bytes and parsed headers go in, events and bytes come out. */
export class H1Handshake extends Handshake {
  readonly #randomBytes: (size: number) => Uint8Array;
  readonly #readRequest: HeadReader<RequestLine>;
  readonly #readResponse: HeadReader<StatusLine>;
  /** The Sec-WebSocket-Key received (server) or sent (client). */
  #key = '';

  /** @throws LocalProtocolError `INVALID_OPTION` for a limit that is not a number from 0 up */
  constructor(type: ConnectionType, options: HandshakeOptions = {}) {
    super(type, options);
    this.#randomBytes = options.randomBytes ?? randomBytes;
    // RFC 9112 §2.2: an empty line before a request is to be ignored, since old clients sent one after a body.
    this.#readRequest = new HeadReader(this.limits, parseRequestLine, 1);
    this.#readResponse = new HeadReader(this.limits, parseStatusLine);
  }

  /**
   * Server: takes a request that somebody else's HTTP has read; bytes that followed it go to `receiveData`.
   *
   * @throws RemoteProtocolError as `nextEvent` does, with an `eventHint`
   * @throws LocalProtocolError `WRONG_ROLE`, `INVALID_STATE`
   */
  receiveRequest(parsed: ParsedRequest): Request {
    this.expectRole(ConnectionType.SERVER);
    this.expectStart();
    return this.guard(() => {
      checkReceivedHeaders(parsed.headers, this.limits.maxHeaderFields);
      return this.received(this.#check(parsed));
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
    this.expectRole(ConnectionType.CLIENT);
    const asked = this.expectAsked();
    const { statusCode, headers } = parsed;
    if (statusCode < 200 && statusCode !== 101) {
      throw new LocalProtocolError('INVALID_STATUS', `${statusCode} is not the final response`);
    }
    return this.guard(() => {
      checkReceivedHeaders(headers, this.limits.maxHeaderFields);
      return statusCode === 101 ? this.#accepted(headers, asked) : this.rejected(statusCode, headers, null);
    });
  }

  /**
   * Client: the header fields of a request, every one of them, for sending with somebody else's HTTP. What is sent is
   * remembered as by `send`.
   *
   * @throws LocalProtocolError as `send` does
   */
  requestHeaders(request: Request): HeaderList {
    this.expectRole(ConnectionType.CLIENT);
    this.expectStart();
    const key = generateKey(this.#randomBytes);
    const fields = requestFields(request, key, this.supported);
    this.#key = key;
    this.asks(request);
    return fields;
  }

  /**
   * Server: the header fields of the 101, for sending with somebody else's HTTP. The state becomes OPEN as by `send`.
   *
   * @throws LocalProtocolError as `send` does
   */
  acceptHeaders(accept: AcceptConnection): HeaderList {
    return this.accepts(accept, (request, extensions) => acceptFields(accept, request, this.#key, extensions));
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
      case 'reject': {
        const { fields } = this.rejects(event, () => rejectFields(event));
        return writeHead(rejectStatusLine(event.statusCode), fields);
      }
      default:
        return this.sendsBody(event);
    }
  }

  protected readRequest(): Request | null {
    const head = this.#readRequest.read(this.input);
    return head === null ? null : this.#check({ ...head.start, headers: head.headers });
  }

  protected readResponse(asked: Request): AcceptConnection | RejectConnection | null {
    for (;;) {
      const head = this.#readResponse.read(this.input);
      if (head === null) return null;
      const { statusCode, minorVersion } = head.start;
      if (statusCode === 101) return this.#accepted(head.headers, asked);
      // RFC 9110 §15.2: any number of interim responses, here as many as fit the limits of one header block.
      if (statusCode < 200) continue;
      return this.rejected(statusCode, head.headers, bodyReaderFor(statusCode, head.headers, minorVersion));
    }
  }

  protected hintFor(error: RemoteProtocolError): RejectConnection | null {
    // Nobody is there to be told once the stream has ended.
    return error.code === 'UNEXPECTED_EOF' ? null : hintFrom(H1_HINTS, error);
  }

  #check(parsed: ParsedRequest): Request {
    const { request, key } = checkRequest(parsed);
    this.#key = key;
    return request;
  }

  #accepted(headers: HeaderList, asked: Request): AcceptConnection {
    return this.accepted(checkAcceptance(headers, asked, this.#key, this.proposed));
  }
}
