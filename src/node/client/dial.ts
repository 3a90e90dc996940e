/**
 * The client's side of an opening handshake: chooses the version of HTTP, has the request sent, and reads the answer
 * (RFC 6455 §4.1, RFC 8441 §5). The body of a refusal is cut off.
 */

import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import { unescape as percentDecode } from 'node:querystring';
import type { Duplex } from 'node:stream';
import {
  type AcceptConnection,
  ConnectionState,
  ConnectionType,
  type Extension,
  type Handshake,
  type HandshakeLimits,
  type HandshakeOptions,
  type HeaderList,
  LocalProtocolError,
  type RejectConnection,
  type RemoteProtocolError,
  Request,
} from '../../core/index.js';
import { type DeflateOption, deflateFor } from '../deflate.js';
import { headersObject } from '../headers.js';
import { asError } from '../thrown.js';
import { type Timed, wheel } from '../wheel.js';
import { H1Route } from './h1-route.js';
import { H2Route } from './h2-route.js';
import { HandshakeError, type HandshakeErrorInit } from './handshake-error.js';
import type { Arrival, Route, RouteOwner } from './route.js';
import { GivenSession, SharedSessions } from './shared-sessions.js';
import { parseTarget, type Target } from './target.js';
import { complainsOfPlainHttp, isNotTls } from './tls-faults.js';
import type { TransportOptions } from './transport.js';

/** How to connect, and within which limits; times in milliseconds, sizes in bytes. */
export interface DialOptions extends TransportOptions, Partial<HandshakeLimits>, DeflateOption {
  /** The subprotocols to offer, the preferred first. */
  readonly protocols?: string | Iterable<string>;
  /** Further header fields of the request. */
  readonly headers?: Readonly<Record<string, string>> | Iterable<readonly [name: string, value: string]>;
  /** The Origin field, which browsers send and servers may want. */
  readonly origin?: string;
  /** Gives up while the handshake is under way; afterwards it does nothing. */
  readonly signal?: AbortSignal;
  /**
   * Speaks HTTP/2 (RFC 8441): true for a session that is shared by all that connect to the same server with the same
   * options, opened with the first and closed some time after the last (where the server takes no more streams on it, the
   * next is opened); or a session of your own, which is left open.
   * Without TLS the server has to know that HTTP/2 comes. False, HTTP/1.1, by default.
   */
  readonly http2?: boolean | ClientHttp2Session;
  /** Whether HTTP/1.1 will do where the server does not take WebSockets over HTTP/2; false by default. */
  readonly allowHTTP1?: boolean;
}

/** A handshake that succeeded. */
export interface Dialed extends Arrival {
  readonly httpVersion: '1.1' | '2.0';
  readonly extensions: readonly Extension[];
  /** The subprotocol chosen, '' for none. */
  readonly protocol: string;
  /** The fields of the answer but for the handshake's own, as node:http joins them. */
  readonly headers: IncomingHttpHeaders;
}

/** The most of a refusal's body that is read, in bytes. */
const MAX_BODY = 64 * 1024;
/** How long a refusal's body may take, in milliseconds. */
const BODY_TIMEOUT = 2000;

/** A refusal whose body is being read. */
interface Refusal {
  readonly event: RejectConnection;
  readonly body: Buffer[];
  size: number;
  readonly deadline: number;
}

/** One opening handshake. */
export class Dial implements Timed, RouteOwner {
  bucket: number | null = null;
  readonly target: Target;
  readonly #options: DialOptions;
  readonly #mustChoose: boolean;
  readonly #request: Request;
  readonly #settings: HandshakeOptions;
  readonly #done: (error: HandshakeError | null, dialed: Dialed | null) => void;
  #route: Route;
  #started = 0;
  #refusal: Refusal | null = null;
  #over = false;

  /**
   * Checks everything that can be wrong before anything is opened.
   *
   * @param mustChoose whether the server has to choose one of the subprotocols, as the WHATWG wants it
   * @param done called once after `start`, and not before that has returned
   * @throws LocalProtocolError `INVALID_URL`, `INVALID_OPTION`, `INVALID_SUBPROTOCOL`, `INVALID_HEADER`,
   * `RESERVED_HEADER`, `INVALID_HOST`
   */
  constructor(
    url: string | URL,
    options: DialOptions,
    mustChoose: boolean,
    done: (error: HandshakeError | null, dialed: Dialed | null) => void,
  ) {
    const { protocols = [] } = options;
    this.target = parseTarget(url);
    this.#options = options;
    this.#mustChoose = mustChoose;
    this.#done = done;
    const deflate = deflateFor(ConnectionType.CLIENT, options);
    this.#settings = { ...options, extensions: deflate === null ? [] : [deflate] };
    const { host, pathname, search } = this.target.url;
    this.#request = new Request({
      host,
      target: pathname + search,
      subprotocols: typeof protocols === 'string' ? [protocols] : [...protocols],
      extraHeaders: requestHeaders(this.target.url, options),
    });
    this.#route = this.#firstRoute();
  }

  /** Begins; `handshakeTimeout` runs from here. */
  start(): void {
    const { signal } = this.#options;
    if (signal?.aborted) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#started = wheel.now();
    this.onDeadline(this.#started);
    this.#route.open();
  }

  /** Gives up, unless it is over. */
  abort(reason: unknown): void {
    this.#fail('ABORTED', 'the handshake was given up', { cause: reason });
  }

  onDeadline(now: number): void {
    if (this.#refusal !== null && this.#refusal.deadline <= now) {
      this.#refused();
      return;
    }
    this.#handshake.handleTimeout(now);
    if (this.#handshake.state === ConnectionState.CLOSED) this.onProgress();
    else this.#armDeadline();
  }

  // What the route says.

  onProgress(): void {
    try {
      for (const event of this.#handshake.events()) {
        if (event.type === 'accept') {
          this.#accepted(event);
          return;
        }
        if (event.type === 'reject') this.#startRefusal(event);
        else if (event.type === 'reject-data') this.#readBody(event.data);
      }
      if (this.#handshake.state === ConnectionState.CLOSED && this.#refusal !== null) this.#refused();
    } catch (error) {
      this.#fault(error as RemoteProtocolError);
    }
  }

  onError(thrown: unknown): void {
    const error = asError(thrown);
    if (this.#refusal !== null) {
      this.#refused(error);
    } else if (this.target.secure && !this.#route.sent && isNotTls(error)) {
      this.#fail('TLS_NOT_SPOKEN', 'the server does not speak TLS: its URL begins with ws:', { cause: error });
    } else {
      this.#fail('CONNECTION_FAILED', `the connection failed: ${describe(error)}`, { cause: error });
    }
  }

  onClose(): void {
    if (this.#refusal !== null) this.#refused();
    else this.#fail('CONNECTION_FAILED', `the connection was closed while waiting for ${this.#route.waitsFor}`);
  }

  onFailure(code: string, message: string, init?: HandshakeErrorInit): void {
    this.#fail(code, message, init);
  }

  onlyHttp1(code: string, message: string, init?: HandshakeErrorInit, stream: Duplex | null = null): void {
    if (this.#options.allowHTTP1 !== true || this.#over) {
      stream?.destroy();
      this.#fail(code, message, init);
      return;
    }
    this.#route.cutOff();
    this.#route = this.#routeByHttp1(stream);
    // One deadline for both.
    this.#handshake.handleTimeout(this.#started);
    this.#armDeadline();
    this.#route.open();
  }

  get #handshake(): Handshake {
    return this.#route.handshake;
  }

  #firstRoute(): Route {
    const { http2 = false, allowHTTP1 = false } = this.#options;
    if (typeof allowHTTP1 !== 'boolean') throw invalid('allowHTTP1 must be a boolean');
    if (http2 === false) return this.#routeByHttp1(null);
    if (http2 !== true && typeof (http2 as Partial<ClientHttp2Session> | null)?.request !== 'function') {
      throw invalid('http2 must be a boolean or a client session of node:http2');
    }
    const source =
      http2 === true ? new SharedSessions(this.target, this.#options, allowHTTP1) : new GivenSession(http2);
    return new H2Route(this.#request, this.#settings, this.target.secure, source, this);
  }

  #routeByHttp1(stream: Duplex | null): Route {
    return new H1Route(this.#request, this.#settings, this.target, this.#options, this, stream);
  }

  readonly #onAbort = (): void => this.abort(this.#options.signal?.reason);

  #armDeadline(): void {
    const whole = this.#handshake.nextDeadline() ?? Number.POSITIVE_INFINITY;
    wheel.set(this, Math.min(whole, this.#refusal?.deadline ?? Number.POSITIVE_INFINITY));
  }

  #accepted({ subprotocol, extraHeaders }: AcceptConnection): void {
    const offered = this.#handshake.request?.subprotocols ?? [];
    if (this.#mustChoose && subprotocol === null && offered.length > 0) {
      this.#fail('MISSING_SUBPROTOCOL', 'the server chose none of the subprotocols that were offered');
      return;
    }
    this.#finish();
    this.#done(null, {
      ...this.#route.arrive(),
      httpVersion: this.#route.httpVersion,
      extensions: this.#handshake.extensions,
      protocol: subprotocol ?? '',
      headers: headersObject(extraHeaders),
    });
  }

  #startRefusal(event: RejectConnection): void {
    this.#refusal = { event, body: [], size: 0, deadline: wheel.now() + BODY_TIMEOUT };
    this.#armDeadline();
  }

  #readBody(data: Uint8Array): void {
    const refusal = this.#refusal as Refusal;
    // A copy, for the error may be kept for long and the chunk is larger.
    const piece = Buffer.from(data.subarray(0, MAX_BODY - refusal.size));
    refusal.body.push(piece);
    refusal.size += piece.length;
    if (refusal.size === MAX_BODY) this.#refused();
  }

  /** A refusal is there as far as it will be waited for. */
  #refused(cause?: Error): void {
    const { event, body: pieces } = this.#refusal as Refusal;
    const { statusCode } = event;
    const headers = headersObject(event.headers);
    const body = Buffer.concat(pieces);
    const init = { statusCode, headers, body, ...(cause !== undefined && { cause }) };
    const status = `${statusCode} ${STATUS_CODES[statusCode] ?? ''}`.trimEnd();
    if (statusCode < 400 && statusCode >= 300) {
      const where = headers.location === undefined ? 'without a Location' : `to ${headers.location}`;
      this.#fail('REDIRECT', `the server redirects ${where} (${status}); redirects are not followed`, init);
    } else if (!this.target.secure && complainsOfPlainHttp(event, body)) {
      this.#fail('TLS_EXPECTED', `the server speaks TLS: its URL begins with wss: (${status})`, init);
    } else {
      const wanted = this.#route.httpVersion === '1.1' ? '101 Switching Protocols' : '200 OK';
      this.#fail('UNEXPECTED_RESPONSE', `the server answered ${status} in place of ${wanted}`, init);
    }
  }

  /** The server broke the protocol, or was late. */
  #fault(error: RemoteProtocolError): void {
    const { code } = error;
    if (this.#refusal !== null) {
      this.#refused(error);
    } else if (code === 'HANDSHAKE_TIMEOUT') {
      this.#fail(code, `${error.message}; it waited for ${this.#route.waitsFor}`, { cause: error });
    } else if (code === 'UNEXPECTED_EOF' && !this.#route.heard && this.#maySpeakTls()) {
      const message = 'the server closed the connection without a word: it may speak TLS, with a URL of wss:';
      this.#fail('TLS_EXPECTED', message, { cause: error });
    } else {
      this.#fail(code, error.message, { cause: error });
    }
  }

  /** Whether the other end of a plain connection could be a server for TLS. */
  #maySpeakTls(): boolean {
    const { socketPath, createConnection } = this.#options;
    const isTcp = socketPath === undefined && createConnection === undefined;
    return !this.target.secure && isTcp && this.#route.httpVersion === '1.1';
  }

  #fail(code: string, message: string, init: HandshakeErrorInit = {}): void {
    if (this.#over) return;
    this.#finish();
    this.#route.cutOff();
    const error = new HandshakeError(code, message, init);
    // Whoever gives up is not called back within that call.
    process.nextTick(() => this.#done(error, null));
  }

  #finish(): void {
    this.#over = true;
    wheel.set(this, null);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }
}

/** What the system says. That every address of a name failed is an AggregateError, which has no message of its own. */
function describe(error: Error): string {
  const { message, code } = error as NodeJS.ErrnoException;
  if (message !== '') return message;
  const errors = error instanceof AggregateError ? error.errors.map((each: unknown) => asError(each).message) : [];
  return errors.length > 0 ? errors.join('; ') : (code ?? error.name);
}

/** The fields that the caller adds to the request. */
function requestHeaders(url: URL, { headers = {}, origin }: DialOptions): HeaderList {
  const list = [...(isIterable(headers) ? headers : Object.entries(headers))];
  const has = (name: string) => list.some(([found]) => String(found).toLowerCase() === name);
  if (origin !== undefined) {
    if (has('origin')) throw invalid('origin is given twice: in headers too');
    list.push(['Origin', origin]);
  }
  if ((url.username !== '' || url.password !== '') && !has('authorization')) {
    const credentials = `${percentDecode(url.username)}:${percentDecode(url.password)}`;
    list.push(['Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`]);
  }
  return list;
}

function invalid(message: string): LocalProtocolError {
  return new LocalProtocolError('INVALID_OPTION', message);
}

function isIterable<T>(value: object | Iterable<T>): value is Iterable<T> {
  return Symbol.iterator in value;
}
