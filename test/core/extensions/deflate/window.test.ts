/** That a window can be taken out of a decompressor by DEFLATE, and put into another: told by node's own inflate. */

import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { repeatWindow, storedHeader } from '../../../../src/core/extensions/deflate/window.js';
import { CODECS, deflated, inflated, prose, random } from './support.js';

const { Z_SYNC_FLUSH } = zlib.constants;

/** Sizes around everything that changes the code of a distance, and some others. */
const SIZES = [
  ...new Set([
    ...Array.from({ length: 300 }, (_, i) => i + 1),
    ...Array.from({ length: 16 }, (_, bits) => [(1 << bits) - 1, 1 << bits, (1 << bits) + 1, 3 << bits]).flat(),
    ...Array.from({ length: 60 }, (_, i) => 257 + i * 541),
    32_766,
    32_767,
    32_768,
  ]),
].filter((size) => size > 0 && size <= 32_768);

test('the program gives just the last bytes, however many', () => {
  const history = Buffer.concat([random(20_000), Buffer.from(prose(20_000))]);
  for (const size of SIZES) {
    const dictionary = history.subarray(-32_768);
    const given = zlib.inflateRawSync(repeatWindow(size), { dictionary, finishFlush: Z_SYNC_FLUSH });
    // It goes on beyond them, in whole matches.
    if (given.length < size || !given.subarray(0, size).equals(history.subarray(-size))) expect(size).toBe('right');
  }
});

test('the header is that of a block that is not compressed', () => {
  for (const size of [0, 1, 255, 256, 32_767, 32_768, 65_535]) {
    const data = random(size);
    const stream = Buffer.concat([storedHeader(size), data]);
    expect(zlib.inflateRawSync(stream, { finishFlush: Z_SYNC_FLUSH }).equals(data)).toBe(true);
  }
});

describe.each(CODECS)('a decompressor (%s)', (_, codec) => {
  /** One that has given `data`, as one message. */
  function having(data: Uint8Array, windowBits: number) {
    const decompressor = codec.decompressor(windowBits);
    take(decompressor, deflated(data, { windowBits: Math.max(9, windowBits), ...(windowBits === 8 && { level: 0 }) }));
    return decompressor;
  }

  function take(decompressor: ReturnType<typeof codec.decompressor>, payload: Uint8Array): Buffer {
    const output = Buffer.alloc(200_000);
    decompressor.limit = output.length;
    decompressor.run(Z_SYNC_FLUSH, payload, 0, payload.length, output, 0, output.length);
    let made = output.length - decompressor.roomLeft;
    const tail = Buffer.from('0000ffff00', 'hex');
    decompressor.run(zlib.constants.Z_BLOCK, tail, 0, tail.length, output, made, output.length - made);
    made = output.length - decompressor.roomLeft;
    expect(decompressor.inputLeft).toBe(1);
    return output.subarray(0, made);
  }

  test.each([8, 9, 10, 11, 12, 13, 14, 15])(
    'gives the last bytes that came out of it, of a window of %i bits',
    (bits) => {
      const size = 1 << bits;
      const data = Buffer.concat([random(size), Buffer.from(prose(size)), random(17)]);
      for (const wanted of [1, 2, 3, 4, 5, 127, 255, 256, 257, 300, size / 2 + 1, size - 1, size]) {
        if (wanted > size) continue;
        const decompressor = having(data, bits);
        const window = decompressor.window(wanted);
        expect(window.length).toBe(wanted);
        expect(window.equals(data.subarray(-wanted))).toBe(true);
        decompressor.close();
      }
    },
  );

  test('whose window is put into another goes on there', () => {
    for (const bits of [9, 12, 15]) {
      for (const size of SIZES.filter((one, i) => one <= 1 << bits && i % 7 === 0)) {
        const history = random(size);
        const first = having(history, bits);
        const second = codec.decompressor(bits);
        second.prime(first.window(size));
        // What repeats all of it can only be told by who has it.
        const dictionary = size < 1 << bits ? history : history.subarray(-((1 << bits) - 300));
        const data = Buffer.concat([dictionary.subarray(-100), Buffer.from('and on'), dictionary.subarray(0, 258)]);
        const payload = deflated(data, { windowBits: bits, dictionary, level: 9 });
        expect(take(second, payload).equals(data)).toBe(true);
        // And it has just the window that it should have now.
        const kept = Math.min(1 << bits, size + data.length);
        expect(second.window(kept).equals(Buffer.concat([history, data]).subarray(-kept))).toBe(true);
        first.close();
        second.close();
      }
    }
  });

  test('has nothing to give before anything came out of it, and takes nothing', () => {
    const decompressor = codec.decompressor(15);
    expect(decompressor.window(0)).toHaveLength(0);
    decompressor.prime(new Uint8Array(0));
    expect(take(decompressor, deflated('and works')).toString()).toBe('and works');
  });

  test('what it gave does not change when it goes on', () => {
    const decompressor = having(Buffer.from('first'), 15);
    const window = decompressor.window(5);
    decompressor.reset();
    decompressor.prime(window);
    expect(take(decompressor, deflated('second'.repeat(9))).toString()).toBe('second'.repeat(9));
    expect(window.toString()).toBe('first');
  });
});

test('the reference is one', () => {
  expect(inflated(deflated('abc')).toString()).toBe('abc');
});
