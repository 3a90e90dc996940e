/**
 * Arguments that a careless callee falls over: made fresh in a world of their own, so that two callees can be given
 * the same and everything they could touch be compared afterwards.
 */

import { type Context, createContext, runInContext } from 'node:vm';
import { FrameBatch } from '../../src/kernels/index.js';
import { Misleading } from './support.js';

const SIZE = 256;

interface Resizable extends ArrayBuffer {
  resize(size: number): void;
}
const ResizableBuffer = ArrayBuffer as unknown as new (size: number, options: object) => Resizable;
const GrowableShared = SharedArrayBuffer as unknown as new (size: number, options: object) => SharedArrayBuffer;

let realm: Context | undefined;

/** A value that another realm made. */
function foreign(code: string): unknown {
  realm ??= createContext();
  return runInContext(code, realm);
}

/** Memory that views are made of, filled with frames that a server may be sent. */
export class World {
  readonly memory = filled(new ArrayBuffer(SIZE));
  readonly shared = filled(new SharedArrayBuffer(SIZE));
  /** The same memory again, in an object of its own. */
  readonly sharedAgain: SharedArrayBuffer = structuredClone(this.shared);
  readonly resized = filled(new ResizableBuffer(SIZE, { maxByteLength: SIZE * 2 }));
  readonly growable = filled(new GrowableShared(SIZE, { maxByteLength: SIZE * 2 }));
  readonly table = new Int32Array(64).fill(7);
  readonly #tables: Int32Array[] = [this.table];
  readonly #later: (() => void)[] = [];

  batch(capacity: number): FrameBatch {
    const batch = new FrameBatch(capacity);
    this.#tables.push(batch.table);
    return batch;
  }

  detach(): void {
    if (this.memory.byteLength > 0) structuredClone(this.memory, { transfer: [this.memory] });
  }

  /** Has something done once all arguments are made. */
  later(act: () => void): void {
    this.#later.push(act);
  }

  /** The arguments of a call. */
  make(makers: readonly (readonly [string, Make])[]): unknown[] {
    const made = makers.map(([, make]) => make(this));
    for (const act of this.#later.splice(0)) act();
    return made;
  }

  /** Views of the resizable memory, after it was made smaller under them. */
  shrunk(make: (buffer: ArrayBuffer) => unknown): unknown {
    this.resized.resize(SIZE);
    const view = make(this.resized);
    this.resized.resize(32);
    return view;
  }

  /** Everything there is, to be compared. */
  bytes(): unknown {
    const buffers = [this.memory, this.shared, this.resized, this.growable];
    return [
      ...buffers.map((buffer) => Uint8Array.from(buffer.byteLength === 0 ? [] : new Uint8Array(buffer))),
      ...this.#tables.map((table) => Int32Array.from(table)),
    ];
  }
}

function filled<Buffer extends ArrayBuffer | SharedArrayBuffer>(buffer: Buffer): Buffer {
  const frame = [0x81, 0x85, 1, 2, 3, 4, 0x69, 0x67, 0x6f, 0x68, 0x6e, 0x82, 0x80, 4, 3, 2, 1];
  const bytes = new Uint8Array(buffer);
  for (let i = 0; i < bytes.length; i++) bytes[i] = frame[i % frame.length];
  return buffer;
}

type Make = (world: World) => unknown;
export type Pool = readonly (readonly [name: string, make: Make])[];

/** Arrays of bytes, good enough to be used. */
export const ARRAYS: Pool = [
  ['64 bytes', (w) => new Uint8Array(w.memory, 0, Math.min(64, w.memory.byteLength))],
  ['all bytes', (w) => new Uint8Array(w.memory)],
  ['a Buffer on the heap of JavaScript', () => Buffer.alloc(64, 0x81)],
  ['a small array', () => new Uint8Array(3).fill(0x8a)],
  ['no bytes', (w) => new Uint8Array(w.memory, 0, 0)],
  ['an empty array', () => new Uint8Array(0)],
  ['shared memory', (w) => new Uint8Array(w.shared)],
  ['shared memory from 8', (w) => new Uint8Array(w.shared, 8, 64)],
  ['a fixed view of resizable memory', (w) => new Uint8Array(w.resized, 0, 16)],
  ['a tracking view of resizable memory', (w) => new Uint8Array(w.resized)],
  ['a tracking view of growable memory', (w) => new Uint8Array(w.growable)],
  ['a subclass', (w) => Reflect.construct(Misleading, [w.memory])],
  ['another realm', () => foreign('new Uint8Array(64)')],
];

/** Arrays that lost their memory. */
export const LOST: Pool = [
  ['a detached array', detachedArray],
  ['an array detached after it was made', detachedLater],
  ['out of the bounds of what is left', (w) => w.shrunk((buffer) => new Uint8Array(buffer, 64, 64))],
  ['half out of them', (w) => w.shrunk((buffer) => new Uint8Array(buffer, 16, 64))],
  ['tracking, all of it gone', (w) => w.shrunk((buffer) => new Uint8Array(buffer, 64))],
  ['tracking, made smaller', (w) => w.shrunk((buffer) => new Uint8Array(buffer, 8))],
];

function detachedArray(): Uint8Array {
  const bytes = new Uint8Array(64);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function detachedLater(world: World): Uint8Array {
  world.later(() => world.detach());
  return new Uint8Array(world.memory);
}

/** What is no array of bytes, however much it looks like one. */
export const NOT_BYTES: Pool = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a string', () => 'abc'],
  ['an array', () => [1, 2, 3]],
  ['an ArrayBuffer', (w) => w.memory],
  ['a DataView', (w) => new DataView(w.memory)],
  ['a lost DataView', (w) => w.shrunk((buffer) => new DataView(buffer, 64, 8))],
  ['an Int8Array', () => new Int8Array(64)],
  ['a Uint8ClampedArray', () => new Uint8ClampedArray(64)],
  ['a BigUint64Array', () => new BigUint64Array(8)],
  ['a Proxy of an array', (w) => new Proxy(new Uint8Array(w.shared), {})],
  ['a revoked Proxy', revoked],
  ['an heir', (w) => Object.create(new Uint8Array(w.shared))],
  ['the prototype', () => Uint8Array.prototype],
  ['a look-alike', () => ({ length: 64, byteLength: 64, byteOffset: 0, buffer: new ArrayBuffer(64) })],
  ['a function', () => () => 1],
];

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable(new Uint8Array(8), {});
  revoke();
  return proxy;
}

const number = (value: number): readonly [string, Make] => [Object.is(value, -0) ? '-0' : String(value), () => value];

export const SMALL: Pool = [0, 0, 1, 2, 3, 4, 5, 8, 16, 31, 32, 33, 63, 64].map(number);

export const NUMBERS: Pool = [
  ...[-0, -1, 65, 127, 128, 255, 256, 257, 0.5, 63.5, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1],
  ...[2 ** 32 - 1, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64, 1e300, -1e300, Number.MIN_VALUE, Number.NaN],
  ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
].map(number);

export const NOT_NUMBERS: Pool = [
  ['a bigint', () => 1n],
  ['a huge bigint', () => 2n ** 200n],
  ['a symbol', () => Symbol('one')],
  ['a registered symbol', () => Symbol.iterator],
  ['true', () => true],
  ['a numeric string', () => '1'],
  ['a Number object', () => Object(1)],
  ['a Date', () => new Date(1)],
  ['a valueOf that throws', () => ({ valueOf: thrower('coerced') })],
  ['a toPrimitive that throws', () => ({ [Symbol.toPrimitive]: thrower('coerced') })],
  ['a valueOf that detaches', (w) => ({ valueOf: () => w.detach() })],
  ['a Proxy that throws', () => new Proxy({}, { get: thrower('asked') })],
];

function thrower(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}

export const BATCHES: Pool = [
  ['a batch', (w) => w.batch(4)],
  ['a batch of one', (w) => w.batch(1)],
  ['a table in known memory', (w) => ({ table: w.table })],
  ['a part of a table', (w) => ({ table: w.table.subarray(3, 14) })],
  ['a table in shared memory', () => ({ table: new Int32Array(new SharedArrayBuffer(64)) })],
  ['a table of another realm', () => ({ table: foreign('new Int32Array(20)') })],
  ['a batch behind a Proxy', (w) => new Proxy(w.batch(2), {})],
  ['a frozen batch', (w) => Object.freeze(w.batch(2))],
];

export const NOT_BATCHES: Pool = [
  ['a table too small', () => ({ table: new Int32Array(7) })],
  ['an empty table', () => ({ table: new Int32Array(0) })],
  ['a table of 8', () => ({ table: new Int32Array(8) })],
  ['a lost table', (w) => ({ table: w.shrunk((buffer) => new Int32Array(buffer, 64, 16)) })],
  ['a tracking table made smaller', (w) => ({ table: w.shrunk((buffer) => new Int32Array(buffer)) })],
  ['a table of unsigned numbers', () => ({ table: new Uint32Array(99) })],
  ['a table of bytes', () => ({ table: new Uint8Array(99) })],
  ['a table behind a Proxy', () => ({ table: new Proxy(new Int32Array(99), {}) })],
  [
    'a table that throws when it is asked for',
    () => ({
      get table() {
        return thrower('asked')();
      },
    }),
  ],
  [
    'a table that detaches when it is asked for',
    (w) => ({
      get table() {
        w.detach();
        return w.table;
      },
    }),
  ],
  ['an object', () => ({})],
];

/**
 * Arrays that say something else of themselves than is true, and memory that two objects have: the portable tier
 * cannot tell, the addon looks for itself. Neither may read or write where it must not, but they need not agree.
 */
export const LIARS: Pool = [
  ['an array that claims to be longer', (w) => claiming(new Uint8Array(w.shared), { length: 1e9, byteLength: 1e9 })],
  ['an array that claims to lie elsewhere', (w) => claiming(new Uint8Array(w.shared), { byteOffset: 1e9 })],
  ['an array that claims other memory', (w) => claiming(new Uint8Array(w.shared), { buffer: new ArrayBuffer(1) })],
  ['a class that claims to be longer', () => new Longer(8)],
  ['a batch whose table claims to be longer', () => ({ table: claiming(new Int32Array(8), { length: 1e9 }) })],
  ['a table that claims to be longer', () => claiming(new Int32Array(8), { length: 1e9 })],
  ['shared memory by its other object', (w) => new Uint8Array(w.sharedAgain)],
  ['a part of it', (w) => new Uint8Array(w.sharedAgain, 5, 64)],
];

class Longer extends Uint8Array {
  override get length(): number {
    return 1e9;
  }
}

function claiming(array: object, claims: object): object {
  for (const [name, value] of Object.entries(claims)) Object.defineProperty(array, name, { value });
  return array;
}

/** All of it, for whoever does not know what goes where. */
export const EVERYTHING: Pool = [
  ...ARRAYS,
  ...LOST,
  ...NOT_BYTES,
  ...SMALL,
  ...NUMBERS,
  ...NOT_NUMBERS,
  ...BATCHES,
  ...NOT_BATCHES,
  ...LIARS,
  ['a table', (w) => w.table],
  ['a table too small, bare', () => new Int32Array(7)],
  ['a table over the bytes', (w) => new Int32Array(w.shared)],
  ['a lost table, bare', (w) => w.shrunk((buffer) => new Int32Array(buffer, 64, 16))],
];
