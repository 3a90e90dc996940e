/** Every violation there is, by hundreds of connections at once: each gets its close code, and no other. */

import { expect, test } from 'vitest';
import * as violations from '../../../src/core/violations.js';
import { ScanStatus } from '../../../src/kernels/index.js';
import { Attacker, all, attack, closeFrame, concat, frame, KiB, noise } from './support.js';

const COUNT = 40;
const LIMITS = { maxMessageSize: 64 * KiB, maxFrameSize: 32 * KiB, maxFragments: 10 };
const EMPTY = new Uint8Array(0);

/** One way at least into each violation, by its code. */
const WAYS: Readonly<Record<string, readonly [closeCode: number, ...ways: Uint8Array[]]>> = {
  RESERVED_BITS: [1002, ...[0x40, 0x20, 0x10].map((rsv) => frame(1, 'x', { rsv }))],
  RESERVED_OPCODE: [1002, ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => frame(opcode, 'x'))],
  FRAGMENTED_CONTROL: [1002, ...[8, 9, 10].map((opcode) => frame(opcode, '', { fin: false }))],
  MASK_REQUIRED: [1002, frame(1, 'x', { key: null }), frame(9, '', { key: null })],
  CONTROL_TOO_LONG: [1002, frame(9, noise(126)), frame(8, noise(60_000))],
  LENGTH_NOT_MINIMAL: [1002, frame(1, 'x', { lengthBytes: 2 }), frame(2, noise(200), { lengthBytes: 8 })],
  LENGTH_RESERVED_BIT: [1002, frame(2, EMPTY, { claim: 2n ** 63n })],
  UNEXPECTED_CONTINUATION: [1002, frame(0, 'x'), concat(frame(1, 'x'), frame(0, 'y', { fin: false }))],
  EXPECTED_CONTINUATION: [1002, concat(frame(1, 'x', { fin: false }), frame(2, 'y'))],
  INVALID_UTF8: [
    1007,
    frame(1, Uint8Array.of(0xff)),
    concat(frame(1, Uint8Array.of(0xc3), { fin: false }), frame(0, 'x')),
  ],
  INVALID_CLOSE_PAYLOAD: [1002, frame(8, 'x')],
  INVALID_CLOSE_CODE: [1002, ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535].map((code) => closeFrame(code))],
  INVALID_CLOSE_REASON: [1007, frame(8, Uint8Array.of(3, 0xe8, 0xc3, 0x28))],
  MAX_FRAME_SIZE: [1009, frame(2, EMPTY, { claim: 32n * 1024n + 1n })],
  MAX_MESSAGE_SIZE: [
    1009,
    concat(...Array.from({ length: 3 }, (_, i) => frame(i === 0 ? 2 : 0, noise(30_000), { fin: false }))),
  ],
  MAX_FRAGMENTS: [1008, concat(...Array.from({ length: 11 }, (_, i) => frame(i === 0 ? 2 : 0, '', { fin: false })))],
};

/** An extension decodes the one, of which there is none; a client finds the other. */
const NOT_HERE = ['INVALID_PAYLOAD', 'MASK_FORBIDDEN'];

test('the table is whole', () => {
  const named = Object.values(violations).flatMap((one) =>
    typeof one === 'object' && 'code' in one ? [one.code] : [],
  );
  const statuses = Object.values(ScanStatus).filter((status): status is ScanStatus => Number(status) >= 16);
  const scanned = statuses.map((status) => violations.headerViolation(status, violations.MAX_FRAME_SIZE).code);
  expect([...new Set([...named, ...scanned])].sort()).toEqual([...Object.keys(WAYS), ...NOT_HERE].sort());
});

test('all at once, on hundreds of connections', async () => {
  const ways = Object.entries(WAYS).flatMap(([name, [code, ...bytes]]) => bytes.map((each) => ({ name, code, each })));
  const { errorCodes, closeCodes, calls } = await attack(LIMITS, async ({ port }) => {
    for (let round = 0; round < COUNT / 10; round++) {
      const attackers = await Attacker.openMany(port, ways.length * 10);
      const wayOf = (i: number) => ways[i % ways.length];
      for (const [i, attacker] of attackers.entries())
        attacker.write(concat(frame(1, 'good'), wayOf(i).each, noise(100)));
      const codes = await all(attackers, (attacker) => attacker.closeCode());
      for (const [i, code] of codes.entries()) expect(code, wayOf(i).name).toBe(wayOf(i).code);
      for (const [i, { socket }] of attackers.entries()) i % 2 === 0 ? socket.destroy() : socket.resetAndDestroy();
    }
  });
  const expected = Object.entries(WAYS).map(([name, [, ...bytes]]) => [name, bytes.length * COUNT]);
  expect(errorCodes).toEqual(Object.fromEntries(expected));
  expect(Object.values(closeCodes).reduce((sum, count) => sum + count)).toBe(ways.length * COUNT + 1);
  expect(calls['open']).toBe(ways.length * COUNT + 1);
});
