/** Peers that do not end what they should, end early, or do not read what they get. */

import { describe, expect, test } from 'vitest';
import { Attacker, all, attack, closeFrame, frame, KiB, MiB, noise, request, tally } from './support.js';

const COUNT = 200;
const SHORT = { closeTimeout: 300 };

describe('never', () => {
  test('answering a Close: cut off by the deadline', async () => {
    const { closeCodes, errorCodes } = await attack(SHORT, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      for (const attacker of attackers) attacker.write(frame(1, '!close 4000'));
      await all(attackers, ({ ended }) => ended);
      expect(tally(await all(attackers, (attacker) => attacker.closeCode()))).toEqual({ 4000: COUNT });
      for (const { socket } of attackers) socket.destroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 1006: COUNT });
    expect(errorCodes).toEqual({ CLOSE_TIMEOUT: COUNT });
  });

  test('answering a Close, talking on: cut off by the deadline', async () => {
    const { closeCodes } = await attack(SHORT, async ({ port }) => {
      const attackers = await Attacker.openMany(port, 20);
      for (const attacker of attackers) attacker.write(frame(1, '!close 4000'));
      await all(attackers, (attacker) => attacker.pour(frame(2, noise(20 * KiB)), 1e6));
    });
    expect(closeCodes).toEqual({ 1000: 1, 1006: 20 });
  });

  test('ending the stream after both Closes: cut off by the deadline', async () => {
    const { closeCodes, errorCodes } = await attack(SHORT, async (target) => {
      const attackers = await Attacker.openMany(target.port, COUNT);
      for (const attacker of attackers) attacker.write(closeFrame(4001));
      await all(attackers, ({ ended }) => ended);
      // What this side does not end, the server has to; only the witness is left.
      await target.settled(({ size, resources }) => size === 1 && resources['TCPSocketWrap'] === 1, 'the deadline');
      for (const { socket } of attackers) socket.destroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 4001: COUNT });
    expect(errorCodes).toEqual({});
  });

  test('ending the stream after a violation, talking on: cut off by the deadline', async () => {
    const { closeCodes } = await attack(SHORT, async ({ port }) => {
      const attackers = await Attacker.openMany(port, 20);
      for (const attacker of attackers) attacker.write(frame(3));
      await all(attackers, (attacker) => attacker.pour(noise(20 * KiB), 1e6));
    });
    expect(closeCodes).toEqual({ 1000: 1, 1002: 20 });
  });

  test('answering a keep-alive', async () => {
    const { closeCodes, errorCodes } = await attack({ pingInterval: 300, pingTimeout: 300 }, async (target) => {
      const attackers = await Attacker.openMany(target.port, COUNT);
      await target.settled(({ size }) => size === 1, 'the silent ones to be dropped');
      for (const { socket } of attackers) socket.destroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 1006: COUNT });
    expect(errorCodes).toEqual({ PING_TIMEOUT: COUNT });
  });
});

describe('ending the stream early', () => {
  const halves: [string, string | Uint8Array, number][] = [
    ['right after the 101', '', 1006],
    ['in the middle of a frame', frame(2, noise(1000)).subarray(0, 500), 1006],
    ['in the middle of a message', frame(1, 'x', { fin: false }), 1006],
    ['behind a message', frame(2, noise(50_000)), 1006],
    ['behind a Close', closeFrame(4001), 4001],
  ];
  test.for(halves)('%s, and staying: what was owed is sent, and that is all', async ([, bytes, code]) => {
    const { closeCodes } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      for (const { socket } of attackers) socket.end(bytes);
      await all(attackers, ({ closed }) => closed);
      for (const { error } of attackers) expect(error).toBeNull();
    });
    expect(closeCodes).toEqual({ 1000: 1, [code]: COUNT });
  });

  test('behind the request, whose answer is owed', async () => {
    const { calls } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.connectMany(port, COUNT);
      for (const { socket } of attackers) socket.end(request());
      await all(attackers, ({ closed }) => closed);
    });
    expect(calls['close']).toBe(calls['open']);
  });
});

describe('not reading', () => {
  test('what is sent without regard: no more than sendHardLimit is held', async () => {
    const sendHardLimit = MiB;
    const { mostQueued, errorCodes } = await attack({ sendHardLimit, rss: 96 * MiB }, async (target) => {
      const attackers = await Attacker.openMany(target.port, 10);
      for (const attacker of attackers) {
        attacker.socket.pause();
        attacker.write(frame(1, '!pour 65536'));
      }
      await target.settled((state) => state.errorCodes['SEND_HARD_LIMIT'] > 10_000, 'the limit to be passed often');
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    expect(mostQueued).toBeLessThanOrEqual(sendHardLimit + 100);
    expect(mostQueued).toBeGreaterThan(sendHardLimit / 2);
    expect(errorCodes['SEND_HARD_LIMIT']).toBeGreaterThan(0);
  });

  test('what is sent with regard: little is held, for hundreds of them', async () => {
    const { mostQueued } = await attack({ rss: 96 * MiB }, async (target) => {
      const attackers = await Attacker.openMany(target.port, COUNT);
      for (const attacker of attackers) {
        attacker.socket.pause();
        attacker.write(frame(1, '!fill 16384'));
      }
      let drains = -1;
      // When nobody's drain comes any more, all are stuck.
      await target.settled(({ calls }) => {
        const isStuck = calls['drain'] === drains && calls['message'] >= COUNT;
        drains = calls['drain'];
        return isStuck;
      }, 'all to be stuck');
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    expect(mostQueued).toBeLessThan(100 * KiB);
  });

  test('while a Close waits behind megabytes: cut off by the deadline', async () => {
    const { closeCodes } = await attack(
      { ...SHORT, overflow: 'close', sendHardLimit: 8 * MiB, rss: 256 * MiB },
      async (target) => {
        const attackers = await Attacker.openMany(target.port, 10);
        for (const attacker of attackers) {
          attacker.socket.pause();
          attacker.write(frame(1, '!pour 65536'));
        }
        await target.settled(({ size }) => size === 1, 'the deadline');
        for (const { socket } of attackers) socket.destroy();
      },
    );
    expect(closeCodes).toEqual({ 1000: 1, 1006: 10 });
  });
});
