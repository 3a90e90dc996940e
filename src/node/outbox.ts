/**
 * What waits to be sent behind a Blob, whose bytes can only be had in time. Messages keep their order, and what waits
 * counts as queued: against the limits, and for whoever asks how much there is.
 */

import { BytesMessage, CloseCode, type Connection, SendLimitError, TextMessage } from '../core/index.js';

/** What can be sent as a message: a string as text, everything else as binary. */
export type Sendable = string | Uint8Array | ArrayBufferLike | ArrayBufferView | Blob;

/** What an outbox does with a message whose turn has come, and where it tells of failures. */
export interface OutboxOwner {
  readonly connection: Connection;
  /** Sends a message that is here now. */
  sendNow(data: string | Uint8Array, binary: boolean): boolean;
  closeNow(code: number, reason: string): void;
  /** Everything was sent; `owedDrain` tells whether a drain is owed. */
  onOutboxEmpty(owedDrain: boolean): void;
  /** A Blob could not be read; the outbox goes on without it. */
  onOutboxError(error: Error): void;
}

interface Message {
  readonly data: string | Uint8Array | Blob;
  readonly binary: boolean;
  readonly size: number;
}

export class Outbox {
  readonly #owner: OutboxOwner;
  readonly #messages: Message[] = [];
  #bytes = 0;
  #owesDrain = false;
  #close: { code: number; reason: string } | null = null;

  constructor(owner: OutboxOwner) {
    this.#owner = owner;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether `push` has returned false, and nothing was said since. */
  get owesDrain(): boolean {
    return this.#owesDrain;
  }

  /** Whether a Close waits behind everything. */
  get isClosing(): boolean {
    return this.#close !== null;
  }

  /** Takes a message; returns and throws as `Connection.queue`. */
  push(data: string | Uint8Array | Blob, binary: boolean): boolean {
    const { connection } = this.#owner;
    const isEmpty = this.#messages.length === 0;
    const { sendHardLimit, sendHighWater, overflow } = connection.config;
    const size = sizeOf(data);
    const queued = connection.queuedBytes + this.#bytes + size;
    if (queued > sendHardLimit) {
      if (overflow === 'close') this.close(CloseCode.TRY_AGAIN_LATER, 'too much is queued');
      // Nothing is under way that would say so later, and a drain that is owed holds the connection until then.
      else if (isEmpty) this.#owner.onOutboxEmpty(false);
      if (overflow === 'refuse') throw new SendLimitError(eventOf(data));
      this.#owesDrain = !isEmpty;
      return false;
    }
    this.#messages.push({ data, binary, size });
    this.#bytes += size;
    if (isEmpty) this.#run();
    if (queued <= sendHighWater) return true;
    this.#owesDrain = true;
    return false;
  }

  /** Closes behind everything that waits, of which there is something. */
  close(code: number, reason: string): void {
    this.#close ??= { code, reason };
    if (this.#messages.length === 0) this.#run();
  }

  async #run(): Promise<void> {
    const owner = this.#owner;
    for (let message = this.#messages[0]; message !== undefined; message = this.#messages[0]) {
      try {
        const { data } = message;
        const ready = data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : data;
        this.#bytes -= message.size;
        if (owner.connection.canSend) owner.sendNow(ready, message.binary);
      } catch (error) {
        owner.onOutboxError(error as Error);
      }
      this.#messages.shift();
    }
    const close = this.#close;
    owner.onOutboxEmpty(this.#owesDrain);
    if (close !== null) owner.closeNow(close.code, close.reason);
  }
}

function sizeOf(data: string | Uint8Array | Blob): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data instanceof Blob ? data.size : data.length;
}

function eventOf(data: string | Uint8Array | Blob): TextMessage | BytesMessage | null {
  if (typeof data === 'string') return new TextMessage(data);
  return data instanceof Blob ? null : new BytesMessage(data);
}
