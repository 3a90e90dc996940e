import { isUtf8 } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { UTF8_ACCEPT, UTF8_REJECT } from '../../src/kernels/index.js';
import { Misleading, noise, placed, subjects, text } from './support.js';

// Each case stands alone and also behind and before enough ASCII to reach the loops over words. The oracle is Node's.
const PADDING = [
  [0, 0],
  [0, 300],
  [300, 0],
  [157, 143],
] as const;

describe.each(subjects)('utf8, %s', (_, { utf8 }) => {
  const memory = PADDING.map(([before, after]) => new Uint8Array(before + 4 + after).fill(0x61));

  function agree(bytes: readonly number[]): void {
    const valid = isUtf8(Uint8Array.from(bytes));
    PADDING.forEach(([before, after], i) => {
      const length = before + bytes.length + after;
      memory[i].fill(0x61);
      memory[i].set(bytes, before);
      const state = utf8(memory[i], 0, length, UTF8_ACCEPT);
      if ((state === UTF8_ACCEPT) !== valid) expect.fail(`${bytes.map((b) => b.toString(16))} + ${after}: ${state}`);
      // What follows a character that is not whole makes it wrong, not merely unfinished.
      if (!valid && after > 0 && state !== UTF8_REJECT) expect.fail(`${bytes} + ${after}: ${state}`);
    });
  }

  test('all strings of one and of two bytes', () => {
    for (let a = 0; a < 256; a++) {
      agree([a]);
      for (let b = 0; b < 256; b++) agree([a, b]);
    }
  });

  test('all leads and second bytes, with a third byte at the borders', () => {
    for (let a = 0xc0; a < 256; a++) {
      for (let b = 0; b < 256; b++) {
        for (const c of [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff]) agree([a, b, c]);
      }
    }
  });

  test('four bytes at the borders of each', () => {
    const borders = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    for (let a = 0xe0; a < 256; a++) {
      for (const b of borders) for (const c of borders) for (const d of borders) agree([a, b, c, d]);
    }
  });

  test('every code point at a border, and no surrogate', () => {
    const points = [0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff];
    for (const point of points) {
      const bytes = text(String.fromCodePoint(point));
      expect(utf8(bytes, 0, bytes.length, UTF8_ACCEPT)).toBe(UTF8_ACCEPT);
    }
    for (const bytes of [
      [0xed, 0xa0, 0x80],
      [0xed, 0xbf, 0xbf],
      [0xf4, 0x90, 0x80, 0x80],
      [0xc0, 0xaf],
    ]) {
      expect(utf8(Uint8Array.from(bytes), 0, bytes.length, UTF8_ACCEPT)).toBe(UTF8_REJECT);
    }
  });

  const samples = [
    'plain',
    'naïve café',
    'русский текст',
    '水車小屋の脇を流れる川',
    '🎉𝄞🚀',
    'a水é🎉 mixed 水水水水🎉🎉 ends é',
  ];

  test.each(samples)('every split of "%s" ends as the whole does', (sample) => {
    for (const repeat of [1, 12, 40]) {
      const bytes = text(sample.repeat(repeat));
      for (let cut = 0; cut <= bytes.length; cut++) {
        const middle = utf8(bytes, 0, cut, UTF8_ACCEPT);
        expect(middle).not.toBe(UTF8_REJECT);
        expect(middle === UTF8_ACCEPT).toBe(isUtf8(bytes.subarray(0, cut)));
        expect(utf8(bytes, cut, bytes.length, middle)).toBe(UTF8_ACCEPT);
      }
      let state: number = UTF8_ACCEPT;
      for (let at = 0; at < bytes.length; at++) state = utf8(bytes, at, at + 1, state);
      expect(state).toBe(UTF8_ACCEPT);
    }
  });

  test('one wrong byte is found wherever it stands', () => {
    for (const sample of samples) {
      const bytes = text(sample.repeat(24));
      for (let at = 0; at < bytes.length; at++) {
        for (const wrong of [0xff, 0xc0, 0x80, 0xf5, 0xe0]) {
          const broken = Uint8Array.from(bytes);
          broken[at] = wrong;
          expect(utf8(broken, 0, broken.length, UTF8_ACCEPT) === UTF8_ACCEPT).toBe(isUtf8(broken));
        }
      }
    }
  });

  test('agrees with Node on mixtures', () => {
    const pieces = [...samples.map(text), ...[1, 2, 3].map((seed) => noise(3, seed)), Uint8Array.of(0xe6, 0xb0)];
    const choices = noise(6000, 99);
    for (let i = 0; i + 6 < choices.length; i += 6) {
      const bytes = Buffer.concat([...choices.subarray(i, i + 6)].map((choice) => pieces[choice % pieces.length]));
      expect(utf8(bytes, 0, bytes.length, UTF8_ACCEPT) === UTF8_ACCEPT).toBe(isUtf8(bytes));
    }
  });

  test('the rejected state stays, whatever follows', () => {
    const bytes = text('a'.repeat(100));
    for (const end of [0, 1, 100]) expect(utf8(bytes, 0, end, UTF8_REJECT)).toBe(UTF8_REJECT);
  });

  test('each state inside a character stays over an empty range, and is left as its character demands', () => {
    const unfinished: [number[], number[]][] = [
      [[0xc3], [0x80]],
      [[0xe1], [0x80, 0x80]],
      [[0xf1], [0x80, 0x80, 0x80]],
      [[0xe0], [0xa0, 0x80]],
      [[0xed], [0x9f, 0x80]],
      [[0xf0], [0x90, 0x80, 0x80]],
      [[0xf4], [0x8f, 0x80, 0x80]],
    ];
    const states = unfinished.map(([lead, rest]) => {
      const state = utf8(Uint8Array.from(lead), 0, 1, UTF8_ACCEPT);
      expect(utf8(new Uint8Array(0), 0, 0, state)).toBe(state);
      const tail = Uint8Array.from([...rest, ...new Array<number>(100).fill(0x61)]);
      expect(utf8(tail, 0, tail.length, state)).toBe(UTF8_ACCEPT);
      for (let second = 0; second < 256; second++) {
        tail[0] = second;
        const valid = isUtf8(Uint8Array.from([...lead, ...tail]));
        expect(utf8(tail, 0, tail.length, state)).toBe(valid ? UTF8_ACCEPT : UTF8_REJECT);
      }
      return state;
    });
    expect(states).toEqual([2, 3, 4, 5, 6, 7, 8]);
  });

  test('works on shared memory, and asks no class of arrays what to do', () => {
    for (const length of [20, 500]) {
      const shared = new Uint8Array(new SharedArrayBuffer(length + 3), 3).fill(0x61);
      const misleading = new Misleading(length).fill(0x61);
      for (const bytes of [shared, misleading]) {
        expect(utf8(bytes, 0, length, UTF8_ACCEPT)).toBe(UTF8_ACCEPT);
        bytes[length - 9] = 0xff;
        expect(utf8(bytes, 0, length, UTF8_ACCEPT)).toBe(UTF8_REJECT);
      }
    }
  });

  test('reads its range only, at every alignment', () => {
    const bytes = text('水é🎉 and ASCII '.repeat(20));
    for (let offset = 0; offset < 8; offset++) {
      const chunk = placed(Uint8Array.from([0xff, ...bytes, 0xff]), offset);
      expect(utf8(chunk, 1, bytes.length + 1, UTF8_ACCEPT)).toBe(UTF8_ACCEPT);
      expect(utf8(chunk, 1, bytes.length + 2, UTF8_ACCEPT)).toBe(UTF8_REJECT);
      expect(utf8(chunk, 0, bytes.length + 1, UTF8_ACCEPT)).toBe(UTF8_REJECT);
    }
  });
});
