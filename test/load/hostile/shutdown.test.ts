/** Shutting down while connections of every kind are there, none of which will help. */

import { expect, test } from 'vitest';
import { Attacker, all, closeFrame, frame, noise, request, Target } from './support.js';

const COUNT = 50;

type Stage = readonly [begin: 'connect' | 'open', act: (attacker: Attacker) => unknown];

const STAGES: readonly Stage[] = [
  ['connect', () => {}],
  ['connect', (attacker) => attacker.write(request().slice(0, 50))],
  ['connect', (attacker) => attacker.write(request({}, 'GET /slow HTTP/1.1'))],
  ['connect', (attacker) => attacker.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx')],
  ['open', () => {}],
  ['open', (attacker) => attacker.write(frame(2, noise(1000)).subarray(0, 500))],
  ['open', (attacker) => attacker.write(frame(1, 'x', { fin: false }))],
  ['open', (attacker) => attacker.write(closeFrame(4000))],
  ['open', (attacker) => attacker.write(frame(3))],
  ['open', (attacker) => attacker.write(frame(1, '!close 4000'))],
  [
    'open',
    (attacker) => {
      attacker.socket.pause();
      attacker.write(frame(1, '!fill 65536'));
    },
  ],
];

test('is over at its timeout, and leaves nothing', async () => {
  const target = await Target.start({ upgradeDelay: 20_000, handshakeTimeout: 20_000, closeTimeout: 20_000 });
  const { resources } = await target.state();
  const attackers = await Attacker.many(STAGES.length * COUNT, async (i) => {
    const [begin, act] = STAGES[i % STAGES.length];
    const attacker = await Attacker[begin](target.port);
    act(attacker);
    return attacker;
  });
  const slow = STAGES.filter(([begin]) => begin === 'open').length + 1;
  await target.settled(({ calls }) => calls['upgrade'] >= slow * COUNT, 'every request to have come');
  const took = await target.close({ timeout: 300 });
  expect(took).toBeLessThan(8000);
  expect(took).toBeGreaterThan(290);
  for (const { socket } of attackers) socket.resume();
  await all(attackers, ({ closed, ended }) => Promise.race([ended, closed]));
  for (const { socket } of attackers) socket.destroy();
  const after = await target.settled(
    (state) => (state.resources['TCPSocketWrap'] ?? 0) === 0,
    'every socket to be gone',
  );
  const { TCPServerWrap: _server, ...others } = resources;
  expect(after).toMatchObject({ size: 0, timers: 0, resources: others });
  expect(after.calls['close']).toBe(after.calls['open']);
  expect(await target.report()).toMatchObject({ warnings: [], rejections: [], exceptions: [] });
  await target.end();
});
