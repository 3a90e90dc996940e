import { expect, test } from 'vitest';
import {
  BATCH_KEY,
  BATCH_ROWS,
  BATCH_TOTAL_HIGH,
  type FrameBatch,
  type Kernels,
  META_PARTIAL,
  META_TEXT,
  ROW_LENGTH,
  ROW_META,
  ROW_SIZE,
  ROW_START,
  ScanStatus,
  TEXT_UTF8,
} from '../../src/kernels/index.js';
import { portable } from '../kernels/support.js';
import { check } from './check.js';
import {
  maskAgrees,
  type Property,
  scanAgrees,
  splitsDoNotMatter,
  utf8Agrees,
  whatIsSentArrives,
} from './properties.js';

// Would the properties find a fault? Each wrapper here is right but for one bit in one rare case.
// The runs are those that `tiers.test.ts` makes when `MILLRACE_RUNS` says nothing. What goes wrong at the places where
// vectors do is in `planted-vectors.test.ts`.

type Spoil = (batch: FrameBatch, chunk: Uint8Array, rows: number) => void;

function wrongScan(spoil: Spoil): Kernels {
  return {
    ...portable,
    scan(chunk, from, to, batch, rules, limit) {
      const rows = portable.scan(chunk, from, to, batch, rules, limit);
      spoil(batch, chunk, rows);
      return rows;
    },
  };
}

function eachRow(spoil: (table: Int32Array, place: number, chunk: Uint8Array) => void): Spoil {
  return ({ table }, chunk, rows) => {
    for (let row = 0; row < rows; row++) spoil(table, BATCH_ROWS + row * ROW_SIZE, chunk);
  };
}

const scanFaults: [string, Spoil][] = [
  [
    'the last byte of a payload of 4n + 3 at an odd place',
    eachRow((table, place, chunk) => {
      const end = table[place + ROW_START] + table[place + ROW_LENGTH];
      const partial = (table[place + ROW_META] & META_PARTIAL) !== 0;
      if (!partial && table[place + ROW_LENGTH] % 4 === 3 && table[place + ROW_START] % 4 === 1) chunk[end - 1] ^= 0x80;
    }),
  ],
  [
    'a byte behind the payload, where no frame follows',
    ({ consumed, status }, chunk) => {
      if (status === ScanStatus.END && consumed + 4 < chunk.length) chunk[consumed + 4] ^= 1;
    },
  ],
  [
    'the class of text of 64 bytes or more that is not ASCII',
    eachRow((table, place) => {
      const isUtf8 = (table[place + ROW_META] & META_TEXT) === TEXT_UTF8;
      if (isUtf8 && table[place + ROW_LENGTH] >= 64) table[place + ROW_META] ^= 0x100;
    }),
  ],
  [
    'the sign of a key',
    ({ table, status }) => {
      if (status === ScanStatus.PARTIAL && table[BATCH_KEY] < 0) table[BATCH_KEY] ^= 0x4000_0000;
    },
  ],
  [
    'a total over 2³²',
    ({ table, status }) => {
      if (status === ScanStatus.PARTIAL && table[BATCH_TOTAL_HIGH] > 1) table[BATCH_TOTAL_HIGH] ^= 1;
    },
  ],
  [
    'the code of one violation',
    ({ table, status }) => {
      if (status === ScanStatus.LENGTH_RESERVED_BIT) table[0] = ScanStatus.FRAME_TOO_LARGE;
    },
  ],
];

function expectFound(kind: 'scan' | 'mask' | 'utf8' | 'other', property: Property, wrong: Kernels): void {
  expect(() => check(property([['planted', wrong]]), kind, 1)).toThrow(/Property failed.*seed/s);
}

test.each(scanFaults)('scan: %s', (_name, spoil) => expectFound('scan', scanAgrees, wrongScan(spoil)));

test('mask: one bit of the last byte, at one alignment and one phase', () => {
  expectFound('mask', maskAgrees, {
    ...portable,
    mask(src, srcStart, dst, dstStart, length, key, phase) {
      portable.mask(src, srcStart, dst, dstStart, length, key, phase);
      const aligned = (dst.byteOffset + dstStart) % 8 === 5;
      if (aligned && phase === 3 && length >= 4) dst[dstStart + length - 1] ^= 1;
    },
  });
});

test('utf8: one border of one character', () => {
  expectFound('utf8', utf8Agrees, {
    ...portable,
    utf8(data, start, end, state) {
      const next = portable.utf8(data, start, end, state);
      const lastTwo = end - start >= 2 ? (data[end - 2] << 8) | data[end - 1] : 0;
      return lastTwo === 0xf48f ? 2 : next;
    },
  });
});

test('one tier alone: a phase that a split forgets', () => {
  const wrong: Kernels = {
    ...portable,
    mask: (src, srcStart, dst, dstStart, length, key) => portable.mask(src, srcStart, dst, dstStart, length, key, 0),
  };
  expectFound('other', splitsDoNotMatter, wrong);
  expectFound('other', whatIsSentArrives, wrong);
});

test('the properties hold for the kernel that no fault is planted in', () => {
  const right = [['right', { ...portable }]] as const;
  for (const property of [scanAgrees, maskAgrees, utf8Agrees]) check(property(right), 'other');
});
