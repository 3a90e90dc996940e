/** The node:http or node:https server under a WebSocket server: how our limits are told to it. */

import { createServer, type Server as HttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createSecureServer, type Server as HttpsServer, type ServerOptions } from 'node:https';
import type { HandshakeLimits } from '../core/index.js';
import { asksForWebSocket } from './requests.js';

/** How long node:http lets a request with a body take, by its own default. */
const REQUEST_TIMEOUT = 300_000;
/** From here on node:http would take a number of fields for a negative one. */
const MAX_HEADER_FIELDS = 2 ** 29;
/** The longest that a timer can wait; for a TLS handshake 0 would mean the default. */
const MAX_TIMER = 2 ** 31 - 1;

/**
 * An HTTP server, not listening yet, that holds to the limits as far as it knows them: whole numbers, 0 for none.
 *
 * @param http2 whether to offer HTTP/2 by ALPN
 */
export function httpServer(
  limits: HandshakeLimits,
  tls: ServerOptions | undefined,
  http2: boolean,
  listener: RequestListener,
): HttpServer | HttpsServer {
  const { handshakeTimeout, maxHeaderSize, maxHeaderFields } = limits;
  const headersTimeout = whole(handshakeTimeout);
  const options = {
    maxHeaderSize: whole(maxHeaderSize) || Number.MAX_SAFE_INTEGER,
    headersTimeout,
    requestTimeout: Math.max(REQUEST_TIMEOUT, headersTimeout),
    connectionsCheckingInterval: Math.max(100, Math.min(whole((headersTimeout || REQUEST_TIMEOUT) / 4), 30_000)),
    // Known from Node.js 22.21 and 24.9 on. Before, every upgrade comes as one, and what is not for us gets 426.
    shouldUpgradeCallback: (request: IncomingMessage) => asksForWebSocket(request),
  };
  const http =
    tls === undefined
      ? createServer(options, listener)
      : createSecureServer(
          {
            handshakeTimeout: Math.min(headersTimeout || MAX_TIMER, MAX_TIMER),
            ...(http2 && tls.ALPNCallback === undefined && { ALPNProtocols: ['h2', 'http/1.1'] }),
            ...tls,
            ...options,
          },
          listener,
        );
  // One more than is allowed, so that the handshake sees, and names, the limit that is passed.
  http.maxHeadersCount = maxHeaderFields < MAX_HEADER_FIELDS ? Math.floor(maxHeaderFields) + 1 : 0;
  return http;
}

/** From 1 up, and 0 for what is too large to be counted. */
function whole(limit: number): number {
  return limit < Number.MAX_SAFE_INTEGER ? Math.max(1, Math.ceil(limit)) : 0;
}
