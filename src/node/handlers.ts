/** What a user's code does with connections, and the piece that calls it. */

import type { Duplex } from 'node:stream';
import { CloseCode, type CloseConnection, type Connection, Kind } from '../core/index.js';
import { closeChannel, errorChannel, messageChannel, openChannel } from './diagnostics.js';
import { Link, type LinkOwner } from './link.js';
import type { Meter } from './meter.js';
import { Peer, type PeerInit } from './peer.js';
import type { Topics } from './pubsub/topics.js';
import { asError, warn } from './thrown.js';

/** What a handler returns: a promise holds the connection's next event until it settles, all else is ignored. */
export type HandlerResult = unknown;

/** Handlers, each optional, called one at a time for a connection and in the order of its events. */
export interface Handlers<Data = unknown> {
  /** The connection is open. */
  open?(ws: Peer<Data>): HandlerResult;
  /**
   * A message came: text as a string (or with `textFormat` `'bytes'` as a Buffer, which is valid UTF-8), binary as a
   * Buffer over the memory it arrived in, which it may share with other messages: who transfers it copies it first, and
   * who keeps little of it for long does so too.
   */
  message?(ws: Peer<Data>, data: string | Buffer, isBinary: boolean): HandlerResult;
  /** A Ping came, and was answered. */
  ping?(ws: Peer<Data>, payload: Buffer): HandlerResult;
  /** A Pong came. */
  pong?(ws: Peer<Data>, payload: Buffer): HandlerResult;
  /**
   * `send` had returned false, or what was published more than `sendHighWater`, and now more may be sent; or the connection
   * is gone, and `close` follows.
   */
  drain?(ws: Peer<Data>): HandlerResult;
  /** The connection is over: the peer's code and reason, or 1006 and why, or for a violation what we answered. */
  close?(ws: Peer<Data>, code: number, reason: string): HandlerResult;
  /**
   * Something went wrong on this connection alone: a handler threw or rejected (it is closed with 1011), the peer
   * broke the protocol or a deadline, or its stream failed; `close` follows. Or what was published to it would have passed
   * `sendHardLimit` and was refused: a SendLimitError, after which it goes on. Without this handler, what other handlers
   * throw becomes a process warning.
   */
  error?(ws: Peer<Data>, error: Error): void;
}

/** What sessions of one server or client have in common. */
export interface SessionSettings {
  /** Whether texts are handed out as strings or as bytes. */
  readonly textFormat?: 'string' | 'bytes';
  /** After so many milliseconds without a message a connection is closed with 1001; never by default. */
  readonly idleTimeout?: number;
  /** What measures the handlers of messages, if anything does. */
  readonly meter?: Meter | null;
  /** What connections may subscribe to. */
  readonly topics?: Topics;
}

const NO_SETTINGS: SessionSettings = Object.freeze({});

/** Calls the handlers for one connection. */
export class Session<Data> implements LinkOwner {
  readonly peer: Peer<Data>;
  readonly #link: Link;
  readonly #handlers: Handlers<Data>;
  readonly #settings: SessionSettings;
  readonly #gone: (session: Session<Data>) => void;

  /** @param gone called once, when nothing follows any more */
  constructor(
    stream: Duplex,
    connection: Connection,
    handlers: Handlers<Data>,
    init: PeerInit<Data>,
    gone: (session: Session<Data>) => void,
    settings = NO_SETTINGS,
  ) {
    this.#link = new Link(stream, connection, this, settings.idleTimeout);
    this.#handlers = handlers;
    this.#settings = settings;
    this.#gone = gone;
    this.peer = new Peer(this.#link, init, settings.topics);
  }

  /** @param first what was read from the stream before */
  start(first: Uint8Array): void {
    if (openChannel.hasSubscribers) openChannel.publish({ ws: this.peer });
    const { open } = this.#handlers;
    this.#link.start(first, open === undefined ? undefined : this.#call(() => open.call(this.#handlers, this.peer)));
  }

  onEvent(kind: Kind): Promise<void> | undefined {
    const handlers = this.#handlers;
    const { peer } = this;
    const { connection } = this.#link;
    try {
      let result: HandlerResult;
      switch (kind) {
        case Kind.TEXT:
          return this.#message(this.#settings.textFormat === 'bytes' ? connection.bytes() : connection.text(), false);
        case Kind.BYTES:
          return this.#message(connection.bytes(), true);
        case Kind.PING:
          result = handlers.ping?.(peer, connection.copy() as Buffer);
          break;
        case Kind.PONG:
          result = handlers.pong?.(peer, connection.copy() as Buffer);
          break;
        default:
          result = this.#closed(connection.event() as CloseConnection);
      }
      return this.#settle(result);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  onDrain(): Promise<void> | undefined {
    return this.#call(() => this.#handlers.drain?.(this.peer));
  }

  onStreamError(error: Error): void {
    this.#report(error);
  }

  onGone(): void {
    this.#gone(this);
  }

  /** Called by `onEvent`, which catches what a handler throws. */
  #message(data: string | Uint8Array, isBinary: boolean): Promise<void> | undefined {
    const { peer } = this;
    if (messageChannel.hasSubscribers) messageChannel.publish({ ws: peer, data, isBinary });
    const { meter = null } = this.#settings;
    if (meter === null) return this.#settle(this.#handlers.message?.(peer, data as string | Buffer, isBinary));
    const started = meter.start();
    let settled: Promise<void> | undefined;
    try {
      settled = this.#settle(this.#handlers.message?.(peer, data as string | Buffer, isBinary));
    } finally {
      if (settled === undefined) meter.stop(started);
    }
    return settled?.then(() => meter.stop(started));
  }

  #closed({ code, reason, origin, error }: CloseConnection): HandlerResult {
    if (error !== null) this.#report(error);
    if (closeChannel.hasSubscribers) closeChannel.publish({ ws: this.peer, code, reason, origin });
    try {
      return this.#handlers.close?.(this.peer, code, reason);
    } finally {
      this.#link.published?.end();
    }
  }

  #call(handler: () => HandlerResult): Promise<void> | undefined {
    try {
      return this.#settle(handler());
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #settle(result: HandlerResult): Promise<void> | undefined {
    return isThenable(result) ? this.#settled(result) : undefined;
  }

  /** Awaited, because a promise may have a `then` of its own, which returns anything. */
  async #settled(result: PromiseLike<unknown>): Promise<void> {
    try {
      await result;
    } catch (error) {
      this.#failed(error);
    }
  }

  /** A handler threw: this connection is closed, and no other. */
  #failed(thrown: unknown): void {
    if (this.#handlers.error === undefined) warn(thrown);
    this.#report(asError(thrown));
    this.peer.close(CloseCode.INTERNAL_ERROR);
  }

  #report(error: Error): void {
    if (errorChannel.hasSubscribers) errorChannel.publish({ ws: this.peer, error });
    try {
      const result: HandlerResult = this.#handlers.error?.(this.peer, error);
      // An async function may be given where one that returns nothing is asked for.
      if (isThenable(result)) Promise.resolve(result).then(undefined, warn);
    } catch (thrown) {
      warn(thrown);
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
