/** Compressed messages that arrive: what comes out of them is what node:zlib makes of them. */

import { describe, expect, test } from 'vitest';
import { type Codec, type Decompressor, defaultCodec } from '../../src/core/extensions/deflate/codec.js';
import { PROBE, STOP_AT_BLOCK } from '../../src/core/extensions/deflate/zlib.js';
import { subjects } from '../kernels/support.js';
import { checkTurns } from './check.js';
import { inflationHolds, type Way, ways } from './inflation.js';

const last = subjects.slice(-1);

test('with either codec, in the thread and off it', () => checkTurns(inflationHolds()(last), 'inflate'), 120_000);

describe('a fault is found', () => {
  const codec = defaultCodec();

  /** A codec whose decompressors have something wrong about them. */
  function spoilt(spoil: (decompressor: Decompressor) => void): Codec {
    return {
      compressor: codec.compressor,
      decompressor(windowBits) {
        const decompressor = codec.decompressor(windowBits);
        spoil(decompressor);
        return decompressor;
      },
    };
  }

  const planted: [string, (decompressor: Decompressor) => void, (way: Way) => boolean][] = [
    [
      'in a byte of a window',
      (decompressor) => {
        const prime = decompressor.prime.bind(decompressor);
        decompressor.prime = (window) => prime(window.map((byte, i) => (i === 2 ? byte ^ 1 : byte)));
      },
      ({ offThread }) => !offThread,
    ],
    [
      'in a context that others had: it is not made as if it were new',
      (decompressor) => {
        decompressor.reset = () => {};
      },
      ({ offThread }) => !offThread,
    ],
    [
      'in what is done off the thread: a byte of it',
      (decompressor) => {
        const start = decompressor.start.bind(decompressor);
        decompressor.start = (flush, input, from, length, output, at, room, done) =>
          start(flush, input, from, length, output, at, room, (error) => {
            if (room - decompressor.roomLeft > 1000) output[at + 1000] ^= 1;
            done(error);
          });
      },
      ({ offThread }) => offThread,
    ],
    [
      'in the end of a message: it is whole in any case',
      (decompressor) => {
        const run = decompressor.run.bind(decompressor);
        const { inputLeft } = Object.getOwnPropertyDescriptors(
          Object.getPrototypeOf(Object.getPrototypeOf(decompressor)) as Decompressor,
        );
        let isEnd = false;
        Object.defineProperties(decompressor, {
          run: {
            value(...args: Parameters<typeof run>) {
              isEnd = args[0] === STOP_AT_BLOCK;
              run(...args);
            },
          },
          inputLeft: { get: () => (isEnd ? PROBE : inputLeft.get?.call(decompressor)) },
        });
      },
      ({ offThread }) => !offThread,
    ],
  ];
  test.each(planted)('%s', async (_, spoil, isMeant) => {
    const property = inflationHolds(ways(spoilt(spoil)).slice(0, 2).filter(isMeant));
    await expect(checkTurns(property(last), 'inflate', 1)).rejects.toThrow(/Property failed.*seed/s);
  });
});
