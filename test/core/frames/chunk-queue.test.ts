import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkQueue } from '../../../src/core/frames/chunk-queue.js';

function shiftAll(queue: ChunkQueue): Buffer[] {
  const found: Buffer[] = [];
  for (let chunk = queue.shift(); chunk !== null; chunk = queue.shift()) found.push(chunk);
  return found;
}

describe('chunks that wait', () => {
  test('come out as the bytes that went in, whatever their sizes, also taken in between', () => {
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 600 });
    const step = fc.oneof(chunk, fc.constant(null));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new ChunkQueue();
        const given: Uint8Array[] = [];
        const found: Uint8Array[] = [];
        for (const each of steps) {
          if (each === null) {
            const taken = queue.shift();
            // What is handed out is not touched any more.
            if (taken !== null) found.push(Buffer.from(taken));
          } else {
            given.push(Buffer.from(each));
            queue.push(Buffer.from(each));
          }
          const size = (list: Uint8Array[]) => list.reduce((sum, { length }) => sum + length, 0);
          expect(queue.bytes).toBe(size(given) - size(found));
        }
        found.push(...shiftAll(queue));
        expect(Buffer.concat(found).equals(Buffer.concat(given))).toBe(true);
      }),
    );
  });

  test('of a byte each are few, and take little more than they are', () => {
    const queue = new ChunkQueue();
    for (let i = 0; i < 64 * 1024; i++) queue.push(Buffer.of(i & 0xff));
    const found = shiftAll(queue);
    expect(found.length).toBeLessThanOrEqual(16);
    expect(new Set(found.map(({ buffer }) => buffer)).size).toBe(found.length);
    expect(Buffer.concat(found).every((byte, i) => byte === (i & 0xff))).toBe(true);
  });

  test('of some size are handed out as they are', () => {
    const queue = new ChunkQueue();
    const chunks = [Buffer.alloc(300), Buffer.alloc(256), Buffer.alloc(1)];
    for (const chunk of chunks) queue.push(chunk);
    expect(shiftAll(queue).map((chunk, i) => chunk === chunks[i])).toEqual([true, true, true]);
  });
});
