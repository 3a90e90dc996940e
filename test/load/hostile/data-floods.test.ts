/** Floods of data frames that carry next to nothing: fragments without end, empty ones, empty messages. */

import { describe, expect, test } from 'vitest';
import { Attacker, all, attack, closeFrame, frame, KiB, MiB, repeated, tally } from './support.js';

const COUNT = 10;

/** Begins a message and continues it without an end, from several connections; the codes that they are closed with. */
async function fragments(port: number, opcode: number, each: Uint8Array, most: number): Promise<(number | string)[]> {
  const attackers = await Attacker.openMany(port, COUNT);
  for (const attacker of attackers) attacker.write(frame(opcode, each, { fin: false }));
  const chunk = repeated(frame(0, each, { fin: false }), 2000);
  const codes = await all(attackers, async (attacker) => {
    const poured = attacker.pour(chunk, Math.ceil(most / 2000), () => attacker.isEnded);
    const code = await attacker.closeCode();
    await poured;
    return code;
  });
  for (const { socket } of attackers) socket.destroy();
  return codes;
}

describe('fragments without end', () => {
  test.for([
    ['of one byte, up to maxFragments', { maxFragments: 100_000 }, 1, 'x', 1008],
    ['of nothing, up to maxFragments', { maxFragments: 100_000 }, 2, '', 1008],
    ['of one byte, up to maxMessageSize', { maxMessageSize: 50_000 }, 2, 'x', 1009],
    ['of one byte of text, by default', {}, 1, 'x', 1008],
  ] as const)('%s', async ([, options, opcode, payload, code]) => {
    const { calls, closeCodes, errorCodes } = await attack(options, async ({ port }) => {
      const codes = await fragments(port, opcode, Buffer.from(payload), 1_000_000);
      expect(tally(codes)).toEqual({ [code]: COUNT });
    });
    expect(closeCodes).toEqual({ 1000: 1, [code]: COUNT });
    expect(errorCodes).toEqual({ [code === 1008 ? 'MAX_FRAGMENTS' : 'MAX_MESSAGE_SIZE']: COUNT });
    expect(calls['error']).toBe(COUNT);
  });

  test('with neither limit: they cost what they carry', async () => {
    const unlimited = { maxFragments: 1e12, maxMessageSize: 1e12 };
    const { closeCodes } = await attack(unlimited, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      for (const attacker of attackers) attacker.write(frame(2, '', { fin: false }));
      await all(attackers, (attacker) => attacker.pour(repeated(frame(0, '', { fin: false }), 10_000), 20));
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 1006: COUNT });
  });
});

describe('messages of nothing', () => {
  test('a million, each answered, and read', async () => {
    const { calls, closeCodes, mostQueued } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      await all(attackers, async (attacker) => {
        await attacker.pour(repeated(frame(2), 5000), 20);
        attacker.write(closeFrame(1000));
        await attacker.ended;
        // 200000 bytes of echoes, our Close with a code, and the answer to the request.
        expect(attacker.received - (attacker.head?.length ?? 0) - 2).toBe(100_000 * 2 + 4);
        attacker.socket.destroy();
      });
    });
    expect(calls['message']).toBeGreaterThan(COUNT * 100_000);
    expect(closeCodes).toEqual({ 1000: COUNT + 1 });
    expect(mostQueued).toBeLessThan(MiB);
  });

  test('not read: TCP holds the attacker, and little waits', async () => {
    const { mostQueued } = await attack({ sendHighWater: 16 * KiB }, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      for (const { socket } of attackers) socket.pause();
      const ends = await all(attackers, (attacker) => attacker.pourUntilStuck(repeated(frame(1), 5000), 2000));
      expect(tally(ends)).toEqual({ stuck: COUNT });
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    expect(mostQueued).toBeLessThan(64 * KiB);
  });
});
