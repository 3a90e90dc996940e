/** Calls with random arguments, most of them wrong: both tiers do the same, and touch nothing that is not theirs. */

import fc from 'fast-check';
import { describe, test } from 'vitest';
import type { Kernels } from '../../src/kernels/index.js';
import { outcome } from '../differential/alike.js';
import { check } from '../differential/check.js';
import { agreement } from '../differential/properties.js';
import {
  ARRAYS,
  BATCHES,
  LOST,
  NOT_BATCHES,
  NOT_BYTES,
  NOT_NUMBERS,
  NUMBERS,
  type Pool,
  SMALL,
  World,
} from './nasty.js';
import { needsAddon, others } from './support.js';

const one = (pool: Pool) => fc.constantFrom(...pool);

const bytes = fc.oneof({ weight: 8, arbitrary: one(ARRAYS) }, { weight: 3, arbitrary: one(LOST) }, one(NOT_BYTES));
const number = fc.oneof(
  { weight: 9, arbitrary: one(SMALL) },
  { weight: 2, arbitrary: one(NUMBERS) },
  one([...NOT_NUMBERS, ...NOT_BYTES]),
);
const batch = fc.oneof(
  { weight: 6, arbitrary: one(BATCHES) },
  { weight: 2, arbitrary: one(NOT_BATCHES) },
  one([...NOT_BYTES, ...NOT_NUMBERS]),
);

const calls = {
  scan: fc.tuple(bytes, number, number, batch, number, number),
  mask: fc.tuple(bytes, number, bytes, number, number, number, number),
  utf8: fc.tuple(bytes, number, number, number),
};

const property = (name: keyof typeof calls) =>
  agreement(fc.tuple(calls[name], fc.oneof(fc.constant(9), fc.nat(9))), (kernels: Kernels, [makers, count]) => {
    const world = new World();
    const args = world.make(makers).slice(0, count);
    if (count === 8) args.push(world.table, 'more');
    const result = outcome(() => (kernels[name] as (...args: unknown[]) => unknown)(...args));
    return { result, arrays: args.filter((value) => ArrayBuffer.isView(value)).map(copy), world: world.bytes() };
  });

/** The bytes of a view, none where it lost its memory. */
function copy(view: ArrayBufferView): unknown {
  if (view instanceof DataView || view.byteLength === 0) return null;
  return Uint8Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
}

if (others.length === 0) test.skip(needsAddon('random arguments'), () => {});

describe.each(others)('random arguments, %s', (...subject) => {
  test.each(['scan', 'mask', 'utf8'] as const)('%s', (name) => check(property(name)([subject]), 'arguments'));
});
