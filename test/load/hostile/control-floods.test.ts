/** Floods of control frames: each costs an attacker a few bytes, and must cost the server no memory. */

import { describe, expect, test } from 'vitest';
import { Attacker, all, attack, closeFrame, frame, KiB, MiB, repeated } from './support.js';

const COUNT = 4;

/** Pours chunks of so many frames from a few connections, closes them, and waits for the end. */
async function flood(port: number, bytes: Uint8Array, perChunk: number, chunks: number): Promise<Attacker[]> {
  const attackers = await Attacker.openMany(port, COUNT);
  await all(attackers, (attacker) => attacker.pour(repeated(bytes, perChunk), chunks));
  for (const attacker of attackers) attacker.write(closeFrame(1000));
  await all(attackers, ({ ended }) => ended);
  for (const { socket } of attackers) socket.destroy();
  return attackers;
}

describe('pings', () => {
  test('two millions, whose pongs are read', async () => {
    const { calls, closeCodes, mostQueued } = await attack({}, async ({ port }) => {
      const attackers = await flood(port, frame(9, 'ping'), 5000, 100);
      for (const { received } of attackers) expect(received).toBeGreaterThan(0);
    });
    expect(calls['ping']).toBe(2_000_000);
    expect(closeCodes).toEqual({ 1000: COUNT + 1 });
    expect(mostQueued).toBeLessThan(64 * KiB);
  });

  test('a million of the largest, whose pongs are not read: the slot holds', async () => {
    const { mostQueued } = await attack({}, async (target) => {
      const attackers = await Attacker.openMany(target.port, COUNT);
      for (const { socket } of attackers) socket.pause();
      // A chunk fits the server's buffer of reads, so that each is answered: what TCP takes of that is soon full.
      await all(attackers, (attacker) => attacker.pour(repeated(frame(9, 'p'.repeat(125)), 500), 500));
      await target.settled(({ calls }) => calls['ping'] >= COUNT * 250_000, 'every ping to be handled');
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    // One write that TCP has not taken, and one pong that waits; an echo of the witness may be larger.
    expect(mostQueued).toBeLessThan(8 * KiB);
  });

  test('so small and many that each read answers hundreds, not read', async () => {
    const { mostQueued } = await attack({}, async (target) => {
      const attackers = await Attacker.openMany(target.port, COUNT);
      for (const { socket } of attackers) socket.pause();
      await all(attackers, (attacker) => attacker.pour(repeated(frame(9), 10_000), 50));
      await target.settled(({ calls }) => calls['ping'] >= COUNT * 500_000, 'every ping to be handled');
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    expect(mostQueued).toBeLessThan(64 * KiB);
  });

  test('between the fragments of a message that does not end', async () => {
    const { closeCodes } = await attack({}, async (target) => {
      const attackers = await Attacker.openMany(target.port, COUNT);
      for (const attacker of attackers) attacker.write(frame(1, 'begun', { fin: false }));
      await all(attackers, (attacker) => attacker.pour(repeated(frame(9, 'ping'), 5000), 50));
      await target.settled(({ calls }) => calls['ping'] >= COUNT * 250_000, 'every ping to be handled');
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 1006: COUNT });
  });
});

describe('pongs that nobody asked for', () => {
  test('two millions', async () => {
    const { calls, closeCodes, mostQueued } = await attack({}, async ({ port }) => {
      const attackers = await flood(port, frame(10, 'pong'), 5000, 100);
      expect(attackers.flatMap(({ frames }) => frames).every(({ opcode }) => opcode === 8)).toBe(true);
    });
    expect(calls['pong']).toBe(2_000_000);
    expect(closeCodes).toEqual({ 1000: COUNT + 1 });
    expect(mostQueued).toBeLessThan(64 * KiB);
  });

  test('in answer to a keep-alive, hundreds of thousands of them', async () => {
    const { calls, closeCodes } = await attack({ pingInterval: 200, pingTimeout: 5000 }, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      const chunk = repeated(frame(10, 'x'.repeat(125)), 500);
      const pings = ({ frames }: Attacker) => frames.filter(({ opcode }) => opcode === 9).length;
      await all(attackers, async (attacker) => {
        await attacker.until(() => pings(attacker) > 0, 'a keep-alive');
        await attacker.pour(chunk, 200);
        attacker.write(closeFrame(1000));
        await attacker.ended;
        attacker.socket.destroy();
      });
    });
    expect(calls['pong']).toBeGreaterThan(COUNT * 100_000 - 1);
    expect(closeCodes).toEqual({ 1000: COUNT + 1 });
  });
});

test('Closes: the first is answered, a million more are forgotten', async () => {
  const { calls, closeCodes, mostQueued } = await attack({}, async ({ port }) => {
    const attackers = await flood(port, closeFrame(4000), 2500, 100);
    for (const { frames } of attackers) expect(frames).toHaveLength(1);
  });
  expect(closeCodes).toEqual({ 1000: 1, 4000: COUNT });
  expect(calls['error']).toBeUndefined();
  expect(mostQueued).toBeLessThan(MiB);
});
