/**
 * Measures contenders against each other: all in one process, one after the other in every round, the order turned
 * from round to round, so that whatever else the machine does falls on each of them alike. Only the ratios of one run
 * mean something; nanoseconds are told to give an idea of the size.
 */

import { Bench } from 'tinybench';

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {(iterations: number) => void | Promise<void>} run does the work that many times
 */

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {number} ns median over the rounds, for one unit of work
 * @property {number} speed how many times faster than the first contender: median of the ratios of each round
 * @property {number} low lower quartile of these ratios
 * @property {number} high upper quartile
 */

/** What `--quick` changes: enough to see that a benchmark runs, not enough to believe it. */
export const FULL = { rounds: 11, roundMs: 12 };
export const QUICK = { rounds: 3, roundMs: 2 };

/** A batch of calls is timed as one, so that reading the clock does not count. */
const BATCH_MS = 0.5;

/**
 * @param {object} options
 * @param {Contender[]} options.contenders the first is the one that the others are compared with
 * @param {number} [options.rounds]
 * @param {number} [options.roundMs] how long each contender runs in a round
 * @param {number} [options.units] units of work in one iteration, such as frames in a chunk
 * @returns {Promise<Result[]>} in the order of the contenders
 */
export async function compare({ contenders, rounds = FULL.rounds, roundMs = FULL.roundMs, units = 1 }) {
  const batches = [];
  for (const contender of contenders) batches.push(await warmUp(contender, roundMs));

  const times = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const turn = (i + round) % contenders.length;
      times[turn].push((await time(contenders[turn], batches[turn], roundMs)) / units);
    }
  }

  return contenders.map(({ name }, i) => {
    const ratios = times[i].map((ns, round) => times[0][round] / ns);
    return {
      name,
      ns: quantile(times[i], 0.5),
      speed: quantile(ratios, 0.5),
      low: quantile(ratios, 0.25),
      high: quantile(ratios, 0.75),
    };
  });
}

/** Runs a contender until it is compiled; returns how many iterations make a batch. */
async function warmUp(contender, forMs) {
  let iterations = 1;
  let took = 0;
  const until = performance.now() + 4 * forMs;
  do {
    const start = performance.now();
    await contender.run(iterations);
    took = performance.now() - start;
    if (took < BATCH_MS) iterations *= 2;
  } while (took < BATCH_MS || performance.now() < until);
  return iterations;
}

/** One contender's share of a round: nanoseconds for one iteration, the median of its batches. */
async function time(contender, iterations, forMs) {
  const bench = new Bench({ time: forMs, iterations: 1, warmup: false, throws: true });
  bench.add(contender.name, () => contender.run(iterations));
  const [task] = await bench.run();
  return (task.result.latency.p50 * 1e6) / iterations;
}

/** @param {number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * @param {number[]} values
 * @param {number} q from 0 to 1
 */
export function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + (sorted[Math.ceil(at)] - sorted[low]) * (at - low);
}
