/** Connections that are reset (RST), two hundred at a time, at every stage of their lives. */

import { expect, test } from 'vitest';
import {
  Attacker,
  all,
  attack,
  closeFrame,
  frame,
  MiB,
  noise,
  request,
  type Target,
  type TargetOptions,
} from './support.js';

const COUNT = 200;

/** What has left this process: a reset discards the rest. */
async function sent({ socket }: Attacker): Promise<void> {
  if (socket.writableLength > 0) await new Promise<void>((resolve) => socket.write('', () => resolve()));
}

const bare = (port: number) => Attacker.connectMany(port, COUNT);
const open = (port: number) => Attacker.openMany(port, COUNT);

interface Stage {
  readonly name: string;
  readonly options?: TargetOptions;
  readonly begin: (port: number) => Promise<Attacker[]>;
  readonly act?: (attacker: Attacker) => unknown;
  /** What must have happened on the server before the reset. */
  readonly seen?: (target: Target) => Promise<unknown>;
  /** The codes that `close` may be called with, COUNT times in all; none where the connection did not open. */
  readonly codes: readonly number[];
}

const calls = (name: string, count: number) => (target: Target) =>
  target.settled((state) => state.calls[name] >= count, `${count} calls of ${name}`);

const STAGES: Stage[] = [
  { name: 'before the request', begin: bare, codes: [] },
  { name: 'in the middle of the request', begin: bare, act: (a) => a.write(request().slice(0, 90)), codes: [] },
  {
    name: 'after the request, before the 101',
    begin: bare,
    act: (a) => a.write(request()),
    // Those of whom the server reads the reset first never open.
    codes: [0, 1006],
  },
  {
    name: 'while an upgrade is pending',
    options: { upgradeDelay: 200 },
    begin: bare,
    act: (a) => a.write(request({}, 'GET /slow HTTP/1.1')),
    seen: calls('upgrade', COUNT),
    codes: [0, 1006],
  },
  { name: 'right after the 101', begin: open, codes: [1006] },
  {
    name: 'in the middle of a header',
    begin: open,
    act: (a) => a.write(frame(2, noise(1000)).subarray(0, 3)),
    codes: [1006],
  },
  {
    name: 'in the middle of a payload',
    begin: open,
    act: (a) => a.write(frame(2, noise(1000)).subarray(0, 99)),
    codes: [1006],
  },
  {
    name: 'in the middle of a message',
    begin: open,
    act: (a) => a.write(frame(1, 'x', { fin: false })),
    codes: [1006],
  },
  { name: 'after a message', begin: open, act: (a) => a.write(frame(2, noise(50_000))), codes: [1006] },
  {
    name: 'while the server writes much',
    options: { sendHardLimit: 4 * MiB },
    begin: open,
    act: (a) => {
      a.socket.pause();
      a.write(frame(1, '!fill 65536'));
    },
    seen: calls('message', COUNT),
    codes: [1006],
  },
  {
    name: 'in the closing handshake that the server began',
    begin: open,
    act: async (a) => {
      a.write(frame(1, '!close 4000'));
      await a.closeCode();
    },
    codes: [1006],
  },
  { name: 'right after its Close', begin: open, act: (a) => a.write(closeFrame(4001)), codes: [1006, 4001] },
  {
    name: 'after both Closes',
    begin: open,
    act: async (a) => {
      a.write(closeFrame(4001));
      await a.ended;
    },
    codes: [4001],
  },
  {
    name: 'after a violation',
    begin: open,
    act: async (a) => {
      a.write(frame(3));
      await a.closeCode();
    },
    codes: [1002],
  },
];

test.for(STAGES)('$name', async ({ options = {}, begin, act, seen, codes }) => {
  const { closeCodes, errorCodes } = await attack(options, async (target) => {
    const attackers = await begin(target.port);
    await all(attackers, async (attacker) => {
      await act?.(attacker);
      await sent(attacker);
    });
    await seen?.(target);
    for (const { socket } of attackers) socket.resetAndDestroy();
    await all(attackers, ({ closed }) => closed);
  });
  const { 1000: witness, ...others } = closeCodes;
  expect(witness).toBe(1);
  const total = Object.values(others).reduce((sum, count) => sum + count, 0);
  if (codes.includes(0)) expect(total).toBeLessThanOrEqual(COUNT);
  else expect(total).toBe(codes.length === 0 ? 0 : COUNT);
  for (const code of Object.keys(others)) expect(codes).toContain(Number(code));
  for (const code of Object.keys(errorCodes)) expect(['ECONNRESET', 'EPIPE', 'RESERVED_OPCODE']).toContain(code);
});
