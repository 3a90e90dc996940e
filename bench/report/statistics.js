/**
 * Medians, quartiles and ratios of values that were measured in rounds. A round holds one value of every server, taken
 * shortly after one another: a ratio is always of one round, so that what the machine did between rounds cancels.
 */

import { quantile } from '../lib/measure.js';

/** Two medians that are less apart than this are not told apart, whatever the quartiles say. */
const LEAST_DIFFERENCE = 1.03;

const isValue = (value) => typeof value === 'number' && Number.isFinite(value);

/**
 * @param {(number | null | undefined)[]} values one a round; a round that is missing has none
 * @returns {{ median: number, low: number, high: number, rounds: number } | null} quartiles; null where there is no value
 */
export function quartiles(values) {
  const present = values.filter(isValue);
  if (present.length === 0) return null;
  return {
    median: quantile(present, 0.5),
    low: quantile(present, 0.25),
    high: quantile(present, 0.75),
    rounds: present.length,
  };
}

/**
 * How many times as good one is as another, by rounds, and whether that is within noise: the quartiles of the ratio
 * include 1, or the medians of the two differ by less than 3 %.
 *
 * @param {(number | null | undefined)[]} values
 * @param {(number | null | undefined)[]} others of the same rounds
 * @param {'lower' | 'higher' | null} better
 * @returns {{ ratio: { median: number, low: number, high: number, rounds: number } | null, noise: boolean }} no ratio
 *   where no round has both, where it would be infinite, or where nothing says which direction is good
 */
export function compare(values, others, better) {
  if (better === null) return { ratio: null, noise: false };
  const ratio = quartiles(
    values.map((value, round) =>
      better === 'lower' ? quotient(others[round], value) : quotient(value, others[round]),
    ),
  );
  if (ratio === null) return { ratio, noise: false };
  return { ratio, noise: (ratio.low <= 1 && 1 <= ratio.high) || alike(values, others) };
}

function quotient(dividend, divisor) {
  if (!isValue(dividend) || !isValue(divisor) || dividend < 0 || divisor < 0) return null;
  // Two that cost nothing are equally good; how much better nothing is than something cannot be said.
  if (divisor === 0) return dividend === 0 ? 1 : null;
  return dividend / divisor;
}

function alike(values, others) {
  const [one, two] = [quartiles(values).median, quartiles(others).median];
  return Math.max(one, two) < LEAST_DIFFERENCE * Math.min(one, two);
}
