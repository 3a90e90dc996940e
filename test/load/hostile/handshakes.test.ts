/** Opening handshakes that never end, by thousands: each is over at its deadline, and none harms others. */

import { describe, expect, test } from 'vitest';
import { Attacker, all, attack, KiB, MiB, request, sleep, tally } from './support.js';

/** node:http looks every quarter of it. */
const DEADLINE = { handshakeTimeout: 600 };
/** Time enough for a machine that has other work; no other deadline would come as soon. */
const LATEST = 8000;

const whole = request();
const half = whole.slice(0, 70);

/** Writes a byte now and then, until the connection is over. */
async function drip(attacker: Attacker, bytes: string, every: number): Promise<void> {
  for (const byte of bytes) {
    if (attacker.isEnded || attacker.isClosed) return;
    attacker.write(byte);
    await Promise.race([sleep(every), attacker.ended]);
  }
}

/** Waits for the server to end the connections; how long the last was there. */
async function allOver(attackers: readonly Attacker[], since: number): Promise<number> {
  await all(attackers, ({ ended }) => ended);
  for (const { socket } of attackers) socket.destroy();
  return performance.now() - since;
}

const statusOf = ({ head, status }: Attacker) => (head === null ? 'no answer' : status);

describe('closed by the deadline', () => {
  const slow: [string, number, (attacker: Attacker) => unknown][] = [
    ['a request that drips, a byte every 200 ms', 300, (attacker) => drip(attacker, whole, 200)],
    ['a header that drips, a byte every 20 ms', 100, (attacker) => drip(attacker, `${half}${'y'.repeat(1000)}`, 20)],
    ['half a request, then silence', 1000, (attacker) => attacker.write(half)],
    ['headers without an end, below maxHeaderSize', 500, (attacker) => attacker.write(half + 'x'.repeat(10 * KiB))],
    ['nothing at all', 1000, () => {}],
  ];
  test.for(slow)('%s', async ([, count, act]) => {
    const { calls } = await attack(DEADLINE, async ({ port }) => {
      const attackers = await Attacker.connectMany(port, count);
      const begun = performance.now();
      for (const attacker of attackers) act(attacker);
      expect(await allOver(attackers, begun)).toBeLessThan(LATEST);
      expect(tally(attackers.map(statusOf))).toEqual({ 408: count });
    });
    expect(calls['upgrade']).toBe(1);
  });

  test('four thousand of all kinds at once, while others come and go', async () => {
    const { calls } = await attack({ ...DEADLINE, handshakeTimeout: 2000 }, async ({ port }) => {
      const openings = [() => {}, (a: Attacker) => a.write(half), (a: Attacker) => void drip(a, whole, 100)];
      const begun = performance.now();
      const attackers = await Attacker.many(4000, async (i) => {
        const attacker = await Attacker.connect(port);
        openings[i % 3](attacker);
        return attacker;
      });
      // Whoever keeps the rules gets in meanwhile.
      const others = await Attacker.openMany(port, 100);
      for (const { socket } of others) socket.resetAndDestroy();
      expect(await allOver(attackers, begun)).toBeLessThan(LATEST);
    });
    expect(calls['open']).toBe(101);
  });

  test('an upgrade that pends longer, of two hundred that flood meanwhile: 503', async () => {
    const { calls } = await attack({ handshakeTimeout: 600, upgradeDelay: 2000 }, async (target) => {
      const attackers = await Attacker.connectMany(target.port, 200);
      for (const attacker of attackers) attacker.write(request({}, 'GET /slow HTTP/1.1'));
      await target.settled((state) => state.calls['upgrade'] >= 200, 'every request to have come');
      for (const attacker of attackers) attacker.write(new Uint8Array(MiB));
      await all(attackers, (attacker) => attacker.until(() => attacker.head !== null, 'an answer'));
      expect(tally(attackers.map(statusOf))).toEqual({ 503: 200 });
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    expect(calls['open']).toBe(1);
  });
});
