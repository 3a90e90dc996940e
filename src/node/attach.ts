/** `attach`: WebSockets on an HTTP server that somebody else has made. */

import { EventEmitter } from 'node:events';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { LocalProtocolError } from '../core/index.js';
import { Endpoint, type EndpointOptions } from './endpoint.js';
import type { Exchange } from './exchange.js';
import { H1Exchange } from './h1-exchange.js';
import { H2Router, isHttp2Server } from './h2/router.js';
import { pathTest } from './paths.js';
import { Refusal } from './refusal.js';
import { asksForWebSocket, requestPath } from './requests.js';

/** What an attachment is to do, and within which limits. */
export interface AttachOptions<Data = unknown> extends EndpointOptions<Data> {
  /** The paths, without a query, that take WebSockets; all by default. */
  readonly path?: string | RegExp;
}

/** Every HTTP server with attachments, and what shares it out among them. */
const routers = new WeakMap<EventEmitter, Router>();

/** Takes a request for a path, if that is one of its own. */
type Taker = (path: string, exchange: Exchange) => boolean;

/** Any server that WebSockets can be attached to. */
export type AttachableServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** The WebSockets of one `attach`. Closing it detaches it: the HTTP server goes on. */
export class Attachment<Data = unknown> extends Endpoint<Data> {
  readonly #detach: () => void;

  /** @throws LocalProtocolError `INVALID_OPTION` */
  constructor(http: AttachableServer, options: AttachOptions<Data> = {}) {
    super(options);
    if (!(http instanceof EventEmitter)) {
      throw new LocalProtocolError(
        'INVALID_OPTION',
        'the first argument must be a server of node:http, https or http2',
      );
    }
    const matches = pathTest(options.path);
    const taker: Taker = (path, exchange) => {
      if (!matches(path)) return false;
      this.take(exchange);
      return true;
    };
    const router = routers.get(http) ?? new Router(http);
    router.add(taker);
    this.#detach = () => router.delete(taker);
  }

  protected override stop(): undefined {
    this.#detach();
  }
}

/** Offers the requests for WebSockets of one HTTP server to its attachments, in the order they were made. */
class Router {
  readonly #http: EventEmitter;
  readonly #takers = new Set<Taker>();
  readonly #h2: H2Router | null;

  constructor(http: EventEmitter) {
    this.#http = http;
    this.#h2 = isHttp2Server(http) ? new H2Router(http, (path, exchange) => this.#offer(path, exchange)) : null;
  }

  add(taker: Taker): void {
    if (this.#takers.size === 0) {
      routers.set(this.#http, this);
      this.#http.on('upgrade', this.#onUpgrade);
      this.#h2?.start();
    }
    this.#takers.add(taker);
  }

  /** Without attachments nothing of ours is left: whether anybody listens decides what node:http does with upgrades. */
  delete(taker: Taker): void {
    this.#takers.delete(taker);
    if (this.#takers.size > 0) return;
    this.#http.off('upgrade', this.#onUpgrade);
    this.#h2?.stop();
    routers.delete(this.#http);
  }

  #offer(path: string, exchange: Exchange): boolean {
    for (const takes of this.#takers) if (takes(path, exchange)) return true;
    return false;
  }

  readonly #onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const isOurs = asksForWebSocket(request);
    const exchange = new H1Exchange(request, stream, head);
    if (isOurs && this.#offer(requestPath(request), exchange)) return;
    // Another listener may take it, now or later. Without one it would hang for ever.
    if (this.#http.listenerCount('upgrade') > 1) return;
    if (exchange.take()) new Refusal(stream, exchange.turnedAway(isOurs ? 404 : 426), () => {});
  };
}

/**
 * Takes WebSockets on a server of node:http, node:https or node:http2, before or after it listens. Several may be attached to
 * one server with different paths: the first whose `path` matches takes a request. Upgrades that are nobody's are left
 * to other `'upgrade'` listeners of the server; where there are none they are answered 404, or 426 for another protocol
 * than websocket. The limits of the header block hold within those that the HTTP server has of its own.
 *
 * Over HTTP/2 (RFC 8441) a server tells its clients that WebSockets can be asked for in the first settings of a session:
 * attach before sessions begin, or create the server with `enableConnectProtocol` among its settings. Its other limits
 * are its owner's too. A `'stream'` listener of the owner's leaves those with `:protocol` among their headers alone.
 *
 * Close the attachment before the HTTP server, whose `close` waits for every WebSocket.
 *
 * @throws LocalProtocolError `INVALID_OPTION`
 */
export function attach<Data = unknown>(http: AttachableServer, options: AttachOptions<Data> = {}): Attachment<Data> {
  return new Attachment(http, options);
}
