/** RFC 6455 §8.1 and RFC 3629: text is UTF-8, and what is not fails at the first byte that shows it. */

import { type Case, conform, cont, got, hex, latin1, ping, refused, text, utf8 } from './support.js';

const valid: readonly string[] = [
  'plain ASCII',
  '\0 and \x7f',
  'äöüß',
  '\u0080\u07ff',
  '\u0800\u0fff\u1000\ucfff',
  '\ud000\ud7ff',
  '\ue000\uffff',
  '\ufeff with a byte order mark',
  '\u{10000}\u{3ffff}\u{40000}\u{fffff}\u{100000}\u{10ffff}',
  'κόσμε ∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ 😀👩‍👩‍👧‍👦 \ufffd \ufffe',
];

conform(
  '8.1 valid text',
  valid.flatMap((value): Case[] => {
    const bytes = utf8(value);
    return [
      { name: value, input: [text(value)], events: [got.text(value)] },
      ...Array.from({ length: bytes.length + 1 }, (_, at) => ({
        name: `${value}, in two fragments, the first of ${at}`,
        input: [text(bytes.subarray(0, at), false), ping('x'), cont(bytes.subarray(at))],
        events: [got.ping('x'), got.text(value)],
      })),
      {
        name: `${value}, in fragments of one byte`,
        input: [text('', false), ...Array.from(bytes, (byte) => cont(Uint8Array.of(byte), false)), cont('')],
        events: [got.text(value)],
      },
    ];
  }),
);

/** Sequences that no valid text has, and how many of their bytes show it. */
const invalid: readonly (readonly [name: string, sequence: string, shownBy: number])[] = [
  ['a continuation byte alone', '80', 1],
  ['the last continuation byte alone', 'bf', 1],
  ['overlong, two bytes: U+0000', 'c080', 1],
  ['overlong, two bytes: U+007F', 'c1bf', 1],
  ['overlong, three bytes: U+0000', 'e08080', 2],
  ['overlong, three bytes: U+07FF', 'e09fbf', 2],
  ['overlong, four bytes: U+0000', 'f0808080', 2],
  ['overlong, four bytes: U+FFFF', 'f08fbfbf', 2],
  ['the first high surrogate', 'eda080', 2],
  ['the last low surrogate', 'edbfbf', 2],
  ['a pair of surrogates', 'eda080edb080', 2],
  ['U+110000', 'f4908080', 2],
  ['above U+10FFFF', 'f5808080', 1],
  ['five bytes', 'f888808080', 1],
  ['six bytes', 'fc8480808080', 1],
  ['FE', 'fe', 1],
  ['FF', 'ff', 1],
  ['ASCII in place of the second of two', 'c341', 2],
  ['a lead byte in place of the second of two', 'c3c3', 2],
  ['ASCII in place of the second of three', 'e241', 2],
  ['ASCII in place of the third of three', 'e28241', 3],
  ['ASCII in place of the second of four', 'f041', 2],
  ['ASCII in place of the third of four', 'f09f41', 3],
  ['ASCII in place of the fourth of four', 'f09f9841', 4],
];

const REFUSED = refused(1007, 'INVALID_UTF8');

/** Bytes of the first frame's header. */
const header = (length: number) => (length < 126 ? { server: 6, client: 2 } : { server: 8, client: 4 });

/** Where a frame that is whole at `payload` bytes shows a fault after `shown` of them. */
function at(payload: number, shown: number) {
  const { server, client } = header(payload);
  return { server: server + shown, client: client + shown };
}

conform(
  '8.1 invalid text',
  invalid.flatMap(([name, digits, shownBy]): Case[] => {
    const sequence = hex(digits);
    const good = utf8('gööd');
    const whole = Uint8Array.of(...good, ...sequence, ...good);
    const long = Uint8Array.of(...Buffer.alloc(300, 'a'), ...sequence, ...Buffer.alloc(20, 'b'));
    return [
      { name, input: [text(whole)], ...REFUSED, decidedAt: at(whole.length, good.length + shownBy) },
      { name: `${name}, at the start`, input: [text(sequence)], ...REFUSED, decidedAt: at(sequence.length, shownBy) },
      { name: `${name}, far in`, input: [text(long)], ...REFUSED, decidedAt: at(long.length, 300 + shownBy) },
      {
        name: `${name}, in an early fragment of a message that goes on`,
        input: [text(whole, false), cont('never read', false)],
        ...REFUSED,
        decidedAt: at(whole.length, good.length + shownBy),
      },
      ...Array.from({ length: sequence.length - 1 }, (_, i) => ({
        name: `${name}, over two fragments, ${i + 1} first`,
        input: [text(sequence.subarray(0, i + 1), false), cont(sequence.subarray(i + 1), false)],
        ...REFUSED,
      })),
    ];
  }),
);

const truncated = ['c3', 'e2', 'e282', 'f0', 'f09f', 'f09f98', 'ed9f', 'f48f', 'f48fbf'];

conform(
  '8.1 text that ends inside a character',
  truncated.flatMap((digits): Case[] => {
    const bytes = Uint8Array.of(0x61, ...hex(digits));
    return [
      { name: digits, input: [text(bytes)], ...REFUSED },
      { name: `${digits}, then another message`, input: [text(bytes), text('b')], ...REFUSED },
      { name: `${digits}, in a last fragment`, input: [text('ä', false), cont(bytes)], ...REFUSED },
      { name: `${digits}, before an empty last fragment`, input: [text(bytes, false), cont('')], ...REFUSED },
      { name: `${digits}, in a fragment that may be continued`, input: [text(bytes, false)], events: [] },
    ];
  }),
);

conform('8.1 bytes need not be UTF-8', [
  ...invalid.map(([name, digits]) => ({
    name,
    input: [{ opcode: 2, payload: hex(digits) }],
    events: [got.bytes(latin1(hex(digits)))],
  })),
]);
