/** XOR masking in TypeScript: 32-bit words where there are enough of them to pay for a view, bytes otherwise. */

import { checkBytes, checkInteger, checkOverlap, isBytes, isInt32, isKey, reach } from './check.js';
import { rangeOf, wordsAtHand, wordsIfWorthIt } from './views.js';

/** Below this many bytes a view on words costs more than it saves; found by `npm run bench -- crossover`. */
export const WORDS_FROM = 320;
/** The same where the view is at hand. */
const WORDS_AT_HAND_FROM = 16;

/** See `Kernels.mask`. */
export function mask(
  src: Uint8Array,
  srcStart: number,
  dst: Uint8Array,
  dstStart: number,
  length: number,
  key: number,
  phase: number,
): void {
  const inPlace = src === dst && srcStart === dstStart;
  const words = wordsAtHand(dst);
  if (
    !(words !== null || isBytes(dst)) ||
    !(isInt32(dstStart) && isInt32(length) && isKey(key) && isInt32(phase)) ||
    (dstStart | length) < 0 ||
    !isInt32(dstStart + length) ||
    dstStart + length > dst.length ||
    phase >>> 0 > 3 ||
    !(inPlace || isApart(src, srcStart, dst, dstStart, length))
  ) {
    checkAll(src, srcStart, dst, dstStart, length, key, phase);
  }

  const turned = rotate(key, phase);
  const end = (dstStart + length) | 0;
  if (!inPlace) copyMasked(src, srcStart, dst, dstStart, length, turned);
  else if (length < WORDS_AT_HAND_FROM) maskBytesInPlace(dst, dstStart, end, turned);
  else if (words !== null) maskWords(dst, words, dstStart, end, turned);
  else maskFirst(dst, dstStart, end, turned);
}

/** `mask` from one array to another. */
function copyMasked(
  src: Uint8Array,
  srcStart: number,
  dst: Uint8Array,
  dstStart: number,
  length: number,
  key: number,
): void {
  if (length < WORDS_FROM) {
    maskBytes(src, srcStart, dst, dstStart, length, key);
    return;
  }
  // Copying first and masking in place needs one view, not two.
  dst.set(rangeOf(src, srcStart, srcStart + length), dstStart);
  maskFirst(dst, dstStart, dstStart + length, key);
}

/** `mask` of an array that may have no view yet. */
function maskFirst(bytes: Uint8Array, start: number, end: number, key: number): void {
  const words = wordsAtHand(bytes) ?? wordsIfWorthIt(bytes, end - start >= WORDS_FROM);
  if (words === null) maskBytesInPlace(bytes, start, end, key);
  else maskWords(bytes, words, start, end, key);
}

/** `maskInPlace` by the word, where nobody asks what came out: each store follows its load at once. */
function maskWords(bytes: Uint8Array, words: DataView, start: number, end: number, key: number): void {
  let at = start;
  for (const last = end - 16; at <= last; at = (at + 16) | 0) {
    words.setInt32(at, words.getInt32(at, true) ^ key, true);
    words.setInt32((at + 4) | 0, words.getInt32((at + 4) | 0, true) ^ key, true);
    words.setInt32((at + 8) | 0, words.getInt32((at + 8) | 0, true) ^ key, true);
    words.setInt32((at + 12) | 0, words.getInt32((at + 12) | 0, true) ^ key, true);
  }
  for (const last = end - 4; at <= last; at = (at + 4) | 0) words.setInt32(at, words.getInt32(at, true) ^ key, true);
  for (let k = key; at < end; k >>>= 8) {
    bytes[at] ^= k & 0xff;
    at = (at + 1) | 0;
  }
}

/** Whether the arguments for the source are right, and it has no byte in common with the destination. */
function isApart(src: Uint8Array, srcStart: number, dst: Uint8Array, dstStart: number, length: number): boolean {
  return (
    isBytes(src) &&
    isInt32(srcStart) &&
    srcStart >= 0 &&
    length <= reach(src) - srcStart &&
    // Of two arrays the buffers would have to be compared, which is slow, unless they are far apart in any buffer.
    src !== dst &&
    Math.abs(src.byteOffset + srcStart - dst.byteOffset - dstStart) >= length
  );
}

function checkAll(
  src: Uint8Array,
  srcStart: number,
  dst: Uint8Array,
  dstStart: number,
  length: number,
  key: number,
  phase: number,
): void {
  checkBytes(src, 'src');
  checkInteger(srcStart, 'srcStart', 0, reach(src));
  checkBytes(dst, 'dst');
  checkInteger(dstStart, 'dstStart', 0, reach(dst));
  checkInteger(length, 'length', 0, Math.min(reach(src) - srcStart, reach(dst) - dstStart));
  checkInteger(key, 'key', -0x8000_0000, 0xffff_ffff);
  checkInteger(phase, 'phase', 0, 3);
  checkOverlap(src, srcStart, dst, dstStart, length);
}

/** A key as it meets bytes that begin `phase` bytes later. */
export function rotate(key: number, phase: number): number {
  return phase === 0 ? key | 0 : (key >>> (phase * 8)) | (key << (32 - phase * 8));
}

/**
 * Masks a range in place.
 *
 * @param words `wordsOf(bytes)`, or null to go byte by byte
 * @param key already turned to the phase of `start`
 * @returns all result bytes under OR, in four lanes: 0x80808080 is clear when all are ASCII
 */
export function maskInPlace(
  bytes: Uint8Array,
  words: DataView | null,
  start: number,
  end: number,
  key: number,
): number {
  return words === null ? maskBytesInPlace(bytes, start, end, key) : maskWordsSeen(bytes, words, start, end, key);
}

/** `maskWords`, and what came out. */
function maskWordsSeen(bytes: Uint8Array, words: DataView, start: number, end: number, key: number): number {
  let seen = 0;
  let at = start;
  for (const last = end - 16; at <= last; at = (at + 16) | 0) {
    const a = words.getInt32(at, true) ^ key;
    const b = words.getInt32((at + 4) | 0, true) ^ key;
    const c = words.getInt32((at + 8) | 0, true) ^ key;
    const d = words.getInt32((at + 12) | 0, true) ^ key;
    words.setInt32(at, a, true);
    words.setInt32((at + 4) | 0, b, true);
    words.setInt32((at + 8) | 0, c, true);
    words.setInt32((at + 12) | 0, d, true);
    seen |= a | b | c | d;
  }
  for (const last = end - 4; at <= last; at = (at + 4) | 0) {
    const word = words.getInt32(at, true) ^ key;
    words.setInt32(at, word, true);
    seen |= word;
  }
  for (let k = key; at < end; k >>>= 8) {
    const byte = bytes[at] ^ (k & 0xff);
    bytes[at++] = byte;
    seen |= byte;
  }
  return seen;
}

// Four bytes at a time, so that the key need not be turned. `| 0` tells the compiler that no sum overflows.
function maskBytesInPlace(bytes: Uint8Array, start: number, end: number, key: number): number {
  const k0 = key & 0xff;
  const k1 = (key >>> 8) & 0xff;
  const k2 = (key >>> 16) & 0xff;
  const k3 = key >>> 24;
  let seen = 0;
  let at = start;
  for (const last = end - 4; at <= last; at = (at + 4) | 0) {
    const a = bytes[at] ^ k0;
    const b = bytes[(at + 1) | 0] ^ k1;
    const c = bytes[(at + 2) | 0] ^ k2;
    const d = bytes[(at + 3) | 0] ^ k3;
    bytes[at] = a;
    bytes[(at + 1) | 0] = b;
    bytes[(at + 2) | 0] = c;
    bytes[(at + 3) | 0] = d;
    seen |= a | b | c | d;
  }
  for (let k = key; at < end; k >>>= 8) {
    const byte = bytes[at] ^ (k & 0xff);
    bytes[at++] = byte;
    seen |= byte;
  }
  return seen;
}

function maskBytes(
  src: Uint8Array,
  srcStart: number,
  dst: Uint8Array,
  dstStart: number,
  length: number,
  key: number,
): void {
  const k0 = key & 0xff;
  const k1 = (key >>> 8) & 0xff;
  const k2 = (key >>> 16) & 0xff;
  const k3 = key >>> 24;
  const end = srcStart + length;
  let from = srcStart;
  let to = dstStart;
  for (const last = end - 4; from <= last; from = (from + 4) | 0, to = (to + 4) | 0) {
    dst[to] = src[from] ^ k0;
    dst[(to + 1) | 0] = src[(from + 1) | 0] ^ k1;
    dst[(to + 2) | 0] = src[(from + 2) | 0] ^ k2;
    dst[(to + 3) | 0] = src[(from + 3) | 0] ^ k3;
  }
  for (let k = key; from < end; k >>>= 8) dst[to++] = src[from++] ^ (k & 0xff);
}
