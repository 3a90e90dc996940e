/** The one error of an opening handshake that came to nothing. */

import type { IncomingHttpHeaders } from 'node:http';

/** What a `HandshakeError` knows besides its code and message. */
export interface HandshakeErrorInit {
  readonly cause?: unknown;
  readonly statusCode?: number;
  readonly headers?: IncomingHttpHeaders;
  readonly body?: Buffer;
}

/**
 * A client's opening handshake failed; its socket is closed. `code` is one of
 *
 * - `REDIRECT` a 3xx, which is never followed: the message names the Location;
 * - `UNEXPECTED_RESPONSE` any other HTTP response than 101, over HTTP/2 than 2xx;
 * - `TLS_EXPECTED` a ws: URL, and the server speaks TLS, or closed without a word, as some do that speak TLS (the
 *   message tells the two apart);
 * - `TLS_NOT_SPOKEN` a wss: URL, and the server does not speak TLS;
 * - `CONNECTION_FAILED` no connection, or it broke: `cause` has the system's code (`ECONNREFUSED`) or that of the
 *   certificate's fault (`DEPTH_ZERO_SELF_SIGNED_CERT`);
 * - `HTTP2_NOT_SPOKEN`, `CONNECT_PROTOCOL_DISABLED` HTTP/2 was asked for, and the server does not speak it, or does not
 *   take WebSockets over it; `HTTP_1_1_REQUIRED` it takes this one by HTTP/1.1 alone;
 * - `HANDSHAKE_TIMEOUT`, `ABORTED`;
 * - `MISSING_SUBPROTOCOL` subprotocols were offered and none was chosen, where that is not allowed;
 * - or a code of `RemoteProtocolError`, which then is the `cause`: `INVALID_ACCEPT`, `HEADERS_TOO_LARGE`.
 */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
  /** What went wrong, for programs. */
  readonly code: string;
  /** The status of the HTTP response, or null where there was none. */
  readonly statusCode: number | null;
  /** The fields of that response, names in lower case, as node:http joins them. */
  readonly headers: IncomingHttpHeaders;
  /** What was read of its body: 64 KiB at most, and what came in time. */
  readonly body: Buffer;

  constructor(code: string, message: string, init: HandshakeErrorInit = {}) {
    super(message, 'cause' in init ? { cause: init.cause } : undefined);
    this.code = code;
    this.statusCode = init.statusCode ?? null;
    this.headers = init.headers ?? {};
    this.body = init.body ?? Buffer.alloc(0);
  }
}
