/**
 * The opening handshake for both sides, whichever version of HTTP carries it (RFC 6455 §4, RFC 8441 §5). The two wire
 * forms are `H1Handshake` and `H2Handshake`; this is what they share.
 *
 *  1. What comes waits unread until an event is asked for; the state changes when the event is handed out or sent.
 *  2. A fault of the peer is thrown once as what it is, and again on every later call. A server may still answer it,
 *     with the rejection in `eventHint`; until then it stays CONNECTING. A client is CLOSED at once.
 *  3. Whatever `send` refuses, it refuses before anything has changed.
 *  4. What cannot matter any more is dropped, not stored.
 */

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
import type { BodyReader } from './body.js';
import { ByteQueue } from './byte-queue.js';
import { type HandshakeOptions, handshakeLimits } from './options.js';

const { CONNECTING, OPEN, REJECTING, CLOSED } = ConnectionState;

/** The most bytes that may wait before `receiveData` asks to stop: those that follow a request not yet answered. */
const HIGH_WATER = 64 * 1024;

const EMPTY = new Uint8Array(0);

/** An opening handshake. It does no I/O. */
export abstract class Handshake {
  protected readonly limits: HandshakeLimits;
  protected readonly supported: readonly SupportedExtension[];
  protected readonly input = new ByteQueue();
  readonly #type: ConnectionType;
  readonly #deadline: Deadline;

  #state = CONNECTING;
  #ended = false;
  #failure: RemoteProtocolError | null = null;
  /** What was asked, once it was received (server) or sent (client). */
  #asked: Request | null = null;
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
  constructor(type: ConnectionType, options: HandshakeOptions) {
    this.#type = type;
    this.limits = handshakeLimits(options);
    this.supported = options.extensions ?? [];
    this.#deadline = new Deadline(this.limits.handshakeTimeout);
    if (this.isServer) this.#deadline.arm();
  }

  /** CONNECTING, then OPEN, or CLOSED, or REJECTING and then CLOSED. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** The request received (server) or sent (client), or null before. */
  get request(): Request | null {
    return this.#asked;
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
    return this.#state === OPEN || (this.#state === CONNECTING && this.#requestIsRead) ? this.input.peek() : EMPTY;
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
    if (this.dropsInput) return true;
    this.input.push(data);
    // A header line waits whole, so a large `maxHeaderSize` must not be cut off by a smaller high-water mark.
    const headIsRead = this.#state !== CONNECTING || this.#requestIsRead;
    return this.input.length <= (headIsRead ? HIGH_WATER : Math.max(HIGH_WATER, this.limits.maxHeaderSize));
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
    return this.guard(() => {
      const event = this.#next();
      if (event !== null) return event;
      const unfinished = this.#state === CONNECTING || (this.#state === REJECTING && !this.isServer);
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
      `the handshake took longer than handshakeTimeout, ${this.limits.handshakeTimeout} ms`,
    );
    this.#failure ??= this.isServer && !this.#answered ? this.#withHint(error) : error;
    this.#become(CLOSED);
  }

  // What a wire form has to know.

  /** Server: the request, or null when it is not there yet. */
  protected abstract readRequest(): Request | null;

  /** Client: the final response to the request, or null when it is not there yet. */
  protected abstract readResponse(asked: Request): AcceptConnection | RejectConnection | null;

  /** How a server answers a fault of the client; null where nobody is there any more to be told. */
  protected abstract hintFor(error: RemoteProtocolError): RejectConnection | null;

  // What a wire form is given.

  protected get isServer(): boolean {
    return this.#type === ConnectionType.SERVER;
  }

  /** Whether what still comes cannot matter: after a fault, a timeout, or a rejection by a server. */
  protected get dropsInput(): boolean {
    return this.#failure !== null || this.#state === CLOSED || (this.isServer && this.#state === REJECTING);
  }

  protected expectRole(role: ConnectionType): void {
    if (role === this.#type) return;
    throw new LocalProtocolError('WRONG_ROLE', `only a ${this.isServer ? 'client' : 'server'} does this`);
  }

  protected expectStart(): void {
    if (this.#state !== CONNECTING || this.#failure !== null || this.#asked !== null) throw outOfPlace();
  }

  protected expectAsked(): Request {
    if (this.#state !== CONNECTING || this.#failure !== null || this.#asked === null) throw outOfPlace();
    return this.#asked;
  }

  /** Client: the extensions that the request offers; one that has no parameter lists to offer is not among them. */
  protected get proposed(): readonly SupportedExtension[] {
    return this.supported.filter((extension) => extension.offers().length > 0);
  }

  /** Runs what may find a fault of the peer, and remembers the fault. */
  protected guard<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.#failure = this.isServer ? this.#withHint(error) : error;
      this.input.clear();
      if (this.#failure.eventHint === null) this.#become(CLOSED);
      throw this.#failure;
    }
  }

  /** Server: the request was received. */
  protected received(request: Request): Request {
    this.#asked = request;
    return request;
  }

  /** Client: the request goes out. */
  protected asks(request: Request): void {
    this.#asked = request;
    this.#deadline.arm();
  }

  /** Client: the server accepts. */
  protected accepted(accept: AcceptConnection): AcceptConnection {
    this.#open(accept.subprotocol, accept.extensions);
    return accept;
  }

  /** Client: the server refuses. */
  protected rejected(statusCode: number, headers: HeaderList, body: BodyReader | null): RejectConnection {
    this.#body = body;
    this.#become(body === null ? CLOSED : REJECTING);
    return new RejectConnection({ statusCode, headers, hasBody: body !== null });
  }

  /**
   * Server: the acceptance goes out.
   *
   * @param write makes what is sent of the request and the value of Sec-WebSocket-Extensions; null for none. What it
   *   throws leaves everything as it was
   * @returns what `write` does
   */
  protected accepts<T>(accept: AcceptConnection, write: (request: Request, extensions: string | null) => T): T {
    this.expectRole(ConnectionType.SERVER);
    const request = this.expectAsked();
    const { header, extensions } = serverExtensionsHandshake(request.extensions, this.supported);
    const written = write(request, header);
    this.#answered = true;
    this.#open(accept.subprotocol, extensions);
    return written;
  }

  /**
   * Server: a rejection goes out.
   *
   * @param write as that of `accepts`; `bodyLength` is what the body must have, null when its end tells
   */
  protected rejects<T extends { readonly bodyLength: number | null }>(reject: RejectConnection, write: () => T): T {
    this.expectRole(ConnectionType.SERVER);
    // After a fault only the hint opens the way; without one it takes a request to have something to reject.
    if (this.#answered || (this.#failure === null ? this.#asked : this.#failure.eventHint) === null) throw outOfPlace();
    // After a timeout the state is CLOSED for good, and has no room for a body.
    if (this.#state === CLOSED && reject.hasBody) throw outOfPlace();
    const written = write();
    this.#answered = true;
    this.#bodyLeft = written.bodyLength;
    this.#become(reject.hasBody ? REJECTING : CLOSED);
    return written;
  }

  /** Server: a piece of the body of a rejection goes out. */
  protected sendsBody(piece: RejectData): Uint8Array {
    this.expectRole(ConnectionType.SERVER);
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

  /** Whether a server has its request, and what comes now belongs to the connection. */
  get #requestIsRead(): boolean {
    return this.isServer && this.#asked !== null;
  }

  #next(): HandshakeEvent | null {
    if (this.isServer) {
      const request = this.#asked === null ? this.readRequest() : null;
      return request === null ? null : this.received(request);
    }
    if (this.#body !== null && this.#state === REJECTING) {
      const piece = this.#body.read(this.input, this.#ended);
      if (piece?.bodyFinished) this.#become(CLOSED);
      return piece;
    }
    return this.#asked === null || this.#state !== CONNECTING ? null : this.readResponse(this.#asked);
  }

  #open(subprotocol: string | null, extensions: readonly Extension[]): void {
    this.#subprotocol = subprotocol;
    this.#extensions = extensions;
    this.#become(OPEN);
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    if (state !== REJECTING) this.#deadline.disarm();
    // Only an open connection has any use for what came after the handshake.
    if (state === CLOSED || (state === REJECTING && this.isServer)) this.input.clear();
  }

  #withHint(error: RemoteProtocolError): RemoteProtocolError {
    const hint = this.hintFor(error);
    return hint === null ? error : new RemoteProtocolError(error.code, error.message, hint);
  }
}

function outOfPlace(): LocalProtocolError {
  return new LocalProtocolError('INVALID_STATE', 'the handshake is not at the point where this is done');
}
