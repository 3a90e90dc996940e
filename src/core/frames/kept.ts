/**
 * Memory for chunks that are kept: in slabs, because memory of its own for each costs an echo of 16 KiB a quarter more
 * (`npm run bench:peers`). Small chunks go into the pool of Node.js, and large ones are worth it.
 */

import { Buffer } from 'node:buffer';

/** What a view of any chunk may keep alive, whatever it came in. */
const SLAB_SIZE = 64 * 1024;
const LEAST = 4 * 1024;
const MOST = 32 * 1024;

let slab: Buffer | null = null;
let used = 0;

/** A copy of a chunk. */
export function keptCopy(chunk: Buffer): Buffer {
  const { length } = chunk;
  if (length < LEAST || length > MOST) return Buffer.from(chunk);
  if (slab === null || used + length > SLAB_SIZE) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    used = 0;
  }
  const copy = slab.subarray(used, used + length);
  copy.set(chunk);
  // Where words begin, the kernels are fastest.
  used = (used + length + 7) & ~7;
  return copy;
}
