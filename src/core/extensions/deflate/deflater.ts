/**
 * Compresses the messages for one peer (RFC 7692 §7.2.1): at once where that is a matter of microseconds, on the thread
 * pool where a message is large.
 *
 * The first message goes through a compressor that goes around, for it has nothing to refer to; with the second a
 * connection gets one of its own, as long as there may be more.
 */

import { Buffer } from 'node:buffer';
import { LocalProtocolError } from '../../errors.js';
import { COPY_UP_TO } from '../../frames/writer.js';
import { viewOf } from '../../views.js';
import { type EncodedPayload, RSV1 } from '../extension.js';
import type { Context } from './codec.js';
import { type Contexts, Holder } from './contexts.js';
import { beginSlice, borrowMemory, returnMemory, SLICE, sliceDone } from './off-thread.js';
import type { Traffic } from './traffic.js';
import { NO_FLUSH, PROBE, SYNC_FLUSH, TAIL } from './zlib.js';

/** What a compressor does, whoever uses it. */
export interface DeflaterSettings {
  /** Smaller messages are left as they are. */
  readonly threshold: number;
  /** Messages of this size on are compressed on the thread pool. */
  readonly offThreadFrom: number;
  readonly beyondMaxContexts: 'no-takeover' | 'uncompressed';
}

/** The end of a flush, which a message is sent without (§7.2.1). */
const TAIL_SIZE = TAIL.length - PROBE;
/** A message, or the rest of one, that is empty (§7.2.3.6). */
const EMPTY = Uint8Array.of(0x00);
/** What is smaller and does not shrink is not worth a new window. */
const WORTH_A_RESET = 1024;

/** What is compressed at once comes out here. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);
const scratchMemory = scratch.buffer;

/** A payload that is compressed on the thread pool. */
interface Job {
  readonly payload: Uint8Array;
  /** Of the payload, as long as it is there. */
  readonly size: number;
  readonly first: boolean;
  readonly finished: boolean;
  readonly whenReady: () => void;
  at: number;
  readonly pieces: Buffer[];
  error: Error | null;
}

export class Deflater extends Holder {
  readonly kind = 'compressors';
  readonly #contexts: Contexts;
  readonly #traffic: Traffic;
  readonly #windowBits: number;
  readonly #takesOver: boolean;
  readonly #settings: DeflaterSettings;
  #context: Context | null = null;
  #owns = false;
  #inMessage = false;
  /** Whether there was a message that another could refer to. */
  #hasSent = false;
  #job: Job | null = null;
  #closed = false;

  /** @param takesOver whether messages may refer to earlier ones */
  constructor(
    contexts: Contexts,
    traffic: Traffic,
    windowBits: number,
    takesOver: boolean,
    settings: DeflaterSettings,
  ) {
    super();
    this.#contexts = contexts;
    this.#traffic = traffic;
    this.#windowBits = windowBits;
    this.#takesOver = takesOver;
    this.#settings = settings;
  }

  /** As `Extension.encodes`. */
  encodes(size: number, finished: boolean, compress: boolean): boolean {
    const { threshold, beyondMaxContexts } = this.#settings;
    if (!compress || (finished && size < threshold)) return false;
    if (this.#owns) {
      this.#contexts.used(this);
    } else {
      const isWorthOne = this.#takesOver && this.#hasSent && !this.#closed;
      if (isWorthOne) this.#owns = this.#contexts.adopt(this);
      if (isWorthOne && !this.#owns && beyondMaxContexts === 'uncompressed') return false;
      this.#context ??= this.#contexts.borrowCompressor(this.#windowBits);
    }
    this.#inMessage = true;
    return true;
  }

  /** As `Extension.encode`. */
  encode(
    payload: Uint8Array,
    first: boolean,
    finished: boolean,
    whenReady: (() => void) | null,
  ): EncodedPayload | null {
    if (payload.length === 0) return this.#encoded(payload, 0, finished ? EMPTY : payload, first, finished, false);
    // A fragment of a message of which another has failed.
    if (this.#context === null) return this.#failed(new Error('there is no compressor'), payload, false);
    if (whenReady !== null && payload.length >= this.#settings.offThreadFrom) {
      // Smaller ones are only lent.
      const kept = payload.length > COPY_UP_TO ? payload : Buffer.from(payload);
      const size = payload.length;
      this.#job = { payload: kept, size, first, finished, whenReady, at: 0, pieces: [], error: null };
      beginSlice(this.#startSlice);
      return null;
    }
    try {
      const context = this.#context;
      const { length } = scratch;
      const tail = finished ? TAIL_SIZE : 0;
      context.run(SYNC_FLUSH, payload, 0, payload.length, scratch, 0, length);
      const { roomLeft } = context;
      const isAll = roomLeft > 0;
      const output = isAll ? viewOf(scratchMemory, 0, length - roomLeft - tail) : this.#runOn(context, payload, tail);
      return this.#encoded(payload, payload.length, output, first, finished, isAll);
    } catch (error) {
      return this.#failed(error as Error, payload, first && finished);
    }
  }

  /** As `Extension.encoded`. */
  encoded(): EncodedPayload {
    const { payload, size, first, finished, pieces, error } = this.#job as Job;
    this.#job = null;
    if (error !== null) return this.#failed(error, payload, first && finished && payload.length === size);
    const output = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    const data = output.subarray(0, finished ? -TAIL_SIZE : undefined);
    return this.#encoded(payload, size, data, first, finished, false);
  }

  /** @param isWhole whether the payload is all of its message: then it can be sent as it is */
  #failed(error: Error, payload: Uint8Array, isWhole: boolean): EncodedPayload {
    this.#drop();
    if (isWhole) return { payload, rsv: 0 };
    throw new LocalProtocolError('EXTENSION_FAILED', `a message could not be compressed: ${error.message}`);
  }

  /** A message comes between that was compressed by itself: the window of the peer is not what it was. */
  interposed(): void {
    if (this.#owns) this.#context?.reset();
  }

  release(): boolean {
    if (this.#inMessage) return false;
    this.#giveBack();
    this.#hasSent = false;
    return true;
  }

  /** No message is begun any more, but what is under way is still to be encoded. */
  close(): void {
    this.#closed = true;
    if (!this.#owns) return;
    // A message that is never finished must not hold it either.
    this.#contexts.disown(this);
    this.#owns = false;
    if (!this.#inMessage) this.#giveBack();
  }

  /** @param size of the payload when it was compressed; it need not be there any more */
  #encoded(
    payload: Uint8Array,
    size: number,
    output: Uint8Array,
    first: boolean,
    finished: boolean,
    lent: boolean,
  ): EncodedPayload {
    const isWhole = first && finished && payload.length === size;
    const isWorse = isWhole && output.length >= size && size > 0;
    const isLeft = isWorse && (!this.#owns || size >= WORTH_A_RESET);
    if (isLeft) {
      // The peer must not be referred to what it has not seen.
      if (this.#owns) this.#context?.reset();
    } else {
      this.#traffic.bytesToCompress += size;
      this.#traffic.bytesCompressed += output.length;
      if (finished) this.#traffic.messagesCompressed++;
    }
    if (finished) this.#end();
    return isLeft ? { payload, rsv: 0 } : { payload: output, rsv: first ? RSV1 : 0, lent };
  }

  /** Goes on where the scratch memory is full. */
  #runOn(context: Context, payload: Uint8Array, tail: number): Buffer {
    const { length } = scratch;
    const pieces = [Buffer.from(scratch)];
    do {
      const { inputLeft } = context;
      context.run(SYNC_FLUSH, payload, payload.length - inputLeft, inputLeft, scratch, 0, length);
      pieces.push(Buffer.from(scratch.subarray(0, length - context.roomLeft)));
    } while (context.roomLeft === 0);
    const output = Buffer.concat(pieces);
    return output.subarray(0, output.length - tail);
  }

  readonly #startSlice = (): void => {
    const job = this.#job as Job;
    const context = this.#context as Context;
    const { payload, size } = job;
    const length = Math.min(SLICE, size - job.at);
    const flush = job.at + length < size ? NO_FLUSH : SYNC_FLUSH;
    const input = borrowMemory();
    const output = borrowMemory();

    const run = (left: number): void =>
      context.start(flush, input, length - left, left, output, 0, output.length, (error) => {
        if (error === null) {
          job.pieces.push(Buffer.from(output.subarray(0, output.length - context.roomLeft)));
          if (context.roomLeft === 0) run(context.inputLeft);
          else done(null);
        } else {
          done(error);
        }
      });
    const done = (error: Error | null): void => {
      returnMemory(input);
      returnMemory(output);
      sliceDone();
      job.error = error;
      if (error === null && job.at < size) beginSlice(this.#startSlice);
      else job.whenReady();
    };

    if (payload.length !== size) {
      // Given to another thread, say. Nobody is called back within the call.
      queueMicrotask(() => done(new Error('what was to be sent is not there any more')));
      return;
    }
    // What others may change meanwhile is no memory for another thread to read.
    input.set(payload.subarray(job.at, job.at + length));
    job.at += length;
    run(length);
  };

  #end(): void {
    this.#inMessage = false;
    this.#hasSent = true;
    if (!this.#owns) this.#giveBack();
  }

  #giveBack(): void {
    const context = this.#context;
    this.#context = null;
    if (this.#owns) this.#contexts.disown(this);
    this.#owns = false;
    if (context !== null) this.#contexts.returnCompressor(context, this.#windowBits);
  }

  #drop(): void {
    if (this.#owns) this.#contexts.disown(this);
    this.#owns = false;
    this.#inMessage = false;
    if (this.#context !== null) this.#contexts.discard(this.#context);
    this.#context = null;
  }
}
