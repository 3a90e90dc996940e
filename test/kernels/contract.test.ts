import { describe, expect, test } from 'vitest';
import * as contract from '../../src/kernels/contract.js';
import { FrameBatch } from '../../src/kernels/index.js';

describe('FrameBatch', () => {
  test.each([1, 2, 65536])('has room for %i rows', (capacity) => {
    const batch = new FrameBatch(capacity);
    expect(batch.capacity).toBe(capacity);
    expect(batch.table).toBeInstanceOf(Int32Array);
    expect(batch.table).toHaveLength(contract.BATCH_ROWS + capacity * contract.ROW_SIZE);
  });

  test.each([0, -1, 1.5, Number.NaN, 65537, Number.POSITIVE_INFINITY, '4'])('refuses a capacity of %s', (capacity) => {
    expect(() => new FrameBatch(capacity as number)).toThrow(RangeError);
  });

  test('reads the outcome from the head of its table', () => {
    const batch = new FrameBatch(1);
    batch.table.set([24, 17, -2, -1, 0x1f_ffff]);
    expect(batch).toMatchObject({ status: 24, consumed: 17, key: -2, total: Number.MAX_SAFE_INTEGER });
    batch.table.set([1, 0, 0, 0x7fff_ffff, 1]);
    expect(batch.total).toBe(0x1_7fff_ffff);
  });
});

test('the text values share one mask, and no flag overlaps another', () => {
  const { META_OPCODE, META_RSV, META_FIN, META_TEXT, META_PARTIAL } = contract;
  const { TEXT_ASCII, TEXT_UTF8, TEXT_INVALID } = contract;
  expect(TEXT_ASCII | TEXT_UTF8 | TEXT_INVALID).toBe(META_TEXT);
  expect(META_OPCODE + META_RSV + META_FIN + META_TEXT + META_PARTIAL).toBe(0x7ff);
});
