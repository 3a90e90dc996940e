/** RFC 6455 §5.1 and §5.3: who masks, and how. */

import { AFTER_CLOSE, BIN, CLOSE, CLOSED, CONT, conform, frame, got, PING, PONG, refused, TEXT } from './support.js';

const kinds = [
  [TEXT, 'hi', [got.text('hi')]],
  [BIN, 'hi', [got.bytes('hi')]],
  [PING, 'hi', [got.ping('hi')]],
  [PONG, 'hi', [got.pong('hi')]],
  [PING, '', [got.ping('')]],
  [TEXT, '', [got.text('')]],
] as const;

conform(
  '5.1 what each role must take',
  kinds.flatMap(([opcode, payload, events]) => [
    { name: `opcode ${opcode}, masked`, roles: ['server'], input: [{ opcode, payload, mask: true }], events },
    { name: `opcode ${opcode}, unmasked`, roles: ['client'], input: [{ opcode, payload, mask: false }], events },
  ]),
);

conform('5.1 a Close of each role', [
  {
    name: 'masked',
    roles: ['server'],
    options: { autoClose: true },
    input: [{ opcode: CLOSE, mask: true }],
    events: [got.close(1005)],
    sent: [[CLOSE, -1]],
    state: CLOSED,
    transport: AFTER_CLOSE,
  },
]);

conform(
  '5.1 what each role must refuse',
  [CONT, TEXT, BIN, CLOSE, PING, PONG].flatMap((opcode) =>
    ['', '\x03\xe8'].flatMap((payload) => [
      {
        name: `opcode ${opcode} of ${payload.length} bytes, unmasked`,
        roles: ['server'],
        input: [{ opcode, payload: Buffer.from(payload, 'latin1'), mask: false }],
        ...refused(1002, 'MASK_REQUIRED'),
        decidedAt: { server: 2, client: 2 },
      },
      {
        name: `opcode ${opcode} of ${payload.length} bytes, masked`,
        roles: ['client'],
        input: [{ opcode, payload: Buffer.from(payload, 'latin1'), mask: true }],
        ...refused(1002, 'MASK_FORBIDDEN'),
        decidedAt: { server: 2, client: 2 },
      },
    ]),
  ),
);

/** A masked frame with a key of its own, since `frame` always uses the same. */
function keyed(opcode: number, key: readonly number[], payload: string, fin = true): Uint8Array {
  const bytes = frame({ opcode, payload, fin, mask: true });
  const start = bytes.length - Buffer.byteLength(payload);
  Buffer.from(payload).forEach((byte, i) => {
    bytes[start + i] = byte ^ key[i % 4];
  });
  bytes.set(key, start - 4);
  return bytes;
}

const keys = [
  [0, 0, 0, 0],
  [255, 255, 255, 255],
  [0x80, 0, 0, 0],
  [0, 0, 0, 0x80],
  [1, 2, 3, 4],
];
const long = 'The quick brown fox jumps over the lazy dog, äöü€😀. '.repeat(6);

conform(
  '5.3 keys',
  keys.map((key) => ({
    name: key.join(' '),
    roles: ['server'],
    input: [
      keyed(TEXT, key, long),
      keyed(BIN, key, 'abc'),
      keyed(TEXT, key, long.slice(0, 61), false),
      keyed(PING, [9, 8, 7, 6], 'in between'),
      keyed(CONT, [...key].reverse(), long.slice(61)),
    ],
    events: [got.text(long), got.bytes('abc'), got.ping('in between'), got.text(long)],
  })),
);
