/**
 * Buffers over memory that is there. `Buffer.subarray` asks its Buffer for the memory and the place in it, which costs
 * as much as the view itself; whoever makes many over the same memory asks once.
 */

import { Buffer } from 'node:buffer';

type ViewClass = new (memory: ArrayBufferLike, offset: number, length: number) => Buffer;

/** The class that Node makes Buffers with, where it gives it away as the species of `Buffer`. */
const species = (Buffer as unknown as { readonly [Symbol.species]?: ViewClass })[Symbol.species];

function makesBuffers(candidate: ViewClass): boolean {
  return Buffer.isBuffer(new candidate(new ArrayBuffer(1), 0, 1));
}

const View: ViewClass | null = species !== undefined && makesBuffers(species) ? species : null;

/** A Buffer over `length` bytes of `memory` from `offset` on, without copying. */
export function viewOf(memory: ArrayBufferLike, offset: number, length: number): Buffer {
  return View === null ? Buffer.from(memory as ArrayBuffer, offset, length) : new View(memory, offset, length);
}

/** The same bytes as a Buffer, without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
