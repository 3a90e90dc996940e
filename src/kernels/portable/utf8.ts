/** UTF-8 validation (RFC 3629), streaming over any split: an automaton, and Node's own validator for long texts. */

import { isUtf8 } from 'node:buffer';
import { UTF8_ACCEPT, UTF8_REJECT, UTF8_STATES } from '../contract.js';
import { checkBytes, checkInteger, checkRange } from './check.js';
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
const BUILT_IN_FROM = 128;

/** See `Kernels.utf8`. */
export function utf8(data: Uint8Array, start: number, end: number, state: number): number {
  checkBytes(data, 'data');
  checkRange(data, start, 'start', end, 'end');
  checkInteger(state, 'state', 0, UTF8_STATES - 1);
  return validate(data, start, end, state | 0);
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
  return isUtf8(rangeOf(data, at, whole)) ? validateBytes(data, whole, end, UTF8_ACCEPT) : UTF8_REJECT;
}

/** The same, byte by byte. */
export function validateBytes(data: Uint8Array, start: number, end: number, state: number): number {
  let at = start;
  if (state === UTF8_ACCEPT) {
    while (at <= end - 4 && (data[at] | data[at + 1] | data[at + 2] | data[at + 3]) < 0x80) at += 4;
  }
  let current = state;
  while (at < end) current = NEXT[(current << 8) | data[at++]];
  return current;
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
