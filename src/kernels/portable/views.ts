/**
 * Other views of an array's memory. They are made from its buffer and not by `subarray`, which asks the class of the
 * array what to make and so may hand back anything.
 */

/** The same bytes, to be read and written as words at any offset. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Memory that is larger is not kept: what a cache holds on to is to be small. */
const KEPT_BYTES = 64 * 1024;

let keptBytes: Uint8Array | null = null;
let keptWords: DataView | null = null;

/** The view of the array that was asked for last, where there is one: what is filled bit by bit is asked for often. */
export function wordsAtHand(bytes: Uint8Array): DataView | null {
  return bytes === keptBytes ? keptWords : null;
}

/**
 * A view where it is worth its while: where enough bytes are to be done, or the array is asked for twice in a row.
 * Otherwise null. Making one takes as long as masking some three hundred bytes one by one.
 */
export function wordsIfWorthIt(bytes: Uint8Array, enough: boolean): DataView | null {
  const again = bytes === keptBytes;
  if (!enough && !again && bytes.length > KEPT_BYTES) return null;
  // The view of an array that may grow would become too short.
  const buffer = bytes.buffer as ArrayBufferLike & { resizable?: boolean; growable?: boolean };
  const keeps = buffer.byteLength <= KEPT_BYTES && buffer.resizable !== true && buffer.growable !== true;
  const words = enough || again ? wordsOf(bytes) : null;
  keptBytes = keeps ? bytes : null;
  keptWords = keeps ? words : null;
  return words;
}

/** The bytes of a range. */
export function rangeOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
