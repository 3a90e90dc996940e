/**
 * What waits to be sent behind a Blob, whose bytes can only be had in time. Messages keep their order, and what waits
 * counts as queued: against the limits, and for whoever asks how much there is.
 */

import { isUtf8 } from 'node:buffer';
import {
  BytesMessage,
  CloseCode,
  type Connection,
  ConnectionType,
  LocalProtocolError,
  SendLimitError,
  SharedFrames,
  TextMessage,
} from '../core/index.js';

/** What can be sent as a message: a string as text, everything else as binary. */
export type Sendable = string | Uint8Array | ArrayBufferLike | ArrayBufferView | Blob;

/** What an outbox does with a message whose turn has come, and where it tells of failures. */
export interface OutboxOwner {
  readonly connection: Connection;
  /** Sends a message that is here now. */
  sendNow(data: string | Uint8Array, binary: boolean, compress: boolean): boolean;
  /** The same for frames that others are sent as well. */
  framesNow(frames: SharedFrames): void;
  closeNow(code: number, reason: string): void;
  /** Everything was sent; `owedDrain` tells whether a drain is owed. */
  onOutboxEmpty(owedDrain: boolean): void;
  /** What was thrown where a Blob could not be read. It must close the connection: the message leaves a gap. */
  onOutboxError(thrown: unknown): void;
}

interface Message {
  readonly data: string | Uint8Array | Blob | SharedFrames;
  readonly binary: boolean;
  readonly compress: boolean;
  /** Of its frame, so that what is taken here is within the limits when its turn has come. */
  readonly size: number;
}

const MASKING_KEY = 4;

/** One that is in use holds a message at least. */
export class Outbox {
  readonly #owner: OutboxOwner;
  #messages: Message[] = [];
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

  /** Whether nothing waits, and this is of no more use. */
  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Takes a message, the first a Blob; returns and throws as `Connection.queue`. */
  push(data: string | Uint8Array | Blob, binary: boolean, compress: boolean): boolean {
    check(data, binary);
    const length = lengthOf(data);
    return this.#push(data, length, length + headerSize(length, this.#owner.connection.type), binary, compress);
  }

  /** As `push`, for frames that others are sent as well. */
  pushFrames(frames: SharedFrames): boolean {
    return this.#push(frames, frames.size, frames.size, true, true);
  }

  #push(data: Message['data'], length: number, size: number, binary: boolean, compress: boolean): boolean {
    const { connection } = this.#owner;
    const { sendHardLimit, sendHighWater, overflow } = connection.config;
    const queued = connection.queuedBytes + this.#bytes;
    if (queued + length > sendHardLimit) {
      if (overflow === 'refuse') throw new SendLimitError(eventOf(data));
      if (overflow === 'close') this.close(CloseCode.TRY_AGAIN_LATER, 'too much is queued');
      this.#owesDrain = true;
      return false;
    }
    if (data instanceof SharedFrames) data.keep();
    this.#messages.push({ data, binary, compress, size });
    this.#bytes += size;
    if (this.#messages.length === 1) this.#run();
    if (queued + size <= sendHighWater) return true;
    this.#owesDrain = true;
    return false;
  }

  /** Closes behind everything that waits. */
  close(code: number, reason: string): void {
    if (this.isEmpty) this.#owner.closeNow(code, reason);
    else this.#close ??= { code, reason };
  }

  /** Forgets everything: nothing can be sent any more, and the owner hears no more of it. */
  abandon(): void {
    for (const { data } of this.#messages) if (data instanceof SharedFrames) data.release();
    this.#messages = [];
    this.#bytes = 0;
  }

  async #run(): Promise<void> {
    const owner = this.#owner;
    for (let message = this.#messages[0]; message !== undefined; message = this.#messages[0]) {
      const { data } = message;
      try {
        const ready = data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : data;
        if (this.#messages[0] !== message) return;
        if (owner.connection.canSend) {
          if (ready instanceof SharedFrames) owner.framesNow(ready);
          else owner.sendNow(ready, message.binary, message.compress);
        }
      } catch (thrown) {
        if (this.#messages[0] !== message) return;
        owner.onOutboxError(thrown);
      }
      // What cannot be sent any more need not be read.
      if (!owner.connection.canSend) {
        this.abandon();
      } else if (this.#messages.shift() !== undefined) {
        this.#bytes -= message.size;
        if (data instanceof SharedFrames) data.release();
      }
    }
    if (this.#close !== null) owner.closeNow(this.#close.code, this.#close.reason);
    owner.onOutboxEmpty(this.#owesDrain);
  }
}

/** What could not be sent is refused at once, as it is where nothing waits. */
function check(data: unknown, binary: boolean): void {
  if (data instanceof Blob) return;
  if (!(data instanceof Uint8Array) && (binary || typeof data !== 'string')) {
    throw new LocalProtocolError('INVALID_PAYLOAD', binary ? 'not bytes or a Blob' : 'text must be a string or bytes');
  }
  if (!binary && data instanceof Uint8Array && !isUtf8(data)) {
    throw new LocalProtocolError('INVALID_UTF8', 'the bytes of a text are not UTF-8');
  }
}

/** The bytes of a frame's header (RFC 6455 §5.2). */
function headerSize(length: number, type: ConnectionType): number {
  return (length < 126 ? 2 : length < 0x1_0000 ? 4 : 10) + (type === ConnectionType.CLIENT ? MASKING_KEY : 0);
}

function lengthOf(data: string | Uint8Array | Blob): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data instanceof Blob ? data.size : data.length;
}

function eventOf(data: Message['data']): TextMessage | BytesMessage | null {
  if (typeof data === 'string') return new TextMessage(data);
  return data instanceof Uint8Array ? new BytesMessage(data) : null;
}
