/**
 * Sessions of HTTP/2 that clients share: those that want the same server by the same means open their WebSockets on the
 * same session, as long as that takes more. One on which nothing is left is closed after a while, and keeps no process
 * alive meanwhile.
 */

import type { ClientHttp2Session, ClientSessionOptions } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { http2 } from '../h2/module.js';
import { SESSION_WINDOW } from '../h2/options.js';
import { LAST_WORDS } from '../h2/sessions.js';
import { ignore } from '../refusal.js';
import { asError } from '../thrown.js';
import { type Timed, wheel } from '../wheel.js';
import { whenConnectAllowed } from './connect-protocol.js';
import type { SessionRequest, SessionSource } from './h2-route.js';
import type { RouteOwner } from './route.js';
import type { Target } from './target.js';
import { openTransport, readyEvent, type TransportOptions } from './transport.js';

/** How long a session without a stream is kept for the next, in milliseconds. */
const KEEP = 1000;

/** The options of node:http2. Whoever asked for a WebSocket holds what comes on it within limits of its own. */
const OPTIONS: ClientSessionOptions = { settings: { enablePush: false }, maxSessionMemory: 1000 };

const TRANSPORT_OPTIONS = ['socketPath', 'localAddress', 'family', 'lookup', 'createConnection'] as const;

/** What a server's TLS says to a client that offers nothing but HTTP/2 (RFC 7301 §3.2). */
const NO_APPLICATION_PROTOCOL = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';

/** All there are that take more, by the origin they were made for. */
const shared = new Map<string, Set<SharedSession>>();

/** Where those wait that wait for one. */
const places = new WeakMap<SessionRequest, SharedSession>();

/** Where clients get the session that they share. */
export class SharedSessions implements SessionSource {
  readonly waitsFor = 'an HTTP/2 session';
  readonly hasOthers = true;
  readonly #target: Target;
  readonly #options: TransportOptions;
  readonly #mayUseHttp1: boolean;

  /** @param mayUseHttp1 whether HTTP/1.1 is offered too, by ALPN */
  constructor(target: Target, options: TransportOptions, mayUseHttp1: boolean) {
    this.#target = target;
    this.#options = options;
    this.#mayUseHttp1 = mayUseHttp1;
  }

  request(asking: SessionRequest): void {
    const found = [...(shared.get(this.#target.url.origin) ?? [])].find((each) =>
      each.isFor(this.#options, this.#mayUseHttp1),
    );
    const session = found ?? new SharedSession(this.#target, this.#options, this.#mayUseHttp1);
    session.request(asking);
  }

  forget(asking: SessionRequest, isSilent: boolean): void {
    const session = places.get(asking);
    session?.forget(asking);
    if (isSilent) session?.distrust();
  }
}

/** A session of the caller's own, which is left open. */
export class GivenSession implements SessionSource {
  readonly waitsFor = 'the settings of the HTTP/2 session';
  readonly hasOthers = false;
  readonly #session: ClientHttp2Session;
  #forget: () => void = () => {};

  constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  request(asking: SessionRequest): void {
    process.nextTick(() => {
      const session = this.#session;
      if (session.closed || session.destroyed) {
        asking.owner.onFailure('CONNECTION_FAILED', 'the HTTP/2 session is closed');
        return;
      }
      this.#forget = whenConnectAllowed(session, (allowed) => {
        if (allowed === null) asking.owner.onClose();
        else if (allowed) asking.onSession(session);
        else connectIsDisabled(asking.owner);
      });
    });
  }

  forget(): void {
    this.#forget();
  }
}

class SharedSession implements Timed {
  bucket: number | null = null;
  readonly #target: Target;
  readonly #options: TransportOptions;
  readonly #mayUseHttp1: boolean;
  #waiting = new Set<SessionRequest>();
  #socket: Duplex | null = null;
  #session: ClientHttp2Session | null = null;
  #isReady = false;
  #streams = 0;
  #over = false;
  #isLeft = false;
  #isClosed = false;

  constructor(target: Target, options: TransportOptions, mayUseHttp1: boolean) {
    this.#target = target;
    this.#options = options;
    this.#mayUseHttp1 = mayUseHttp1;
    const origin = target.url.origin;
    const others = shared.get(origin);
    if (others === undefined) shared.set(origin, new Set([this]));
    else others.add(this);
    process.nextTick(this.#open);
  }

  /** Whether it is what would be opened with these options, and takes more. */
  isFor(options: TransportOptions, mayUseHttp1: boolean): boolean {
    if (
      this.#mayUseHttp1 !== mayUseHttp1 ||
      !TRANSPORT_OPTIONS.every((name) => options[name] === this.#options[name])
    ) {
      return false;
    }
    const hasRoom = this.#streams + this.#waiting.size < this.#mostStreams;
    return hasRoom && haveSameEntries(options.tls ?? {}, this.#options.tls ?? {});
  }

  request(asking: SessionRequest): void {
    wheel.set(this, null);
    this.#session?.ref();
    this.#waiting.add(asking);
    places.set(asking, this);
    if (this.#isReady) process.nextTick(this.#serve);
  }

  forget(asking: SessionRequest): void {
    if (!this.#waiting.delete(asking) || this.#waiting.size > 0 || this.#over) return;
    if (this.#isReady) this.#rest();
    else this.#giveUp();
  }

  /** It does not answer. Whoever comes next, perhaps again and again, is not to wait for it too. */
  distrust(): void {
    this.#leave();
  }

  onDeadline(): void {
    if (this.#over) this.#socket?.destroy();
    else this.#giveUp();
  }

  readonly #open = (): void => {
    if (this.#over) return;
    try {
      const { tls } = this.#options;
      const ALPNProtocols = this.#mayUseHttp1 ? ['h2', 'http/1.1'] : ['h2'];
      const opening = openTransport(this.#target, { ...this.#options, tls: { ALPNProtocols, ...tls } });
      if ('then' in opening) opening.then(this.#attach, this.#onError);
      else this.#attach(opening);
    } catch (error) {
      this.#onError(error);
    }
  };

  readonly #attach = (socket: Duplex): void => {
    this.#socket = socket;
    socket.on('error', this.#onError);
    if (this.#over) {
      socket.destroy();
      return;
    }
    socket.on('close', this.#onClose);
    const ready = readyEvent(socket);
    if (socket.destroyed) this.#onClose();
    else if (ready === null) this.#onReady();
    else socket.once(ready, this.#onReady);
  };

  readonly #onReady = (): void => {
    const socket = this.#socket as TLSSocket;
    // One that is destroyed, by whoever looked at its certificate say, tells why.
    if (this.#over || socket.destroyed) return;
    if (this.#target.secure && socket.alpnProtocol !== 'h2') {
      this.#notSpoken();
      return;
    }
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    socket.on('error', ignore);
    if ('setNoDelay' in socket) socket.setNoDelay(true);
    // A session is over when the server has ended its side, and node:http2 waits for the socket to say so.
    socket.allowHalfOpen = false;
    const authority = this.#target.url.href.replace(/^ws/, 'http');
    const session = http2().connect(authority, { ...OPTIONS, createConnection: () => socket });
    this.#session = session;
    session.on('error', this.#onError);
    session.on('close', this.#onClose);
    session.on('goaway', this.#onGoaway);
    // It comes also when the session was given up meanwhile.
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(SESSION_WINDOW);
    });
    whenConnectAllowed(session, (allowed) => {
      // That it has ended is told otherwise.
      if (this.#over || allowed === null) return;
      if (allowed) {
        this.#isReady = true;
        this.#serve();
        return;
      }
      for (const { owner } of this.#giveUp()) connectIsDisabled(owner);
    });
  };

  /** Hands the session to those that wait, as many as it takes; the others look for another. */
  readonly #serve = (): void => {
    const session = this.#session as ClientHttp2Session;
    if (this.#hasEnded) this.#leave();
    for (const asking of [...this.#waiting]) {
      this.#waiting.delete(asking);
      const most = this.#mostStreams;
      if (this.#streams >= most) {
        // To look for another at a server that allows none would go on for ever.
        if (most > 0 || this.#hasEnded) asking.onNoRoom(most > 0);
        else asking.owner.onFailure('CONNECTION_FAILED', 'the server takes no streams');
        continue;
      }
      const stream = asking.onSession(session);
      if (stream === null) continue;
      this.#streams++;
      stream.on('close', this.#onStreamClose);
    }
    this.#rest();
  };

  /** As many as are asked for may wait until it is known. */
  get #mostStreams(): number {
    if (this.#hasEnded) return 0;
    if (!this.#isReady) return Number.POSITIVE_INFINITY;
    return (this.#session as ClientHttp2Session).remoteSettings.maxConcurrentStreams ?? 0;
  }

  /** A session that failed tells its streams first, and of its own end only when its connection is closed. */
  get #hasEnded(): boolean {
    return this.#session?.closed === true || this.#session?.destroyed === true;
  }

  readonly #onStreamClose = (): void => {
    this.#streams--;
    this.#rest();
  };

  /** When nothing is on it, it keeps nobody, and is not kept for long. */
  #rest(): void {
    if (this.#streams + this.#waiting.size > 0 || this.#over) return;
    this.#session?.unref();
    wheel.set(this, wheel.now() + (this.#isLeft ? LAST_WORDS : KEEP));
  }

  readonly #onError = (thrown: unknown): void => {
    const error = asError(thrown);
    const { code } = error as NodeJS.ErrnoException;
    if (this.#wasNotUnderstood || code === NO_APPLICATION_PROTOCOL) this.#notSpoken(error);
    else for (const { owner } of this.#giveUp()) owner.onError(error);
  };

  readonly #onClose = (): void => {
    this.#isClosed = true;
    if (this.#wasNotUnderstood) this.#notSpoken();
    else for (const { owner } of this.#giveUp()) owner.onClose();
  };

  /** Without ALPN, whoever does not speak HTTP/2 answers its preface with something else, or not at all. */
  get #wasNotUnderstood(): boolean {
    return this.#session !== null && !this.#isReady && !this.#target.secure;
  }

  /** The server speaks another version. One of those that wait may have the connection for that. */
  #notSpoken(cause?: Error): void {
    const { alpnProtocol } = (this.#socket ?? {}) as Partial<TLSSocket>;
    const isForHttp1 = this.#target.secure && alpnProtocol !== 'h2' && this.#mayUseHttp1;
    let connection = isForHttp1 ? this.#socket : null;
    if (connection !== null) {
      connection.off('error', this.#onError);
      connection.off('close', this.#onClose);
      this.#socket = null;
    }
    for (const { owner } of this.#giveUp()) {
      const init = cause === undefined ? {} : { cause };
      owner.onlyHttp1('HTTP2_NOT_SPOKEN', 'the server does not speak HTTP/2', init, connection);
      connection = null;
    }
    connection?.destroy();
  }

  readonly #onGoaway = (): void => {
    this.#leave();
    if (this.#isReady) this.#rest();
  };

  /** Takes no more: what is on it goes on. */
  #leave(): void {
    this.#isLeft = true;
    const origin = this.#target.url.origin;
    const others = shared.get(origin);
    others?.delete(this);
    if (others?.size === 0) shared.delete(origin);
  }

  /** @returns those that waited, who have to be told */
  #giveUp(): Iterable<SessionRequest> {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    this.#over = true;
    this.#leave();
    if (this.#session !== null) this.#session.destroy();
    else this.#socket?.destroy();
    wheel.set(this, this.#session === null || this.#isClosed ? null : wheel.now() + LAST_WORDS);
    return waiting;
  }
}

function connectIsDisabled(owner: RouteOwner): void {
  owner.onlyHttp1('CONNECT_PROTOCOL_DISABLED', 'the server speaks HTTP/2, but does not take WebSockets over it');
}

function haveSameEntries(a: object, b: object): boolean {
  const entries = Object.entries(a);
  return (
    entries.length === Object.keys(b).length &&
    entries.every(([name, value]) => (b as Record<string, unknown>)[name] === value)
  );
}
