/** XOR masking in TypeScript: 32-bit words where there are enough of them to pay for a view, bytes otherwise. */

import { checkBytes, checkInteger, checkOverlap, reach } from './check.js';
import { rangeOf, wordsOf } from './views.js';

/** Below this many bytes a view on words costs more than it saves; found by `npm run bench -- crossover`. */
export const WORDS_FROM = 128;

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
  checkBytes(src, 'src');
  checkInteger(srcStart, 'srcStart', 0, reach(src));
  checkBytes(dst, 'dst');
  checkInteger(dstStart, 'dstStart', 0, reach(dst));
  checkInteger(length, 'length', 0, Math.min(reach(src) - srcStart, reach(dst) - dstStart));
  checkInteger(key, 'key', -0x8000_0000, 0xffff_ffff);
  checkInteger(phase, 'phase', 0, 3);
  checkOverlap(src, srcStart, dst, dstStart, length);

  const turned = rotate(key, phase);
  if (length < WORDS_FROM) {
    maskBytes(src, srcStart, dst, dstStart, length, turned);
    return;
  }
  // Copying first and masking in place needs one view, not two.
  if (src !== dst || srcStart !== dstStart) dst.set(rangeOf(src, srcStart, srcStart + length), dstStart);
  maskInPlace(dst, wordsOf(dst), dstStart, dstStart + length, turned);
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
  if (words === null) return maskBytes(bytes, start, bytes, start, end - start, key);
  let seen = 0;
  let at = start;
  for (const last = end - 16; at <= last; at += 16) {
    const a = words.getInt32(at, true) ^ key;
    const b = words.getInt32(at + 4, true) ^ key;
    const c = words.getInt32(at + 8, true) ^ key;
    const d = words.getInt32(at + 12, true) ^ key;
    words.setInt32(at, a, true);
    words.setInt32(at + 4, b, true);
    words.setInt32(at + 8, c, true);
    words.setInt32(at + 12, d, true);
    seen |= a | b | c | d;
  }
  for (const last = end - 4; at <= last; at += 4) {
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

/** The same without a view, from one range to another; four bytes at a time, so that the key need not be turned. */
function maskBytes(
  src: Uint8Array,
  srcStart: number,
  dst: Uint8Array,
  dstStart: number,
  length: number,
  key: number,
): number {
  const k0 = key & 0xff;
  const k1 = (key >>> 8) & 0xff;
  const k2 = (key >>> 16) & 0xff;
  const k3 = key >>> 24;
  let seen = 0;
  let from = srcStart;
  let to = dstStart;
  for (const last = srcStart + length - 4; from <= last; from += 4, to += 4) {
    const a = src[from] ^ k0;
    const b = src[from + 1] ^ k1;
    const c = src[from + 2] ^ k2;
    const d = src[from + 3] ^ k3;
    dst[to] = a;
    dst[to + 1] = b;
    dst[to + 2] = c;
    dst[to + 3] = d;
    seen |= a | b | c | d;
  }
  for (let k = key; from < srcStart + length; k >>>= 8) {
    const byte = src[from++] ^ (k & 0xff);
    dst[to++] = byte;
    seen |= byte;
  }
  return seen;
}
