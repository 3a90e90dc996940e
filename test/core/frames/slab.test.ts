import { describe, expect, test } from 'vitest';
import { ownSlabFor, releasePiece, SLAB_SIZE, slabFor } from '../../../src/core/frames/slab.js';

/** Writes a piece as an output queue does. */
function piece(size: number) {
  const slab = slabFor(size);
  slab.used += size;
  slab.pieces++;
  return slab;
}

describe('slabs', () => {
  test('have the room that was asked for', () => {
    for (const size of [0, 1, 100, 8206, SLAB_SIZE]) {
      const slab = slabFor(size);
      expect(slab.memory.length - slab.used).toBeGreaterThanOrEqual(size);
    }
  });

  test('are filled one after the other', () => {
    const first = piece(1);
    const start = first.used;
    expect(piece(10)).toBe(first);
    expect(first.used).toBe(start + 10);
    const second = piece(SLAB_SIZE);
    expect(second).not.toBe(first);
    releasePiece(first);
    releasePiece(first);
    releasePiece(second);
  });

  test('begin anew once nothing of them is in use, and not before', () => {
    const slab = piece(100);
    piece(100);
    releasePiece(slab);
    expect(slab.used).toBeGreaterThanOrEqual(200);
    while (slab.pieces > 0) releasePiece(slab);
    expect(slab.used).toBe(0);
  });

  test('come back when they were given up, but never two at a time', () => {
    const slabs = Array.from({ length: 12 }, () => piece(SLAB_SIZE));
    expect(new Set(slabs).size).toBe(12);
    for (const slab of slabs) releasePiece(slab);
    const again = Array.from({ length: 12 }, () => piece(SLAB_SIZE));
    expect(new Set(again).size).toBe(12);
    expect(again.filter((slab) => slabs.includes(slab)).length).toBeGreaterThan(1);
    for (const slab of again) releasePiece(slab);
  });

  test('of one connection grow, and are never shared', () => {
    let own = ownSlabFor(10, null);
    const sizes = new Set<number>();
    for (let i = 0; i < 400; i++) {
      own = ownSlabFor(1000, own);
      own.used += 1000;
      sizes.add(own.memory.length);
    }
    expect([...sizes]).toEqual([4096, 8192, 16384, 32768, 65536]);
    expect(ownSlabFor(100_000, own).memory.length).toBe(100_000);
    const small = ownSlabFor(1, null);
    small.pieces++;
    small.used++;
    releasePiece(small);
    expect([small.used, ownSlabFor(1, small)]).toEqual([0, small]);
    for (let i = 0; i < 12; i++) expect(piece(SLAB_SIZE)).not.toBe(small);
  });
});
