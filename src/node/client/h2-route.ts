/** A request by HTTP/2, on a stream of a session that others may share (RFC 8441 §4). */

import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import {
  ConnectionState,
  ConnectionType,
  H2Handshake,
  type HandshakeOptions,
  type HeaderList,
  type Request,
} from '../../core/index.js';
import { HTTP_1_1_REQUIRED, REFUSED_STREAM } from '../h2/codes.js';
import { cancel } from '../h2/transport.js';
import { joinUnread } from '../h2/unread.js';
import { fieldsOf, pairsOf } from '../headers.js';
import { ignore } from '../refusal.js';
import type { Arrival, Route, RouteOwner } from './route.js';

/** Where a session comes from. */
export interface SessionSource {
  /** What is waited for until there is one, for messages. */
  readonly waitsFor: string;
  /** Asks for a session; one call of `RouteOwner` or of `onSession` follows, but not before this has returned. */
  request(asking: SessionRequest): void;
  /**
   * Nobody waits for the answer any more.
   *
   * @param isSilent whether nothing came back in time, be it to a request or from a session that is to be: it may be
   *   dead, which TCP would find out much later, if at all
   */
  forget(asking: SessionRequest, isSilent: boolean): void;
  /** Whether a request that was refused without being looked at may be tried on another session. */
  readonly hasOthers: boolean;
}

/** Whoever asks for a session. */
export interface SessionRequest {
  readonly owner: RouteOwner;
  /**
   * @param session allows extended CONNECT
   * @returns the stream that was opened on it, or null where none was
   */
  onSession(session: ClientHttp2Session): ClientHttp2Stream | null;
  /**
   * The session that was waited for takes no more.
   *
   * @param isFull whether that is because of the streams that it has, and not because it takes none
   */
  onNoRoom(isFull: boolean): void;
}

/** How often a session is asked for that takes the request, or at least looks at it (RFC 9113 §8.7). */
const MOST_TRIES = 3;
const END_STREAM = 0x1;

export class H2Route implements Route, SessionRequest {
  readonly httpVersion = '2.0';
  readonly handshake: H2Handshake;
  readonly owner: RouteOwner;
  sent = false;
  heard = false;
  readonly #source: SessionSource;
  readonly #request: HeaderList;
  #stream: ClientHttp2Stream | null = null;
  #remoteAddress = '';
  #tries = 0;
  #over = false;

  /** @throws LocalProtocolError as `H2Handshake.send` does */
  constructor(
    request: Request,
    handshake: HandshakeOptions,
    secure: boolean,
    source: SessionSource,
    owner: RouteOwner,
  ) {
    this.handshake = new H2Handshake(ConnectionType.CLIENT, { ...handshake, scheme: secure ? 'https' : 'http' });
    this.#request = this.handshake.send(request).headers ?? [];
    this.#source = source;
    this.owner = owner;
  }

  get waitsFor(): string {
    return this.sent ? 'an answer' : this.#source.waitsFor;
  }

  open(): void {
    this.#tries++;
    this.sent = false;
    this.#source.request(this);
  }

  onNoRoom(isFull: boolean): void {
    if (isFull) this.#source.request(this);
    else if (!this.#tryAgain()) this.owner.onFailure('CONNECTION_FAILED', 'the server takes no streams');
  }

  onSession(session: ClientHttp2Session): ClientHttp2Stream | null {
    if (this.#over) return null;
    this.#remoteAddress = session.socket?.remoteAddress ?? '';
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(fieldsOf(this.#request), { endStream: false });
    } catch (error) {
      // A session that has ended, or fields that HTTP/2, or node:http2, does not have twice.
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ERR_HTTP2_HEADER_SINGLE_VALUE') this.owner.onFailure('INVALID_HEADER', message, { cause: error });
      else this.owner.onError(error);
      return null;
    }
    joinUnread(stream);
    this.#stream = stream;
    this.sent = true;
    stream.on('headers', this.#onHeaders);
    stream.on('response', this.#onHeaders);
    stream.on('end', this.#onEnd);
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
    return stream;
  }

  arrive(): Arrival {
    const stream = this.#stream as ClientHttp2Stream;
    this.#over = true;
    this.#letGo(stream);
    return { stream, head: this.handshake.trailingData, remoteAddress: this.#remoteAddress };
  }

  cutOff(): void {
    this.#over = true;
    const { state, ended } = this.handshake;
    const isLate = state === ConnectionState.CLOSED && !this.heard && !ended;
    this.#source.forget(this, isLate);
    const stream = this.#stream;
    if (stream === null) return;
    this.#letGo(stream);
    stream.on('error', ignore);
    cancel(stream);
  }

  /** Asks for a session once more, if there may be another, and not for ever. */
  #tryAgain(): boolean {
    if (!this.#source.hasOthers || this.#tries === MOST_TRIES) return false;
    if (this.#stream !== null) this.#letGo(this.#stream);
    this.#stream = null;
    this.open();
    return true;
  }

  #letGo(stream: ClientHttp2Stream): void {
    stream.off('headers', this.#onHeaders);
    stream.off('response', this.#onHeaders);
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    stream.off('error', this.#onError);
    stream.off('close', this.#onClose);
  }

  readonly #onHeaders = (headers: IncomingHttpHeaders, flags: number, rawHeaders?: string[]): void => {
    // A block behind the final response, which nghttp2 should not let through.
    const { state: before } = this.handshake;
    if (before !== ConnectionState.CONNECTING) return;
    this.heard = true;
    const list = rawHeaders === undefined ? listOf(headers) : pairsOf(rawHeaders);
    this.handshake.receiveHeaders(list, (flags & END_STREAM) !== 0);
    this.owner.onProgress();
    // Reading is for bodies of rejections: what follows an acceptance is the connection's.
    if (this.handshake.state === ConnectionState.REJECTING) this.#stream?.on('data', this.#onData);
  };

  readonly #onData = (chunk: Buffer): void => {
    this.handshake.receiveData(chunk);
    this.owner.onProgress();
  };

  readonly #onEnd = (): void => {
    if (!this.handshake.ended) this.handshake.receiveData(null);
    this.owner.onProgress();
  };

  readonly #onError = (error: Error): void => {
    const stream = this.#stream as ClientHttp2Stream;
    const code = stream.rstCode;
    // Who has begun to answer has looked at the request, and what came would be read as if it were of the next stream.
    if (code === HTTP_1_1_REQUIRED && !this.heard) {
      this.owner.onlyHttp1('HTTP_1_1_REQUIRED', 'the server wants HTTP/1.1 for this', { cause: error });
    } else if (code !== REFUSED_STREAM || this.heard || !this.#tryAgain()) {
      this.owner.onError(error);
    }
  };

  readonly #onClose = (): void => {
    if (!this.#over) this.owner.onClose();
  };
}

/** Header fields as Nodes have them that do not tell how they came. */
function listOf(headers: IncomingHttpHeaders): HeaderList {
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => [name, String(each)] as const),
  );
}
