/** `attach`: WebSockets on an HTTP server that somebody else has made. */

import { EventEmitter } from 'node:events';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { LocalProtocolError } from '../core/index.js';
import { Endpoint, type EndpointOptions } from './endpoint.js';
import { pathTest } from './paths.js';
import { Refusal, refusalOf } from './refusal.js';
import { asksForWebSocket, requestPath } from './requests.js';
import { takeOver } from './take-over.js';

/** What an attachment is to do, and within which limits. */
export interface AttachOptions<Data = unknown> extends EndpointOptions<Data> {
  /** The paths, without a query, that take WebSockets; all by default. */
  readonly path?: string | RegExp;
}

/** Every HTTP server with attachments, and what shares it out among them. */
const routers = new WeakMap<EventEmitter, Router>();

/** Takes a request for a path, if that is one of its own. */
type Taker = (path: string, request: IncomingMessage, stream: Duplex, head: Buffer) => boolean;

/** The WebSockets of one `attach`. Closing it detaches it: the HTTP server goes on. */
export class Attachment<Data = unknown> extends Endpoint<Data> {
  readonly #detach: () => void;

  /** @throws LocalProtocolError `INVALID_OPTION` */
  constructor(http: HttpServer | HttpsServer, options: AttachOptions<Data> = {}) {
    super(options);
    if (!(http instanceof EventEmitter)) {
      throw new LocalProtocolError('INVALID_OPTION', 'the first argument must be a server of node:http or node:https');
    }
    const matches = pathTest(options.path);
    const taker: Taker = (path, request, stream, head) => {
      if (!matches(path)) return false;
      this.take(request, stream, head);
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

/** Offers the upgrade requests of one HTTP server to its attachments, in the order they were made. */
class Router {
  readonly #http: EventEmitter;
  readonly #takers = new Set<Taker>();

  constructor(http: EventEmitter) {
    this.#http = http;
  }

  add(taker: Taker): void {
    if (this.#takers.size === 0) {
      routers.set(this.#http, this);
      this.#http.on('upgrade', this.#onUpgrade);
    }
    this.#takers.add(taker);
  }

  /** Without attachments nothing of ours is left: whether anybody listens decides what node:http does with upgrades. */
  delete(taker: Taker): void {
    this.#takers.delete(taker);
    if (this.#takers.size > 0) return;
    this.#http.off('upgrade', this.#onUpgrade);
    routers.delete(this.#http);
  }

  readonly #onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const isOurs = asksForWebSocket(request);
    const path = requestPath(request);
    if (isOurs) {
      for (const takes of this.#takers) if (takes(path, request, stream, head)) return;
    }
    // Another listener may take it, now or later. Without one it would hang for ever.
    if (this.#http.listenerCount('upgrade') > 1) return;
    if (takeOver(stream)) new Refusal(stream, [refusalOf(isOurs ? 404 : 426)], () => {});
  };
}

/**
 * Takes WebSockets on an HTTP server of node:http or node:https, before or after it listens. Several may be attached to
 * one server with different paths: the first whose `path` matches takes a request. Upgrades that are nobody's are left
 * to other `'upgrade'` listeners of the server; where there are none they are answered 404, or 426 for another protocol
 * than websocket. The limits of the header block hold within those that the HTTP server has of its own.
 *
 * Close the attachment before the HTTP server, whose `close` waits for every WebSocket.
 *
 * @throws LocalProtocolError `INVALID_OPTION`
 */
export function attach<Data = unknown>(
  http: HttpServer | HttpsServer,
  options: AttachOptions<Data> = {},
): Attachment<Data> {
  return new Attachment(http, options);
}
