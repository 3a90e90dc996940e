import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Assembly } from '../../../src/core/frames/assembly.js';
import { kernels } from '../../../src/kernels/index.js';

const { POSITIVE_INFINITY } = Number;

function append(assembly: Assembly, piece: Uint8Array, expected = POSITIVE_INFINITY, key = 0, phase = 0): void {
  assembly.append(kernels, piece, 0, piece.length, key, phase, expected);
}

const joined = (assembly: Assembly): Uint8Array => Uint8Array.from(assembly.memory.subarray(0, assembly.length));

describe('an assembly', () => {
  test('joins pieces, and unmasks them on the way', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 900 }), { maxLength: 12 }), fc.integer(), (pieces, key) => {
        const assembly = new Assembly();
        const whole = Buffer.concat(pieces);
        const masked = whole.map((byte, i) => byte ^ ((key >>> (8 * (i % 4))) & 255));
        let at = 0;
        for (const { length } of pieces) {
          assembly.append(kernels, masked, at, length, key, at & 3, POSITIVE_INFINITY);
          at += length;
        }
        expect(joined(assembly)).toEqual(Uint8Array.from(whole));
      }),
      { numRuns: 60 },
    );
  });

  test('takes no more memory than four times what has arrived, or a KiB', () => {
    const assembly = new Assembly();
    for (let size = 1; size < 3_000_000; size = Math.ceil(size * 1.7)) {
      append(assembly, new Uint8Array(size), 2 ** 40);
      expect(assembly.memory.length).toBeLessThanOrEqual(Math.max(1024, 4 * assembly.length));
    }
  });

  test('takes exactly what is needed where the end is near', () => {
    const assembly = new Assembly();
    append(assembly, new Uint8Array(10), 15);
    expect(assembly.memory.length).toBe(15);
    append(assembly, new Uint8Array(5), 15);
    expect([assembly.memory.length, assembly.length]).toEqual([15, 15]);
  });

  test('is copied a number of times that grows with the logarithm of its size', () => {
    const assembly = new Assembly();
    const memories = new Set<unknown>();
    for (let i = 0; i < 20_000; i++) {
      append(assembly, Uint8Array.of(i, i, i));
      memories.add(assembly.memory);
    }
    expect(memories.size).toBeLessThan(10);
  });

  test('lets go of its memory, which stays as it was', () => {
    const assembly = new Assembly();
    append(assembly, Uint8Array.of(1, 2, 3));
    const { memory } = assembly;
    assembly.clear();
    append(assembly, Uint8Array.of(9, 9, 9));
    expect([...memory.subarray(0, 3), assembly.length]).toEqual([1, 2, 3, 3]);
    expect(assembly.memory).not.toBe(memory);
  });

  test('takes empty pieces', () => {
    const assembly = new Assembly();
    append(assembly, new Uint8Array(0));
    expect([assembly.length, assembly.memory.length]).toEqual([0, 0]);
  });
});
