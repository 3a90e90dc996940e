import { describe, expect, test } from 'vitest';
import { Misleading, noise, placed, subjects, xor } from './support.js';

const KEY = 0xc4_93_5a_17;

describe.each(subjects)('mask, %s', (_, { mask }) => {
  test('follows the formula of RFC 6455 §5.3, the first key byte lowest', () => {
    const dst = new Uint8Array(6);
    mask(new Uint8Array([0, 0, 0, 0, 0, 0]), 0, dst, 0, 6, 0x04_03_02_01, 0);
    expect([...dst]).toEqual([1, 2, 3, 4, 1, 2]);
  });

  test('masks in place at every alignment and every length, and touches nothing else', () => {
    for (let offset = 0; offset < 8; offset++) {
      for (let length = 0; length <= 300; length++) {
        const before = noise(length + 5, length + 1);
        const chunk = placed(before, offset);
        mask(chunk, 2, chunk, 2, length, KEY, 0);
        const expected = Uint8Array.from(before);
        expected.set(xor(before.subarray(2, 2 + length), KEY), 2);
        if (Buffer.compare(chunk, expected) !== 0)
          expect([offset, length, ...chunk]).toEqual([offset, length, ...expected]);
        const around = [
          ...new Uint8Array(chunk.buffer, 0, offset),
          ...new Uint8Array(chunk.buffer, offset + length + 5),
        ];
        if (around.some((byte) => byte !== 0xee)) expect.fail(`bytes around were changed: ${offset}, ${length}`);
      }
    }
  });

  test('copies while masking, from and to every alignment', () => {
    for (const length of [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 63, 64, 65, 127, 128, 130, 300]) {
      for (let from = 0; from < 8; from++) {
        for (let to = 0; to < 8; to++) {
          const original = noise(length, 3);
          const src = placed(original, from);
          const dst = placed(new Uint8Array(length + 2), to);
          mask(src, 0, dst, 1, length, KEY, 1);
          expect(Buffer.compare(src, original)).toBe(0);
          expect(Buffer.compare(dst, Buffer.from([0, ...xor(original, KEY, 1), 0]))).toBe(0);
          expect([...new Uint8Array(dst.buffer, 0, to), ...new Uint8Array(dst.buffer, to + length + 2)]).toEqual(
            new Array(to + 8).fill(0xee),
          );
        }
      }
    }
  });

  test.each([0, 1, 2, 3])('begins at phase %i', (phase) => {
    for (const length of [5, 40, 200]) {
      const src = noise(length);
      const dst = new Uint8Array(length);
      mask(src, 0, dst, 0, length, KEY, phase);
      expect(dst).toEqual(xor(src, KEY, phase));
    }
  });

  test('takes a key as a signed or an unsigned number', () => {
    for (const length of [3, 100]) {
      const [signed, unsigned] = [new Uint8Array(length), new Uint8Array(length)];
      mask(signed, 0, signed, 0, length, KEY | 0, 0);
      mask(unsigned, 0, unsigned, 0, length, KEY >>> 0, 0);
      expect(signed).toEqual(unsigned);
      expect(signed).toEqual(xor(new Uint8Array(length), KEY));
    }
  });

  test.each([
    ['the same range', 8, 8, true],
    ['apart, src first', 0, 40, true],
    ['touching, src first', 0, 20, true],
    ['touching, dst first', 20, 0, true],
    ['overlapping by a byte', 0, 19, false],
    ['overlapping by a byte, dst first', 19, 0, false],
    ['one byte apart', 5, 4, false],
  ])('ranges %s', (_name, srcStart, dstStart, allowed) => {
    const memory = noise(64);
    const src = memory.subarray(2);
    const dst = new Uint8Array(memory.buffer, 2);
    const expected = Uint8Array.from(memory);
    expected.set(xor(src.subarray(srcStart, srcStart + 20), KEY), dstStart + 2);
    const call = () => mask(src, srcStart, dst, dstStart, 20, KEY, 0);
    if (allowed) {
      call();
      expect(memory).toEqual(expected);
    } else {
      expect(call).toThrow(RangeError);
      expect(call).toThrow('src and dst must be the same range or not overlap');
      expect(memory).toEqual(noise(64));
    }
  });

  test('ranges are told apart by their place in memory, not by their offsets in views of it', () => {
    const memory = new ArrayBuffer(64);
    const a = new Uint8Array(memory, 0);
    const b = new Uint8Array(memory, 4);
    expect(() => mask(a, 4, b, 0, 16, KEY, 0)).not.toThrow();
    expect(() => mask(a, 0, b, 0, 16, KEY, 0)).toThrow(RangeError);
    expect(() => mask(a, 0, b, 0, 4, KEY, 0)).not.toThrow();
  });

  test('an empty range overlaps nothing', () => {
    const bytes = noise(8);
    mask(bytes, 3, bytes, 4, 0, KEY, 0);
    mask(bytes, 8, bytes, 8, 0, KEY, 0);
    expect(bytes).toEqual(noise(8));
  });

  test('reaches beyond 2 GiB of a buffer, but not of an array', (context) => {
    let memory: ArrayBuffer;
    try {
      memory = new ArrayBuffer(2 ** 31 + 4096);
    } catch {
      return context.skip('there is not enough memory');
    }
    const far = new Uint8Array(memory, 2 ** 31 + 3, 500);
    mask(far, 0, far, 0, 500, KEY, 0);
    expect(Buffer.compare(far, xor(new Uint8Array(500), KEY))).toBe(0);
    const whole = new Uint8Array(memory);
    expect(() => mask(whole, 2 ** 31, whole, 0, 0, KEY, 0)).toThrow('srcStart must be an integer from 0 to 2147483647');
    expect(() => mask(whole, 9, whole, 9, 2 ** 31, KEY, 0)).toThrow('length must be an integer from 0 to 2147483638');
    for (const dst of [whole, new Uint8Array(memory, 1024)]) {
      const message = 'length must be an integer from 0 to 7';
      expect(() => mask(whole, 2 ** 31 - 8, dst, 2 ** 31 - 8, 8, 1, 0)).toThrow(message);
      expect(() => mask(whole, 2 ** 31 - 8, dst, 9, 8, 1, 0)).toThrow(message);
      expect(() => mask(whole, 9, dst, 2 ** 31 - 8, 8, 1, 0)).toThrow(message);
    }
  });

  test('asks no class of arrays what to do', () => {
    for (const length of [20, 500]) {
      const src = new Misleading(length).fill(7);
      const dst = new Misleading(length);
      mask(src, 0, dst, 0, length, KEY, 0);
      expect([...dst]).toEqual([...xor(new Uint8Array(length).fill(7), KEY)]);
    }
  });

  test('works on shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(100), 3);
    mask(shared, 0, shared, 0, 97, KEY, 0);
    expect(Uint8Array.from(shared)).toEqual(xor(new Uint8Array(97), KEY));
  });
});
