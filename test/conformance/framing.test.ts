/** RFC 6455 §5.2: the base framing protocol. */

import {
  BIN,
  type Case,
  CLOSE,
  CONT,
  conform,
  type FrameSpec,
  got,
  hex,
  PING,
  PONG,
  refused,
  type Seen,
  TEXT,
} from './support.js';

const PAYLOADS: Readonly<Record<number, string>> = { [CLOSE]: '\x03\xe8' };

/** What a single whole frame with each defined opcode gives. */
const DEFINED: Readonly<Record<number, Partial<Case> & { events: readonly Seen[] }>> = {
  [CONT]: refused(1002, 'UNEXPECTED_CONTINUATION'),
  [TEXT]: { events: [got.text('hi')] },
  [BIN]: { events: [got.bytes('hi')] },
  [PING]: { events: [got.ping('hi')] },
  [PONG]: { events: [got.pong('hi')] },
};

const opcodes = Array.from({ length: 16 }, (_, opcode) => opcode).filter((opcode) => opcode !== CLOSE);

conform('5.2 opcodes with FIN', [
  ...opcodes.map((opcode) => ({
    name: `opcode ${opcode}`,
    input: [{ opcode, payload: 'hi' }],
    ...(DEFINED[opcode] ?? refused(1002, 'RESERVED_OPCODE')),
  })),
  ...opcodes.map((opcode) => ({
    name: `opcode ${opcode} after a message`,
    input: [
      { opcode: BIN, payload: 'before' },
      { opcode, payload: 'hi' },
    ],
    ...(DEFINED[opcode] ?? refused(1002, 'RESERVED_OPCODE')),
    events: [got.bytes('before'), ...(DEFINED[opcode] ?? refused(1002, 'RESERVED_OPCODE')).events],
  })),
]);

function withoutFin(opcode: number): Partial<Case> & { events: readonly Seen[] } {
  if (opcode === CONT) return refused(1002, 'UNEXPECTED_CONTINUATION');
  if (opcode === TEXT || opcode === BIN) return { events: [] };
  return refused(1002, [CLOSE, PING, PONG].includes(opcode) ? 'FRAGMENTED_CONTROL' : 'RESERVED_OPCODE');
}

conform(
  '5.2 opcodes without FIN',
  Array.from({ length: 16 }, (_, opcode) => ({
    name: `opcode ${opcode}`,
    input: [{ opcode, fin: false, payload: PAYLOADS[opcode] ?? 'hi' }],
    ...withoutFin(opcode),
  })),
);

const rsvs = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70];

conform(
  '5.2 reserved bits without an extension',
  rsvs.flatMap((rsv) =>
    [CONT, TEXT, BIN, CLOSE, PING, PONG, 3, 11].map((opcode) => ({
      name: `0x${rsv.toString(16)} on opcode ${opcode}`,
      input: [{ opcode, rsv, payload: PAYLOADS[opcode] ?? 'hi' }],
      ...refused(1002, 'RESERVED_BITS'),
      decidedAt: { server: 1, client: 1 },
    })),
  ),
);

const lengths = [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537];

conform(
  '5.2 payload lengths in their least form',
  lengths.flatMap((length): Case[] => {
    const payload = 'x'.repeat(length);
    return [
      { name: `text of ${length}`, input: [{ opcode: TEXT, payload }], events: [got.text(payload)] },
      {
        name: `bytes of ${length} between others`,
        input: [{ opcode: BIN }, { opcode: BIN, payload }, { opcode: BIN, payload: 'z' }],
        events: [got.bytes(''), got.bytes(payload), got.bytes('z')],
      },
    ];
  }),
);

const notMinimal: readonly (readonly [length: number, form: 16 | 64])[] = [
  [0, 16],
  [1, 16],
  [125, 16],
  [0, 64],
  [125, 64],
  [126, 64],
  [65535, 64],
];

conform(
  '5.2 payload lengths in a longer form than they need',
  notMinimal.flatMap(([length, lengthForm]) =>
    [TEXT, BIN].map((opcode) => ({
      name: `${length} in ${lengthForm} bits, opcode ${opcode}`,
      input: [{ opcode, lengthForm, payload: 'x'.repeat(length) }],
      ...refused(1002, 'LENGTH_NOT_MINIMAL'),
      decidedAt: lengthForm === 16 ? { server: 4, client: 4 } : { server: 10, client: 10 },
    })),
  ),
);

const claims: readonly (readonly [name: string, claim: bigint, code: number, error: string])[] = [
  ['2^31 - 1', 2n ** 31n - 1n, 0, ''],
  ['2^31', 2n ** 31n, 1009, 'MAX_MESSAGE_SIZE'],
  ['2^53 - 1', 2n ** 53n - 1n, 1009, 'MAX_MESSAGE_SIZE'],
  ['2^53', 2n ** 53n, 1009, 'MAX_MESSAGE_SIZE'],
  ['2^63 - 1', 2n ** 63n - 1n, 1009, 'MAX_MESSAGE_SIZE'],
  ['2^63, the highest bit', 2n ** 63n, 1002, 'LENGTH_RESERVED_BIT'],
  ['2^63 + 5', 2n ** 63n + 5n, 1002, 'LENGTH_RESERVED_BIT'],
  ['2^64 - 1', 2n ** 64n - 1n, 1002, 'LENGTH_RESERVED_BIT'],
];

conform(
  '5.2 huge payload lengths, without a limit',
  claims.map(([name, claim, code, error]) => ({
    name,
    options: { maxFrameSize: Number.POSITIVE_INFINITY, maxMessageSize: Number.POSITIVE_INFINITY },
    input: [{ opcode: BIN, claim, payload: 'the first bytes' }],
    ...(code === 0 ? { events: [] } : { ...refused(code, error), decidedAt: { server: 10, client: 10 } }),
  })),
);

const HELLO = '48656c6c6f';

/** The frames of §5.7, as they are printed there. */
const examples: readonly (readonly [string, readonly ['server' | 'client'], string, readonly Seen[]])[] = [
  ['a single-frame unmasked text message', ['client'], `8105 ${HELLO}`, [got.text('Hello')]],
  ['a single-frame masked text message', ['server'], '8185 37fa213d 7f9f4d5158', [got.text('Hello')]],
  ['a fragmented unmasked text message', ['client'], '010348656c 80026c6f', [got.text('Hello')]],
  ['an unmasked Ping', ['client'], `8905 ${HELLO}`, [got.ping('Hello')]],
  ['a masked Pong', ['server'], '8a85 37fa213d 7f9f4d5158', [got.pong('Hello')]],
];

conform('5.7 examples', [
  ...examples.map(([name, roles, digits, events]) => ({ name, roles, input: [hex(digits)], events })),
  {
    name: '256 bytes and 64 KiB',
    roles: ['client'],
    input: [hex('827e0100'), new Uint8Array(256), hex('827f0000000000010000'), new Uint8Array(65536)],
    events: [got.bytes('\0'.repeat(256)), got.bytes('\0'.repeat(65536))],
  },
]);

const many: readonly FrameSpec[] = Array.from({ length: 700 }, (_, i) => ({ opcode: BIN, payload: String(i) }));

conform('5.2 many frames in one chunk', [
  { name: 'more than one batch of rows', input: many, events: many.map((_, i) => got.bytes(String(i))) },
  {
    name: 'a violation behind more than one batch',
    input: [...many, { opcode: 3 }, { opcode: BIN, payload: 'never' }],
    ...refused(
      1002,
      'RESERVED_OPCODE',
      many.map((_, i) => got.bytes(String(i))),
    ),
  },
]);
