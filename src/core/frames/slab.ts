/**
 * Memory for small outgoing frames: slabs that connections fill one after the other.
 *
 * What one connection writes in a row lies in a row, so that a turn's frames leave as one piece. A slab is used again
 * once everything written to it was acknowledged; one whose pieces nobody acknowledges is left to the collector.
 */

import { Buffer } from 'node:buffer';

const SLAB_SIZE = 64 * 1024;
const MAX_SPARE = 4;

/** One block of memory. */
export class Slab {
  readonly memory: Buffer = Buffer.allocUnsafeSlow(SLAB_SIZE);
  /** Bytes used from the start. */
  used = 0;
  /** Pieces that are not acknowledged. */
  pieces = 0;
}

let current = new Slab();
const spare: Slab[] = [];

/** The most bytes one piece may have. */
export const MAX_PIECE = SLAB_SIZE;

/** The slab that has `size` bytes left behind `used`. */
export function slabFor(size: number): Slab {
  if (current.used + size > SLAB_SIZE) {
    current = spare.pop() ?? new Slab();
  }
  return current;
}

/** Gives back a piece whose bytes nobody will read again. */
export function releasePiece(slab: Slab): void {
  if (--slab.pieces > 0) return;
  slab.used = 0;
  if (slab !== current && spare.length < MAX_SPARE) spare.push(slab);
}
