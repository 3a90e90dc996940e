/** Frames whose headers announce much: what was not sent must cost nothing. */

import { describe, expect, test } from 'vitest';
import { Attacker, all, attack, closeFrame, concat, frame, KiB, MiB, noise, sleep, tally } from './support.js';

const COUNT = 300;
const EMPTY = new Uint8Array(0);

/** The header of a frame that says it has so many bytes. */
function announce(length: number | bigint, opcode = 2, fin = true): Uint8Array {
  return frame(opcode, EMPTY, { claim: BigInt(length), fin });
}

/** Has a message echoed, and with it sends what announces; it was looked at when the echo is here. */
async function announced(attackers: readonly Attacker[], bytes: Uint8Array): Promise<void> {
  for (const attacker of attackers) attacker.write(concat(frame(1, 'x'), bytes));
  await all(attackers, (attacker) => attacker.until(() => attacker.frames.length === 1, 'an echo'));
}

describe('announced, and never sent', () => {
  test.for([
    ['the largest that is allowed', {}, announce(16 * MiB)],
    ['a gigabyte, where two are allowed', { maxMessageSize: 2 ** 31 }, announce(2 ** 30)],
    ['text, with a byte of it', {}, frame(1, 'x', { claim: BigInt(16 * MiB) })],
    ['a continuation', {}, concat(frame(2, noise(10), { fin: false }), announce(16 * MiB - 10, 0))],
    ['half a header', {}, announce(16 * MiB).subarray(0, 7)],
    ['a header without its key', {}, announce(16 * MiB).subarray(0, 10)],
  ] as const)('%s, on three hundred connections', async ([, options, bytes]) => {
    const { closeCodes } = await attack({ ...options, rss: 32 * MiB }, async (target) => {
      const attackers = await Attacker.openMany(target.port, COUNT);
      const { memory } = await target.report();
      await announced(attackers, bytes);
      // For a megabyte a connection it would be three hundred.
      expect((await target.report()).memory.held - memory.held).toBeLessThan(4 * MiB);
      for (const { socket } of attackers) socket.destroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 1006: COUNT });
  });

  test.for([
    ['a byte more than is allowed', announce(16 * MiB + 1), 'MAX_MESSAGE_SIZE', 1009],
    ['the largest number of bytes', announce(2n ** 63n - 1n), 'MAX_MESSAGE_SIZE', 1009],
    ['a length with the highest bit', announce(2n ** 63n), 'LENGTH_RESERVED_BIT', 1002],
    ['a Ping of a gigabyte', announce(2 ** 30, 9), 'CONTROL_TOO_LONG', 1002],
  ] as const)('%s: refused before it comes', async ([, bytes, name, code]) => {
    const { errorCodes } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      for (const attacker of attackers) attacker.write(bytes);
      expect(tally(await all(attackers, (attacker) => attacker.closeCode()))).toEqual({ [code]: COUNT });
      for (const { socket } of attackers) socket.destroy();
    });
    expect(errorCodes).toEqual({ [name]: COUNT });
  });
});

describe('dripped', () => {
  test('sixteen megabytes, a byte at a time: what has come is what is held', async () => {
    const { closeCodes } = await attack({ rss: 32 * MiB }, async (target) => {
      const attackers = await Attacker.openMany(target.port, 100);
      const { memory } = await target.report();
      await announced(attackers, announce(16 * MiB));
      for (let i = 0; i < 100; i++) {
        for (const attacker of attackers) attacker.write('x');
        await sleep(5);
      }
      expect((await target.report()).memory.held - memory.held).toBeLessThan(2 * MiB);
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 1006: 100 });
  });

  test('a megabyte in a thousand pieces, on twenty connections, echoed at its end', async () => {
    const message = noise(MiB);
    const { closeCodes } = await attack({ rss: 128 * MiB }, async ({ port }) => {
      const attackers = await Attacker.openMany(port, 20);
      await all(attackers, async (attacker) => {
        const bytes = frame(2, message);
        for (let at = 0; at < bytes.length; at += KiB) await attacker.pour(bytes.subarray(at, at + KiB), 1);
        attacker.write(closeFrame(1000));
        await attacker.ended;
        expect(attacker.received - (attacker.head?.length ?? 0) - 2).toBe(MiB + 10 + 4);
        attacker.socket.destroy();
      });
    });
    expect(closeCodes).toEqual({ 1000: 21 });
  });

  test('frames and headers cut at every byte', async () => {
    const bytes = concat(frame(1, 'x'.repeat(200)), frame(9, 'ping'), frame(2, noise(300)), closeFrame(4000));
    const { closeCodes } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.openMany(port, 20);
      await all(attackers, async (attacker) => {
        for (const byte of bytes) await attacker.pour(Uint8Array.of(byte), 1);
        expect(await attacker.closeCode()).toBe(4000);
        attacker.socket.destroy();
      });
    });
    expect(closeCodes).toEqual({ 1000: 1, 4000: 20 });
  });
});
