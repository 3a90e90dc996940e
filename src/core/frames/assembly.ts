/** A message or frame that arrives in pieces, put together in memory that follows what has arrived. */

import { Buffer } from 'node:buffer';
import type { Kernels } from '../../kernels/index.js';

const LEAST = 1024;
/** For a message of 1 MiB that comes in reads of 64 KiB, twice as cheap as 2 (`npm run bench:echo`). */
const GROWTH = 4;
const NOTHING = Buffer.alloc(0);

/**
 * Joins pieces. Capacity is at most `GROWTH` times what has arrived (above one KiB), so a header that claims gigabytes
 * costs nothing until they come; where the end is known, no more than that is taken.
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
    const grown = Buffer.allocUnsafe(Math.min(expected, Math.max(needed * GROWTH, LEAST)));
    grown.set(this.#memory.subarray(0, this.#length));
    this.#memory = grown;
  }
}
