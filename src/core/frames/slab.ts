/**
 * Memory for small outgoing frames: slabs that connections fill one after the other.
 *
 * What one connection writes in a row lies in a row, so that a turn's frames leave as one piece. A slab is used again
 * once everything written to it was acknowledged; one whose pieces nobody acknowledges is left to the collector.
 *
 * A connection that is behind writes into slabs of its own. In shared ones, each of its small frames would keep a whole
 * slab of what others have sent long ago: a peer that stops reading could hold on to all that a server sends.
 */

import { Buffer } from 'node:buffer';

/** The size of a shared slab, and the most bytes that one piece may have. */
export const SLAB_SIZE = 64 * 1024;
const MAX_SPARE = 4;

/** The least size of a slab of one connection's own; the next has twice the size of the last. */
const LEAST_OWN = 4 * 1024;

/** One block of memory. */
export class Slab {
  readonly memory: Buffer;
  /** The memory of `memory`, which begins with it. */
  readonly arrayBuffer: ArrayBufferLike;
  readonly shared: boolean;
  /** Whether it is the one that is being filled. */
  isCurrent = false;
  /** Bytes used from the start. */
  used = 0;
  /** Pieces that are not acknowledged. */
  pieces = 0;

  constructor(size = SLAB_SIZE, shared = true) {
    this.memory = Buffer.allocUnsafeSlow(size);
    this.arrayBuffer = this.memory.buffer;
    this.shared = shared;
  }
}

const spare: Slab[] = [];

/** Shared slabs, one after the other. */
class SlabSeries {
  #current: Slab | null = null;

  /** A slab that has `size` bytes, `SLAB_SIZE` at most, left behind `used`. */
  slabFor(size: number): Slab {
    const slab = this.#current;
    if (slab !== null && slab.used + size <= SLAB_SIZE) return slab;
    if (slab !== null) slab.isCurrent = false;
    const next = spare.pop() ?? new Slab();
    next.isCurrent = true;
    this.#current = next;
    return next;
  }
}

const toOne = new SlabSeries();
const toMany = new SlabSeries();

/** A slab for frames of one connection. */
export function slabFor(size: number): Slab {
  return toOne.slabFor(size);
}

/** A slab for frames of many: apart from the others, so that what one publishes in a row lies in a row. */
export function sharedSlabFor(size: number): Slab {
  return toMany.slabFor(size);
}

/** The same for one connection, which has `last` already. */
export function ownSlabFor(size: number, last: Slab | null): Slab {
  if (last === null) return new Slab(Math.max(LEAST_OWN, size), false);
  const { length } = last.memory;
  return last.used + size <= length ? last : new Slab(Math.max(Math.min(length * 2, SLAB_SIZE), size), false);
}

/** Gives back a piece whose bytes nobody will read again. */
export function releasePiece(slab: Slab): void {
  if (--slab.pieces > 0) return;
  slab.used = 0;
  if (slab.shared && !slab.isCurrent && spare.length < MAX_SPARE) spare.push(slab);
}
