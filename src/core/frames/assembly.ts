/** A message or frame that arrives in pieces, put together in memory that follows what has arrived. */

import { Buffer } from 'node:buffer';
import type { Kernels } from '../../kernels/index.js';

const LEAST = 1024;
/** With 4 an echo of 1 MiB, which comes in reads of 64 KiB, costs half of what it does with 2 (`npm run bench:peers`). */
const GROWTH = 4;
const NOTHING = Buffer.alloc(0);

/**
 * Joins pieces. Capacity at most doubles what has arrived (above one KiB), so that endless fragments cost no more than
 * that. Where the end is known it is up to `GROWTH` times, and no more than that end: a header that claims gigabytes
 * costs nothing until they come.
 */
export class Assembly {
  #memory: Buffer = NOTHING;
  #length = 0;

  /** Bytes joined so far. */
  get length(): number {
    return this.#length;
  }

  /** The bytes so far; `length` of them count. */
  get memory(): Buffer {
    return this.#memory;
  }

  /**
   * Appends a piece, unmasking it on the way.
   *
   * @param expected the whole length where the end is known, otherwise Infinity
   */
  append(
    kernels: Kernels,
    source: Uint8Array,
    start: number,
    length: number,
    key: number,
    phase: number,
    expected: number,
  ): void {
    this.#reserve(length, expected);
    kernels.mask(source, start, this.#memory, this.#length, length, key, phase);
    this.#length += length;
  }

  /** Lets go of the memory, which belongs to whoever took it. */
  clear(): void {
    this.#memory = NOTHING;
    this.#length = 0;
  }

  #reserve(length: number, expected: number): void {
    const needed = this.#length + length;
    if (needed <= this.#memory.length) return;
    const factor = expected === Number.POSITIVE_INFINITY ? 1 : GROWTH;
    const capacity = Math.max(needed * factor, this.#memory.length * 2, LEAST);
    const grown = Buffer.allocUnsafe(Math.min(expected, capacity));
    grown.set(this.#memory.subarray(0, this.#length));
    this.#memory = grown;
  }
}
