/** `serve`: a WebSocket server over node:http or node:https, with HTTP/2 beside HTTP/1.1 where there is TLS. */

import { once } from 'node:events';
import {
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { ServerOptions as HttpsOptions, Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { ConnectionConfig, handshakeLimits, LocalProtocolError } from '../core/index.js';
import { Endpoint, type EndpointOptions } from './endpoint.js';
import { H1Exchange } from './h1-exchange.js';
import type { H2Exchange } from './h2/exchange.js';
import { type FrontOwner, Http2Front } from './h2/front.js';
import type { Http2Options } from './h2/options.js';
import { httpServer } from './http.js';
import { Newcomers } from './newcomers.js';
import { pathTest } from './paths.js';
import { asksForWebSocket, requestPath } from './requests.js';
import { warn } from './thrown.js';

/** What a server is to do, and within which limits. */
export interface ServeOptions<Data = unknown> extends EndpointOptions<Data> {
  /** The TCP port; 0, the default, lets the system choose one. */
  readonly port?: number;
  /** The address to listen on; all addresses by default. */
  readonly hostname?: string;
  /** A Unix socket, or a named pipe of Windows, to listen on instead. It must not exist; closing removes it. */
  readonly socketPath?: string;
  /** How many connections may wait to be accepted; 511 by default, and never more than the system allows. */
  readonly backlog?: number;
  /**
   * Serves wss: with these options of node:https, `key` and `cert` among them. Its `handshakeTimeout`, of TLS alone, is
   * ours by default; what it says of header sizes and timeouts of HTTP gives way to ours.
   */
  readonly tls?: HttpsOptions;
  /**
   * Whether HTTP/2 is spoken with clients that ask for it by ALPN, so that one connection carries many WebSockets
   * (RFC 8441) and ordinary requests, or its limits; true by default where there is TLS. Where `tls` has
   * `ALPNProtocols` or an `ALPNCallback`, those decide what is offered.
   */
  readonly http2?: boolean | Http2Options;
  /** The paths, without a query, that take WebSockets; others are answered 404. All paths by default. */
  readonly path?: string | RegExp;
  /**
   * Answers requests that are not for a WebSocket; by default they get 426, over HTTP/2 405. Those of HTTP/2 come in the
   * form that node:http2 gives them for this purpose, `Http2ServerRequest` and `Http2ServerResponse`.
   */
  readonly request?: RequestListener;
}

/** A server that is listening. */
export class Server<Data = unknown> extends Endpoint<Data> {
  readonly #http: HttpServer | HttpsServer;
  readonly #options: ServeOptions<Data>;
  readonly #matches: (path: string) => boolean;
  readonly #newcomers: Newcomers;
  readonly #http2: Http2Front | null = null;
  #address: AddressInfo | string | null = null;

  /** @throws LocalProtocolError `INVALID_OPTION`; what node:https fails with for the options of TLS */
  constructor(options: ServeOptions<Data> = {}) {
    super(options);
    checkListening(options);
    this.#options = options;
    this.#matches = pathTest(options.path);
    const { tls, http2 = tls !== undefined && hasHttp2, request = notForUs } = options;
    const limits = handshakeLimits(options);
    this.#http = httpServer(limits, tls, http2 !== false, request);
    this.#newcomers = new Newcomers(this.#http);
    this.#http.on('request', this.#onRequest);
    this.#http.on('upgrade', this.#onUpgrade);
    if (http2 !== false) {
      this.#http2 = new Http2Front(
        this.#http as HttpsServer,
        http2 === true ? {} : http2,
        limits,
        new ConnectionConfig(options),
        request,
        this.#front,
      );
    }
  }

  /** Starts to listen; rejects as `net.Server.listen` fails. */
  async listen(): Promise<void> {
    const { port = 0, hostname: host, socketPath: path, backlog } = this.#options;
    this.#http.listen({ ...(path === undefined ? { port, host } : { path }), backlog });
    await once(this.#http, 'listening');
    this.#address = this.#http.address();
    // A connection that could not be accepted, for want of file descriptors say, is no reason to end the process.
    this.#http.on('error', warn);
  }

  /** Where it listens: an address and a port, or the path of a Unix socket; null before. */
  get address(): AddressInfo | string | null {
    return this.#address;
  }

  /** The port it listens on, 0 for a Unix socket. */
  get port(): number {
    return typeof this.#address === 'string' ? 0 : (this.#address?.port ?? 0);
  }

  /** The address it listens on, '' for a Unix socket. */
  get hostname(): string {
    return typeof this.#address === 'string' ? '' : (this.#address?.address ?? '');
  }

  protected override stop(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeIdleConnections();
    this.#newcomers.close();
    this.#http2?.close();
    return stopped;
  }

  protected override cutOff(): void {
    this.#http.closeAllConnections();
    this.#newcomers.cutOff();
    this.#http2?.cutOff();
  }

  /** While shutting down, a connection is of no use once its request is answered, and need not idle until it ends. */
  readonly #onRequest = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    this.#newcomers.forget(socket);
    response.on('close', () => {
      if (this.isClosing) this.#http.closeIdleConnections();
    });
  };

  readonly #onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    this.#newcomers.forget(request.socket);
    const exchange = new H1Exchange(request, stream, head);
    if (!asksForWebSocket(request)) this.turnAway(exchange, 426);
    else if (!this.#matches(requestPath(request))) this.turnAway(exchange, 404);
    else this.take(exchange);
  };

  readonly #front: FrontOwner = {
    onConnection: (socket) => this.#newcomers.forget(socket),
    onConnect: (exchange: H2Exchange) => {
      const { path } = exchange;
      // Without one it is no request for a WebSocket, and the handshake says what is wrong with it.
      if (path !== null && !this.#matches(path)) this.turnAway(exchange, 404);
      else this.take(exchange);
    },
  };
}

/**
 * Starts a WebSocket server.
 *
 * @returns once it listens
 * @throws LocalProtocolError `INVALID_OPTION`; what `net.Server.listen` fails with, such as EADDRINUSE; what node:https
 *   fails with for the options of TLS
 */
export async function serve<Data = unknown>(options: ServeOptions<Data> = {}): Promise<Server<Data>> {
  const server = new Server(options);
  await server.listen();
  return server;
}

type Listening = Pick<ServeOptions, 'port' | 'hostname' | 'socketPath' | 'backlog' | 'tls' | 'http2'>;

function checkListening({ port, hostname, socketPath, backlog, tls, http2 = false }: Listening): void {
  if (socketPath !== undefined && (typeof socketPath !== 'string' || socketPath === '')) {
    throw invalid('socketPath must be the path of a socket');
  }
  if (socketPath !== undefined && (port !== undefined || hostname !== undefined)) {
    throw invalid('socketPath takes the place of port and hostname');
  }
  if (backlog !== undefined && !(Number.isInteger(backlog) && backlog > 0)) {
    throw invalid('backlog must be a whole number above 0');
  }
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) {
    throw invalid('tls must be an object of options for node:https');
  }
  if (typeof http2 !== 'boolean' && (typeof http2 !== 'object' || http2 === null)) {
    throw invalid('http2 must be a boolean or an object of limits');
  }
  if (http2 !== false && tls === undefined) {
    throw invalid('http2 needs tls; without, attach to a server of node:http2');
  }
}

function invalid(message: string): LocalProtocolError {
  return new LocalProtocolError('INVALID_OPTION', message);
}

/** Bun and Deno have servers of HTTP/2 that differ too much. */
const hasHttp2 = process.versions['bun'] === undefined && process.versions['deno'] === undefined;

const notForUs: RequestListener = (_request, response) => {
  // RFC 9110 §15.5.22: a 426 names what to upgrade to, which HTTP/2 has no field for. CONNECT is what it takes there.
  if ('stream' in response) {
    response.writeHead(405, { allow: 'CONNECT', 'content-type': TEXT });
  } else {
    // RFC 9110 §7.8: whoever sends Upgrade names it in Connection; what node:http would say there must not get lost.
    const connection = response.shouldKeepAlive ? 'Upgrade' : 'close, Upgrade';
    response.writeHead(426, { connection, upgrade: 'websocket', 'content-type': TEXT });
  }
  response.end(`${STATUS_CODES[response.statusCode]}: this is a WebSocket server\n`);
};

const TEXT = 'text/plain; charset=utf-8';
