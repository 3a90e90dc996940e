/** UTF-8 validation (RFC 3629), streaming over any split: an automaton, and Node's own validator for long texts. */

import { isUtf8 } from 'node:buffer';
import { UTF8_ACCEPT, UTF8_REJECT, UTF8_STATES } from '../contract.js';
import { checkBytes, checkInteger, checkRange, isBytes, isInt32, isRange } from './check.js';
import { rangeOf } from './views.js';

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

/** From this many bytes on Node's own validator is faster, for all that a call costs; found by `npm run bench -- crossover`. */
const BUILT_IN_FROM = 96;
/** The same of ASCII. */
const ASCII_BUILT_IN_FROM = 256;

/** See `Kernels.utf8`. */
export function utf8(data: Uint8Array, start: number, end: number, state: number): number {
  if (!isBytes(data) || !isRange(data, start, end) || !isInt32(state) || state >>> 0 >= UTF8_STATES) {
    checkBytes(data, 'data');
    checkRange(data, start, 'start', end, 'end');
    checkInteger(state, 'state', 0, UTF8_STATES - 1);
  }
  if (state !== UTF8_ACCEPT || end - start >= ASCII_BUILT_IN_FROM) return validate(data, start, end, state | 0);
  const at = afterAscii(data, start, end);
  return at === end ? UTF8_ACCEPT : validate(data, at, end, UTF8_ACCEPT);
}

/**
 * `utf8` for a short text, most of which are ASCII: the state behind it, or −1 where somebody else is to see to it. That
 * is so when `longFrom` bytes or more are left from where it is not ASCII, when it begins within a character, and when
 * the arguments are wrong.
 */
export function utf8Short(data: Uint8Array, start: number, end: number, state: number, longFrom: number): number {
  if (state !== UTF8_ACCEPT || !isBytes(data) || !isRange(data, start, end)) return -1;
  const at = afterAscii(data, start, end);
  if (at === end) return UTF8_ACCEPT;
  return end - at < longFrom ? validateBytes(data, at, end, UTF8_ACCEPT) : -1;
}

/** `utf8` without its checks. */
export function validate(data: Uint8Array, start: number, end: number, state: number): number {
  if (end - start < BUILT_IN_FROM) return validateBytes(data, start, end, state);
  // Node's validator knows whole texts only: the characters that are open at either end are not for it.
  let at = start;
  let current = state;
  while (current > UTF8_REJECT) current = NEXT[(current << 8) | data[at++]];
  if (current === UTF8_REJECT) return UTF8_REJECT;
  const whole = endOfWhole(data, end);
  const text = at === 0 && whole === data.length ? data : rangeOf(data, at, whole);
  return isUtf8(text) ? validateBytes(data, whole, end, UTF8_ACCEPT) : UTF8_REJECT;
}

/** The same, byte by byte. */
export function validateBytes(data: Uint8Array, start: number, end: number, state: number): number {
  let at = start;
  let current = state;
  while (current > UTF8_REJECT && at < end) current = NEXT[(current << 8) | data[at++]];
  if (current !== UTF8_ACCEPT) return current;
  // Whole characters, of which every byte is there: no state is kept between them.
  for (const last = end - 4; at <= last; ) {
    const first = data[at];
    if (first < 0x80) {
      at = (at + 1) | 0;
      continue;
    }
    const second = data[(at + 1) | 0];
    if (first < 0xe0) {
      if (first < 0xc2 || (second & 0xc0) !== 0x80) return UTF8_REJECT;
      at = (at + 2) | 0;
      continue;
    }
    const tails = second | (data[(at + 2) | 0] << 8);
    if ((tails & 0xc0c0) !== 0x8080) return UTF8_REJECT;
    if (first < 0xf0) {
      // The four bits of the lead and the highest that varies in the second byte: 0 is overlong, 27 a surrogate.
      const choice = ((first & 0x0f) << 1) | ((second >>> 5) & 1);
      if (choice === 0 || choice === 27) return UTF8_REJECT;
      at = (at + 3) | 0;
    } else {
      const plane = ((first & 0x0f) << 2) | ((second >>> 4) & 0x03);
      if (plane < 1 || plane > 16 || (data[(at + 3) | 0] & 0xc0) !== 0x80) return UTF8_REJECT;
      at = (at + 4) | 0;
    }
  }
  while (at < end) current = NEXT[(current << 8) | data[at++]];
  return current;
}

/**
 * Where the first byte stands that is not ASCII, or up to seven bytes ahead of it; `end` when all are ASCII.
 *
 * `| 0` tells the compiler that no sum overflows.
 */
function afterAscii(data: Uint8Array, start: number, end: number): number {
  let at = start;
  for (const last = end - 8; at <= last; at = (at + 8) | 0) {
    const seen =
      data[at] |
      data[(at + 1) | 0] |
      data[(at + 2) | 0] |
      data[(at + 3) | 0] |
      data[(at + 4) | 0] |
      data[(at + 5) | 0] |
      data[(at + 6) | 0] |
      data[(at + 7) | 0];
    if (seen >= 0x80) return at;
  }
  while (at < end && data[at] < 0x80) at = (at + 1) | 0;
  return at;
}

/** Where a character begins that `end` cuts in two, or `end`; of wrong bytes it is either. */
function endOfWhole(data: Uint8Array, end: number): number {
  for (let at = end - 1; at >= end - 3; at--) {
    const byte = data[at];
    if (byte >= 0xc0) return at + (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > end ? at : end;
    if (byte < 0x80) return end;
  }
  return end;
}
