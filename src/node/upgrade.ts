/** What `upgrade` is asked and what it answers. */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { HeaderList } from '../core/index.js';

/** A request for a WebSocket, as `upgrade` sees it. */
export interface UpgradeRequest {
  /** Path and query: `/chat?room=1`. */
  readonly target: string;
  /** The target without its query: `/chat`. */
  readonly path: string;
  /** The authority that the client asked for. */
  readonly host: string;
  /** Which web page asks (RFC 6455 §10.2); clients that are no browsers rarely say, or may say anything. */
  readonly origin: string | undefined;
  /** Subprotocols in the client's order of preference. */
  readonly subprotocols: readonly string[];
  /** The header fields, names in lower case, as node:http joins them; over HTTP/2 with a Host, and no pseudo-headers. */
  readonly headers: IncomingHttpHeaders;
  /** The version of HTTP that carries the WebSocket. */
  readonly httpVersion: '1.1' | '2.0';
  /** The IP address of the client, '' where there is none. */
  readonly remoteAddress: string;
  /** The port of the client, 0 where there is none. */
  readonly remotePort: number;
  /** The connection's TLS, which over HTTP/2 others share, null without: `servername`, `alpnProtocol`, `authorized`, `getPeerCertificate()`. */
  readonly tls: TLSSocket | null;
  /** The request as node:http or node:http2 has it, for what works on that: sessions, cookies. */
  readonly incoming: IncomingMessage | Http2ServerRequest;
  /**
   * Aborted when the answer no longer matters: the client has gone away, the handshake has timed out, the server
   * closes. What `upgrade` does then is ignored, throwing included.
   */
  readonly signal: AbortSignal;
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
 * What `upgrade` returns, or throws, to refuse a request with an ordinary HTTP response.
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

/** Header fields as a list, whichever way they were given. */
export function headerList(headers: Readonly<Record<string, string>> | HeaderList): HeaderList {
  return isList(headers) ? headers : Object.entries(headers);
}

function isList(headers: Readonly<Record<string, string>> | HeaderList): headers is HeaderList {
  return Array.isArray(headers);
}
