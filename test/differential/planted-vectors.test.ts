/** Faults as code that goes by vectors has them: right but for a rare case at the edge of a block. */

import { expect, test } from 'vitest';
import {
  BATCH_ROWS,
  type Kernels,
  META_PARTIAL,
  META_TEXT,
  ROW_LENGTH,
  ROW_META,
  ROW_SIZE,
  ROW_START,
  TEXT_ASCII,
  TEXT_INVALID,
  TEXT_UTF8,
  UTF8_ACCEPT,
  UTF8_REJECT,
} from '../../src/kernels/index.js';
import { portable } from '../kernels/support.js';
import { check } from './check.js';
import { maskAgrees, type Property, scanAgrees, utf8Agrees } from './properties.js';

const [TAIL_2, TAIL_3, AFTER_ED, AFTER_F4] = [3, 4, 6, 8];
const WIDTHS = [16, 32, 64];

function expectFound(kind: 'scan' | 'mask' | 'utf8', property: Property, wrong: Partial<Kernels>): void {
  expect(() => check(property([['planted', { ...portable, ...wrong }]]), kind, 1)).toThrow(/Property failed.*seed/s);
}

/** Validates block by block; `spoil` may change the state between two blocks. */
function byBlocks(width: number, spoil: (state: number, data: Uint8Array, at: number, end: number) => number) {
  return (data: Uint8Array, start: number, end: number, state: number): number => {
    let current = portable.utf8(data, start, start, state);
    let at = start;
    for (; end - at >= width; at += width) {
      if (at > start) current = spoil(current, data, at, end);
      current = portable.utf8(data, at, at + width, current);
    }
    return portable.utf8(data, at, end, at > start ? spoil(current, data, at, end) : current);
  };
}

const isAscii = (data: Uint8Array, start: number, end: number): boolean =>
  data.subarray(start, end).every((byte) => byte < 0x80);

test.each(WIDTHS)('utf8: a surrogate that a block of %i ends in after its first byte', (width) => {
  expectFound('utf8', utf8Agrees, { utf8: byBlocks(width, (state) => (state === AFTER_ED ? TAIL_2 : state)) });
});

test.each(WIDTHS)('utf8: the last byte of a character that a block of %i ends in is not asked for', (width) => {
  expectFound('utf8', utf8Agrees, {
    utf8: byBlocks(width, (state, data, at) => (state > UTF8_REJECT && data[at] < 0x80 ? UTF8_ACCEPT : state)),
  });
});

test.each(WIDTHS)('utf8: blocks of %i that are ASCII are skipped behind a character cut short', (width) => {
  expectFound('utf8', utf8Agrees, {
    utf8: byBlocks(width, (state, data, at, end) =>
      state > UTF8_REJECT && end - at >= width && isAscii(data, at, at + width) ? UTF8_ACCEPT : state,
    ),
  });
});

test.each(WIDTHS)('utf8: the rest behind blocks of %i is one byte short', (width) => {
  expectFound('utf8', utf8Agrees, {
    utf8: (data, start, end, state) =>
      portable.utf8(data, start, (end - start) % width === width - 1 ? end - 1 : end, state),
  });
});

test.each(WIDTHS)('utf8: the last byte of a vector of %i', (width) => {
  expectFound('utf8', utf8Agrees, {
    utf8(data, start, end, state) {
      const whole = portable.utf8(data, start, end, state);
      const last = start + width - 1;
      const isFirstWrong = whole === UTF8_REJECT && last < end && portable.utf8(data, start, last, state) === 0;
      return isFirstWrong && data[last] >= 0xf5 ? UTF8_ACCEPT : whole;
    },
  });
});

test('utf8: the state that is carried in is another, where there is a vector', () => {
  expectFound('utf8', utf8Agrees, {
    utf8: (data, start, end, state) =>
      portable.utf8(data, start, end, state === AFTER_F4 && end - start >= 16 ? TAIL_3 : state),
  });
});

test.each(WIDTHS)('mask: the last byte of the last vector of %i', (width) => {
  expectFound('mask', maskAgrees, {
    mask(src, srcStart, dst, dstStart, length, key, phase) {
      portable.mask(src, srcStart, dst, dstStart, length, key, phase);
      if (length >= width && length % width === 1) dst[dstStart + length - 2] ^= 0x80;
    },
  });
});

test.each(WIDTHS)('mask: a whole vector of %i is stored where one byte less is left', (width) => {
  expectFound('mask', maskAgrees, {
    mask(src, srcStart, dst, dstStart, length, key, phase) {
      portable.mask(src, srcStart, dst, dstStart, length, key, phase);
      if (length > width && length % width === width - 1 && dstStart + length < dst.length) dst[dstStart + length] ^= 1;
    },
  });
});

test('mask: a rest of three bytes from an odd place in another array', () => {
  expectFound('mask', maskAgrees, {
    mask(src, srcStart, dst, dstStart, length, key, phase) {
      portable.mask(src, srcStart, dst, dstStart, length, key, phase);
      if (src !== dst && length >= 32 && length % 16 === 3 && (src.byteOffset + srcStart) % 2 === 1)
        dst[dstStart + length - 1] ^= 1;
    },
  });
});

/** A scan that says something else of a text, where `wrong` finds a reason in its bytes. */
function wrongClass(found: number, said: number, wrong: (payload: Uint8Array) => boolean): Partial<Kernels> {
  return {
    scan(chunk, from, to, batch, rules, limit) {
      const rows = portable.scan(chunk, from, to, batch, rules, limit);
      const { table } = batch;
      for (let at = BATCH_ROWS; at < BATCH_ROWS + rows * ROW_SIZE; at += ROW_SIZE) {
        const meta = table[at + ROW_META];
        const payload = chunk.subarray(table[at + ROW_START], table[at + ROW_START] + table[at + ROW_LENGTH]);
        if ((meta & META_PARTIAL) === 0 && (meta & META_TEXT) === found && wrong(payload))
          table[at + ROW_META] = (meta & ~META_TEXT) | said;
      }
      return rows;
    },
  };
}

test('scan: a text of whole vectors, wrong in the last one, is called valid', () => {
  expectFound(
    'scan',
    scanAgrees,
    wrongClass(TEXT_INVALID, TEXT_UTF8, (payload) => payload.length > 16 && isAscii(payload, 0, payload.length - 16)),
  );
});

test.each(WIDTHS)('scan: what is not ASCII in the rest behind vectors of %i is not seen', (width) => {
  expectFound(
    'scan',
    scanAgrees,
    wrongClass(
      TEXT_UTF8,
      TEXT_ASCII,
      (payload) => payload.length > width && isAscii(payload, 0, payload.length - (payload.length % width)),
    ),
  );
});
