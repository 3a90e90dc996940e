/** The flags of the campaign. */

import { parseArgs } from 'node:util';
import { PROPERTIES } from '../differential/properties.js';
import { others, portable, type Subject } from '../kernels/support.js';

export type PropertyName = keyof typeof PROPERTIES;

export interface Flags {
  readonly milliseconds: number;
  readonly seed: number;
  /** Repeats one run: that which a failure printed. */
  readonly path: string | undefined;
  readonly only: readonly PropertyName[];
  readonly against: readonly Subject[];
}

export const USAGE = `npm run fuzz -- [--minutes N] [--seed N] [--only ${Object.keys(PROPERTIES).join(',')}]
  [--against ${[...others.map(([name]) => name.replace(' ', '-')), 'portable'].join(',')}] [--path P]`;

/** @throws Error with one sentence about the flag that is wrong */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: String((Math.random() * 0x7fff_ffff) | 0) },
      path: { type: 'string' },
      only: { type: 'string', default: Object.keys(PROPERTIES).join() },
      against: { type: 'string' },
    },
  });
  return {
    milliseconds: number('minutes', values.minutes) * 60_000,
    seed: number('seed', values.seed) & 0x7fff_ffff,
    path: values.path,
    only: values.only.split(',').map((name) => named(name, Object.keys(PROPERTIES)) as PropertyName),
    against: values.against === undefined ? everything() : values.against.split(',').map(subject),
  };
}

function everything(): Subject[] {
  return others.length === 0 ? [['portable', portable]] : [...others];
}

function subject(name: string): Subject {
  const known: Subject[] = [...others, ['portable', portable]];
  const spelled = known.map(([one, kernels]): Subject => [one.replace(' ', '-'), kernels]);
  return spelled.find(
    ([one]) =>
      one ===
      named(
        name,
        spelled.map(([one]) => one),
      ),
  ) as Subject;
}

function named(name: string, known: readonly string[]): string {
  if (!known.includes(name)) throw new Error(`"${name}" is none of ${known.join(', ')}`);
  return name;
}

function number(flag: string, value: string): number {
  const parsed = Number(value);
  if (!Number.isFinite(parsed)) throw new Error(`--${flag} must be a number`);
  return parsed;
}
