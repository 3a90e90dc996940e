/** `serve`: a WebSocket server over node:http. */

import { once } from 'node:events';
import {
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  CloseCode,
  CloseConnection,
  Connection,
  ConnectionConfig,
  type ConnectionOptions,
  ConnectionType,
  type HandshakeLimits,
  handshakeLimits,
} from '../core/index.js';
import { Answers } from './answers.js';
import { type Handlers, Session } from './handlers.js';
import { httpServer } from './http.js';
import type { Peer } from './peer.js';
import { warn } from './thrown.js';
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

/** How long the handlers of connections that were cut off may take before shutting down no longer waits for them. */
const HANDLERS_GRACE = 1000;
/** The longest that a timer can wait. */
const MAX_TIMER = 2 ** 31 - 1;

/** A server that is listening. */
export class Server<Data = unknown> {
  readonly #http: HttpServer;
  readonly #options: ServeOptions<Data>;
  readonly #config: ConnectionConfig;
  readonly #limits: HandshakeLimits;
  readonly #sessions = new Set<Session<Data>>();
  readonly #openings = new Set<Opening<Data>>();
  readonly #answers = new Answers();
  #address: AddressInfo = { port: 0, address: '', family: '' };
  #closing: Promise<void> | null = null;
  #allGone: (() => void) | null = null;

  /** @throws LocalProtocolError `INVALID_OPTION` */
  constructor(options: ServeOptions<Data>) {
    this.#options = options;
    this.#config = new ConnectionConfig({ ...options, autoPong: true, autoClose: true, delivery: 'messages' });
    this.#limits = handshakeLimits(options);
    this.#http = httpServer(this.#limits, options.request ?? upgradeRequired);
    this.#http.on('request', this.#onRequest);
    this.#http.on('upgrade', this.#onUpgrade);
  }

  /** Starts to listen; rejects as `net.Server.listen` fails. */
  async listen(): Promise<void> {
    const { port = 0, hostname } = this.#options;
    this.#http.listen({ port, host: hostname });
    await once(this.#http, 'listening');
    this.#address = this.#http.address() as AddressInfo;
    // A connection that could not be accepted, for want of file descriptors say, is no reason to end the process.
    this.#http.on('error', warn);
  }

  /** The port it listens on. */
  get port(): number {
    return this.#address.port;
  }

  /** The address it listens on. */
  get hostname(): string {
    return this.#address.address;
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
   * when everything is gone, but for handlers whose promises do not settle even then. Calling again returns the same
   * promise.
   *
   * Rejects with a LocalProtocolError for a code or reason that may not be sent; nothing is closed then.
   */
  close(options: CloseOptions = {}): Promise<void> {
    if (this.#closing === null) {
      const { code = CloseCode.GOING_AWAY, reason = '', timeout = this.#config.closeTimeout } = options;
      const close = new CloseConnection(code, reason);
      try {
        // A connection that nobody is at the other end of finds out whether this may be sent.
        new Connection(ConnectionType.SERVER, [], this.#config).send(close);
      } catch (error) {
        return Promise.reject(error);
      }
      this.#closing = this.#shutDown(close, timeout);
    }
    return this.#closing;
  }

  async #shutDown({ code, reason }: CloseConnection, timeout: number): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeIdleConnections();
    for (const opening of this.#openings) opening.refuse(reject(503));
    for (const { peer } of this.#sessions) peer.close(code, reason);

    let timer: NodeJS.Timeout | undefined;
    const allGone = new Promise<void>((resolve) => {
      const cutOff = () => {
        this.#http.closeAllConnections();
        for (const opening of this.#openings) opening.cutOff();
        for (const { peer } of this.#sessions) peer.terminate();
        timer = setTimeout(resolve, HANDLERS_GRACE);
      };
      if (timeout <= MAX_TIMER) timer = setTimeout(cutOff, timeout);
      this.#allGone = resolve;
    });
    this.#checkGone();
    await Promise.all([allGone, stopped]);
    clearTimeout(timer);
  }

  /** While shutting down, a connection is of no use once its request is answered, and need not idle until it ends. */
  readonly #onRequest = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    this.#answers.expect(socket, response);
    response.on('close', () => {
      if (this.#closing !== null) this.#http.closeIdleConnections();
    });
  };

  readonly #onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    if (this.#answers.areOwed(stream)) {
      stream.destroy();
      return;
    }
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
  // RFC 9110 §7.8: whoever sends Upgrade names it in Connection; what node:http would say there must not get lost.
  const connection = response.shouldKeepAlive ? 'Upgrade' : 'close, Upgrade';
  response.writeHead(426, { connection, upgrade: 'websocket', 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${STATUS_CODES[426]}: this is a WebSocket server\n`);
};
