/** Frame scanning in TypeScript (RFC 6455 §5.2): one pass over the headers, nothing allocated a frame. */

import {
  BATCH_CONSUMED,
  BATCH_KEY,
  BATCH_ROWS,
  BATCH_STATUS,
  BATCH_TOTAL_HIGH,
  BATCH_TOTAL_LOW,
  EXPECT_MASK,
  type FrameBatch,
  META_FIN,
  META_OPCODE,
  META_PARTIAL,
  META_RSV,
  ROW_LENGTH,
  ROW_META,
  ROW_SIZE,
  ROW_START,
  ScanStatus,
  TEXT_ASCII,
  TEXT_INVALID,
  TEXT_UTF8,
  UTF8_ACCEPT,
} from '../contract.js';
import { checkBytes, checkInteger, checkLimit, checkRange, checkTable, isBytes, isRange } from './check.js';
import { maskInPlace, WORDS_FROM } from './mask.js';
import { validate } from './utf8.js';
import { wordsAtHand, wordsIfWorthIt } from './views.js';

/** A bit for each opcode that RFC 6455 §5.2 defines: 0, 1, 2, 8, 9, 10. */
const DEFINED_OPCODES = 0x0707;
const CONTROL = 0x08;
const MASKED = 0x80;
const WHOLE_TEXT = META_FIN | 1;

/** See `Kernels.scan`. */
export function scan(
  chunk: Uint8Array,
  from: number,
  to: number,
  batch: FrameBatch,
  rules: number,
  limit: number,
): number {
  const table: Int32Array | undefined = (batch as FrameBatch | undefined)?.table;
  if (!isBytes(chunk) || !isRange(chunk, from, to)) {
    checkBytes(chunk, 'chunk');
    checkRange(chunk, from, 'from', to, 'to');
  }
  checkTable(table, BATCH_ROWS + ROW_SIZE);
  checkInteger(rules, 'rules', 0, 0xff);
  checkLimit(limit, 'limit');
  return scanFrames(chunk, from, to, table, rules, limit);
}

function scanFrames(
  chunk: Uint8Array,
  from: number,
  to: number,
  table: Int32Array,
  rules: number,
  limit: number,
): number {
  const expectMask = (rules & EXPECT_MASK) !== 0;
  const most = Math.min(limit, Number.MAX_SAFE_INTEGER);
  const forbiddenRsv = META_RSV & ~rules;
  const lastRow = table.length - ROW_SIZE;
  const words = to - from < WORDS_FROM ? null : (wordsAtHand(chunk) ?? wordsIfWorthIt(chunk, true));
  let row = BATCH_ROWS;
  let at = from;
  let status = ScanStatus.END;
  let key = 0;
  let totalHigh = 0;
  let totalLow = 0;

  while (at < to) {
    if (row > lastRow) {
      status = ScanStatus.FULL;
      break;
    }
    const first = chunk[at];
    const opcode = first & META_OPCODE;
    if ((first & forbiddenRsv) !== 0) {
      status = ScanStatus.RESERVED_BITS;
      break;
    }
    if (((DEFINED_OPCODES >>> opcode) & 1) === 0) {
      status = ScanStatus.RESERVED_OPCODE;
      break;
    }
    if (opcode >= CONTROL && (first & (META_FIN | META_RSV)) !== META_FIN) {
      status = (first & META_RSV) !== 0 ? ScanStatus.RESERVED_BITS : ScanStatus.FRAGMENTED_CONTROL;
      break;
    }

    if (at + 1 === to) break;
    const second = chunk[at + 1];
    if (((second & MASKED) !== 0) !== expectMask) {
      status = expectMask ? ScanStatus.MASK_REQUIRED : ScanStatus.MASK_FORBIDDEN;
      break;
    }
    let length = second & 0x7f;
    let start = at + 2;
    if (length > 125) {
      if (opcode >= CONTROL) {
        status = ScanStatus.CONTROL_TOO_LONG;
        break;
      }
      if (length === 126) {
        if (start + 2 > to) break;
        length = (chunk[start] << 8) | chunk[start + 1];
        start += 2;
        if (length < 126) {
          status = ScanStatus.LENGTH_NOT_MINIMAL;
          break;
        }
      } else {
        if (start + 8 > to) break;
        const high = readUint32(chunk, start);
        length = high * 0x1_0000_0000 + readUint32(chunk, start + 4);
        start += 8;
        if (high >= 0x8000_0000) {
          status = ScanStatus.LENGTH_RESERVED_BIT;
          break;
        }
        if (length < 0x1_0000) {
          status = ScanStatus.LENGTH_NOT_MINIMAL;
          break;
        }
      }
    }
    if (length > most) {
      status = ScanStatus.FRAME_TOO_LARGE;
      break;
    }
    let frameKey = 0;
    if (expectMask) {
      if (start + 4 > to) break;
      frameKey = chunk[start] | (chunk[start + 1] << 8) | (chunk[start + 2] << 16) | (chunk[start + 3] << 24);
      start += 4;
    }

    if (length > to - start) {
      table[row + ROW_META] = first | META_PARTIAL;
      table[row + ROW_START] = start;
      table[row + ROW_LENGTH] = to - start;
      row += ROW_SIZE;
      at = to;
      status = ScanStatus.PARTIAL;
      key = frameKey;
      totalHigh = Math.floor(length / 0x1_0000_0000);
      totalLow = length | 0;
      break;
    }

    const end = start + length;
    let seen = 0;
    if (expectMask) seen = maskInPlace(chunk, words, start, end, frameKey);
    let meta = first;
    if (first === WHOLE_TEXT) {
      if (!expectMask) seen = orBytes(chunk, words, start, end);
      if ((seen & 0x8080_8080) === 0) meta |= TEXT_ASCII;
      else meta |= validate(chunk, start, end, UTF8_ACCEPT) === UTF8_ACCEPT ? TEXT_UTF8 : TEXT_INVALID;
    }
    table[row + ROW_META] = meta;
    table[row + ROW_START] = start;
    table[row + ROW_LENGTH] = length;
    row += ROW_SIZE;
    at = end;
  }

  table[BATCH_STATUS] = status;
  table[BATCH_CONSUMED] = at;
  table[BATCH_KEY] = key;
  table[BATCH_TOTAL_LOW] = totalLow;
  table[BATCH_TOTAL_HIGH] = totalHigh;
  return (row - BATCH_ROWS) / ROW_SIZE;
}

/** All bytes under OR, in four lanes. */
function orBytes(bytes: Uint8Array, words: DataView | null, start: number, end: number): number {
  let seen = 0;
  let at = start;
  if (words !== null) for (const last = end - 4; at <= last; at += 4) seen |= words.getInt32(at, true);
  while (at < end) seen |= bytes[at++];
  return seen;
}

function readUint32(chunk: Uint8Array, at: number): number {
  return ((chunk[at] << 24) | (chunk[at + 1] << 16) | (chunk[at + 2] << 8) | chunk[at + 3]) >>> 0;
}
