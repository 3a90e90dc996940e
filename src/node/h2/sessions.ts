/**
 * Watches over the sessions that clients have with a server: those without streams, or without a client, do not stay for
 * ever, and a client cannot make the server work for nothing by resetting one stream after the other (CVE-2023-44487),
 * which the limit on concurrent streams does not see.
 */

import type { Http2SecureServer, Http2Server, Http2Session, Http2Stream, ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { RemoteProtocolError } from '../../core/index.js';
import { ignore } from '../refusal.js';
import { type Timed, wheel } from '../wheel.js';
import { ENHANCE_YOUR_CALM } from './codes.js';
import { wasReset } from './transport.js';

/** What sessions may do; times in milliseconds. */
export interface SessionRules {
  /** How many streams a client may reset in a second, lastingly. */
  readonly maxResetRate: number;
  /** How many it may reset at once. */
  readonly resetBurst: number;
  /** How long a session may have no stream, before its first one. */
  readonly firstStreamTimeout: number;
  /** How long a session may have no stream, between two; without a limit as long as its client is there. */
  readonly idleTimeout: number;
  /** After how long without a byte from it a client is asked for one. */
  readonly pingInterval: number;
  /** How long it may take to answer. */
  readonly pingTimeout: number;
}

/**
 * How long the connection of a session that is over may take to close, in milliseconds. node:http2 ends its side and
 * leaves the rest to the peer, which may not be there; and where a connection was reset while something was written over
 * TLS, Node.js up to 24 does not notice.
 */
export const LAST_WORDS = 2000;

/** The sockets themselves: what a session shows of its own is of no use once it has ended. */
const connections = new WeakMap<Http2Session, Socket>();

/** The connection of a session of a server that is watched. */
export function connectionOf(session: Http2Session): Socket | undefined {
  return connections.get(session);
}

/** Sessions whose client has reset too many streams, until they end. */
const ending = new WeakSet<Http2Session>();

/** Whether a stream is on a session that is about to end, so that it is worth no work. */
export function isEnding(stream: Http2Stream): boolean {
  const isWorthless = stream.session !== undefined && ending.has(stream.session);
  // It ends with an error that is nobody's.
  if (isWorthless) stream.on('error', ignore);
  return isWorthless;
}

/** All sessions of a server, those that begin from now on. */
export class Sessions {
  readonly #server: Http2Server | Http2SecureServer;
  readonly #rules: SessionRules;
  readonly #watches = new Set<Watch>();
  /** A session begins within the event of its connection, and does not give that away. */
  #connection: Socket | null = null;

  constructor(server: Http2Server | Http2SecureServer, rules: SessionRules) {
    this.#server = server;
    this.#rules = rules;
    server.prependListener('connection', this.#onConnection);
    server.prependListener('secureConnection', this.#onConnection);
    server.on('session', this.#onSession);
  }

  /** Watches over no more of them. */
  stop(): void {
    this.#server.off('connection', this.#onConnection);
    this.#server.off('secureConnection', this.#onConnection);
    this.#server.off('session', this.#onSession);
  }

  /** Ends every session as soon as its streams have ended; no new ones are taken. */
  close(): void {
    for (const watch of this.#watches) watch.close();
  }

  cutOff(): void {
    for (const watch of this.#watches) watch.cutOff();
  }

  readonly #onConnection = (socket: Socket): void => {
    this.#connection = socket;
  };

  readonly #onSession = (session: ServerHttp2Session): void => {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return;
    connections.set(session, connection);
    const watch = new Watch(session, connection, this.#rules);
    this.#watches.add(watch);
    connection.on('close', () => this.#watches.delete(watch));
  };
}

/** One session. */
class Watch implements Timed {
  bucket: number | null = null;
  readonly #session: Http2Session;
  readonly #connection: Socket;
  readonly #rules: SessionRules;
  #streams = 0;
  /** What had come when it was last looked. */
  #bytesRead = 0;
  /** Whether a PING was sent since anything came. */
  #asked = false;
  /** How many resets are still allowed, and since when. */
  #allowance: number;
  #since: number;

  constructor(session: Http2Session, connection: Socket, rules: SessionRules) {
    this.#session = session;
    this.#connection = connection;
    this.#rules = rules;
    this.#allowance = rules.resetBurst;
    this.#since = wheel.now();
    const watch = this;
    // One function for all streams.
    const onStreamClose = function (this: Http2Stream) {
      watch.#closed(this);
    };
    session.on('stream', (stream: Http2Stream) => {
      if (this.#streams++ === 0) this.#heard(wheel.now());
      // It may be closed by now, and have no event to tell of it.
      if (stream.destroyed) this.#closed(stream);
      else stream.on('close', onStreamClose);
    });
    session.on('goaway', () => this.#rest());
    connection.on('close', () => wheel.set(this, null)).on('error', ignore);
    wheel.set(this, this.#since + rules.firstStreamTimeout);
  }

  close(): void {
    if (this.#streams === 0) this.#connection.once('finish', () => this.#connection.destroy());
    this.#session.close();
    this.#rest();
  }

  cutOff(): void {
    this.#session.destroy();
    this.#connection.destroy();
  }

  onDeadline(now: number): void {
    const session = this.#session;
    const isWanted = this.#streams > 0 || this.#rules.idleTimeout === Number.POSITIVE_INFINITY;
    if (session.destroyed || (session.closed && this.#streams === 0)) {
      this.#connection.destroy();
    } else if (isWanted && this.#connection.bytesRead !== this.#bytesRead) {
      this.#heard(now);
    } else if (isWanted && !this.#asked) {
      this.#asked = true;
      session.ping(ignore);
      wheel.set(this, now + this.#rules.pingTimeout);
    } else {
      // Without a stream nothing is lost: a request that is on its way may be sent again (RFC 9113 §6.8).
      session.destroy();
      wheel.set(this, now + LAST_WORDS);
    }
  }

  /**
   * Where nghttp2 has ended a session for an error of the client's, node:http2 reads no further and tells nobody: its
   * streams would stay for ever, though the client may be long gone.
   */
  #heard(now: number): void {
    this.#bytesRead = this.#connection.bytesRead;
    this.#asked = false;
    if (!this.#connection.destroyed) wheel.set(this, now + this.#rules.pingInterval);
  }

  /** When it has no stream, it stays for a while. */
  #rest(): void {
    if (this.#streams > 0 || this.#connection.destroyed) return;
    const now = wheel.now();
    const { closed, destroyed } = this.#session;
    if (closed || destroyed) wheel.set(this, now + LAST_WORDS);
    else if (this.#rules.idleTimeout === Number.POSITIVE_INFINITY) this.#heard(now);
    else wheel.set(this, now + this.#rules.idleTimeout);
  }

  #closed(stream: Http2Stream): void {
    const session = this.#session;
    this.#streams--;
    this.#rest();
    if (session.destroyed || ending.has(session) || !wasReset(stream) || this.#mayReset()) return;
    ending.add(session);
    const message = `the client reset more streams than maxResetRate allows, ${this.#rules.maxResetRate} a second`;
    // Without TLS this may be within a call of nghttp2's about a stream, which must not go away meanwhile: GOAWAY closes
    // streams, and one that is closed twice ends the process.
    setImmediate(() => session.destroy(new RemoteProtocolError('TOO_MANY_RESETS', message), ENHANCE_YOUR_CALM));
  }

  #mayReset(): boolean {
    const { maxResetRate, resetBurst } = this.#rules;
    const now = wheel.now();
    // Times no time at all, which is between most resets in quick succession, a rate without limit would be no number.
    const isUnlimited = maxResetRate === Number.POSITIVE_INFINITY;
    const earned = isUnlimited ? maxResetRate : ((now - this.#since) / 1000) * maxResetRate;
    this.#allowance = Math.min(resetBurst, this.#allowance + earned) - 1;
    this.#since = now;
    return this.#allowance >= 0;
  }
}
