/** UTF-8 validation in TypeScript (RFC 3629), streaming over any split. */

import { UTF8_ACCEPT, UTF8_REJECT, UTF8_STATES } from '../contract.js';
import { checkBytes, checkInteger, checkRange } from './check.js';
import { wordsOf } from './mask.js';

/** One, two or three more continuation bytes of any value. */
const TAIL_1 = 2;
const TAIL_2 = 3;
const TAIL_3 = 4;
/** Behind E0, ED, F0 and F4 the second byte is narrower: no overlong form, no surrogate, nothing above U+10FFFF. */
const AFTER_E0 = 5;
const AFTER_ED = 6;
const AFTER_F0 = 7;
const AFTER_F4 = 8;

/** The state that follows a state and a byte. */
const NEXT = new Uint8Array(UTF8_STATES * 256).fill(UTF8_REJECT);

function allow(state: number, first: number, last: number, next: number): void {
  NEXT.fill(next, state * 256 + first, state * 256 + last + 1);
}
allow(UTF8_ACCEPT, 0x00, 0x7f, UTF8_ACCEPT);
allow(UTF8_ACCEPT, 0xc2, 0xdf, TAIL_1);
allow(UTF8_ACCEPT, 0xe0, 0xef, TAIL_2);
allow(UTF8_ACCEPT, 0xe0, 0xe0, AFTER_E0);
allow(UTF8_ACCEPT, 0xed, 0xed, AFTER_ED);
allow(UTF8_ACCEPT, 0xf0, 0xf4, TAIL_3);
allow(UTF8_ACCEPT, 0xf0, 0xf0, AFTER_F0);
allow(UTF8_ACCEPT, 0xf4, 0xf4, AFTER_F4);
allow(TAIL_1, 0x80, 0xbf, UTF8_ACCEPT);
allow(TAIL_2, 0x80, 0xbf, TAIL_1);
allow(TAIL_3, 0x80, 0xbf, TAIL_2);
allow(AFTER_E0, 0xa0, 0xbf, TAIL_1);
allow(AFTER_ED, 0x80, 0x9f, TAIL_1);
allow(AFTER_F0, 0x90, 0xbf, TAIL_2);
allow(AFTER_F4, 0x80, 0x8f, TAIL_2);

/** Below this many bytes a view on words costs more than it saves; found by `npm run bench -- crossover`. */
const WORDS_FROM = 128;

/** See `Kernels.utf8`. */
export function utf8(data: Uint8Array, start: number, end: number, state: number): number {
  checkBytes(data, 'data');
  checkRange(data, start, 'start', end, 'end');
  checkInteger(state, 'state', 0, UTF8_STATES - 1);
  return validate(data, end - start < WORDS_FROM ? null : wordsOf(data), start, end, state | 0);
}

/**
 * `utf8` without its checks.
 *
 * @param words `wordsOf(data)`, or null to go byte by byte
 */
export function validate(data: Uint8Array, words: DataView | null, start: number, end: number, state: number): number {
  let at = start;
  let current = state;
  while (current !== UTF8_ACCEPT && at < end) current = NEXT[(current << 8) | data[at++]];
  if (current !== UTF8_ACCEPT) return current;
  if (words !== null) at = skipCharacters(words, at, end);
  else while (at <= end - 4 && (data[at] | data[at + 1] | data[at + 2] | data[at + 3]) < 0x80) at += 4;
  while (at < end) current = NEXT[(current << 8) | data[at++]];
  return current;
}

/** Goes over whole characters by their words; returns where fewer than four bytes are left, or a wrong one begins. */
function skipCharacters(words: DataView, start: number, end: number): number {
  const last = end - 4;
  let at = start;
  while (at <= last) {
    const word = words.getInt32(at, true);
    if ((word & 0x80) === 0) {
      if ((word & 0x8080_8080) === 0) at = skipAscii(words, at + 4, end);
      else at += (word & 0x8000) !== 0 ? 1 : (word & 0x80_0000) !== 0 ? 2 : 3;
    } else if (isTwo(word)) at += 2;
    else if (isThree(word)) at += 3;
    else if (isFour(word)) at += 4;
    else break;
  }
  return at;
}

function skipAscii(words: DataView, start: number, end: number): number {
  const last = end - 16;
  let at = start;
  while (at <= last) {
    const any =
      words.getInt32(at, true) |
      words.getInt32(at + 4, true) |
      words.getInt32(at + 8, true) |
      words.getInt32(at + 12, true);
    if ((any & 0x8080_8080) !== 0) break;
    at += 16;
  }
  return at;
}

// Whether the lowest bytes of a word are a character of two, three or four. C0 and C1 lead overlong forms. Behind E0,
// ED, F0 and F4 the second byte is narrower than 80 to BF, and no lead above F4 exists; the few bits that decide it
// make one small number.
function isTwo(word: number): boolean {
  return (word & 0xc0e0) === 0x80c0 && (word & 0x1e) !== 0;
}
function isThree(word: number): boolean {
  const choice = word & 0x200f;
  return (word & 0xc0_c0f0) === 0x80_80e0 && choice !== 0x0000 && choice !== 0x200d;
}
function isFour(word: number): boolean {
  const plane = ((word & 0x07) << 2) | ((word >>> 12) & 0x03);
  return (word & 0xc0c0_c0f8) === (0x8080_80f0 | 0) && plane >= 1 && plane <= 16;
}
