import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteQueue } from '../../../src/core/handshake/byte-queue.js';

test('bytes come out as they went in, and stay what they were', () => {
  const step = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.nat(30));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const queue = new ByteQueue();
      const pushed: number[] = [];
      const taken: Uint8Array[] = [];
      for (const step of steps) {
        if (typeof step === 'number') taken.push(queue.take(step));
        else {
          queue.push(step.slice());
          pushed.push(...step);
        }
      }
      expect([...taken.flatMap((piece) => [...piece]), ...queue.peek()]).toEqual(pushed);
      expect(queue.length).toBe(queue.peek().length);
    }),
  );
});

test('what waits costs its size, however it came', () => {
  const queue = new ByteQueue();
  const slab = new Uint8Array(65_536);
  for (let i = 0; i < 5000; i++) queue.push(slab.subarray(i, i + 1));
  expect(queue.length).toBe(5000);
  expect(queue.peek().buffer.byteLength).toBeLessThanOrEqual(2 * 5000 + 2);
});

test('after clear nothing waits', () => {
  const queue = new ByteQueue();
  queue.push(new Uint8Array(3));
  queue.clear();
  expect(queue.length).toBe(0);
  expect(queue.take(9)).toHaveLength(0);
});
