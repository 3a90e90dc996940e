/** A WebSocket connection as handlers see it. */

import { CloseCode, LocalProtocolError, Ping } from '../core/index.js';
import type { Link } from './link.js';
import type { Sendable } from './outbox.js';
import { type BroadcastOptions, messageOf, type Publishable } from './pubsub/message.js';
import { Subscriber } from './pubsub/subscriber.js';
import type { Topics } from './pubsub/topics.js';

/** What the opening handshake found out about a connection. */
export interface PeerInit<Data> {
  readonly data: Data;
  readonly protocol: string;
  readonly remoteAddress: string;
}

/** How to send a message. */
export interface SendOptions {
  /** False to send bytes as text; true for everything but strings by default. */
  readonly binary?: boolean;
  /** False to leave the message uncompressed where others are compressed, for instance what is compressed already. */
  readonly compress?: boolean;
}

/** How to publish a message. */
export interface PublishOptions extends BroadcastOptions {
  /** Connections that do not get it, though they have subscribed. */
  readonly except?: Peer | Iterable<Peer>;
}

/** The link of a connection. */
export let linkOf: (peer: Peer) => Link;

let subscriberOf: (peer: unknown) => Subscriber | null;

/**
 * One connection. Handlers get it as `ws`; it may be kept and used from anywhere. What one turn of the event loop
 * sends leaves in one write.
 */
export class Peer<Data = unknown> {
  /** Yours: what `upgrade` returned as `data`, and whatever is put here since. */
  data: Data;
  /** The subprotocol agreed on, '' for none. */
  readonly protocol: string;
  /** The IP address of the other end, '' where there is none. */
  readonly remoteAddress: string;
  readonly #link: Link;
  /** Those of its server; null where it has none. */
  readonly #topics: Topics | null;
  #subscriber: Subscriber | null = null;

  static {
    linkOf = (peer) => peer.#link;
    subscriberOf = (peer) => {
      if (!(peer instanceof Peer)) throw new LocalProtocolError('INVALID_CONNECTION', 'not a connection');
      return peer.#subscriber;
    };
  }

  constructor(link: Link, init: PeerInit<Data>, topics: Topics | null = null) {
    this.#link = link;
    this.#topics = topics;
    this.data = init.data;
    this.protocol = init.protocol;
    this.remoteAddress = init.remoteAddress;
  }

  /**
   * Sends a message: a string as text, everything else as binary. Bytes of more than a few KiB are not copied and must
   * not change before they are written. A Blob is read first; what is sent behind it waits, and is sent in order.
   *
   * @param options `binary: false` sends bytes as text, which must be UTF-8
   * @returns false to ask for less: more than `sendHighWater` bytes are queued (`drain` follows), or the connection
   *   is closing and nothing is sent any more
   * @throws SendLimitError when `sendHardLimit` would be passed and the overflow policy is `'refuse'`
   * @throws LocalProtocolError `INVALID_PAYLOAD`, `INVALID_UTF8`
   */
  send(data: Sendable, options?: SendOptions): boolean {
    return this.#link.send(data, options?.binary, options?.compress);
  }

  /**
   * Subscribes to a topic of the server: from now on the connection gets what is published to it. A topic is there as long
   * as it has subscribers; subscriptions end with their connection, when its `close` handler has been called.
   *
   * @param topic any string
   * @returns false where it has subscribed already, or is closing
   * @throws LocalProtocolError `INVALID_TOPIC`; `NO_TOPICS` on a client's connection
   */
  subscribe(topic: string): boolean {
    const topics = this.#requireTopics();
    checkTopic(topic);
    if (!this.#link.canSend) return false;
    if (this.#subscriber === null) {
      this.#subscriber = new Subscriber(this.#link, topics);
      this.#link.published = this.#subscriber;
    }
    return this.#subscriber.subscribe(topic);
  }

  /**
   * Ends a subscription. What was published before is still sent.
   *
   * @returns false where there was none
   */
  unsubscribe(topic: string): boolean {
    return this.#subscriber?.unsubscribe(topic) ?? false;
  }

  isSubscribed(topic: string): boolean {
    return this.#subscriber?.get(topic) !== undefined;
  }

  /** The topics that the connection has subscribed to, in that order. */
  get topics(): string[] {
    return [...(this.#subscriber?.names() ?? [])];
  }

  /**
   * Publishes to all other subscribers of a topic, whether this connection has subscribed to it or not; `Endpoint.publish`,
   * which servers have, leaves out nobody.
   *
   * @returns and throws as `Endpoint.publish`; LocalProtocolError `NO_TOPICS` on a client's connection
   */
  publish(topic: string, data: Publishable, options: PublishOptions = {}): number {
    return publishTo(this.#requireTopics(), topic, data, options, this.#subscriber);
  }

  #requireTopics(): Topics {
    if (this.#topics === null) throw new LocalProtocolError('NO_TOPICS', 'only connections of a server have topics');
    return this.#topics;
  }

  /**
   * Sends a Ping; `pong` is called with the answer.
   *
   * @param payload at most 125 bytes
   * @returns as `send`
   * @throws LocalProtocolError `INVALID_PAYLOAD`, `CONTROL_TOO_LONG`
   */
  ping(payload?: Uint8Array): boolean {
    if (!this.#link.canSend) return false;
    const more = this.#link.connection.queue(new Ping(payload));
    this.#link.wake();
    return more;
  }

  /**
   * Starts the closing handshake behind what was sent before. `close` is called when it is over. Closing again does
   * nothing.
   *
   * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999
   * @param reason at most 123 bytes of UTF-8
   * @throws LocalProtocolError `INVALID_CLOSE_CODE`, `INVALID_CLOSE_REASON`
   */
  close(code: number = CloseCode.NORMAL_CLOSURE, reason = ''): void {
    this.#link.close(code, reason);
  }

  /** Cuts the connection off without a closing handshake; `close` is called with 1006. */
  terminate(): void {
    this.#link.destroy();
  }

  /**
   * Runs `batch`, and writes what it sends at once when it is done, not when the turn is. With a promise nothing is
   * written until it settles, so it must not wait for a drain.
   *
   * @returns what `batch` returns
   */
  cork<Result>(batch: () => Result): Result {
    this.#link.cork();
    let result: Result | undefined;
    try {
      result = batch();
      return result;
    } finally {
      const uncork = () => this.#link.uncork();
      if (result instanceof Promise) result.then(uncork, uncork);
      else uncork();
    }
  }

  /** Hands out no message, and reads nothing, until `resume`: TCP holds the peer. Sending goes on. */
  pause(): void {
    this.#link.pause();
  }

  resume(): void {
    this.#link.resume();
  }

  get isPaused(): boolean {
    return this.#link.isPaused;
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.#link.canSend;
  }

  /** Bytes sent that the system has not taken yet. */
  get bufferedAmount(): number {
    return this.#link.bufferedAmount;
  }

  /** Messages that came, whole. */
  get messagesReceived(): number {
    return this.#link.messagesReceived;
  }

  /** Messages that were taken to be sent. */
  get messagesSent(): number {
    return this.#link.messagesSent;
  }

  /** Bytes that came, headers and control frames too, from the opening handshake on. */
  get bytesReceived(): number {
    return this.#link.bytesReceived;
  }

  /** Bytes that the system has taken, headers and control frames too, from the opening handshake on. */
  get bytesSent(): number {
    return this.#link.bytesSent;
  }
}

/**
 * Publishes to the subscribers of a topic.
 *
 * @param self one more who does not get it
 * @returns for how many subscribers it is
 */
export function publishTo(
  topics: Topics,
  topic: string,
  data: Publishable,
  options: PublishOptions,
  self: Subscriber | null = null,
): number {
  checkTopic(topic);
  const message = messageOf(data, options);
  const { except } = options;
  const excepted = self === null ? [] : [self];
  if (except !== undefined) {
    for (const peer of except instanceof Peer ? [except] : iterable(except)) {
      const subscriber = subscriberOf(peer);
      if (subscriber !== null) excepted.push(subscriber);
    }
  }
  return topics.publish(topic, message, excepted);
}

/** @throws LocalProtocolError `INVALID_CONNECTION` */
export function iterable<Value>(values: Iterable<Value>): Iterable<Value> {
  if (typeof values?.[Symbol.iterator] === 'function') return values;
  throw new LocalProtocolError('INVALID_CONNECTION', 'neither a connection nor a list of connections');
}

function checkTopic(topic: unknown): void {
  if (typeof topic !== 'string') throw new LocalProtocolError('INVALID_TOPIC', 'a topic is a string');
}
