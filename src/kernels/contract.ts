/**
 * The contract of the kernels: what every tier must do, to the byte.
 *
 * A kernel sees bytes and numbers only. It keeps nothing between calls: what must be carried (the position in a key,
 * the state of a UTF-8 sequence, a frame that is not whole yet) goes in and comes out as a number. Two tiers are
 * identical when, for every input and however it is split, they return the same value, leave the same bytes in every
 * buffer and the same numbers in every column, and throw the same errors. `test/differential` holds them to it.
 *
 * An array tells the truth about itself: of one that redefines its `length` or `buffer`, or shares its memory with the
 * array that it is copied to through another SharedArrayBuffer object, only this is promised, that nothing outside of
 * that memory is touched.
 */

/** Which implementation does the work. */
export type Tier = 'native' | 'portable';

/** What every tier provides. Arguments are checked: see each function for its errors. */
export interface Kernels {
  readonly tier: Tier;

  /**
   * Reads the frames of one chunk: parses and checks their headers, unmasks the payloads in place, classifies text,
   * and writes a row for each into `batch`.
   *
   * Scanning stops at the end of the chunk, at a full batch, after a partial row, or at the first frame whose header
   * breaks a rule; `batch.status` says which, and rows written before stand. A frame whose payload is not whole yet
   * becomes a partial row, the last of its batch, and its payload is left masked: whoever owns the message unmasks
   * it while copying. A header that is not whole yet is left unread: `batch.consumed` says where it begins.
   *
   * Headers are checked as far as they have arrived, in the order of their bytes, so that a split input fails with
   * the same code at the same frame as a whole one.
   *
   * @param chunk the bytes; payloads of complete masked frames are changed in place
   * @param from where a frame begins, from 0 to `to`
   * @param to where the bytes end, from `from` to `chunk.length`, at most 2³¹ − 1
   * @param batch takes the rows and the outcome; what it held before is overwritten
   * @param rules `EXPECT_MASK` on a server, and the RSV bits (0x70) that negotiated extensions allow on data frames
   * @param limit the largest payload length allowed, in bytes; `Infinity` for none but 2⁵³ − 1
   * @returns the number of rows written, from 0 to `batch.capacity`
   * @throws TypeError for an argument of the wrong type, RangeError for one out of range
   */
  scan(chunk: Uint8Array, from: number, to: number, batch: FrameBatch, rules: number, limit: number): number;

  /**
   * XORs bytes with a masking key (RFC 6455 §5.3): `dst[dstStart + i] = src[srcStart + i] ^ key[(phase + i) % 4]`.
   * The two ranges are one and the same or do not overlap; each ends within the first 2³¹ − 1 bytes of its array.
   *
   * @param key the four key bytes as one number, the first in the lowest eight bits, from −2³¹ to 2³² − 1
   * @param phase which key byte the first byte meets, from 0 to 3
   * @throws TypeError for an argument of the wrong type, RangeError for one out of range or ranges that overlap
   */
  mask(
    src: Uint8Array,
    srcStart: number,
    dst: Uint8Array,
    dstStart: number,
    length: number,
    key: number,
    phase: number,
  ): void;

  /**
   * Validates UTF-8 as it streams by (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF.
   *
   * @param start from 0 to `end`
   * @param end up to `data.length`, at most 2³¹ − 1
   * @param state `UTF8_ACCEPT` at the start of a text, afterwards what the call before returned
   * @returns `UTF8_ACCEPT` between characters, `UTF8_REJECT` once a byte cannot belong to valid UTF-8 (and from then
   *   on for every input), or another state from 2 to 8 inside a character
   * @throws TypeError for an argument of the wrong type, RangeError for one out of range
   */
  utf8(data: Uint8Array, start: number, end: number, state: number): number;
}

/** `rules` of `scan`: frames must be masked, as a server demands; without it they must not be. */
export const EXPECT_MASK = 0x01;

/** The first state of `utf8`, and the one in which a text may end. */
export const UTF8_ACCEPT = 0;
/** The state of `utf8` after a byte that no valid text has there. */
export const UTF8_REJECT = 1;

/** The number of states of `utf8`. */
export const UTF8_STATES = 9;

/** Where `scan` stopped, and why. Values from `RESERVED_BITS` on are violations of RFC 6455 §5. */
export enum ScanStatus {
  /** The chunk is read, but for a header that is not whole. */
  END = 0,
  /** The last row is partial: its payload goes on in the next chunk. */
  PARTIAL = 1,
  /** The batch is full; the next call goes on at `consumed`. */
  FULL = 2,
  /** An RSV bit without an extension that gives it a meaning, or any on a control frame (§5.2, §5.5). */
  RESERVED_BITS = 16,
  /** An opcode that is not defined (§5.2). */
  RESERVED_OPCODE = 17,
  /** A control frame without FIN (§5.5). */
  FRAGMENTED_CONTROL = 18,
  /** A frame to a server without a mask (§5.1). */
  MASK_REQUIRED = 19,
  /** A frame to a client with a mask (§5.1). */
  MASK_FORBIDDEN = 20,
  /** A control frame with more than 125 bytes (§5.5). */
  CONTROL_TOO_LONG = 21,
  /** A length written in more bytes than it needs (§5.2). */
  LENGTH_NOT_MINIMAL = 22,
  /** A 64-bit length with its highest bit set (§5.2). */
  LENGTH_RESERVED_BIT = 23,
  /** A length over the limit, or over 2⁵³ − 1. */
  FRAME_TOO_LARGE = 24,
}

/** The first column of a row: bits 0 to 7 are the first byte of the frame as it came. */
export const META_OPCODE = 0x0f;
export const META_RSV = 0x70;
export const META_FIN = 0x80;
/** What `scan` found a complete, unfragmented text without RSV bits to be; 0 for every other row. */
export const META_TEXT = 0x300;
export const TEXT_ASCII = 0x100;
export const TEXT_UTF8 = 0x200;
export const TEXT_INVALID = 0x300;
/** Set on a row whose payload is not whole. */
export const META_PARTIAL = 0x400;

/** Columns of a row: flags, offset of the payload in the chunk, bytes of the payload in the chunk. */
export const ROW_META = 0;
export const ROW_START = 1;
export const ROW_LENGTH = 2;
export const ROW_SIZE = 3;

/** Places in `FrameBatch.table` ahead of its rows. */
export const BATCH_STATUS = 0;
export const BATCH_CONSUMED = 1;
export const BATCH_KEY = 2;
export const BATCH_TOTAL_LOW = 3;
export const BATCH_TOTAL_HIGH = 4;
export const BATCH_ROWS = 5;

/** The rows of one `scan` and how it ended, in one typed array so that a crossing passes one. */
export class FrameBatch {
  /** The most rows one call writes. */
  readonly capacity: number;
  /** The outcome in the first `BATCH_ROWS` places, then the rows, `ROW_SIZE` places each. */
  readonly table: Int32Array;

  /** @param capacity rows, from 1 to 65536 */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 65536) {
      throw new RangeError('capacity must be an integer from 1 to 65536');
    }
    this.capacity = capacity;
    this.table = new Int32Array(BATCH_ROWS + capacity * ROW_SIZE);
  }

  /** Why the scan stopped. */
  get status(): ScanStatus {
    return this.table[BATCH_STATUS];
  }

  /** Where the first byte stands that no row covers: the next frame, or the frame that broke a rule. */
  get consumed(): number {
    return this.table[BATCH_CONSUMED];
  }

  /** The masking key of the partial row, 0 where it has none. */
  get key(): number {
    return this.table[BATCH_KEY];
  }

  /** The whole payload length that the header of the partial row claims. */
  get total(): number {
    return this.table[BATCH_TOTAL_HIGH] * 0x1_0000_0000 + (this.table[BATCH_TOTAL_LOW] >>> 0);
  }
}
