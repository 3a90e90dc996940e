/**
 * Bytes and texts, made from a few numbers each: to draw every byte takes far longer than any kernel takes to read it,
 * and a recipe shrinks in fewer steps.
 */

import fc from 'fast-check';

/**
 * Lengths around everything that a kernel may treat apart: header forms, words, vectors and blocks of them, the sizes
 * from which another path is taken. Now and then one that is long for all of these.
 */
export const length: fc.Arbitrary<number> = fc.oneof(
  { weight: 12, arbitrary: fc.nat(20) },
  {
    weight: 16,
    arbitrary: fc
      .tuple(fc.constantFrom(16, 32, 64, 128, 256), fc.nat(4), fc.integer({ min: -3, max: 3 }))
      .map(([block, times, more]) => Math.max(0, Math.min(block * times, 512) + more)),
  },
  { weight: 8, arbitrary: fc.nat(280) },
  { weight: 3, arbitrary: fc.integer({ min: 125, max: 600 }) },
  { weight: 1, arbitrary: fc.nat(8192) },
);

const NOISE = (() => {
  let state = 1;
  return Uint8Array.from({ length: 1 << 15 }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x1234_5677;
    return state >>> 24;
  });
})();

/** `size` bytes that look random; 0 shrinks to bytes that are all the same. */
export function noise(size: number, seed: number): Uint8Array {
  return seed === 0 ? new Uint8Array(size).fill(0x61) : NOISE.slice(seed, seed + size);
}

const seed = fc.nat(4096);

/** Any bytes of such a length. */
export const bytes: fc.Arbitrary<Uint8Array> = fc.tuple(length, seed).map(([size, from]) => noise(size, from));

/** Any bytes, a few. */
export const fewBytes = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.tuple(fc.nat(maxLength), seed).map(([size, from]) => noise(size, from));

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The first and the last character of every form, and some in between. */
export const CHARACTERS: readonly Uint8Array[] = [
  ...['a', '\x00', '\x7f', '\x80', 'é', '\u07ff', '\u0800', '\u0fff', '\u1000', '水', '\ud7ff', '\ue000', '\uffff'],
  ...['\u{10000}', '\u{3ffff}', '\u{40000}', '🎉', '\u{fffff}', '\u{100000}', '\u{10ffff}'],
].map(utf8);

/** What no text has, of every kind, at its border where the kind has one. */
export const WRONG: readonly Uint8Array[] = [
  // A continuation without a lead.
  ...[[0x80], [0x8f], [0x90], [0x9f], [0xa0], [0xbf]],
  // Bytes that no text has.
  ...[[0xc0], [0xc1], [0xf5], [0xf8], [0xfc], [0xfe], [0xff]],
  // Overlong forms.
  ...[
    [0xc0, 0x80],
    [0xc1, 0xbf],
    [0xe0, 0x80, 0x80],
    [0xe0, 0x9f, 0xbf],
    [0xf0, 0x80, 0x80, 0x80],
  ],
  [0xf0, 0x8f, 0xbf, 0xbf],
  // Surrogates, and what is above U+10FFFF.
  ...[
    [0xed, 0xa0, 0x80],
    [0xed, 0xbf, 0xbf],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf4, 0xbf, 0xbf, 0xbf],
    [0xf5, 0x80, 0x80, 0x80],
  ],
  // Cut short.
  ...[[0xc2], [0xdf], [0xe0], [0xe0, 0xa0], [0xe6, 0xb0], [0xed, 0x9f], [0xef, 0xbf]],
  ...[[0xf0], [0xf0, 0x90], [0xf0, 0x90, 0x80], [0xf1, 0x80, 0x80], [0xf4, 0x8f], [0xf4, 0x8f, 0xbf]],
  // One continuation too many.
  ...[
    [0xc3, 0xa9, 0x80],
    [0xe6, 0xb0, 0xb4, 0x80],
    [0xf0, 0x9f, 0x8e, 0x89, 0x80],
  ],
].map((one) => Uint8Array.from(one));

const ascii = fc.oneof({ weight: 3, arbitrary: fc.nat(8) }, length);
const times = fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.nat(4), fc.nat(90));
const character = fc.nat(CHARACTERS.length - 1);

/** ASCII, then one character some times. */
const run = fc.tuple(ascii, character, times);

/** Runs of characters, with something wrong in one text of three, and ASCII behind. */
const runs: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.array(run, { maxLength: 5 }),
    fc.oneof(
      { weight: 2, arbitrary: fc.constant(null) },
      fc.record({ kind: fc.nat(WRONG.length - 1), behind: fc.nat(5), ascii }),
    ),
    ascii,
  )
  .map(([list, wrong, behind]) => {
    const parts: Uint8Array[] = [];
    list.forEach(([before, kind, count], i) => {
      if (wrong?.behind === i) parts.push(letters(wrong.ascii), WRONG[wrong.kind]);
      parts.push(letters(before));
      for (let j = 0; j < count; j++) parts.push(CHARACTERS[kind]);
    });
    if (wrong !== null && wrong.behind >= list.length) parts.push(letters(wrong.ascii), WRONG[wrong.kind]);
    parts.push(letters(behind));
    return joined(parts);
  });

const UNITS = [...CHARACTERS, ...WRONG];

/** One character, or one that is wrong, across the end of a block, between bytes that hide it best. */
const across: fc.Arbitrary<Uint8Array> = fc
  .record({
    block: fc.constantFrom(16, 32, 64),
    blocks: fc.integer({ min: 1, max: 5 }),
    inside: fc.nat(4),
    unit: fc.nat(UNITS.length - 1),
    behind: fc.oneof(fc.nat(16), length),
    between: fc.constantFrom(0, 0, 0, 4, 9, 16),
  })
  .map(({ block, blocks, inside, unit, behind, between }) => {
    const size = block * blocks - inside;
    const filler = CHARACTERS[between];
    const times = between === 0 ? 0 : Math.floor(size / filler.length);
    const parts = [letters(size - times * filler.length), filler.length > 1 ? repeated(filler, times) : letters(0)];
    return joined([...parts, UNITS[unit], letters(behind)]);
  });

/** Bytes that are UTF-8, or nearly. */
export const text: fc.Arbitrary<Uint8Array> = fc.oneof(runs, across);

function repeated(one: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(one.length * times);
  for (let i = 0; i < times; i++) all.set(one, i * one.length);
  return all;
}

const LETTERS = new Uint8Array(8200).fill(0x61);
const letters = (count: number): Uint8Array => LETTERS.subarray(0, count);

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
