/**
 * Watches over the sessions that clients have with a server: those without streams do not stay for ever, and a client
 * cannot make the server work for nothing by resetting one stream after the other (CVE-2023-44487), which the limit on
 * concurrent streams does not see.
 */

import type { Http2Server, Http2Session, Http2Stream, ServerHttp2Session } from 'node:http2';
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
  /** How long a session may have no stream, between two. */
  readonly idleTimeout: number;
}

/** Sessions that are watched. */
export interface SessionsWatch {
  /** Watches over no more of them. */
  stop(): void;
  /** Whether a session has no stream now. */
  isIdle(session: ServerHttp2Session): boolean;
}

/** Watches over all sessions of a server, those that come from now on. */
export function watchSessions(server: Http2Server, rules: SessionRules): SessionsWatch {
  const watches = new WeakMap<ServerHttp2Session, Watch>();
  const onSession = (session: ServerHttp2Session) => {
    watches.set(session, new Watch(session, rules));
  };
  server.on('session', onSession);
  return {
    stop: () => server.off('session', onSession),
    isIdle: (session) => watches.get(session)?.isIdle === true,
  };
}

/**
 * How long the connection of a session that is over may take to close, in milliseconds. Where it was reset while
 * something was written over TLS, Node.js up to 24 does not notice, and would keep it for ever.
 */
export const LAST_WORDS = 2000;

/** The socket itself; what a session shows of it cannot be destroyed. */
export function socketOf(session: Http2Session): Socket | undefined {
  return session.socket?.on('close', ignore);
}

/** One session. */
class Watch implements Timed {
  bucket: number | null = null;
  readonly #session: Http2Session;
  readonly #socket: Socket | undefined;
  readonly #rules: SessionRules;
  #streams = 0;
  /** How many resets are still allowed, and since when. */
  #allowance: number;
  #since: number;
  #isOver = false;

  constructor(session: Http2Session, rules: SessionRules) {
    this.#session = session;
    this.#socket = socketOf(session);
    this.#rules = rules;
    this.#allowance = rules.resetBurst;
    this.#since = wheel.now();
    const watch = this;
    // One function for all streams.
    const onStreamClose = function (this: Http2Stream) {
      watch.#closed(this);
    };
    session.on('stream', (stream: Http2Stream) => {
      this.#streams++;
      wheel.set(this, null);
      // It may be closed by now, and have no event to tell of it.
      if (stream.destroyed) this.#closed(stream);
      else stream.on('close', onStreamClose);
    });
    session.on('close', () => wheel.set(this, null));
    wheel.set(this, this.#since + rules.firstStreamTimeout);
  }

  get isIdle(): boolean {
    return this.#streams === 0;
  }

  /** No stream is on it, so nothing is lost: a request that is on its way may be sent again (RFC 9113 §6.8). */
  onDeadline(now: number): void {
    if (this.#session.destroyed) {
      this.#socket?.destroy();
      return;
    }
    this.#session.destroy();
    wheel.set(this, now + LAST_WORDS);
  }

  #closed(stream: Http2Stream): void {
    const session = this.#session;
    this.#streams--;
    if (this.#streams === 0) this.#rest();
    if (session.destroyed || !wasReset(stream) || this.#mayReset() || this.#isOver) return;
    this.#isOver = true;
    // Not from within what reads the session: Node.js 20 would go on reading what is gone, for ever.
    setImmediate(this.#end);
  }

  #rest(): void {
    if (this.#socket?.destroyed) return;
    // That it is over shows later, where this comes of that.
    const isOver = this.#session.closed || this.#session.destroyed;
    wheel.set(this, wheel.now() + (isOver ? LAST_WORDS : this.#rules.idleTimeout));
  }

  readonly #end = (): void => {
    const message = `the client reset more streams than maxResetRate allows, ${this.#rules.maxResetRate} a second`;
    this.#session.destroy(new RemoteProtocolError('TOO_MANY_RESETS', message), ENHANCE_YOUR_CALM);
  };

  #mayReset(): boolean {
    const { maxResetRate, resetBurst } = this.#rules;
    const now = wheel.now();
    // A rate without limit times no time at all is no number.
    const earned = now === this.#since ? 0 : ((now - this.#since) / 1000) * maxResetRate;
    this.#allowance = Math.min(resetBurst, this.#allowance + earned) - 1;
    this.#since = now;
    return this.#allowance >= 0;
  }
}
