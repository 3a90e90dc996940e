/** The requests for WebSockets that come to somebody else's server of node:http2, among its own. */

import { EventEmitter } from 'node:events';
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { ConnectionConfig, DEFAULT_HANDSHAKE_LIMITS } from '../../core/index.js';
import { Refusal } from '../refusal.js';
import { H2Exchange } from './exchange.js';
import { http2Options, sessionRules } from './options.js';
import { isEnding, Sessions } from './sessions.js';

type AnyHttp2Server = Http2Server | Http2SecureServer;

export function isHttp2Server(server: EventEmitter): server is AnyHttp2Server {
  return server instanceof EventEmitter && typeof (server as Partial<Http2Server>).updateSettings === 'function';
}

export class H2Router {
  readonly #server: AnyHttp2Server;
  readonly #offer: (path: string, exchange: H2Exchange) => boolean;
  #sessions: Sessions | null = null;

  /** @param offer takes a request for a path, or returns false */
  constructor(server: AnyHttp2Server, offer: (path: string, exchange: H2Exchange) => boolean) {
    this.#server = server;
    this.#offer = offer;
  }

  start(): void {
    const server = this.#server;
    // RFC 8441 §3: once said, it may not be taken back; `stop` leaves it.
    server.updateSettings({ enableConnectProtocol: true });
    server.on('stream', this.#onStream);
    // Without a listener node:http2 answers every CONNECT with 405 where there are listeners to requests.
    server.on('connect', this.#onConnect);
    this.#sessions = new Sessions(server, RULES);
  }

  stop(): void {
    this.#server.off('stream', this.#onStream);
    this.#server.off('connect', this.#onConnect);
    this.#sessions?.stop();
  }

  readonly #onStream = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    _flags: number,
    rawHeaders: string[],
  ): void => {
    if (headers[':method'] !== 'CONNECT' || isEnding(stream)) return;
    const exchange = new H2Exchange(stream, { headers, rawHeaders });
    const { path } = exchange;
    if ((path !== null && this.#offer(path, exchange)) || this.#hasOthers) return;
    if (exchange.take()) new Refusal(stream, exchange.turnedAway(path === null ? 501 : 404), () => {});
  };

  readonly #onConnect = (_request: unknown, stream: Duplex): void => {
    // Of HTTP/1.1, where without a listener Node closes the connection.
    if (!('stream' in stream) && this.#server.listenerCount('connect') === 1) stream.destroy();
  };

  /** Whether anybody else may answer: a listener to streams that is not Node's own, which makes requests of them. */
  get #hasOthers(): boolean {
    const server = this.#server;
    const own = server.listenerCount('request') > 0 ? 2 : 1;
    return server.listenerCount('stream') > own || server.listenerCount('connect') > 1;
  }
}

/**
 * What is the server's own affair is left to it: resets in quick succession, and clients that are gone, are not. nghttp2
 * allows a thousand resets, and 33 a second; a session that it has given up Node.js 20 does not know of, so that it had
 * better not come to that.
 */
const RULES = {
  ...sessionRules(http2Options({}), DEFAULT_HANDSHAKE_LIMITS, new ConnectionConfig()),
  resetBurst: 500,
  firstStreamTimeout: Number.POSITIVE_INFINITY,
  idleTimeout: Number.POSITIVE_INFINITY,
};
