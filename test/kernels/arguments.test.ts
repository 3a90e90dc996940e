import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { FrameBatch } from '../../src/kernels/index.js';
import { native, needsAddon, others, portable, subjects } from './support.js';

type Call = (...args: unknown[]) => unknown;
type Name = 'scan' | 'mask' | 'utf8';

/** What a call did: its value, or the name, code and message of its error. */
function outcome(call: Call, args: readonly unknown[]): unknown {
  try {
    return { value: call(...args) };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    return { name, message, code };
  }
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(64);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

const bytes = () => new Uint8Array(64);

const notBytes: [string, () => unknown][] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a string', () => 'abc'],
  ['an array', () => [1, 2, 3]],
  ['an ArrayBuffer', () => new ArrayBuffer(64)],
  ['a DataView', () => new DataView(new ArrayBuffer(64))],
  ['an Int8Array', () => new Int8Array(64)],
  ['a Uint8ClampedArray', () => new Uint8ClampedArray(64)],
  ['a Uint16Array', () => new Uint16Array(64)],
  ['an object with the prototype', () => Object.create(Uint8Array.prototype)],
];
const asBytes: [string, () => unknown][] = [
  ['a Buffer', () => Buffer.alloc(64)],
  ['shared memory', () => new Uint8Array(new SharedArrayBuffer(64))],
  ['an array of another realm', () => runInNewContext('new Uint8Array(64)')],
  ['a subclass', () => new (class extends Uint8Array {})(64)],
];
const notNumbers: [string, () => unknown][] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a string', () => '1'],
  ['a bigint', () => 1n],
  ['a symbol', () => Symbol('one')],
  ['a boolean', () => true],
  ['a Number object', () => Object(1)],
  [
    'an object that must not be asked',
    () => ({
      valueOf() {
        throw new Error('coerced');
      },
    }),
  ],
];
const NUMBERS = [
  Number.NaN,
  -1,
  -0,
  0,
  0.5,
  1,
  3,
  4,
  8,
  9,
  63,
  64,
  64.5,
  65,
  255,
  256,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  -(2 ** 31) - 1,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  1e21,
  -1e21,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];

const good: Record<Name, () => unknown[]> = {
  scan: () => [bytes(), 0, 64, new FrameBatch(4), 0, 100],
  mask: () => [bytes(), 0, bytes(), 0, 64, 1, 0],
  utf8: () => [bytes(), 0, 64, 0],
};
const bytePlaces: Record<Name, number[]> = { scan: [0], mask: [0, 2], utf8: [0] };
const numberPlaces: Record<Name, number[]> = { scan: [1, 2, 4, 5], mask: [1, 3, 4, 5, 6], utf8: [1, 2, 3] };

interface Case {
  readonly kernel: Name;
  readonly title: string;
  readonly make: () => unknown[];
  readonly error?: [name: string, code: string, message?: string];
}

function withArgument(kernel: Name, place: number, make: () => unknown): () => unknown[] {
  return () => good[kernel]().with(place, make());
}

const WRONG_TYPE: Case['error'] = ['TypeError', 'ERR_INVALID_ARG_TYPE'];

const cases: Case[] = (['scan', 'mask', 'utf8'] as const).flatMap((kernel) => [
  { kernel, title: 'nothing', make: () => [], error: WRONG_TYPE },
  ...good[kernel]().map((_, count) => ({
    kernel,
    title: `only ${count} arguments`,
    make: () => good[kernel]().slice(0, count),
    error: WRONG_TYPE,
  })),
  { kernel, title: 'one argument too many', make: () => [...good[kernel](), 'more'] },
  ...bytePlaces[kernel].flatMap((place) => [
    ...notBytes.map(([name, make]) => ({
      kernel,
      title: `argument ${place}: ${name}`,
      make: withArgument(kernel, place, make),
      error: WRONG_TYPE,
    })),
    ...asBytes.map(([name, make]) => ({
      kernel,
      title: `argument ${place}: ${name}`,
      make: withArgument(kernel, place, make),
    })),
    { kernel, title: `argument ${place}: a detached array`, make: withArgument(kernel, place, detached) },
  ]),
  ...numberPlaces[kernel].flatMap((place) => [
    ...notNumbers.map(([name, make]) => ({
      kernel,
      title: `argument ${place}: ${name}`,
      make: withArgument(kernel, place, make),
      error: WRONG_TYPE,
    })),
    ...NUMBERS.map((value) => ({
      kernel,
      title: `argument ${place}: ${Object.is(value, -0) ? '-0' : value}`,
      make: withArgument(kernel, place, () => value),
    })),
  ]),
]);

function rangeError(kernel: Name, title: string, message: string, make: () => unknown[]): Case {
  return { kernel, title, make, error: ['RangeError', 'ERR_OUT_OF_RANGE', message] };
}
function typeError(kernel: Name, title: string, message: string, make: () => unknown[]): Case {
  return { kernel, title, make, error: ['TypeError', 'ERR_INVALID_ARG_TYPE', message] };
}
const room = () => new FrameBatch(1);
const ROOM = 'batch must have room for a row';
const OVERLAP = 'src and dst must be the same range or not overlap';
const shared = bytes();

cases.push(
  typeError('scan', 'the first wrong argument is told', 'chunk must be a Uint8Array', () => ['', '', '', '', '', '']),
  typeError('scan', 'a type before a range', 'from must be a number', () => [bytes(), '0', 99, room(), 0, 0]),
  rangeError('scan', 'from after the end', 'from must be an integer from 0 to 64', () => [
    bytes(),
    65,
    65,
    room(),
    0,
    0,
  ]),
  rangeError('scan', 'to before from', 'to must be an integer from 9 to 64', () => [bytes(), 9, 8, room(), 0, 0]),
  rangeError('scan', 'to before -0', 'to must be an integer from 0 to 64', () => [bytes(), -0, -1, room(), 0, 0]),
  rangeError('scan', 'rules', 'rules must be an integer from 0 to 255', () => [bytes(), 0, 0, room(), 256, 0]),
  rangeError('scan', 'a negative limit', 'limit must be at least 0', () => [bytes(), 0, 0, room(), 0, -1]),
  rangeError('scan', 'NaN for a limit', 'limit must be at least 0', () => [bytes(), 0, 0, room(), 0, Number.NaN]),
  ...[
    undefined,
    null,
    5,
    'batch',
    {},
    { table: null },
    { table: [] },
    { table: new Uint32Array(99) },
    { table: new Float64Array(99) },
    { table: Object.create(Int32Array.prototype) },
  ].map((batch, i) =>
    typeError('scan', `no batch (${i})`, 'batch must be a FrameBatch', () => [bytes(), 0, 0, batch, 0, 0]),
  ),
  ...[0, 5, 7].map((places) =>
    rangeError('scan', `a table of ${places}`, ROOM, () => [bytes(), 0, 0, { table: new Int32Array(places) }, 0, 0]),
  ),
  { kernel: 'scan', title: 'a table of 8', make: () => [bytes(), 0, 0, { table: new Int32Array(8) }, 0, 0] },
  rangeError('mask', 'srcStart', 'srcStart must be an integer from 0 to 64', () => [bytes(), 65, bytes(), 0, 0, 0, 0]),
  rangeError('mask', 'length over src', 'length must be an integer from 0 to 4', () => [
    bytes(),
    60,
    bytes(),
    0,
    5,
    0,
    0,
  ]),
  rangeError('mask', 'length over dst', 'length must be an integer from 0 to 4', () => [
    bytes(),
    0,
    bytes(),
    60,
    5,
    0,
    0,
  ]),
  rangeError('mask', 'key', 'key must be an integer from -2147483648 to 4294967295', () => [
    bytes(),
    0,
    bytes(),
    0,
    4,
    2 ** 32,
    0,
  ]),
  rangeError('mask', 'phase', 'phase must be an integer from 0 to 3', () => [bytes(), 0, bytes(), 0, 4, 0, 4]),
  rangeError('mask', 'overlap', OVERLAP, () => [shared, 0, shared, 1, 8, 1, 0]),
  rangeError('mask', 'overlap in two views', OVERLAP, () => [shared, 8, shared.subarray(4), 0, 8, 1, 0]),
  { kernel: 'mask', title: 'no overlap in two views', make: () => [shared, 4, shared.subarray(4), 0, 8, 0, 0] },
  { kernel: 'mask', title: 'both detached', make: () => [detached(), 0, detached(), 0, 0, 1, 0] },
  rangeError('mask', 'a byte of a detached array', 'length must be an integer from 0 to 0', () => [
    detached(),
    0,
    bytes(),
    0,
    1,
    1,
    0,
  ]),
  rangeError('utf8', 'end', 'end must be an integer from 3 to 64', () => [bytes(), 3, 65, 0]),
  rangeError('utf8', 'state', 'state must be an integer from 0 to 8', () => [bytes(), 0, 0, 9]),
  { kernel: 'utf8', title: '-0 comes back as 0', make: () => [bytes(), 0, 0, -0] },
);

describe('portable', () => {
  test.each(cases.filter(({ error }) => error))('$kernel: $title', ({ kernel, make, error }) => {
    const [name, code, message] = error as NonNullable<Case['error']>;
    const expected = { name, code, message: message ?? expect.stringMatching(/^\w+ must be /) };
    expect(outcome(portable[kernel] as Call, make())).toEqual(expected);
  });
});

describe.skipIf(native === undefined)(needsAddon('both tiers'), () => {
  test.each(cases)('$kernel: $title', ({ kernel, make }) => {
    const expected = outcome(portable[kernel] as Call, make());
    for (const [name, subject] of others) expect(outcome(subject[kernel] as Call, make()), name).toEqual(expected);
  });
});

test('a call that throws changes nothing', () => {
  for (const [, tier] of subjects) {
    const chunk = new Uint8Array(64).fill(0x81);
    const batch = new FrameBatch(2);
    batch.table.fill(7);
    expect(() => tier.scan(chunk, 0, 64, batch, 0x100, 5)).toThrow(RangeError);
    expect(() => tier.scan(chunk, 0, 64, batch, 1, -5)).toThrow(RangeError);
    expect(() => tier.mask(chunk, 0, chunk, 0, 64, 1, 4)).toThrow(RangeError);
    expect([...chunk, ...batch.table].filter((value) => value !== 0x81 && value !== 7)).toEqual([]);
  }
});
