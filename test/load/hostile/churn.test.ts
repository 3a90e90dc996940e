/** Connections that come and go by thousands: nothing of them may stay. */

import { expect, test } from 'vitest';
import { Attacker, all, attack, closeFrame, frame, request } from './support.js';

const WAVES = 10;
const WAVE = 500;

/** What becomes of a connection. */
type Life = (attacker: Attacker) => unknown;

const drop: Life = ({ socket }) => socket.destroy();
const reset: Life = ({ socket }) => socket.resetAndDestroy();

test('five thousand without a handshake', async () => {
  const { calls } = await attack({}, async ({ port }) => {
    const begun: Life[] = [drop, reset, (a) => a.socket.end('GET / HT'), (a) => a.socket.end(request().slice(0, -2))];
    for (let wave = 0; wave < WAVES; wave++) {
      const attackers = await Attacker.connectMany(port, WAVE);
      for (const [i, attacker] of attackers.entries()) begun[i % begun.length](attacker);
      await all(attackers, ({ ended }) => ended);
      for (const { socket } of attackers) socket.destroy();
    }
  });
  expect(calls['open']).toBe(1);
});

test('five thousand with one', async () => {
  const { calls, closeCodes } = await attack({}, async ({ port }) => {
    const lives: Life[] = [
      drop,
      reset,
      async (attacker) => {
        attacker.write(closeFrame(4000));
        await attacker.ended;
        attacker.socket.destroy();
      },
      async (attacker) => {
        attacker.write(frame(1, 'hello'));
        await attacker.until(() => attacker.frames.length === 1, 'an echo');
        attacker.socket.destroy();
      },
    ];
    for (let wave = 0; wave < WAVES; wave++) {
      const attackers = await Attacker.openMany(port, WAVE);
      await Promise.all(attackers.map((attacker, i) => lives[i % lives.length](attacker)));
    }
  });
  expect(calls['open']).toBe(WAVES * WAVE + 1);
  expect(closeCodes).toEqual({ 1000: 1, 1006: (WAVES * WAVE * 3) / 4, 4000: (WAVES * WAVE) / 4 });
});
