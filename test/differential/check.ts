/**
 * Runs a property in a test. `MILLRACE_RUNS` sets the number of runs of each; a failure prints the seed and the path
 * that repeat it, and the smallest input that was found.
 */

import fc from 'fast-check';
import { readable } from './readable.js';

/** Runs where nothing is said: what finds the faults of `planted*.test.ts`, and takes parts of a second. */
export const BUDGET = {
  scan: 2000,
  mask: 4000,
  utf8: 10_000,
  connection: 1500,
  arguments: 2000,
  other: 1000,
  inflate: 400,
};
const RUNS = process.env['MILLRACE_RUNS'];

/**
 * Throws where the property does not hold.
 *
 * @param seed to make the same inputs in every run, where a test is about whether something is found
 */
export function check<Values>(property: fc.IProperty<Values>, budget: keyof typeof BUDGET, seed?: number): void {
  report(fc.check(property, parameters(budget, seed)));
}

/** The same for properties whose runs take turns of the event loop. */
export async function checkTurns<Values>(
  property: fc.IAsyncProperty<Values>,
  budget: keyof typeof BUDGET,
  seed?: number,
): Promise<void> {
  report(await fc.check(property, parameters(budget, seed)));
}

function parameters<Values>(budget: keyof typeof BUDGET, seed?: number): fc.Parameters<Values> {
  const numRuns = RUNS === undefined ? BUDGET[budget] : Number(RUNS);
  return { numRuns, ...(seed === undefined ? {} : { seed }) };
}

function report<Values>(details: fc.RunDetails<Values>): void {
  if (!details.failed) return;
  const { seed: used, counterexamplePath: path, counterexample, errorInstance } = details;
  const input = readable(counterexample);
  throw new Error(`Property failed, { seed: ${used}, path: "${path}" }\n${input}\n${errorInstance}`);
}
