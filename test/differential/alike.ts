/** What two calls did, compared: quickly, because nearly always they did the same. */

import assert from 'node:assert/strict';

/** What a call did, so that two of them can be compared: its value, or what it threw. */
export function outcome<Value>(call: () => Value): { value: Value } | { name: string; code: unknown; message: string } {
  try {
    return { value: call() };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    return { name, code, message };
  }
}

/** Throws an error that tells the difference, where there is one. */
export function same(expected: unknown, actual: unknown): void {
  if (alike(expected, actual)) return;
  assert.deepStrictEqual(actual, expected);
  throw new Error('two values differ in a way that cannot be told');
}

/** Whether two values of plain data and typed arrays are the same, down to the sign of a zero. */
export function alike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (ArrayBuffer.isView(a)) return ArrayBuffer.isView(b) && sameBytes(a, b);
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!alike(a[i], b[i])) return false;
    return true;
  }
  const keys = Object.keys(a) as (keyof typeof a)[];
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) if (!(key in b) || !alike(a[key], b[key])) return false;
  return true;
}

function sameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
