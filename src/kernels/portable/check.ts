/**
 * The argument checks of both tiers. `is…` tells in a few nanoseconds that a call is right; for one that is not, `check…`
 * finds the first argument that is wrong and the words for it.
 */

/** The last byte that a kernel addresses: positions and lengths are 32-bit integers in both tiers. */
const INT32_MAX = 0x7fff_ffff;

// The brand of a typed array rather than its prototype: an array from another realm (Jest, `node:vm`) is one too, an
// object that only inherits from `Uint8Array.prototype` is not.
const typeName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
  ?.get as (this: unknown) => string | undefined;

function fail(error: TypeError | RangeError, code: string): never {
  throw Object.assign(error, { code });
}

/** Whether a value is a Uint8Array, of whatever class or realm. */
export function isBytes(value: unknown): boolean {
  return typeName.call(value) === 'Uint8Array';
}

/** Whether a value is a 32-bit integer, and nothing that would have to be coerced to one. */
export function isInt32(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value;
}

/** Whether a value is a masking key: a 32-bit integer, with a sign or without. */
export function isKey(value: unknown): value is number {
  return isInt32(value) || (typeof value === 'number' && value >>> 0 === value);
}

/** Whether two values bound a range of bytes: 0 ≤ `start` ≤ `end` ≤ the length. */
export function isRange(data: Uint8Array, start: unknown, end: unknown): boolean {
  return isInt32(start) && isInt32(end) && start >= 0 && start <= end && end <= data.length;
}

/** Throws a TypeError unless `value` is a Uint8Array. */
export function checkBytes(value: unknown, name: string): void {
  if (!isBytes(value)) fail(new TypeError(`${name} must be a Uint8Array`), 'ERR_INVALID_ARG_TYPE');
}

/** Throws a TypeError unless `value` is a number, a RangeError unless it is an integer from `min` to `max`. */
export function checkInteger(value: unknown, name: string, min: number, max: number): void {
  if (typeof value !== 'number') fail(new TypeError(`${name} must be a number`), 'ERR_INVALID_ARG_TYPE');
  if (!(value >= min && value <= max && Math.floor(value) === value)) {
    fail(new RangeError(`${name} must be an integer from ${min} to ${max}`), 'ERR_OUT_OF_RANGE');
  }
}

/** Checks a range of bytes: `start` from 0 to `end`, `end` to the length. */
export function checkRange(data: Uint8Array, start: number, startName: string, end: number, endName: string): void {
  const most = reach(data);
  checkInteger(start, startName, 0, most);
  checkInteger(end, endName, start, most);
}

/** The bytes of an array that a kernel can address. */
export function reach(data: Uint8Array): number {
  return Math.min(data.length, INT32_MAX);
}

/** Throws a TypeError unless `value` is a number, a RangeError unless it is at least 0 (`Infinity` included). */
export function checkLimit(value: unknown, name: string): void {
  if (typeof value !== 'number') fail(new TypeError(`${name} must be a number`), 'ERR_INVALID_ARG_TYPE');
  if (!(value >= 0)) fail(new RangeError(`${name} must be at least 0`), 'ERR_OUT_OF_RANGE');
}

/** Throws a TypeError unless `table` is an Int32Array that holds `places` or more. */
export function checkTable(table: unknown, places: number): asserts table is Int32Array {
  if (typeName.call(table) !== 'Int32Array') fail(new TypeError('batch must be a FrameBatch'), 'ERR_INVALID_ARG_TYPE');
  if ((table as Int32Array).length < places) fail(new RangeError('batch must have room for a row'), 'ERR_OUT_OF_RANGE');
}

/** Throws a RangeError unless two ranges of `length` bytes are the same or apart. */
export function checkOverlap(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number): void {
  // An array is asked for its place in memory only where two are compared, and for its buffer last: both are slow.
  const distance = aStart - bStart + (a === b ? 0 : a.byteOffset - b.byteOffset);
  if (distance === 0 || Math.abs(distance) >= length) return;
  if (a === b || a.buffer === b.buffer) {
    fail(new RangeError('src and dst must be the same range or not overlap'), 'ERR_OUT_OF_RANGE');
  }
}
