/** The opening handshake of one request that node:http has parsed, up to the answer. */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  AcceptConnection,
  ConnectionState,
  ConnectionType,
  type Extension,
  H1Handshake,
  type HandshakeOptions,
  type HeaderList,
  RejectConnection,
  RejectData,
  RemoteProtocolError,
  type Request,
} from '../core/index.js';
import { asError, warn } from './thrown.js';
import { type Timed, wheel } from './wheel.js';

/** A request for a WebSocket, as `upgrade` sees it. */
export interface UpgradeRequest {
  /** Path and query: `/chat?room=1`. */
  readonly target: string;
  /** The authority that the client asked for. */
  readonly host: string;
  /** Subprotocols in the client's order of preference. */
  readonly subprotocols: readonly string[];
  /** The header fields, names in lower case, as node:http joins them. */
  readonly headers: IncomingMessage['headers'];
  /** The IP address of the client, '' where there is none. */
  readonly remoteAddress: string;
}

/** Accepts a request. */
export interface Acceptance<Data> {
  /** What `ws.data` begins as. */
  readonly data?: Data;
  /** One of the request's subprotocols. */
  readonly protocol?: string;
  /** Further header fields of the answer. */
  readonly headers?: Readonly<Record<string, string>> | HeaderList;
}

/** Refuses a request; made by `reject`. */
export class Rejection {
  readonly statusCode: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;

  constructor(statusCode: number, headers: HeaderList, body: Uint8Array) {
    this.statusCode = statusCode;
    this.headers = headers;
    this.body = body;
  }
}

/**
 * What `upgrade` returns to refuse a request with an ordinary HTTP response.
 *
 * @param statusCode 300 to 599
 * @param body sent as text/plain unless `headers` say otherwise
 */
export function reject(
  statusCode: number,
  body: string | Uint8Array = '',
  headers: Readonly<Record<string, string>> | HeaderList = {},
): Rejection {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const list = headerList(headers);
  const typed = bytes.length === 0 || list.some(([name]) => name.toLowerCase() === 'content-type');
  return new Rejection(statusCode, typed ? list : [...list, ['content-type', 'text/plain; charset=utf-8']], bytes);
}

/** What `upgrade` may return: nothing or an `Acceptance` accepts, a `Rejection` refuses. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing accepts
export type UpgradeResult<Data> = Acceptance<Data> | Rejection | undefined | void;

/** Decides about a request. */
export type UpgradeHandler<Data> = (request: UpgradeRequest) => UpgradeResult<Data> | Promise<UpgradeResult<Data>>;

/** How long a client may take to close after it was refused, in milliseconds. */
const LINGER = 2000;

/** A handshake that succeeded; the 101 is written. */
export interface Opened<Data> {
  readonly stream: Duplex;
  readonly head: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly data: Data;
  readonly protocol: string;
  readonly remoteAddress: string;
}

/**
 * One handshake under way. Its stream is not read meanwhile, so what the client sends early stays within the
 * stream's own buffer.
 */
export class Opening<Data> implements Timed {
  bucket: number | null = null;
  readonly #stream: Duplex;
  readonly #head: Uint8Array;
  readonly #handshake: H1Handshake;
  readonly #remoteAddress: string;
  readonly #done: (opened: Opened<Data> | null) => void;
  #over = false;

  /** @param done called once: with the connection, or with null when there is none and the stream is closed */
  constructor(
    stream: Duplex,
    head: Uint8Array,
    options: HandshakeOptions,
    remoteAddress: string,
    done: (opened: Opened<Data> | null) => void,
  ) {
    this.#stream = stream;
    this.#head = head;
    this.#handshake = new H1Handshake(ConnectionType.SERVER, options);
    this.#remoteAddress = remoteAddress;
    this.#done = done;
    stream.on('error', ignore);
    stream.on('close', this.#onClose);
  }

  /** Checks a request, asks `upgrade` about it, and answers. Never rejects. */
  async run(request: IncomingMessage, upgrade: UpgradeHandler<Data> | undefined): Promise<void> {
    this.onDeadline(wheel.now());
    try {
      const asked = this.#receive(request);
      const decision = upgrade === undefined ? undefined : upgrade(this.#describe(asked, request));
      // Without a promise the answer is written in this turn.
      const result = isPromise(decision) ? await decision : decision;
      if (this.#over) return;
      if (result instanceof Rejection) this.refuse(result);
      else this.#accept(result ?? {});
    } catch (error) {
      if (this.#over) return;
      this.#answerFault(error);
    }
  }

  onDeadline(now: number): void {
    if (this.#over) {
      this.#stream.destroy();
      return;
    }
    this.#handshake.handleTimeout(now);
    const late = this.#handshake.state === ConnectionState.CLOSED;
    if (late) this.refuse(reject(503));
    else wheel.set(this, this.#handshake.nextDeadline());
  }

  /** Answers with an ordinary response and closes the stream, unless it was answered before. */
  refuse({ statusCode, headers, body }: Rejection): void {
    if (this.#over) return;
    const hasBody = body.length > 0;
    const measured = !hasBody || headers.some(([name]) => name.toLowerCase() === 'content-length');
    const list: HeaderList = measured ? headers : [...headers, ['content-length', String(body.length)]];
    const head = this.#handshake.send(new RejectConnection({ statusCode, headers: list, hasBody }));
    this.#finishWith(hasBody ? [head, this.#handshake.send(new RejectData(body))] : [head]);
  }

  /** Closes the stream, with or without an answer. */
  cutOff(): void {
    this.#stream.destroy();
  }

  #receive(request: IncomingMessage): Request {
    const headers: [string, string][] = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      headers.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
    const { method = '', url: target = '', httpVersion } = request;
    return this.#handshake.receiveRequest({ method, target, httpVersion, headers });
  }

  #describe(asked: Request, { headers }: IncomingMessage): UpgradeRequest {
    const { target, host, subprotocols } = asked;
    return { target, host, subprotocols, headers, remoteAddress: this.#remoteAddress };
  }

  #accept({ data, protocol, headers = {} }: Acceptance<Data>): void {
    const accept = new AcceptConnection({ subprotocol: protocol ?? null, extraHeaders: headerList(headers) });
    this.#stream.write(this.#handshake.send(accept));
    this.#over = true;
    wheel.set(this, null);
    this.#stream.off('error', ignore);
    this.#stream.off('close', this.#onClose);
    this.#done({
      stream: this.#stream,
      head: this.#head,
      extensions: this.#handshake.extensions,
      data: data as Data,
      protocol: protocol ?? '',
      remoteAddress: this.#remoteAddress,
    });
  }

  #answerFault(thrown: unknown): void {
    const error = asError(thrown);
    if (error instanceof RemoteProtocolError && error.eventHint !== null) {
      this.#finishWith([this.#handshake.send(error.eventHint)]);
      return;
    }
    // `upgrade` threw, or returned what cannot be sent: a fault of the server's, which its owner must hear of.
    warn(error);
    this.refuse(reject(500));
  }

  /** Writes an answer and ends the stream; what the client still sends is read and forgotten, for a while. */
  #finishWith(parts: readonly Uint8Array[]): void {
    this.#over = true;
    for (const part of parts) this.#stream.write(part);
    this.#stream.end();
    this.#stream.resume();
    wheel.set(this, wheel.now() + LINGER);
  }

  readonly #onClose = (): void => {
    this.#over = true;
    wheel.set(this, null);
    this.#done(null);
  };
}

/** Its `close` follows, and says all there is to say. */
function ignore(): void {}

function headerList(headers: Readonly<Record<string, string>> | HeaderList): HeaderList {
  return isList(headers) ? headers : Object.entries(headers);
}

function isList(headers: Readonly<Record<string, string>> | HeaderList): headers is HeaderList {
  return Array.isArray(headers);
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise || typeof (value as { then?: unknown } | undefined)?.then === 'function';
}
