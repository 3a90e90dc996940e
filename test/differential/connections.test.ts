/** Whole connections: on every kernels the same, and the same however their input is cut. */

import { describe, expect, test } from 'vitest';
import type { Kernels } from '../../src/kernels/index.js';
import { needsAddon, others, portable, subjects } from '../kernels/support.js';
import { check } from './check.js';
import { connectionAgrees, cutsDoNotMatter } from './properties.js';

if (others.length === 0) test.skip(needsAddon('connections, the same as on the portable tier'), () => {});

test.each(others)('%s, the same as on the portable tier', (...subject) =>
  check(connectionAgrees([subject]), 'connection'),
);

test.each(subjects)('%s, a cut changes nothing', (...subject) => check(cutsDoNotMatter([subject]), 'other'));

describe('a fault is found', () => {
  const planted: [string, Partial<Kernels>][] = [
    [
      'in the state of a text that goes on in the next chunk',
      { utf8: (data, start, end, state) => portable.utf8(data, start, end, state === 3 ? 2 : state) },
    ],
    [
      'in the last byte of a long piece',
      {
        mask(src, srcStart, dst, dstStart, length, key, phase) {
          portable.mask(src, srcStart, dst, dstStart, length, key, phase);
          if (length > 16 && length % 4 === 3) dst[dstStart + length - 1] ^= 1;
        },
      },
    ],
    [
      'in the code of a violation',
      {
        scan(chunk, from, to, batch, rules, limit) {
          const rows = portable.scan(chunk, from, to, batch, rules, limit);
          if (batch.table[0] === 22) batch.table[0] = 23;
          return rows;
        },
      },
    ],
  ];
  test.each(planted)('%s', (_, wrong) => {
    const property = connectionAgrees([['planted', { ...portable, ...wrong }]]);
    expect(() => check(property, 'connection', 1)).toThrow(/Property failed.*seed/s);
  });
});
