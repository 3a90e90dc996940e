/** `serve`: a WebSocket server over node:http. */

import { once } from 'node:events';
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  CloseCode,
  Connection,
  ConnectionConfig,
  type ConnectionOptions,
  ConnectionType,
  DEFAULT_HANDSHAKE_LIMITS,
  type HandshakeLimits,
} from '../core/index.js';
import { type Handlers, Session } from './handlers.js';
import type { Peer } from './peer.js';
import { type Opened, Opening, reject, type UpgradeHandler } from './upgrade.js';

/** What a server is to do, and within which limits. */
export interface ServeOptions<Data = unknown>
  extends Handlers<Data>,
    Omit<ConnectionOptions, 'autoPong' | 'autoClose' | 'delivery' | 'trailingData' | 'maskingKeys'>,
    Partial<HandshakeLimits> {
  /** The TCP port; 0, the default, lets the system choose one. */
  readonly port?: number;
  /** The address to listen on; all addresses by default. */
  readonly hostname?: string;
  /** Only this path, without a query, takes WebSockets; others are answered 404. All paths by default. */
  readonly path?: string;
  /** Accepts or rejects a request; accepts by default. While it is pending nothing is read from the connection. */
  readonly upgrade?: UpgradeHandler<Data>;
  /** Answers requests that are not for a WebSocket; by default they get 426. */
  readonly request?: RequestListener;
}

/** How to shut down. */
export interface CloseOptions {
  /** The close code that every connection gets; 1001 by default. */
  readonly code?: number;
  readonly reason?: string;
  /** Milliseconds until connections that are still there are cut off; `closeTimeout` by default. */
  readonly timeout?: number;
}

/** A server that is listening. */
export class Server<Data = unknown> {
  readonly #http: HttpServer;
  readonly #options: ServeOptions<Data>;
  readonly #config: ConnectionConfig;
  readonly #limits: HandshakeLimits;
  readonly #sessions = new Set<Session<Data>>();
  readonly #openings = new Set<Opening<Data>>();
  #closing: Promise<void> | null = null;
  #allGone: (() => void) | null = null;

  /** @throws LocalProtocolError `INVALID_OPTION` */
  constructor(options: ServeOptions<Data>) {
    const { handshakeTimeout, maxHeaderSize, maxHeaderFields } = { ...DEFAULT_HANDSHAKE_LIMITS, ...options };
    this.#options = options;
    this.#config = new ConnectionConfig({ ...options, autoPong: true, autoClose: true, delivery: 'messages' });
    this.#limits = { handshakeTimeout, maxHeaderSize, maxHeaderFields };
    const headersTimeout = Number.isFinite(handshakeTimeout) ? handshakeTimeout : 0;
    this.#http = createServer(
      {
        maxHeaderSize: Math.min(maxHeaderSize, Number.MAX_SAFE_INTEGER),
        headersTimeout,
        connectionsCheckingInterval: Math.max(100, Math.min(headersTimeout / 4, 30_000)),
      },
      options.request ?? upgradeRequired,
    );
    // One more than is allowed, so that the handshake sees, and names, the limit that is passed.
    this.#http.maxHeadersCount = Number.isFinite(maxHeaderFields) ? maxHeaderFields + 1 : 0;
    this.#http.on('upgrade', this.#onUpgrade);
  }

  /** Starts to listen; rejects as `net.Server.listen` fails. */
  async listen(): Promise<void> {
    const { port = 0, hostname } = this.#options;
    this.#http.listen({ port, host: hostname });
    await once(this.#http, 'listening');
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** The address it listens on. */
  get hostname(): string {
    return (this.#http.address() as AddressInfo).address;
  }

  /** Connections that are open or closing. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Every connection that is open or closing. */
  *connections(): IterableIterator<Peer<Data>> {
    for (const { peer } of this.#sessions) yield peer;
  }

  /**
   * Shuts down: stops listening, sends every connection a Close, and cuts off what is left after `timeout`. Resolves
   * when everything is gone. Calling again returns the same promise.
   *
   * @throws LocalProtocolError for a code or reason that may not be sent
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#shutDown(options);
    return this.#closing;
  }

  async #shutDown({
    code = CloseCode.GOING_AWAY,
    reason = '',
    timeout = this.#config.closeTimeout,
  }: CloseOptions): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeIdleConnections();
    for (const opening of this.#openings) opening.refuse(reject(503));
    for (const { peer } of this.#sessions) peer.close(code, reason);

    const cutOff = () => {
      this.#http.closeAllConnections();
      for (const { peer } of this.#sessions) peer.terminate();
    };
    const timer = Number.isFinite(timeout) ? setTimeout(cutOff, timeout) : undefined;
    if (this.#sessions.size + this.#openings.size > 0) {
      await new Promise<void>((resolve) => {
        this.#allGone = resolve;
      });
    }
    await stopped;
    clearTimeout(timer);
  }

  readonly #onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const { remoteAddress = '' } = stream as Socket;
    if ('setNoDelay' in stream) (stream as Socket).setNoDelay(true).setTimeout(0);
    const opening = new Opening<Data>(stream, head, this.#limits, remoteAddress, (opened) => {
      this.#openings.delete(opening);
      if (opened !== null) this.#open(opened);
      this.#checkGone();
    });
    this.#openings.add(opening);
    opening.run(request, this.#decide);
  };

  readonly #decide: UpgradeHandler<Data> = (request) => {
    const { path, upgrade } = this.#options;
    if (this.#closing !== null) return reject(503);
    if (path !== undefined && request.target.split('?', 1)[0] !== path) return reject(404);
    return upgrade?.call(this.#options, request);
  };

  #open(opened: Opened<Data>): void {
    const connection = new Connection(ConnectionType.SERVER, opened.extensions, this.#config);
    const session = new Session<Data>(opened.stream, connection, this.#options, opened, (gone) => {
      this.#sessions.delete(gone);
      this.#checkGone();
    });
    this.#sessions.add(session);
    session.start(opened.head);
    if (this.#closing !== null) session.peer.close(CloseCode.GOING_AWAY);
  }

  #checkGone(): void {
    if (this.#sessions.size + this.#openings.size === 0) this.#allGone?.();
  }
}

/**
 * Starts a WebSocket server.
 *
 * @returns once it listens
 * @throws LocalProtocolError `INVALID_OPTION`; what `net.Server.listen` fails with, such as EADDRINUSE
 */
export async function serve<Data = unknown>(options: ServeOptions<Data> = {}): Promise<Server<Data>> {
  const server = new Server(options);
  await server.listen();
  return server;
}

const upgradeRequired: RequestListener = (_request, response) => {
  response.writeHead(426, { connection: 'Upgrade', upgrade: 'websocket', 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${STATUS_CODES[426]}: this is a WebSocket server\n`);
};
