/**
 * Contexts out of the documented functions of node:zlib alone, for runtimes that have no others. They know whole messages
 * only: a compressor refers to nothing that was sent before, which it never has to; a decompressor begins when a message
 * is complete, with what was received before as its dictionary. Everything happens in the thread.
 */

import { Buffer } from 'node:buffer';
import type { Codec, Context, Decompressor } from './codec.js';
import { compressOnce, decompressOnce, NO_FLUSH, PROBE, STOP_AT_BLOCK } from './zlib.js';

const NOTHING = Buffer.alloc(0);
/** An empty block, marked as the last one: only data that is whole can end with it. */
const FINAL_BLOCK = Buffer.from([0x03, 0x00]);

abstract class WholeContext implements Context {
  inputLeft = 0;
  roomLeft = 0;
  #input: Buffer[] = [];
  #output: Buffer = NOTHING;

  run(
    flush: number,
    input: Uint8Array,
    from: number,
    length: number,
    output: Uint8Array,
    at: number,
    room: number,
  ): void {
    const used = flush === STOP_AT_BLOCK ? Math.max(0, length - PROBE) : length;
    if (used > 0) this.#input.push(Buffer.from(input.subarray(from, from + used)));
    this.inputLeft = length - used;
    if (this.isComplete(flush) && this.#input.length > 0) {
      const message = Buffer.concat(this.#input);
      this.#input = [];
      this.#output = this.transform(message);
    }
    const given = Math.min(this.#output.length, room);
    output.set(this.#output.subarray(0, given), at);
    this.#output = this.#output.subarray(given);
    this.roomLeft = room - given;
  }

  start(
    flush: number,
    input: Uint8Array,
    from: number,
    length: number,
    output: Uint8Array,
    at: number,
    room: number,
    done: (error: Error | null) => void,
  ): void {
    let failed: Error | null = null;
    try {
      this.run(flush, input, from, length, output, at, room);
    } catch (error) {
      failed = error as Error;
    }
    setImmediate(() => done(failed));
  }

  reset(): void {
    this.#input = [];
    this.#output = NOTHING;
  }

  close(): void {
    this.reset();
  }

  protected abstract isComplete(flush: number): boolean;
  protected abstract transform(message: Buffer): Buffer;
}

class WholeCompressor extends WholeContext {
  readonly #windowBits: number;
  readonly #level: number;
  readonly #memLevel: number;

  constructor(windowBits: number, level: number, memLevel: number) {
    super();
    this.#windowBits = windowBits;
    this.#level = level;
    this.#memLevel = memLevel;
  }

  protected isComplete(flush: number): boolean {
    return flush !== NO_FLUSH;
  }

  protected transform(message: Buffer): Buffer {
    return compressOnce(message, this.#windowBits, this.#level, this.#memLevel);
  }
}

class WholeDecompressor extends WholeContext implements Decompressor {
  limit = 0;
  readonly #windowBits: number;
  #window: Buffer = NOTHING;

  constructor(windowBits: number) {
    super();
    this.#windowBits = windowBits;
  }

  window(size: number): Buffer {
    return Buffer.from(this.#window.subarray(this.#window.length - size));
  }

  prime(window: Uint8Array): void {
    this.#window = Buffer.from(window);
  }

  override reset(): void {
    super.reset();
    this.#window = NOTHING;
  }

  protected isComplete(flush: number): boolean {
    return flush === STOP_AT_BLOCK;
  }

  /** What follows a final block is a stream of its own. */
  protected transform(data: Buffer): Buffer {
    const message = Buffer.concat([data, FINAL_BLOCK]);
    const parts: Buffer[] = [];
    let limit = this.limit;
    for (let at = 0; at < message.length; ) {
      const { output, used } = decompressOnce(message.subarray(at), this.#windowBits, this.#window, limit);
      if (used === 0) throw new Error('nothing of the data could be used');
      parts.push(output);
      limit -= output.length;
      at += used;
      this.#window = at < message.length ? NOTHING : this.#windowWith(output);
    }
    return Buffer.concat(parts);
  }

  #windowWith(output: Buffer): Buffer {
    const size = 1 << this.#windowBits;
    if (output.length >= size) return Buffer.from(output.subarray(-size));
    const kept = Math.min(this.#window.length, size - output.length);
    return Buffer.concat([this.#window.subarray(this.#window.length - kept), output]);
  }
}

/** The codec without persistent contexts. */
export const wholeMessages: Codec = {
  compressor: (windowBits, level, memLevel) => new WholeCompressor(windowBits, level, memLevel),
  decompressor: (windowBits) => new WholeDecompressor(windowBits),
};
