/** A WebSocket connection as handlers see it. */

import { CloseCode, CloseConnection, type Connection, Ping } from '../core/index.js';
import type { Link } from './link.js';

/** What the opening handshake found out about a connection. */
export interface PeerInit<Data> {
  readonly data: Data;
  readonly protocol: string;
  readonly remoteAddress: string;
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
  readonly #connection: Connection;

  constructor(link: Link, init: PeerInit<Data>) {
    this.#link = link;
    this.#connection = link.connection;
    this.data = init.data;
    this.protocol = init.protocol;
    this.remoteAddress = init.remoteAddress;
  }

  /**
   * Sends a message: a string as text, bytes as binary. Bytes of more than a few KiB are not copied and must not
   * change before they are written.
   *
   * @returns false to ask for less: more than `sendHighWater` bytes are queued (`drain` follows), or the connection
   *   is closing and nothing is sent any more
   * @throws SendLimitError when `sendHardLimit` would be passed and the overflow policy is `'refuse'`
   */
  send(data: string | Uint8Array): boolean {
    const connection = this.#connection;
    if (!connection.canSend) return false;
    const more = typeof data === 'string' ? connection.queueText(data) : connection.queueBytes(data);
    this.#link.wake();
    return more;
  }

  /**
   * Sends a Ping; `pong` is called with the answer.
   *
   * @param payload at most 125 bytes
   * @returns as `send`
   */
  ping(payload?: Uint8Array): boolean {
    if (!this.#connection.canSend) return false;
    const more = this.#connection.queue(new Ping(payload));
    this.#link.wake();
    return more;
  }

  /**
   * Starts the closing handshake behind what was sent before. `close` is called when it is over. Closing again does
   * nothing.
   *
   * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999
   * @param reason at most 123 bytes of UTF-8
   * @throws LocalProtocolError for a code or reason that may not be sent
   */
  close(code: number = CloseCode.NORMAL_CLOSURE, reason = ''): void {
    if (!this.#connection.canSend) return;
    this.#connection.queue(new CloseConnection(code, reason));
    this.#link.wake();
  }

  /** Cuts the connection off without a closing handshake; `close` is called with 1006. */
  terminate(): void {
    this.#link.destroy();
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.#connection.canSend;
  }

  /** Bytes sent that the system has not taken yet. */
  get bufferedAmount(): number {
    return this.#connection.queuedBytes;
  }
}
