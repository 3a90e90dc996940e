/** Requests that are too large, and ordinary ones in the way of a WebSocket. */

import { describe, expect, test } from 'vitest';
import { Attacker, all, attack, KiB, MiB, request, tally } from './support.js';

const whole = request();
const half = whole.slice(0, 70);

describe('answered at the limit', () => {
  const many = Array.from({ length: 200 }, (_, i) => `X-${i}: ${i}\r\n`).join('');
  const over: [string, string, number][] = [
    ['headers without an end, over maxHeaderSize', `${half}${'x'.repeat(20 * KiB)}`, 431],
    ['fields without an end, over maxHeaderSize', `${half}\r\n${many.repeat(20)}`, 431],
    ['a target over maxHeaderSize', `GET /${'x'.repeat(20 * KiB)}`, 431],
    ['more fields than maxHeaderFields', whole.replace('\r\n\r\n', `\r\n${many}\r\n`), 431],
    [
      'a field of ten kilobytes a hundred times over',
      `${half}\r\n${`X: ${'x'.repeat(10 * KiB)}\r\n`.repeat(100)}`,
      431,
    ],
  ];
  test.for(over)('%s', async ([, bytes, code]) => {
    const { calls } = await attack({}, async ({ port }) => {
      const attackers = await Attacker.connectMany(port, 200);
      for (const attacker of attackers) attacker.write(bytes);
      await all(attackers, ({ ended }) => ended);
      // What was sent behind the limit may be met by a reset, which takes the answer with it.
      const answers = tally(attackers.map(({ head, status }) => (head === null ? 'no answer' : status)));
      expect((answers[code] ?? 0) + (answers['no answer'] ?? 0)).toBe(200);
      for (const { socket } of attackers) socket.destroy();
    });
    expect(calls['upgrade']).toBe(1);
  });
});

describe('ordinary requests', () => {
  test('pipelined by ten thousands, whose answers are not read: TCP holds the attacker', async () => {
    // What costs is node:http's: an object for each request of the chunk under way.
    await attack({ rss: 200 * MiB }, async ({ port }) => {
      const attackers = await Attacker.connectMany(port, 10);
      for (const { socket } of attackers) socket.pause();
      const chunk = Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000));
      const ends = await all(attackers, (attacker) => attacker.pourUntilStuck(chunk, 500));
      expect(tally(ends)).toEqual({ stuck: 10 });
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
  });

  test('a WebSocket asked for behind one that is not answered yet: cut off', async () => {
    const { calls } = await attack({ answerDelay: 200 }, async (target) => {
      const attackers = await Attacker.connectMany(target.port, 200);
      for (const attacker of attackers) attacker.write(`GET / HTTP/1.1\r\nHost: x\r\n\r\n${whole}`);
      await all(attackers, ({ closed, ended }) => Promise.race([ended, closed]));
      await target.settled((state) => state.calls['answer'] >= 200, 'the late answers, which nobody gets');
      for (const { socket } of attackers) socket.destroy();
    });
    expect([calls['request'], calls['open']]).toEqual([200, 1]);
  });
});
