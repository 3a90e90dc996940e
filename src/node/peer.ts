/** A WebSocket connection as handlers see it. */

import { CloseCode, Ping } from '../core/index.js';
import type { Link } from './link.js';
import type { Sendable } from './outbox.js';

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

  constructor(link: Link, init: PeerInit<Data>) {
    this.#link = link;
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
