/**
 * What is published to a thousand subscribers of whom ten never read costs no more memory than the limits of those ten, and
 * the others get everything. `MILLRACE_MIB=100` publishes so much, which takes minutes.
 */

import { expect, test } from 'vitest';
import { Child, poll } from './support/processes.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const FAST = 990;
const SLOW = 10;
const { MILLRACE_MIB: given } = process.env;
const PATIENCE = given === undefined ? 60_000 : 1_800_000;

interface Measured {
  readonly before: number;
  readonly rise: number;
  readonly isExact: boolean;
  readonly ms: number;
}

interface Serving {
  readonly size: number;
  readonly bufferedMost: number;
  readonly buffered: number;
  readonly refusals: number;
  readonly errors: readonly string[];
  readonly closes: Readonly<Record<number, number>>;
  readonly rss: number;
}

interface Reading {
  readonly done: number;
  readonly firstWrong: string | null;
  readonly least: number;
  readonly size: number;
}

interface Slow {
  readonly numbers: number;
  readonly code: number | null;
  readonly ended: boolean;
  readonly firstWrong: string | null;
}

const phase = (size: number, mib: number, aTurn: number) => ({
  size,
  count: Math.ceil((mib * MiB) / size),
  aTurn,
});

/** So much in messages of three sizes, and what a connection may have queued. */
const MIB = Number(given ?? 9);
const LIMIT = given === undefined ? 4 * MiB : 16 * MiB;

test.each(['refuse', 'drop', 'close'] as const)(
  `${MIB} MiB, limits of ${LIMIT / MiB} MiB: %s`,
  async (overflow) => {
    const [server, client] = await Promise.all([
      Child.start('publishing-server.js'),
      Child.start('subscribing-client.js'),
    ]);
    const port = await server.ask<number>('listen', { overflow, sendHardLimit: LIMIT });
    const publish = async (phases: ReturnType<typeof phase>[], first: number): Promise<Measured> => {
      await client.ask('expect', phases);
      const measured = await server.ask<Measured>('publish', { first, phases }, PATIENCE);
      const state = await poll(
        'everybody to have everything',
        () => client.ask<Reading>('state', undefined, PATIENCE),
        ({ done, firstWrong }) => done === FAST || firstWrong !== null,
        PATIENCE,
      );
      expect(state).toMatchObject({ done: FAST, firstWrong: null, least: state.size });
      return measured;
    };

    await client.ask('open', { port, count: FAST });
    // What it takes to serve the fast ones alone is no part of the question.
    const warming = [phase(16 * KiB, 0.5, 2), phase(200, 0.125, 100), phase(MiB, 2, 1)];
    const alone = await publish(warming, 0);
    const first = warming.reduce((sum, { count }) => sum + count, 0);

    await client.ask('open', { port, count: SLOW, path: '/slow' });
    const phases = [phase(16 * KiB, MIB / 3, 2), phase(200, MIB / 3, 100), phase(MiB, MIB / 3, 1)];
    const measured = await publish(phases, first);
    const after = await server.ask<Serving>('state');
    console.log(
      `${overflow}: ${FAST} x ${MIB} MiB in ${(measured.ms / 1000).toFixed(1)} s; memory rose by ` +
        `${(measured.rise / MiB).toFixed(1)} MiB from ${(measured.before / MiB).toFixed(1)} MiB ` +
        `(before, without the slow ones: by ${(alone.rise / MiB).toFixed(1)} MiB); at most ` +
        `${(after.bufferedMost / MiB).toFixed(2)} MiB queued for one; ${after.refusals} refusals`,
    );
    expect(measured.rise).toBeLessThan(SLOW * LIMIT);
    expect(after.errors).toEqual([]);
    // The limit was reached, and held: a Close is queued whatever there is.
    expect(after.bufferedMost).toBeGreaterThan(LIMIT / 2);
    expect(after.bufferedMost).toBeLessThanOrEqual(LIMIT + 127);
    expect(after.refusals > 0).toBe(overflow === 'refuse');

    // What the slow ones were to get is still what it was, though much has gone through the same memory since.
    await client.ask('hurry');
    if (overflow === 'close') {
      await poll(
        'the slow ones to be gone',
        () => server.ask<Serving>('state'),
        ({ size }) => size === FAST,
      );
    } else {
      await poll(
        'everything to be taken',
        () => server.ask<Serving>('state'),
        ({ buffered }) => buffered === 0,
      );
    }
    const slow = await client.ask<Slow[]>('slow');
    expect(slow.map(({ firstWrong }) => firstWrong)).toEqual(Array(SLOW).fill(null));
    // Those who did not see our Close were cut off, and what they had not read may be lost with that.
    if (overflow === 'close') return;
    for (const { numbers } of slow) expect(numbers).toBeGreaterThan(0);
    expect(after.size).toBe(FAST + SLOW);
  },
  PATIENCE + 120_000,
);
