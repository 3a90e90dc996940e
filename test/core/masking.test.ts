import { expect, test } from 'vitest';
import { randomMaskingKeys } from '../../src/core/masking.js';

test('random keys are whole numbers of 32 bits that do not repeat, over more than one pool', () => {
  const keys = Array.from({ length: 10_000 }, () => randomMaskingKeys());
  expect(keys.every((key) => (key | 0) === key)).toBe(true);
  // Ten thousand out of four thousand million collide about once in a hundred runs.
  expect(new Set(keys).size).toBeGreaterThan(9_990);
});

test('every bit of a key is set about half the time', () => {
  const counts = new Array<number>(32).fill(0);
  for (let i = 0; i < 8192; i++) {
    const key = randomMaskingKeys();
    for (let bit = 0; bit < 32; bit++) counts[bit] += (key >>> bit) & 1;
  }
  // Ten standard deviations either way.
  for (const count of counts) expect(Math.abs(count - 4096)).toBeLessThan(460);
});
