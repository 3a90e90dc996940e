/**
 * Calls every function that the addon exports, and every function that comes out of such a call, with random
 * arguments. Whatever they throw is right; that this process ends by itself is the test.
 *
 * Arguments at random do not get past the first check of anything. So those that led to an error not seen before are
 * kept, and changed in one place: an error further on is reached from one before it.
 *
 * Arguments: the path of the addon, the number of calls, a seed, and `trace` to tell each call before it is made.
 */

import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { EVERYTHING, type Pool, World } from './nasty.js';

const [path, calls, seed, trace] = process.argv.slice(2);
const MOST_FUNCTIONS = 64;

let state = Number(seed) | 1;
function random(below: number): number {
  state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x1234_5677) | 0;
  return (((state >>> 8) / 0x100_0000) * below) | 0;
}

type Anything = (...args: unknown[]) => unknown;
const functions = new Map<string, Anything>();
/** What calls gave, to be arguments of others. */
const found: object[] = [];

/** Finds the functions in a value; a getter may throw like any other code of the addon. */
function collect(name: string, value: unknown, depth = 0): void {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function') || depth > 3) return;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return;
  if (typeof value === 'function' && functions.size < MOST_FUNCTIONS) functions.set(name, value as Anything);
  if (typeof value === 'object' && found.length < MOST_FUNCTIONS) found.push(value);
  for (const key of Object.keys(value)) collect(`${name}.${key}`, (value as Record<string, unknown>)[key], depth + 1);
}

collect('addon', createRequire(import.meta.url)(path));
if (functions.size === 0) throw new Error('the addon exports no function');
type Makers = Pool[number][];
/** For each function, arguments that led somewhere, by where that was. */
const corpus = new Map<string, Map<string, Makers>>();
const MOST_KEPT = 200;
const WORKED = 'returned';

const anything = (): Pool[number] => EVERYTHING[random(EVERYTHING.length)];

function choose(name: string): Makers {
  const kept = [...(corpus.get(name)?.values() ?? [])];
  if (kept.length === 0 || random(8) === 0) return Array.from({ length: random(9) }, anything);
  const worked = random(3) === 0 ? corpus.get(name)?.get(WORKED) : undefined;
  const makers = [...(worked ?? kept[random(kept.length)])];
  makers[random(Math.min(8, makers.length + 1))] = anything();
  if (random(8) === 0) makers.length = random(makers.length);
  return makers;
}

function keep(name: string, makers: Makers, outcome: string): void {
  const kept = corpus.get(name) ?? new Map<string, Makers>();
  corpus.set(name, kept);
  if (kept.size < MOST_KEPT || kept.has(outcome)) kept.set(outcome, makers);
}

const counts = { calls: 0, returned: 0, threw: 0 };
for (let i = 0; i < Number(calls); i++) {
  const [name, call] = [...functions][random(functions.size)];
  const makers = choose(name);
  const args = new World().make(makers);
  if (random(16) === 0 && args.length > 0) args[random(args.length)] = found[random(found.length)];
  if (trace !== undefined) writeSync(2, `${name}(${makers.map(([one]) => one).join(', ')})\n`);
  counts.calls++;
  try {
    const result = random(16) === 0 ? Reflect.construct(call, args) : Reflect.apply(call, args[0], args);
    counts.returned++;
    keep(name, makers, WORKED);
    if (functions.size < MOST_FUNCTIONS) collect(`${name}()`, result);
  } catch (error) {
    counts.threw++;
    if (!(error instanceof Error)) throw new Error(`${name} threw something that is no error`);
    keep(name, makers, error.message);
  }
}
console.log(JSON.stringify({ ...counts, functions: [...functions.keys()] }));
