/** Bytes that are no HTTP, no WebSocket, or come when nothing may come any more. */

import { describe, expect, test } from 'vitest';
import { Attacker, all, attack, closeFrame, concat, frame, KiB, MiB, noise, request, tally } from './support.js';

const COUNT = 100;

/** The first message of a TLS handshake, as far as a server looks at it. */
const CLIENT_HELLO = concat(Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3), noise(505));

describe('in place of a request', () => {
  const nonsense: [string, (index: number) => string | Uint8Array][] = [
    ['random bytes', (i) => noise(10 * KiB, i)],
    ['zeros', () => new Uint8Array(10 * KiB)],
    ['line ends', () => '\r\n'.repeat(10 * KiB)],
    ['TLS', () => CLIENT_HELLO],
    ['HTTP/2', () => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\0'.repeat(100)}`],
    ['a frame', () => frame(1, 'hello')],
    ['HTTP/1.0 with an upgrade', () => request({}, 'GET / HTTP/1.0')],
    ['a method that is none', () => request({}, 'FETCH / HTTP/1.1')],
    ['CONNECT', () => request({}, 'CONNECT localhost:80 HTTP/1.1')],
    ['an upgrade with a body', () => request({ 'Content-Length': '100000' }) + 'x'.repeat(100_000)],
    ['chunks of nonsense', () => `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['two lengths', () => 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['random bytes behind half a request', (i) => concat(Buffer.from(request().slice(0, 60)), noise(KiB, i))],
  ];

  test('everything at once, a hundred times each', async () => {
    const { calls } = await attack({ handshakeTimeout: 600 }, async ({ port }) => {
      const attackers = await Attacker.connectMany(port, nonsense.length * COUNT);
      for (const [i, attacker] of attackers.entries()) attacker.write(nonsense[i % nonsense.length][1](i));
      await all(attackers, (attacker) => attacker.until(() => attacker.isEnded || attacker.head !== null, 'an answer'));
      const opened = attackers.flatMap(({ head }, i) =>
        head?.includes(' 101 ') ? [nonsense[i % nonsense.length][0]] : [],
      );
      expect(opened).toEqual([]);
      for (const { socket } of attackers) socket.destroy();
    });
    expect(calls['open']).toBe(1);
  });
});

describe('after the 101', () => {
  test('random bytes, of five hundred kinds', async () => {
    const { closeCodes } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.openMany(port, 500);
      for (const [i, attacker] of attackers.entries()) attacker.write(noise(5 * KiB, i + 1));
      const codes = tally(await all(attackers, (attacker) => attacker.closeCode()));
      for (const code of Object.keys(codes)) expect(['1002', '1007', '1009']).toContain(code);
      expect(codes['1002']).toBeGreaterThan(200);
      for (const { socket } of attackers) socket.destroy();
    });
    expect(Object.values(closeCodes).reduce((sum, count) => sum + count)).toBe(501);
  });

  test('frames of random bytes, masked as they should be', async () => {
    const { closeCodes } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      for (const [i, attacker] of attackers.entries()) attacker.write(frame(1, noise(KiB, i + 1)));
      expect(tally(await all(attackers, (attacker) => attacker.closeCode()))).toEqual({ 1007: COUNT });
      for (const { socket } of attackers) socket.destroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 1007: COUNT });
  });

  test('HTTP and TLS', async () => {
    const { closeCodes } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.openMany(port, COUNT);
      for (const [i, attacker] of attackers.entries()) attacker.write(i % 2 === 0 ? request() : CLIENT_HELLO);
      expect(tally(await all(attackers, (attacker) => attacker.closeCode()))).toEqual({ 1002: COUNT });
      for (const { socket } of attackers) socket.destroy();
    });
    expect(closeCodes).toEqual({ 1000: 1, 1002: COUNT });
  });
});

describe('after a Close', () => {
  test.for([
    ['theirs', closeFrame(4000), 4000],
    ['ours, for a violation', frame(3), 1002],
  ] as const)('%s: hundreds of megabytes are read and forgotten', async ([, bytes, code]) => {
    const { closeCodes, calls } = await attack({ closeTimeout: 10_000 }, async ({ port }) => {
      const attackers = await Attacker.openMany(port, 4);
      await all(attackers, async (attacker) => {
        attacker.write(bytes);
        await attacker.pour(noise(MiB), 60);
        expect(await attacker.closeCode()).toBe(code);
        attacker.socket.destroy();
      });
    });
    expect(closeCodes).toEqual({ 1000: 1, [code]: 4 });
    expect(calls['close']).toBe(5);
  });

  test('ours: messages come still and are handled, never stored; nothing is answered', async () => {
    const { closeCodes, mostQueued } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.openMany(port, 4);
      await all(attackers, async (attacker) => {
        attacker.write(frame(1, '!close 4000'));
        expect(await attacker.closeCode()).toBe(4000);
        await attacker.pour(concat(frame(2, noise(MiB)), frame(9, 'ping')), 60);
        attacker.write(closeFrame(4001));
        await attacker.ended;
        expect(attacker.frames).toHaveLength(1);
        attacker.socket.destroy();
      });
    });
    expect(closeCodes).toEqual({ 1000: 1, 4001: 4 });
    expect(mostQueued).toBeLessThan(64 * KiB);
  });
});
