/** Percentiles of the histogram against those computed of the values themselves. */

import { expect, test } from 'vitest';
import { Histogram } from '../../../src/cli/load/index.js';

const PERCENTILES = [0, 0.01, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 100];

/** Uniform from 0 to 1, the same in every run. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

const DISTRIBUTIONS: Record<string, (random: () => number) => number> = {
  exponential: (random) => -Math.log(random()),
  uniform: (random) => 5 + random(),
  'over ten decades': (random) => 10 ** (10 * random() - 5),
  'all the same': () => 0.123_456,
  'whole numbers': (random) => Math.floor(100 * random()),
  bimodal: (random) => (random() < 0.98 ? 0.05 + 0.01 * random() : 300 + 20 * random()),
};

function exact(sorted: readonly number[], p: number): number {
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
}

for (const [name, draw] of Object.entries(DISTRIBUTIONS)) {
  test.each([1, 2, 10, 1000, 100_000])(`${name}: %d values`, (count) => {
    const random = randoms(count);
    const histogram = new Histogram();
    const values = Array.from({ length: count }, () => draw(random));
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);

    expect(histogram.count).toBe(count);
    expect(histogram.min).toBe(values[0]);
    expect(histogram.max).toBe(values[count - 1]);
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    expect(Math.abs(histogram.mean - mean)).toBeLessThanOrEqual(mean * 1e-9);
    for (const p of PERCENTILES) {
      const is = exact(values, p);
      expect(
        Math.abs(histogram.percentile(p) - is),
        `p${p}: ${histogram.percentile(p)}, not ${is}`,
      ).toBeLessThanOrEqual(is * 0.004);
    }
  });
}

test('two merged are as one', () => {
  const random = randoms(7);
  const [all, one, other] = [new Histogram(), new Histogram(), new Histogram()];
  for (let i = 0; i < 10_000; i++) {
    const value = -Math.log(random());
    all.record(value);
    (i % 3 === 0 ? one : other).record(value);
  }
  one.merge(other);
  one.merge(new Histogram());
  for (const p of PERCENTILES) expect(one.percentile(p)).toBe(all.percentile(p));
  expect([one.count, one.min, one.max]).toEqual([all.count, all.min, all.max]);
  expect(one.mean).toBeCloseTo(all.mean, 9);
});

test('several at once are as one after the other', () => {
  const [one, other] = [new Histogram(), new Histogram()];
  one.record(2.5, 3);
  one.record(7);
  for (const value of [2.5, 2.5, 2.5, 7]) other.record(value);
  expect([one.count, one.mean, one.percentile(75), one.percentile(76)]).toEqual([4, 3.625, other.percentile(75), 7]);
});

test('of nothing everything is 0', () => {
  const { count, min, max, mean } = new Histogram();
  expect([count, min, max, mean, new Histogram().percentile(99)]).toEqual([0, 0, 0, 0, 0]);
});

test('what is out of range is kept in the outermost buckets', () => {
  const histogram = new Histogram();
  for (const value of [-1, 0, 1e-12, 1e12]) histogram.record(value);
  expect([histogram.count, histogram.min, histogram.max]).toEqual([4, 0, 1e12]);
  expect(histogram.percentile(50)).toBeLessThan(1e-5);
  expect(histogram.percentile(100)).toBe(1e12);
});

test('between counts the values of a range', () => {
  const histogram = new Histogram();
  for (let i = 0; i < 1000; i++) histogram.record(i / 100);
  expect(histogram.between(0, 1)).toBe(100);
  expect(histogram.between(1, 4)).toBe(300);
  expect(histogram.between(0, 100)).toBe(1000);
});
