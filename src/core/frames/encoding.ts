/**
 * What extensions do to outgoing messages (RFC 6455 §9): in order, also where one of them takes its time. What is sent
 * meanwhile waits, but for control frames other than a Close.
 */

import { Buffer } from 'node:buffer';
import type { Extension, SharedEncoder } from '../extensions/extension.js';
import type { PreparedMessage } from '../prepared.js';
import { writeUtf8 } from '../strings.js';
import { viewOf } from '../views.js';
import { SharedFrames } from './log.js';
import { CLOSE, CONTINUATION, FIN, isControl } from './opcodes.js';
import type { OutputQueue } from './output.js';
import { COPY_UP_TO, type FrameWriter } from './writer.js';

/** Who is told of what was encoded elsewhere. */
export type EncodingOwner = (error: Error | null) => void;

/** A frame whose payload is still to be encoded. */
interface WaitingFrame {
  readonly first: number;
  readonly payload: Uint8Array;
  readonly compress: boolean;
  readonly size: number;
}

/** What waits: a frame, frames of a log, or a message that is prepared. */
type Waiting = WaitingFrame | SharedFrames | PreparedWaiting;

interface PreparedWaiting {
  readonly message: PreparedMessage;
  readonly encoder: SharedEncoder | null;
  readonly size: number;
}

/** The frame that is being encoded elsewhere, and how far it has come. */
interface FrameJob {
  readonly first: number;
  readonly size: number;
  readonly index: number;
  readonly rsv: number;
}

type Job = FrameJob | PreparedWaiting;

const NONE: readonly Extension[] = Object.freeze([]);

/** Short texts on their way through extensions. */
const scratch = Buffer.allocUnsafeSlow(COPY_UP_TO);
const scratchMemory = scratch.buffer;

export class Encoding {
  /** Who is told; while null, everything is done at once. */
  owner: EncodingOwner | null = null;
  /** Bytes of frames that are still to be encoded, as they would be without that. */
  waitingBytes = 0;
  readonly #writer: FrameWriter;
  readonly #output: OutputQueue;
  #extensions: readonly Extension[] = NONE;
  /** Those that encode the message under way. */
  #encoders: readonly Extension[] = NONE;
  #job: Job | null = null;
  #waiting: Waiting[] = [];
  #isAbandoned = false;

  constructor(writer: FrameWriter, output: OutputQueue) {
    this.#writer = writer;
    this.#output = output;
  }

  /** Goes on for another connection; nothing of the last must be left. */
  use(extensions: readonly Extension[]): this {
    this.#extensions = extensions;
    this.owner = null;
    return this;
  }

  /** Queues one frame with the UTF-8 of `text`. */
  text(first: number, text: string, compress: boolean): void {
    if (this.#job !== null) {
      this.#wait(first, Buffer.from(text), compress);
      return;
    }
    this.#begin(first, Buffer.byteLength(text), compress);
    if (this.#encoders.length === 0) this.#writer.writeText(first, text);
    else if (text.length * 3 > COPY_UP_TO) this.#encode(first, Buffer.from(text));
    else this.#encode(first, viewOf(scratchMemory, 0, writeUtf8(scratch, text, 0, COPY_UP_TO)));
  }

  /** Queues one frame. A large payload must not change until it is acknowledged. */
  bytes(first: number, payload: Uint8Array, compress: boolean): void {
    if (this.#job === null) this.#write(first, payload, compress);
    else this.#wait(first, payload.length > COPY_UP_TO ? payload : Buffer.from(payload), compress);
  }

  /** Queues what a log has encoded. */
  frames(frames: SharedFrames): void {
    if (this.#job === null) {
      this.#sendShared(frames);
      return;
    }
    this.#waiting.push(frames.keep());
    this.waitingBytes += frames.size;
  }

  /** Queues a message that others may have encoded. */
  prepared(message: PreparedMessage, encoder: SharedEncoder | null): void {
    const size = this.#writer.frameSize(message.payload.length);
    const waiting = { message, encoder, size };
    if (this.#job === null) {
      this.#prepare(waiting);
      return;
    }
    this.#waiting.push(waiting);
    this.waitingBytes += size;
  }

  /** Queues a Close behind everything else. */
  close(payload: Uint8Array): void {
    this.bytes(FIN | CLOSE, payload, false);
  }

  /** Forgets what waits. What is being encoded comes to nothing, and nobody is told. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#forget();
  }

  #forget(): void {
    for (const waiting of this.#waiting) if (waiting instanceof SharedFrames) waiting.release();
    this.#waiting = [];
    this.waitingBytes = 0;
  }

  #wait(first: number, payload: Uint8Array, compress: boolean): void {
    const size = this.#writer.frameSize(payload.length);
    this.#waiting.push({ first, payload, compress, size });
    this.waitingBytes += size;
  }

  #write(first: number, payload: Uint8Array, compress: boolean): void {
    if (!isControl(first & 0x0f)) {
      this.#begin(first, payload.length, compress);
      if (this.#encoders.length > 0) {
        this.#encode(first, payload);
        return;
      }
    }
    this.#writer.writeBytes(first, payload);
  }

  #prepare(waiting: PreparedWaiting): void {
    const frames = waiting.message.framesFor(waiting.encoder, this.owner === null ? null : this.#whenReady);
    if (frames === null) {
      this.#job = waiting;
      this.waitingBytes += waiting.size;
    } else {
      this.#sendShared(frames);
    }
  }

  #sendShared(frames: SharedFrames): void {
    if (frames.encoder !== null) for (const extension of this.#extensions) extension.interposed?.();
    frames.queueOn(this.#output);
  }

  /** With the first frame of a message, decides who encodes it. */
  #begin(first: number, size: number, compress: boolean): void {
    if ((first & 0x0f) === CONTINUATION) return;
    const finished = (first & FIN) !== 0;
    const encodes = (extension: Extension) => extension.encodes?.(size, finished, compress) ?? true;
    const extensions = this.#extensions;
    if (extensions.length === 1) this.#encoders = encodes(extensions[0]) ? extensions : NONE;
    else this.#encoders = extensions.filter(encodes);
  }

  #encode(first: number, data: Uint8Array, from = 0, before = 0, isLent = false): void {
    const isFirst = (first & 0x0f) !== CONTINUATION;
    const finished = (first & FIN) !== 0;
    const whenReady = this.owner === null ? null : this.#whenReady;
    let payload = data;
    let rsv = before;
    let lent = isLent;
    for (let index = from; index < this.#encoders.length; index++) {
      const found = this.#encoders[index].encode(payload, isFirst, finished, whenReady);
      if (found === null) {
        const size = this.#writer.frameSize(payload.length);
        this.#job = { first, size, index, rsv };
        this.waitingBytes += size;
        return;
      }
      payload = found.payload;
      rsv |= found.rsv;
      lent = found.lent === true;
    }
    this.#writer.writeBytes(first | rsv, payload, lent);
  }

  /** Goes on where an extension has taken its time. */
  readonly #whenReady = (): void => {
    const owner = this.#isAbandoned ? null : this.owner;
    try {
      this.#goOn(this.#job as Job);
    } catch (error) {
      this.#job = null;
      this.#forget();
      owner?.(error as Error);
      return;
    }
    owner?.(null);
  };

  #goOn(job: Job): void {
    if ('message' in job) {
      this.#job = null;
      if (this.#isAbandoned) return;
      this.waitingBytes -= job.size;
      this.#prepare(job);
    } else {
      this.#encodedElsewhere(job);
    }
    if (!this.#isAbandoned) this.#sendWaiting();
  }

  #encodedElsewhere({ first, index, rsv, size }: FrameJob): void {
    const extension = this.#encoders[index];
    const found = extension.encoded?.();
    if (found === undefined) throw new TypeError(`${extension.name} has encoded nothing`);
    this.#job = null;
    if (this.#isAbandoned) return;
    this.waitingBytes -= size;
    this.#encode(first, found.payload, index + 1, rsv | found.rsv, found.lent === true);
  }

  #sendWaiting(): void {
    let sent = 0;
    try {
      while (sent < this.#waiting.length && this.#job === null) this.#sendNext(this.#waiting[sent++]);
    } finally {
      this.#waiting.splice(0, sent);
    }
  }

  #sendNext(next: Waiting): void {
    this.waitingBytes -= next.size;
    if (next instanceof SharedFrames) {
      this.#sendShared(next);
      next.release();
    } else if ('message' in next) {
      this.#prepare(next);
    } else if (this.#writer.frameSize(next.payload.length) === next.size) {
      this.#write(next.first, next.payload, next.compress);
    } else {
      throw new Error('what was to be sent is gone');
    }
  }
}
