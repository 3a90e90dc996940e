/**
 * Runs properties in turns until the time is over. Each goes through batches of inputs, and each batch has a seed of
 * its own that follows from the first, so a campaign keeps nothing and every failure is repeated by one seed.
 */

import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { type Meter, Mismatch, PROPERTIES } from '../differential/properties.js';
import { readable } from '../differential/readable.js';
import type { Flags, PropertyName } from './flags.js';
import { Tally } from './tally.js';

/** Inputs in a batch: so few that a batch is over in parts of a second, and a signal is soon heard. */
const BATCH = 500;
/** Apart enough that the batches of campaigns with seeds close to each other differ. */
const STRIDE = 0x9e37_79b1;

export interface Progress {
  say(line: string): void;
  /** Told before each batch, so that somebody knows which one it was if the process dies in it. */
  entering(property: PropertyName, seed: number): Promise<void>;
  readonly every: number;
  stopped(): boolean;
}

/** @returns whether every property held */
export async function campaign(flags: Flags, progress: Progress): Promise<boolean> {
  const tally = new Tally();
  const spent = new Map<PropertyName, number>(flags.only.map((name) => [name, 0]));
  const batches = new Map<PropertyName, number>(flags.only.map((name) => [name, 0]));
  let told = 0;
  let failure: string | null = null;
  while (failure === null && tally.seconds * 1000 < flags.milliseconds && !progress.stopped()) {
    // Whichever had the least time is next.
    const name = flags.only.reduce((a, b) => ((spent.get(b) ?? 0) < (spent.get(a) ?? 0) ? b : a));
    const batch = batches.get(name) ?? 0;
    const seed = (flags.seed + Math.imul(batch, STRIDE)) & 0x7fff_ffff;
    await progress.entering(name, seed);
    const started = performance.now();
    failure = await run(name, seed, flags, (subject, milliseconds) => tally.add(name, subject, milliseconds));
    spent.set(name, (spent.get(name) ?? 0) + performance.now() - started);
    batches.set(name, batch + 1);
    if (flags.path !== undefined) break;
    if (tally.seconds - told >= progress.every) {
      told = tally.seconds;
      progress.say(tally.line());
    }
    await setImmediate(); // so that signals are heard
  }
  progress.say(tally.summary(spent));
  if (failure !== null) progress.say(failure);
  return failure === null;
}

/** Runs one batch, or the one input of a path; returns what is to be said of a failure. */
async function run(name: PropertyName, seed: number, { against, path }: Flags, meter: Meter): Promise<string | null> {
  const property: fc.IRawProperty<unknown> = PROPERTIES[name].property(against, meter);
  const details = await fc.check(property, {
    numRuns: BATCH,
    seed,
    ...(path === undefined ? {} : { path, endOnFailure: true }),
  });
  if (!details.failed) return null;
  const { counterexample, counterexamplePath, errorInstance } = details;
  const subject = errorInstance instanceof Mismatch ? errorInstance.subject : against[0][0];
  const repeat = `--only ${name} --against ${subject.replace(' ', '-')} --seed ${seed} --path ${counterexamplePath}`;
  const message = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return `\nFAILED: ${name}, ${message}\n\ninput: ${readable(counterexample)}\n\nrepeat: npm run fuzz -- ${repeat}`;
}
