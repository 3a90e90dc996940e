/** Batches for `scan`. A reader needs one only while it reads a chunk, so all readers share a few. */

import { FrameBatch } from '../../kernels/index.js';

const CAPACITY = 512;
const MAX_SPARE = 16;
const spare: FrameBatch[] = [];

export function borrowBatch(): FrameBatch {
  return spare.pop() ?? new FrameBatch(CAPACITY);
}

export function returnBatch(batch: FrameBatch): void {
  if (spare.length < MAX_SPARE) spare.push(batch);
}
