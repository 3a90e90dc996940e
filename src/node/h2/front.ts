/**
 * HTTP/2 beside HTTP/1.1 on one server of node:https: what a client chose by ALPN (RFC 7301) decides who gets its
 * connection. A server of node:http2 that does not listen itself takes those for HTTP/2, so that those for HTTP/1.1 are
 * served by node:https with all the limits that it has.
 */

import type { RequestListener } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { ConnectionConfig, HandshakeLimits } from '../../core/index.js';
import { H2Exchange } from './exchange.js';
import { http2 } from './module.js';
import { type Http2Options, http2Options, SESSION_WINDOW, serverOptions, sessionRules } from './options.js';
import { isEnding, Sessions } from './sessions.js';

/** Node's own listener. */
type Listener<T extends unknown[]> = (...args: T) => void;

/** What node:http2 tells of a stream. */
type StreamEvent = [stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]];
type H2Listener = Parameters<typeof import('node:http2').createServer>[1];

/** Whoever serves the requests. */
export interface FrontOwner {
  /** A connection is one for HTTP/2. */
  onConnection(socket: TLSSocket): void;
  /** A request with CONNECT came; all others go to the listener. */
  onConnect(exchange: H2Exchange): void;
}

export class Http2Front {
  readonly #sessions: Sessions;

  /**
   * @param https offers `h2` by ALPN
   * @throws LocalProtocolError `INVALID_OPTION`
   */
  constructor(
    https: HttpsServer,
    options: Http2Options,
    limits: HandshakeLimits,
    config: ConnectionConfig,
    listener: RequestListener,
    owner: FrontOwner,
  ) {
    const checked = http2Options(options);
    const server = http2().createServer(serverOptions(checked, limits), listener as unknown as H2Listener);
    this.#sessions = new Sessions(server, sessionRules(checked, limits, config));
    server.on('session', (session) => session.setLocalWindowSize(SESSION_WINDOW));
    // What makes requests of streams is Node's, and has no use for those that become WebSockets.
    const [serveRequest] = server.listeners('stream') as Listener<StreamEvent>[];
    server.off('stream', serveRequest);
    server.on('stream', (...event: StreamEvent) => {
      const [stream, headers, , rawHeaders] = event;
      if (isEnding(stream)) return;
      if (headers[':method'] !== 'CONNECT') serveRequest.apply(server, event);
      else owner.onConnect(new H2Exchange(stream, { headers, rawHeaders }));
    });

    const [serveHttp1] = https.listeners('secureConnection') as Listener<[TLSSocket]>[];
    https.off('secureConnection', serveHttp1);
    https.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol !== 'h2') {
        serveHttp1.call(https, socket);
        return;
      }
      owner.onConnection(socket);
      server.emit('connection', socket);
    });
  }

  /** Ends every session as soon as its streams have ended; no new ones are taken. */
  close(): void {
    this.#sessions.close();
  }

  cutOff(): void {
    this.#sessions.cutOff();
  }
}
