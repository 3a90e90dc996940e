/**
 * The client's side of an opening handshake: opens the stream, sends the request and reads the answer (RFC 6455 §4.1).
 *
 * Nothing that comes meanwhile piles up: every chunk is read at once, its header block is bounded, and the body of a
 * refusal is cut off. The bytes after a 101 go to whoever takes the stream over, which happens within the event that
 * brought them, so that none can come in between.
 */

import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { unescape as percentDecode } from 'node:querystring';
import type { Duplex } from 'node:stream';
import {
  type AcceptConnection,
  ConnectionState,
  ConnectionType,
  type Extension,
  H1Handshake,
  type HandshakeLimits,
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
import { HandshakeError, type HandshakeErrorInit } from './handshake-error.js';
import { parseTarget, type Target } from './target.js';
import { complainsOfPlainHttp, isNotTls, isTlsAlert } from './tls-faults.js';
import { openTransport, readyEvent, type TransportOptions } from './transport.js';

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
}

/** A handshake that succeeded. */
export interface Dialed {
  /** Must be read from at once. */
  readonly stream: Duplex;
  /** What followed the 101. */
  readonly head: Uint8Array;
  readonly extensions: readonly Extension[];
  /** The subprotocol chosen, '' for none. */
  readonly protocol: string;
  /** The fields of the 101 but for the handshake's own, as node:http joins them. */
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string;
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
export class Dial implements Timed {
  bucket: number | null = null;
  readonly target: Target;
  readonly #options: DialOptions;
  readonly #mustChoose: boolean;
  readonly #handshake: H1Handshake;
  readonly #request: Uint8Array;
  readonly #done: (error: HandshakeError | null, dialed: Dialed | null) => void;
  #stream: Duplex | null = null;
  #waitsFor = 'a connection';
  #sent = false;
  #heard = false;
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
    this.#handshake = new H1Handshake(ConnectionType.CLIENT, {
      ...options,
      extensions: deflate === null ? [] : [deflate],
    });
    const { host, pathname, search } = this.target.url;
    this.#request = this.#handshake.send(
      new Request({
        host,
        target: pathname + search,
        subprotocols: typeof protocols === 'string' ? [protocols] : [...protocols],
        extraHeaders: requestHeaders(this.target.url, options),
      }),
    );
  }

  /** Begins; `handshakeTimeout` runs from here. */
  start(): void {
    const { signal } = this.#options;
    if (signal?.aborted) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.onDeadline(wheel.now());
    process.nextTick(this.#open);
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
    if (this.#handshake.state === ConnectionState.CLOSED) this.#read();
    else this.#armDeadline();
  }

  #armDeadline(): void {
    const whole = this.#handshake.nextDeadline() ?? Number.POSITIVE_INFINITY;
    wheel.set(this, Math.min(whole, this.#refusal?.deadline ?? Number.POSITIVE_INFINITY));
  }

  readonly #onAbort = (): void => this.abort(this.#options.signal?.reason);

  readonly #open = (): void => {
    if (this.#over) return;
    try {
      const opening = openTransport(this.target, this.#options);
      if ('then' in opening) opening.then(this.#attach, this.#onError);
      else this.#attach(opening);
    } catch (error) {
      this.#onError(error);
    }
  };

  readonly #attach = (stream: Duplex): void => {
    this.#stream = stream;
    if (this.#over) {
      this.#cutOff();
      return;
    }
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
    const ready = readyEvent(stream);
    if (stream.destroyed) this.#onClose();
    else if (ready === null) this.#onReady();
    else {
      if (ready === 'secureConnect') this.#waitsFor = 'a TLS connection';
      stream.once(ready, this.#onReady);
    }
  };

  readonly #onReady = (): void => {
    if (this.#over) return;
    const stream = this.#stream as Duplex;
    if ('setNoDelay' in stream) (stream as Socket).setNoDelay(true);
    this.#waitsFor = 'an answer';
    this.#sent = true;
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
    stream.write(this.#request);
  };

  readonly #onData = (chunk: Buffer): void => {
    if (!this.#heard && !this.target.secure && isTlsAlert(chunk)) {
      this.#fail('TLS_EXPECTED', 'the server speaks TLS: its URL begins with wss:');
      return;
    }
    this.#heard = true;
    // What it returns asks for patience that is never needed: what has come is read here and now.
    this.#handshake.receiveData(chunk);
    this.#read();
  };

  readonly #onEnd = (): void => {
    this.#handshake.receiveData(null);
    this.#read();
  };

  readonly #onError = (thrown: unknown): void => {
    const error = asError(thrown);
    if (this.#refusal !== null) {
      this.#refused(error);
    } else if (this.target.secure && !this.#sent && isNotTls(error)) {
      this.#fail('TLS_NOT_SPOKEN', 'the server does not speak TLS: its URL begins with ws:', { cause: error });
    } else {
      this.#fail('CONNECTION_FAILED', `the connection failed: ${describe(error)}`, { cause: error });
    }
  };

  readonly #onClose = (): void => {
    if (this.#refusal !== null) this.#refused();
    else this.#fail('CONNECTION_FAILED', `the connection was closed while waiting for ${this.#waitsFor}`);
  };

  /** Goes on with what has come. */
  #read(): void {
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

  #accepted({ subprotocol, extraHeaders }: AcceptConnection): void {
    const offered = this.#handshake.request?.subprotocols ?? [];
    if (this.#mustChoose && subprotocol === null && offered.length > 0) {
      this.#fail('MISSING_SUBPROTOCOL', 'the server chose none of the subprotocols that were offered');
      return;
    }
    const stream = this.#stream as Duplex;
    this.#finish();
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    stream.off('error', this.#onError);
    stream.off('close', this.#onClose);
    this.#done(null, {
      stream,
      head: this.#handshake.trailingData,
      extensions: this.#handshake.extensions,
      protocol: subprotocol ?? '',
      headers: headersObject(extraHeaders),
      remoteAddress: (stream as Partial<Socket>).remoteAddress ?? '',
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
      this.#fail('UNEXPECTED_RESPONSE', `the server answered ${status} in place of 101 Switching Protocols`, init);
    }
  }

  /** The server broke the protocol, or was late. */
  #fault(error: RemoteProtocolError): void {
    const { code } = error;
    if (this.#refusal !== null) {
      this.#refused(error);
    } else if (code === 'HANDSHAKE_TIMEOUT') {
      this.#fail(code, `${error.message}; it waited for ${this.#waitsFor}`, { cause: error });
    } else if (code === 'UNEXPECTED_EOF' && !this.#heard && this.#maySpeakTls()) {
      const message = 'the server closed the connection without a word: it may speak TLS, with a URL of wss:';
      this.#fail('TLS_EXPECTED', message, { cause: error });
    } else {
      this.#fail(code, error.message, { cause: error });
    }
  }

  /** Whether the other end of a plain connection could be a server for TLS. */
  #maySpeakTls(): boolean {
    const { socketPath, createConnection } = this.#options;
    return !this.target.secure && socketPath === undefined && createConnection === undefined;
  }

  #fail(code: string, message: string, init: HandshakeErrorInit = {}): void {
    if (this.#over) return;
    this.#finish();
    this.#cutOff();
    const error = new HandshakeError(code, message, init);
    // Whoever gives up is not called back within that call.
    process.nextTick(() => this.#done(error, null));
  }

  #finish(): void {
    this.#over = true;
    wheel.set(this, null);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }

  #cutOff(): void {
    const stream = this.#stream;
    if (stream === null) return;
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    stream.on('error', ignore);
    stream.destroy();
  }
}

/** All has been said. */
function ignore(): void {}

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
    if (has('origin')) throw new LocalProtocolError('INVALID_OPTION', 'origin is given twice: in headers too');
    list.push(['Origin', origin]);
  }
  if ((url.username !== '' || url.password !== '') && !has('authorization')) {
    const credentials = `${percentDecode(url.username)}:${percentDecode(url.password)}`;
    list.push(['Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`]);
  }
  return list;
}

function isIterable<T>(value: object | Iterable<T>): value is Iterable<T> {
  return Symbol.iterator in value;
}
