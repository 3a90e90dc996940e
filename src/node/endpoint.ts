/**
 * What takes upgrade requests and owns the connections that come of them, wherever the requests come from: `serve` and
 * `attach` bring them from an HTTP server, `accept` from a framework.
 */

import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Duplex } from 'node:stream';
import {
  CloseCode,
  CloseConnection,
  Connection,
  ConnectionConfig,
  type ConnectionOptions,
  ConnectionType,
  checkClose,
  type HandshakeLimits,
  handshakeLimits,
  LocalProtocolError,
  type PerMessageDeflate,
} from '../core/index.js';
import { type DeflateOption, deflateFor } from './deflate.js';
import type { Exchange, Refuse } from './exchange.js';
import { H1Exchange } from './h1-exchange.js';
import { H2Exchange } from './h2/exchange.js';
import { type Handlers, Session, type SessionSettings } from './handlers.js';
import { Meter } from './meter.js';
import { type Opened, Opening, type Terms } from './opening.js';
import { type OriginRule, originTest } from './origins.js';
import { type Peer, type PublishOptions, publishTo } from './peer.js';
import type { Publishable } from './pubsub/message.js';
import { Topics } from './pubsub/topics.js';
import { Refusal } from './refusal.js';
import { Counts, type EndpointStats } from './stats.js';
import { reject, type UpgradeHandler } from './upgrade.js';

/** What becomes of upgrade requests, and within which limits. */
export interface EndpointOptions<Data = unknown>
  extends Handlers<Data>,
    Omit<ConnectionOptions, 'autoPong' | 'autoClose' | 'delivery' | 'trailingData' | 'maskingKeys'>,
    Partial<HandshakeLimits>,
    DeflateOption {
  /** Accepts or rejects a request; accepts by default. While it is pending nothing is read from the connection. */
  readonly upgrade?: UpgradeHandler<Data>;
  /**
   * The web pages that may connect: origins such as `'https://example.com'` (compared without regard to case and to the
   * port that the scheme has anyway), patterns, and null for requests without an Origin field, which is what clients
   * other than browsers send. Others are answered 403. All may by default.
   *
   * Give it wherever cookies, or an address that only some can reach, decide who somebody is: a browser lets any page
   * open a WebSocket to any server and sends the user's cookies with it, so that a page of an attacker's could use the
   * user's connection (cross-site WebSocket hijacking, RFC 6455 §10.2). A pattern must be anchored at both ends.
   * The opaque origin `'null'`, which every page can have, is matched by that string alone, never by a pattern.
   */
  readonly origins?: readonly OriginRule[];
  /** The most connections, open ones and handshakes together; above it a request is answered 503. No limit by default. */
  readonly maxConnections?: number;
  /** What `message` gets a text as: a string, or its bytes, which are valid UTF-8. `'string'` by default. */
  readonly textFormat?: 'string' | 'bytes';
  /**
   * Milliseconds without a message, in either direction, after which a connection is closed with 1001; up to a quarter
   * more, and then the next tick. Keep-alive pings are no messages. `Infinity` by default.
   */
  readonly idleTimeout?: number;
  /** Whether `stats` tells how long the handlers of messages take, for some 100 ns a message. Off by default. */
  readonly measureHandlers?: boolean;
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
const NOTHING = new Uint8Array(0);
/** In how many seconds a client may try again where there were too many connections. */
const RETRY_AFTER = '5';

/** Takes upgrade requests and owns the connections that come of them. */
export class Endpoint<Data = unknown> {
  readonly #config: ConnectionConfig;
  readonly #terms: Terms<Data>;
  readonly #maxConnections: number;
  readonly #handlers: Handlers<Data>;
  readonly #settings: SessionSettings;
  readonly #meter: Meter | null;
  readonly #deflate: PerMessageDeflate | null;
  readonly #counts = new Counts();
  readonly #topics = new Topics();
  readonly #sessions = new Set<Session<Data>>();
  readonly #openings = new Set<Opening<Data>>();
  readonly #refusals = new Set<Refusal>();
  #closing: Promise<void> | null = null;
  #allGone: (() => void) | null = null;

  /** @throws LocalProtocolError `INVALID_OPTION` naming the option */
  constructor(options: EndpointOptions<Data> = {}) {
    this.#config = new ConnectionConfig({ ...options, autoPong: true, autoClose: true, delivery: 'messages' });
    this.#deflate = deflateFor(ConnectionType.SERVER, options);
    this.#terms = {
      handshake: { ...handshakeLimits(options), extensions: this.#deflate === null ? [] : [this.#deflate] },
      origins: originTest(options.origins),
      upgrade: options.upgrade?.bind(options),
    };
    this.#maxConnections = options.maxConnections ?? Number.POSITIVE_INFINITY;
    if (typeof this.#maxConnections !== 'number' || !(this.#maxConnections >= 0)) {
      throw new LocalProtocolError('INVALID_OPTION', 'maxConnections must be a number from 0 to Infinity');
    }
    const { textFormat = 'string', idleTimeout = Number.POSITIVE_INFINITY, measureHandlers = false } = options;
    if (textFormat !== 'string' && textFormat !== 'bytes') {
      throw new LocalProtocolError('INVALID_OPTION', "textFormat must be 'string' or 'bytes'");
    }
    if (typeof idleTimeout !== 'number' || !(idleTimeout > 0)) {
      throw new LocalProtocolError('INVALID_OPTION', 'idleTimeout must be a number above 0');
    }
    this.#meter = measureHandlers ? new Meter() : null;
    this.#settings = { textFormat, idleTimeout, meter: this.#meter, topics: this.#topics };
    this.#handlers = countedHandlers(options, this.#counts);
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
   * Publishes a message to the subscribers of a topic: connections on whichever path, with TLS and without, over HTTP/1.1
   * and HTTP/2. It is framed once, and compressed once for all with the same agreement; bytes are copied, and may change
   * afterwards. What a turn publishes to a topic leaves, for each subscriber, in one write of memory that all share.
   *
   * Subscribers get messages in the order in which they were published to the topic, and in order with what `send` sends
   * to them. Where one has so much queued that `sendHardLimit` would be passed, its policy decides about all that the turn
   * has published to the topic, up to 64 KiB at a time; with `'refuse'` its `error` handler is given a SendLimitError. The
   * others do not notice.
   *
   * @returns for how many subscribers it is
   * @throws LocalProtocolError `INVALID_TOPIC`, `INVALID_PAYLOAD`, `INVALID_UTF8`, `INVALID_CONNECTION`
   */
  publish(topic: string, data: Publishable, options: PublishOptions = {}): number {
    return publishTo(this.#topics, topic, data, options);
  }

  /** How many connections have subscribed to a topic. */
  subscriberCount(topic: string): number {
    return this.#topics.subscriberCount(topic);
  }

  /** The topics that have subscribers. */
  topics(): IterableIterator<string> {
    return this.#topics.names();
  }

  /** What has happened so far. Adding it up takes time in proportion to the number of connections. */
  stats(): EndpointStats {
    const peers = this.connections() as Iterable<Peer<never>>;
    return {
      ...this.#counts.snapshot(peers, this.#openings.size),
      topics: this.#topics.stats(),
      handlers: this.#meter?.snapshot() ?? null,
      perMessageDeflate: this.#deflate?.stats() ?? null,
    };
  }

  /**
   * Takes an upgrade request, as an HTTP server emits it with `'upgrade'`, or an extended CONNECT, as a server of
   * node:http2 emits it with `'connect'`; of the latter `socket` and `head` are not looked at.
   *
   * @returns a promise of the connection, which is open and whose `open` handler was called; of null when the request
   *   was refused or its client went away. It never rejects.
   */
  accept(
    request: IncomingMessage | Http2ServerRequest,
    socket?: Duplex,
    head?: Uint8Array,
  ): Promise<Peer<Data> | null> {
    const exchange = isHttp2(request)
      ? new H2Exchange(request.stream, request)
      : new H1Exchange(request, socket ?? request.socket, head ?? NOTHING);
    return new Promise((resolve) => this.take(exchange, resolve));
  }

  /**
   * Shuts down: takes no more requests, refuses those that are not answered yet with 503, sends every connection a Close
   * behind what was sent before, and cuts off what is left after `timeout`. Resolves when everything is gone, but for
   * handlers whose promises do not settle even then. Calling again returns the same promise.
   *
   * Rejects with a LocalProtocolError for a code or reason that may not be sent, or a bad timeout (`INVALID_OPTION`);
   * nothing is closed then.
   */
  close(options: CloseOptions = {}): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const { code = CloseCode.GOING_AWAY, reason = '', timeout = this.#config.closeTimeout } = options;
    const close = new CloseConnection(code, reason);
    try {
      if (typeof timeout !== 'number' || !(timeout >= 0)) {
        throw new LocalProtocolError('INVALID_OPTION', 'timeout must be a number from 0 to Infinity');
      }
      checkClose(code, reason);
    } catch (error) {
      return Promise.reject(error);
    }
    // Known to be closing before anything happens: a signal that is aborted may call whoever closes once more.
    const { promise, resolve, reject: fail } = deferred();
    this.#closing = promise;
    this.#shutDown(close, timeout).then(resolve, fail);
    return promise;
  }

  protected get isClosing(): boolean {
    return this.#closing !== null;
  }

  /** Whoever brings the requests stops to do so; settles when it holds nothing any more. */
  protected stop(): Promise<void> | undefined {
    return undefined;
  }

  /** The deadline of shutting down has come: whoever brings the requests cuts off what it holds. */
  protected cutOff(): void {}

  /** As `accept`, without a promise. */
  protected take(exchange: Exchange, done: (peer: Peer<Data> | null) => void = () => {}): void {
    if (!exchange.take()) {
      done(null);
      return;
    }
    if (this.isClosing || this.#openings.size + this.#sessions.size >= this.#maxConnections) {
      this.#refuse(exchange, exchange.turnedAway(503, this.isClosing ? [] : [['Retry-After', RETRY_AFTER]]));
      done(null);
      return;
    }
    const opening = new Opening<Data>(exchange, this.#terms, {
      onOpened: (opened) => {
        this.#openings.delete(opening);
        done(this.#open(opened));
      },
      onRefused: (answer) => {
        this.#openings.delete(opening);
        this.#refuse(exchange, answer);
        done(null);
      },
      onGone: () => {
        this.#openings.delete(opening);
        this.#checkGone();
        done(null);
      },
    });
    this.#openings.add(opening);
    opening.run();
  }

  /** Answers a request that is not for us, without a look at its handshake. */
  protected turnAway(exchange: Exchange, statusCode: number): void {
    if (exchange.take()) this.#refuse(exchange, exchange.turnedAway(statusCode));
  }

  #refuse({ stream }: Exchange, answer: Refuse): void {
    this.#counts.refused++;
    this.#refusals.add(new Refusal(stream, answer, this.#onRefusalClosed));
  }

  #open(opened: Opened<Data>): Peer<Data> {
    const { exchange, extensions, data, protocol } = opened;
    const { stream, remoteAddress } = exchange;
    const connection = new Connection(ConnectionType.SERVER, extensions, this.#config);
    const init = { data, protocol, remoteAddress };
    const session = new Session<Data>(stream, connection, this.#handlers, init, this.#onGone, this.#settings);
    this.#sessions.add(session);
    this.#counts.opened(this.#sessions.size);
    session.start(exchange.head);
    return session.peer;
  }

  readonly #onGone = (session: Session<Data>): void => {
    this.#sessions.delete(session);
    this.#counts.gone(session.peer as Peer<never>);
    this.#checkGone();
  };

  readonly #onRefusalClosed = (refusal: Refusal): void => {
    this.#refusals.delete(refusal);
    this.#checkGone();
  };

  async #shutDown({ code, reason }: CloseConnection, timeout: number): Promise<void> {
    const stopped = this.stop();
    for (const opening of this.#openings) opening.refuse(reject(503));
    for (const { peer } of this.#sessions) peer.close(code, reason);

    let timer: NodeJS.Timeout | undefined;
    const allGone = new Promise<void>((resolve) => {
      const cutOff = () => {
        this.cutOff();
        for (const refusal of this.#refusals) refusal.cutOff();
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

  #checkGone(): void {
    if (this.#sessions.size + this.#openings.size + this.#refusals.size === 0) this.#allGone?.();
  }
}

/**
 * The handlers in `options`, called as its methods, with those counted that are called once a connection or less. The
 * others are the user's own functions.
 */
function countedHandlers<Data>(options: EndpointOptions<Data>, counts: Counts): Handlers<Data> {
  const { open, message, ping, pong, drain, close, error } = options;
  return {
    open: open?.bind(options),
    message: message?.bind(options),
    ping: ping?.bind(options),
    pong: pong?.bind(options),
    drain: drain?.bind(options),
    close(peer, code, reason) {
      counts.closed(code);
      return close?.call(options, peer, code, reason);
    },
    // Its absence has a meaning of its own.
    error:
      error &&
      ((peer, fault) => {
        counts.failed();
        return error.call(options, peer, fault);
      }),
  } as Handlers<Data>;
}

/** The version that a request speaks of does not tell: node:http takes one of HTTP/1.1 that calls itself HTTP/2.0. */
function isHttp2(request: IncomingMessage | Http2ServerRequest): request is Http2ServerRequest {
  return 'stream' in request;
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
