/**
 * Work on the thread pool, a slice at a time and no more at once than leaves a thread for others, and a core for the event
 * loop: files and names are looked up on the same pool, and whoever has much to compress must not hold them up.
 */

import { Buffer } from 'node:buffer';
import { availableParallelism } from 'node:os';

/** The bytes of input, or of output, that a slice of work takes. */
export const SLICE = 128 * 1024;

/** What the pool has when nothing else was said to libuv. */
const DEFAULT_POOL = 4;
const pool = Number(process.env['UV_THREADPOOL_SIZE']) || DEFAULT_POOL;
const MOST = Math.max(1, Math.min(pool, availableParallelism()) - 1);

/** A list, because taking the first of an array costs as much as the array is long. */
interface Waiting {
  readonly begin: () => void;
  next: Waiting | null;
}

let running = 0;
let isHandingOn = false;
let first: Waiting | null = null;
let last: Waiting | null = null;

/** Calls `begin` when it may start a run, now or later; `sliceDone` must follow. */
export function beginSlice(begin: () => void): void {
  if (running < MOST) {
    running++;
    begin();
    return;
  }
  const waiting: Waiting = { begin, next: null };
  if (last === null) first = waiting;
  else last.next = waiting;
  last = waiting;
}

export function sliceDone(): void {
  running--;
  // What nobody wants any more is done as soon as it begins. Of that much may wait, and the stack is not so deep.
  if (isHandingOn) return;
  isHandingOn = true;
  try {
    while (first !== null && running < MOST) {
      const { begin, next } = first;
      first = next;
      if (next === null) last = null;
      running++;
      begin();
    }
  } finally {
    isHandingOn = false;
  }
}

const spare: Buffer[] = [];

/** Memory for a slice, and what it may grow by. */
export function borrowMemory(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(SLICE + SLICE / 8);
}

export function returnMemory(memory: Buffer): void {
  if (spare.length < 2 * MOST) spare.push(memory);
}
