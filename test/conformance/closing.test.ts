/** RFC 6455 §5.5.1, §7: closing, in every order, with every code, and the end of the stream at every stage. */

import { CloseConnection, TextMessage } from '../../src/core/events.js';
import {
  AFTER_CLOSE,
  BIN,
  binary,
  type Case,
  CLOSE,
  CLOSED,
  close,
  conform,
  cont,
  got,
  hex,
  LOCAL_CLOSING,
  ping,
  pong,
  REMOTE_CLOSING,
  refused,
  TEXT,
  text,
  utf8,
} from './support.js';

const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];

const FINISHED = { state: CLOSED, transport: AFTER_CLOSE } as const;
const autoClose = { autoClose: true } as const;
const ours = [new CloseConnection(1001, 'ours')];

conform('7.4 codes', [
  ...VALID.flatMap((code): Case[] => [
    { name: `${code}, not answered`, input: [close(code)], events: [got.close(code)], state: REMOTE_CLOSING },
    {
      name: `${code} with a reason, answered by autoClose`,
      options: autoClose,
      input: [close(code, 'bye ✓')],
      events: [got.close(code, 'bye ✓')],
      sent: [[CLOSE, code]],
      ...FINISHED,
    },
    {
      name: `${code} as the answer to ours`,
      before: ours,
      input: [close(code)],
      events: [got.close(code)],
      sent: [[CLOSE, 1001]],
      ...FINISHED,
    },
  ]),
  ...INVALID.flatMap((code): Case[] => [
    { name: `${code}`, options: autoClose, input: [close(code)], ...refused(1002, 'INVALID_CLOSE_CODE') },
    { name: `${code} with a reason`, input: [close(code, 'why')], ...refused(1002, 'INVALID_CLOSE_CODE') },
    {
      name: `${code} as the answer to ours, which is not followed by another`,
      before: ours,
      input: [close(code)],
      ...refused(1002, 'INVALID_CLOSE_CODE'),
      sent: [[CLOSE, 1001]],
    },
  ]),
]);

const badReasons = ['ff', '80', 'c0af', 'c3', 'e282', 'eda080', 'f4908080', '6f6b c3'];

conform('5.5.1 payloads', [
  { name: 'none', input: [close()], events: [got.close(1005)], state: REMOTE_CLOSING },
  {
    name: 'none, answered with none',
    options: autoClose,
    input: [close()],
    events: [got.close(1005)],
    sent: [[CLOSE, -1]],
    ...FINISHED,
  },
  { name: 'of one byte', input: [{ opcode: CLOSE, payload: '\x03' }], ...refused(1002, 'INVALID_CLOSE_PAYLOAD') },
  ...['x'.repeat(123), 'ä'.repeat(61), '\ufeffbom', '\0'].map((reason) => ({
    name: `a reason of ${utf8(reason).length} bytes: ${reason.slice(0, 4)}`,
    input: [close(1000, reason)],
    events: [got.close(1000, reason)],
    state: REMOTE_CLOSING,
  })),
  {
    name: 'a reason of 124 bytes',
    input: [close(1000, 'x'.repeat(124))],
    ...refused(1002, 'CONTROL_TOO_LONG'),
    decidedAt: { server: 2, client: 2 },
  },
  ...badReasons.map((digits) => ({
    name: `a reason that is not UTF-8: ${digits}`,
    options: autoClose,
    input: [close(1000, hex(digits))],
    ...refused(1007, 'INVALID_CLOSE_REASON'),
  })),
  { name: 'a wrong code and a wrong reason', input: [close(999, hex('ff'))], ...refused(1002, 'INVALID_CLOSE_CODE') },
]);

conform('7.1 orders of closing', [
  {
    name: 'messages go on coming after our Close',
    before: ours,
    options: { autoPong: true },
    input: [text('a'), ping('b'), binary('c', false), pong('d'), cont('e')],
    events: [got.text('a'), got.ping('b'), got.pong('d'), got.bytes('ce')],
    sent: [[CLOSE, 1001]],
    state: LOCAL_CLOSING,
  },
  {
    name: 'both at once',
    before: [new TextMessage('a'), new CloseConnection(4000)],
    options: autoClose,
    input: [text('b'), close(4001)],
    events: [got.text('b'), got.close(4001)],
    sent: [
      [TEXT, 'a'],
      [CLOSE, 4000],
    ],
    ...FINISHED,
  },
  {
    name: 'what comes after a Close is ignored, right or wrong',
    options: autoClose,
    input: [close(1000), text('a'), ping('b'), { opcode: 3, rsv: 0x70 }, close(4000)],
    events: [got.close(1000)],
    sent: [[CLOSE, 1000]],
    ...FINISHED,
  },
  {
    name: 'what comes after a Close that is not answered yet is ignored too',
    input: [close(1000), text('a'), { opcode: 3 }],
    events: [got.close(1000)],
    state: REMOTE_CLOSING,
  },
  {
    name: 'a Close inside a fragmented message',
    options: autoClose,
    input: [text(hex('c3'), false), close(1000)],
    events: [got.close(1000)],
    sent: [[CLOSE, 1000]],
    ...FINISHED,
  },
  {
    name: 'a violation after our Close sends no other',
    before: ours,
    input: [text('a'), { opcode: 3 }],
    ...refused(1002, 'RESERVED_OPCODE', [got.text('a')]),
    sent: [[CLOSE, 1001]],
  },
  {
    name: 'what comes after a violation is ignored',
    options: { autoClose: true, autoPong: true },
    input: [{ opcode: 3 }, text('a'), ping('b'), close(1000)],
    ...refused(1002, 'RESERVED_OPCODE'),
  },
]);

const ENDED = { eof: true, events: [got.eof()], state: CLOSED, transport: 'destroy' } as const;

/** Where a stream may end before a Close. */
const stages: readonly (readonly [name: string, input: Case['input'], before: Case['events']])[] = [
  ['before anything', [], []],
  ['inside a first byte', [Uint8Array.of(0x82)], []],
  ['before a payload', [{ opcode: BIN, claim: 5n }], []],
  ['inside a payload', [{ opcode: BIN, claim: 5n, payload: 'abc' }], []],
  ['inside a long payload', [{ opcode: TEXT, claim: 70_000n, payload: 'abc' }], []],
  ['after a message', [text('a')], [got.text('a')]],
  ['inside the second message', [text('a'), { opcode: BIN, claim: 5n, payload: 'abc' }], [got.text('a')]],
  ['between fragments', [text('a', false)], []],
  ['inside a character', [text(hex('e282'), false)], []],
  ['inside a second fragment', [text('a', false), { opcode: 0, claim: 5n, payload: 'abc' }], []],
  ['after a Ping', [ping('a')], [got.ping('a')]],
  ['inside a Ping', [{ opcode: 9, claim: 5n, payload: 'abc' }], []],
  ['inside a Close', [{ opcode: CLOSE, claim: 5n, payload: 'a' }], []],
];

conform('7.1.5 the end of the stream without a Close: 1006', [
  ...stages.map(([name, input, before]) => ({ name, input, ...ENDED, events: [...before, got.eof()] })),
  ...stages.map(([name, input, before]) => ({
    name: `${name}, after our Close`,
    before: ours,
    input,
    ...ENDED,
    events: [...before, got.eof()],
    sent: [[CLOSE, 1001]] as const,
  })),
]);

conform('7.1.1 the end of the stream after a Close', [
  {
    name: 'that was answered',
    options: autoClose,
    input: [close(1000)],
    eof: true,
    events: [got.close(1000)],
    sent: [[CLOSE, 1000]],
    state: CLOSED,
    transport: 'destroy',
  },
  { name: 'that was not answered', input: [close(1000)], eof: true, events: [got.close(1000)], state: REMOTE_CLOSING },
  {
    name: 'that answered ours',
    before: ours,
    input: [close(1001)],
    eof: true,
    events: [got.close(1001)],
    sent: [[CLOSE, 1001]],
    state: CLOSED,
    transport: 'destroy',
  },
  {
    name: 'and a violation',
    input: [{ opcode: 3 }],
    eof: true,
    ...refused(1002, 'RESERVED_OPCODE'),
  },
]);
