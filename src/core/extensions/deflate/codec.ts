/** Contexts of DEFLATE (RFC 1951) as the rest of the extension sees them, and which ones there are. */

import { Buffer } from 'node:buffer';
import { persistentContexts } from './persistent.js';
import { wholeMessages } from './whole.js';
import { handles, PROBE, STOP_AT_BLOCK, SYNC_FLUSH, TAIL } from './zlib.js';

/** What a run works on: `length` bytes of `input` from `from` on, into at most `room` bytes of `output` from `at` on. */
export type Run = (
  flush: number,
  input: Uint8Array,
  from: number,
  length: number,
  output: Uint8Array,
  at: number,
  room: number,
) => void;

/** One compressor or decompressor of raw DEFLATE, with its window. */
export interface Context {
  /** Bytes of its input that the last run has not used. */
  readonly inputLeft: number;
  /** Bytes of its output that the last run has not filled. */
  readonly roomLeft: number;
  /** @throws Error when it fails, or the data cannot be decompressed; only `close` may follow */
  readonly run: Run;
  /** The same on the thread pool. Neither memory may be touched, nor anything but `close` be called, before `done` is. */
  start(...args: [...run: Parameters<Run>, done: (error: Error | null) => void]): void;
  /** Forgets everything that went through it. */
  reset(): void;
  /** Frees its memory, once a run that is under way is done. */
  close(): void;
}

export interface Decompressor extends Context {
  /** The most bytes that may still come out of a message, for those that cannot stop in between. */
  limit: number;
  /**
   * The last `size` bytes that came out of it, which must be there, or as many as can be referred to behind a final block;
   * only between messages. `reset` must follow.
   */
  window(size: number): Buffer;
  /** Goes on as if `window` were the last that came out of it; only after `reset`. */
  prime(window: Uint8Array): void;
}

/** Makes contexts. */
export interface Codec {
  /** @param windowBits 9 to 15 */
  compressor(windowBits: number, level: number, memLevel: number): Context;
  /** @param windowBits 8 to 15 */
  decompressor(windowBits: number): Decompressor;
}

/** Whether contexts refer to what went through them before, end what they give, and stop where they should. */
function works(codec: Codec): boolean {
  const text = Buffer.from('what is said twice is said once');
  const room = 64;
  const memory = Buffer.alloc(2 * room);
  const compressor = codec.compressor(9, 1, 1);
  const decompressor = codec.decompressor(9);
  const sizes: number[] = [];
  try {
    for (let i = 0; i < 2; i++) {
      compressor.run(SYNC_FLUSH, text, 0, text.length, memory, 0, room);
      sizes[i] = room - compressor.roomLeft - (TAIL.length - PROBE);
      decompressor.run(SYNC_FLUSH, memory, 0, sizes[i], memory, room, room);
      const found = memory.subarray(room, 2 * room - decompressor.roomLeft);
      if (decompressor.inputLeft !== 0 || !found.equals(text)) return false;
      decompressor.run(STOP_AT_BLOCK, TAIL, 0, TAIL.length, memory, room, room);
      if ((decompressor.inputLeft as number) !== PROBE || decompressor.roomLeft !== room) return false;
    }
    return sizes[1] < sizes[0] && decompressor.window(text.length).equals(text);
  } finally {
    compressor.close();
    decompressor.close();
  }
}

function choose(): Codec {
  try {
    const makeHandle = handles();
    const codec = makeHandle === null ? null : persistentContexts(makeHandle);
    if (codec !== null && works(codec)) return codec;
  } catch {
    // Another runtime's zlib, or intrinsics that are frozen: the documented functions do as well.
  }
  return wholeMessages;
}

let chosen: Codec | null = null;

/** The codec of this thread: with persistent contexts wherever there are any. */
export function defaultCodec(): Codec {
  chosen ??= choose();
  return chosen;
}

/** Whether compressing is as fast as it can be here; otherwise each message is compressed by itself, in the thread. */
export function hasPersistentContexts(): boolean {
  return defaultCodec() !== wholeMessages;
}
