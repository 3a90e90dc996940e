/**
 * Strings out of bytes and into them. The methods behind `Buffer.toString` and `Buffer.write` are public in fact but
 * in no type declaration; called straight they cost a short string less. Where a runtime lacks them the documented
 * ones do the same.
 */

import { Buffer } from 'node:buffer';

interface Slices {
  latin1Slice?(this: Buffer, start: number, end: number): string;
  utf8Slice?(this: Buffer, start: number, end: number): string;
  utf8Write?(this: Buffer, text: string, offset: number, length: number): number;
}

const {
  latin1Slice = function (this: Buffer, start, end) {
    return this.toString('latin1', start, end);
  },
  utf8Slice = function (this: Buffer, start, end) {
    return this.toString('utf8', start, end);
  },
  utf8Write = function (this: Buffer, text, offset, length) {
    return this.write(text, offset, length, 'utf8');
  },
} = Buffer.prototype as unknown as Slices;

/** ASCII bytes as a string. */
export function asciiText(bytes: Buffer, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}

/** Valid UTF-8 as a string. */
export function utf8Text(bytes: Buffer, start: number, end: number): string {
  return utf8Slice.call(bytes, start, end);
}

/** Writes a string as UTF-8, a lone surrogate as U+FFFD, and returns the bytes written. There must be room. */
export function writeUtf8(bytes: Buffer, text: string, offset: number, room: number): number {
  return utf8Write.call(bytes, text, offset, room);
}
