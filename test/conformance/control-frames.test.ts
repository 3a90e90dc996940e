/** RFC 6455 §5.5: control frames. */

import { CloseConnection, Ping } from '../../src/core/events.js';
import {
  BIN,
  type Case,
  CLOSE,
  conform,
  got,
  LOCAL_CLOSING,
  PING,
  PONG,
  ping,
  pong,
  refused,
  text,
} from './support.js';

const sizes = [0, 1, 2, 3, 4, 5, 63, 124, 125];

conform('5.5 payloads up to 125 bytes', [
  ...sizes.map((size) => ({
    name: `a Ping of ${size}`,
    options: { autoPong: true },
    input: [ping('p'.repeat(size))],
    events: [got.ping('p'.repeat(size))],
    sent: [[PONG, 'p'.repeat(size)]] as const,
  })),
  ...sizes.map((size) => ({
    name: `an unsolicited Pong of ${size}`,
    options: { autoPong: true },
    input: [pong('p'.repeat(size))],
    events: [got.pong('p'.repeat(size))],
  })),
  {
    name: 'a payload that is not UTF-8',
    options: { autoPong: true },
    input: [ping(Uint8Array.of(0xff, 0xfe, 0, 0xed, 0xa0, 0x80))],
    events: [got.ping('\xff\xfe\0\xed\xa0\x80')],
    sent: [[PONG, '\xff\xfe\0\xed\xa0\x80']],
  },
]);

const controls = [CLOSE, PING, PONG];

conform('5.5 what is refused', [
  ...controls.flatMap((opcode): Case[] => [
    {
      name: `opcode ${opcode} with 126 bytes`,
      input: [{ opcode, payload: 'p'.repeat(126) }],
      ...refused(1002, 'CONTROL_TOO_LONG'),
      decidedAt: { server: 2, client: 2 },
    },
    {
      name: `opcode ${opcode} with 65536 bytes`,
      input: [{ opcode, payload: 'p'.repeat(65536) }],
      ...refused(1002, 'CONTROL_TOO_LONG'),
    },
    {
      name: `opcode ${opcode} with 5 bytes in 16 bits`,
      input: [{ opcode, payload: 'p'.repeat(5), lengthForm: 16 }],
      ...refused(1002, 'CONTROL_TOO_LONG'),
    },
    {
      name: `opcode ${opcode} without FIN`,
      input: [{ opcode, fin: false }],
      ...refused(1002, 'FRAGMENTED_CONTROL'),
      decidedAt: { server: 1, client: 1 },
    },
    {
      name: `opcode ${opcode} without FIN inside a message`,
      input: [text('a', false), { opcode, fin: false, payload: 'ab' }],
      ...refused(1002, 'FRAGMENTED_CONTROL'),
    },
  ]),
]);

conform('5.5.2 Pings', [
  {
    name: 'are not answered without autoPong',
    input: [ping('a'), ping('b')],
    events: [got.ping('a'), got.ping('b')],
  },
  {
    name: 'are answered neither when autoPong is on nor otherwise after our Close',
    options: { autoPong: true },
    before: [new CloseConnection(1000)],
    input: [ping('a'), { opcode: BIN, payload: 'b' }],
    events: [got.ping('a'), got.bytes('b')],
    sent: [[CLOSE, 1000]],
    state: LOCAL_CLOSING,
  },
  {
    name: 'and Pongs cross',
    before: [new Ping(Buffer.from('ours'))],
    options: { autoPong: true },
    input: [ping('theirs'), pong('ours')],
    events: [got.ping('theirs'), got.pong('ours')],
    sent: [
      [PING, 'ours'],
      [PONG, 'theirs'],
    ],
  },
]);
