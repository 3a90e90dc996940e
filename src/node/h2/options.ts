/** What of HTTP/2 can be set on a server, and how it is told to node:http2. */

import type { ServerOptions } from 'node:http2';
import { type ConnectionConfig, type HandshakeLimits, LocalProtocolError } from '../../core/index.js';
import type { SessionRules } from './sessions.js';

/** Limits of every session, which is every TLS connection that speaks HTTP/2. */
export interface Http2Options {
  /**
   * The most streams, WebSockets and ordinary requests together, that a session may have at once; 256 by default. What
   * a session can make the server keep for it is bounded by this and the limits of each.
   */
  readonly maxConcurrentStreams?: number;
  /**
   * How many streams a client may reset in a second, lastingly; 30 by default, and as many at once as it may have. Above
   * it the session is ended with ENHANCE_YOUR_CALM, and its WebSockets with the error `TOO_MANY_RESETS`. What a handler
   * of ordinary requests resets counts as well, because a client may bring that about. nghttp2 allows 33, and a thousand
   * at once, whatever is said here.
   */
  readonly maxResetRate?: number;
  /** Milliseconds after which a session without a stream is closed; a minute by default. */
  readonly sessionTimeout?: number;
}

const DEFAULTS: Required<Http2Options> = { maxConcurrentStreams: 256, maxResetRate: 30, sessionTimeout: 60_000 };

/**
 * The window of a session. It bounds nothing, for it is given back at once; but what is under way in it is all that a
 * session can have under way.
 */
export const SESSION_WINDOW = 1024 * 1024;

/** Memory that node:http2 may use for a session and for each of its streams, in bytes. */
const SESSION_MEMORY = 10e6;
const STREAM_MEMORY = 128 * 1024;

/** The options with their defaults. @throws LocalProtocolError `INVALID_OPTION` */
export function http2Options(given: Http2Options): Required<Http2Options> {
  const options = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof Http2Options)[]) {
    const value = given[name] ?? DEFAULTS[name];
    if (typeof value !== 'number' || !(value > 0)) throw invalid(`http2.${name} must be a number above 0`);
    options[name] = value;
  }
  if (!Number.isInteger(options.maxConcurrentStreams) || options.maxConcurrentStreams > 2 ** 31 - 1) {
    throw invalid('http2.maxConcurrentStreams must be a whole number');
  }
  return options;
}

/** The rules for sessions that the options make. */
export function sessionRules(
  options: Required<Http2Options>,
  { handshakeTimeout }: HandshakeLimits,
  { pingInterval, pingTimeout }: ConnectionConfig,
): SessionRules {
  return {
    pingInterval,
    pingTimeout,
    maxResetRate: options.maxResetRate,
    resetBurst: options.maxConcurrentStreams,
    firstStreamTimeout: handshakeTimeout,
    idleTimeout: options.sessionTimeout,
  };
}

/** The options for node:http2. */
export function serverOptions(
  { maxConcurrentStreams }: Required<Http2Options>,
  limits: HandshakeLimits,
): ServerOptions {
  return {
    settings: {
      enableConnectProtocol: true,
      maxConcurrentStreams,
      // Above it node:http2 resets the stream. Half of that is where the handshake sees, and names, the limit.
      maxHeaderListSize: Math.min(2 * limits.maxHeaderSize, 2 ** 31 - 1),
    },
    maxHeaderListPairs: Math.min(2 * limits.maxHeaderFields, 2 ** 31 - 1),
    maxSessionMemory: Math.ceil((SESSION_MEMORY + maxConcurrentStreams * STREAM_MEMORY) / 1e6),
  };
}

function invalid(message: string): LocalProtocolError {
  return new LocalProtocolError('INVALID_OPTION', message);
}
