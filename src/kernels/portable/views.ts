/**
 * Other views of an array's memory. They are made from its buffer and not by `subarray`, which asks the class of the
 * array what to make and so may hand back anything.
 */

/** The same bytes, to be read and written as words at any offset. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The bytes of a range. */
export function rangeOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
