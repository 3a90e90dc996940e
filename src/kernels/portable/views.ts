/**
 * Other views of an array's memory. They are made from its buffer and not by `subarray`, which asks the class of the
 * array what to make and so may hand back anything.
 */

/** The same bytes, to be read and written as words at any offset. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** An array that is larger is not kept: what a cache holds on to is to be small. */
const KEPT_BYTES = 64 * 1024;

let keptBytes: Uint8Array | null = null;
let keptWords: DataView | null = null;

/**
 * `wordsOf` where it is worth its while: one that is there already, or a new one where enough bytes are to be done or
 * the array is asked for twice in a row, as one is that is filled bit by bit. Otherwise null.
 *
 * @param end the view must reach this far; that of an array that has grown since may not
 * @param enough whether the bytes pay for a view: making one takes as long as masking a hundred
 */
export function wordsAtHand(bytes: Uint8Array, end: number, enough: boolean): DataView | null {
  if (bytes === keptBytes && keptWords !== null && keptWords.byteLength >= end) return keptWords;
  return makeWords(bytes, enough);
}

function makeWords(bytes: Uint8Array, enough: boolean): DataView | null {
  const words = enough || bytes === keptBytes ? wordsOf(bytes) : null;
  if (bytes.length <= KEPT_BYTES) {
    keptBytes = bytes;
    keptWords = words;
  }
  return words;
}

/** The bytes of a range. */
export function rangeOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
