/**
 * The pull parser: takes chunks of bytes, gives one event at a time.
 *
 * It works on three levels, each only as far as its reader has come. Chunks wait raw until they are reached. A chunk
 * is scanned a batch of rows at a time. A row becomes an event when `poll` reaches it, and what needs memory of
 * earlier frames (continuations, message totals, text split over frames) is checked there and nowhere else.
 *
 * A complete message in one frame takes the short way through `poll`: its row is the event, and nothing is read of it
 * until somebody asks. Everything else goes through `#takeRow` and `#takePiece`.
 */

import { Buffer } from 'node:buffer';
import {
  BATCH_ROWS,
  EXPECT_MASK,
  type FrameBatch,
  type Kernels,
  META_FIN,
  META_OPCODE,
  META_PARTIAL,
  META_RSV,
  META_TEXT,
  ROW_LENGTH,
  ROW_META,
  ROW_SIZE,
  ROW_START,
  ScanStatus,
  TEXT_ASCII,
  TEXT_INVALID,
  TEXT_UTF8,
  UTF8_ACCEPT,
  UTF8_REJECT,
} from '../../kernels/index.js';
import { type Decoder, decoderOf } from '../extensions/chain.js';
import type { Extension } from '../extensions/extension.js';
import type { ConnectionConfig } from '../options.js';
import { asciiText, utf8Text } from '../strings.js';
import { asBuffer, viewOf } from '../views.js';
import {
  EXPECTED_CONTINUATION,
  headerViolation,
  INVALID_PAYLOAD,
  INVALID_UTF8,
  MAX_FRAGMENTS,
  MAX_FRAME_SIZE,
  MAX_MESSAGE_SIZE,
  RESERVED_BITS,
  UNEXPECTED_CONTINUATION,
  type Violation,
} from '../violations.js';
import { Assembly } from './assembly.js';
import { borrowBatch, returnBatch } from './batches.js';
import { CharacterCutter } from './characters.js';
import { ChunkQueue } from './chunk-queue.js';
import { keptCopy } from './kept.js';
import { BYTES, CLOSE, NEED_DATA, PING, PONG, TEXT, VIOLATION } from './kind.js';
import {
  CLOSE as CLOSE_OPCODE,
  CONTINUATION,
  isControl,
  MAX_CONTROL_PAYLOAD,
  MAX_HEADER,
  TEXT as TEXT_OPCODE,
} from './opcodes.js';

/** How messages are cut for the reader: whole, a frame at a time, or as they arrive. */
export type Delivery = 'messages' | 'frames' | 'chunks';

const WHOLE_BYTES = META_FIN | 2;
const WHOLE_ASCII = META_FIN | TEXT_OPCODE | TEXT_ASCII;
const WHOLE_UTF8 = META_FIN | TEXT_OPCODE | TEXT_UTF8;

/** What a compressed message is larger by than its data, at worst: a part of it, and some bytes. */
const EXPANSION = 16;
const EXPANSION_BASE = 1024;

const NO_BYTES: Buffer = Buffer.alloc(0);
/** What a step says that cannot go on before a decoder is ready. */
const HELD_UP = -1;
/** Readers that no connection needs, for the next that does. */
const spare: FrameReader[] = [];
const MAX_SPARE = 64;
const NO_TABLE = new Int32Array(BATCH_ROWS);

/** What the kernels take, and a Buffer holds: where pieces are put together, `Infinity` goes no further. */
const MAX_ASSEMBLED = 2 ** 31 - 1;

export class FrameReader {
  // What `#use` sets.
  #config!: ConnectionConfig;
  #kernels!: Kernels;
  #expectMask!: boolean;
  #rules!: number;
  /** For data frames; `#scanLimit` is for all. */
  #frameLimit!: number;
  #scanLimit!: number;
  #messageLimit!: number;
  /** A whole message in a chunk of this size that passed the scan is within every limit. */
  #enoughScanned!: number;
  #maxFragments!: number;
  #delivery!: Delivery;
  #extensions!: readonly Extension[];
  /** What a frame that passes `#frameLimit` breaks. */
  #tooLarge!: Violation;

  // The chunk being read. Rows of its batch come first, then what the batch has not covered.
  #chunk: Buffer = NO_BYTES;
  /** Whether the memory of `#chunk` is lent. */
  #borrowed = false;
  #at = 0;
  #batch: FrameBatch | null = null;
  #table: Int32Array = NO_TABLE;
  #row = 0;
  #rowsEnd = 0;
  #status: ScanStatus = ScanStatus.END;
  readonly #waiting = new ChunkQueue();

  // The start of a header that the end of a chunk cut.
  #carry: Buffer | null = null;
  #carried = 0;

  // The frame being read piece by piece, while `#remaining` is not 0.
  #meta = 0;
  #remaining = 0;
  #key = 0;
  #phase = 0;
  #control: Buffer | null = null;
  #controlLength = 0;

  // The message being read, while `#messageKind` is not NEED_DATA.
  #messageKind: typeof TEXT | typeof BYTES | typeof NEED_DATA = NEED_DATA;
  #messageSize = 0;
  #fragments = 0;
  #rsv = 0;
  #decoder: Decoder | null = null;
  #utf8 = UTF8_ACCEPT;
  readonly #assembly = new Assembly();
  readonly #characters = new CharacterCutter();

  // The piece being decoded, while `#decoding`.
  #decoding = false;
  /** Whether the decoder works on it elsewhere. */
  #pending = false;
  /** What came of it last: shown only when it is known whether more comes. */
  #decoded: Uint8Array | null = null;
  #pieceSize = 0;
  #endsFrame = false;
  #endsMessage = false;
  /** Called when a decoder that has worked elsewhere is ready; while null, none does. */
  onReady: (() => void) | null = null;

  // The event at the cursor. While `#plain`, it lies in the chunk and is whole, no message is under way, no row needs a
  // look at its length, and the short way only moves along the rows.
  #plain = false;
  #payload: Buffer = NO_BYTES;
  #start = 0;
  #length = 0;
  /** The flags of the row before `#row` while that row is the event; 0 while `#start` and `#length` are. */
  #rowMeta = 0;
  #frameFinished = true;
  #messageFinished = true;
  /** Whose memory `#memory` is, from `#offset` on. */
  #viewed: Buffer = NO_BYTES;
  #memory: ArrayBufferLike = NO_BYTES.buffer;
  #offset = 0;
  #violation: Violation | null = null;
  #stopped = false;

  /** @param expectMask whether frames must be masked (a server's reader) or must not be (a client's) */
  constructor(config: ConnectionConfig, expectMask: boolean, extensions: readonly Extension[]) {
    this.#use(config, expectMask, extensions);
  }

  /** A reader, perhaps one that others have used. */
  static borrow(config: ConnectionConfig, expectMask: boolean, extensions: readonly Extension[]): FrameReader {
    const reader = spare.pop();
    if (reader === undefined) return new FrameReader(config, expectMask, extensions);
    if (reader.#config !== config || reader.#expectMask !== expectMask || reader.#extensions !== extensions) {
      reader.#use(config, expectMask, extensions);
    }
    return reader;
  }

  /**
   * Gives a reader back that has nothing left to read: between two messages it holds nothing of its connection's, and
   * most connections are idle most of the time.
   *
   * @returns whether it was taken; one that is in the middle of something stays
   */
  static giveBack(reader: FrameReader): boolean {
    if (!reader.#isIdle) return false;
    reader.onReady = null;
    if (spare.length < MAX_SPARE) spare.push(reader);
    return true;
  }

  get #isIdle(): boolean {
    return (
      this.#chunk.length === 0 &&
      this.#carried === 0 &&
      this.#remaining === 0 &&
      this.#messageKind === NEED_DATA &&
      this.#status < ScanStatus.RESERVED_BITS &&
      !this.#stopped
    );
  }

  #use(config: ConnectionConfig, expectMask: boolean, extensions: readonly Extension[]): void {
    const isForeign = config !== this.#config || expectMask !== this.#expectMask;
    const wasPlain = this.#extensions?.length === 0;
    this.#config = config;
    this.#kernels = config.kernels;
    this.#expectMask = expectMask;
    this.#extensions = extensions;
    this.#rules = expectMask ? EXPECT_MASK : 0;
    for (const { rsv } of extensions) this.#rules |= rsv;
    // Every connection has extensions of its own, and all but those in common with others.
    if (isForeign || wasPlain !== (extensions.length === 0)) this.#setLimits(config, extensions.length === 0);
  }

  #setLimits({ maxFrameSize, maxMessageSize, maxFragments, delivery }: ConnectionConfig, isPlain: boolean): void {
    this.#messageLimit = delivery === 'chunks' ? maxMessageSize : Math.min(maxMessageSize, MAX_ASSEMBLED);
    this.#maxFragments = maxFragments;
    this.#delivery = delivery;
    // Without an extension a frame over the message limit is over before its payload comes; with one, what counts
    // is what comes out of it.
    const messageFirst = this.#messageLimit <= maxFrameSize;
    this.#frameLimit = messageFirst && isPlain ? this.#messageLimit : maxFrameSize;
    // What cannot be compressed becomes larger: where messages are what is limited, that is none of their fault.
    if (messageFirst && !isPlain) this.#frameLimit += Math.ceil(maxFrameSize / EXPANSION) + EXPANSION_BASE;
    this.#tooLarge = messageFirst ? MAX_MESSAGE_SIZE : MAX_FRAME_SIZE;
    // Control frames have a limit of their own (RFC 6455 §5.5).
    this.#scanLimit = Math.max(this.#frameLimit, MAX_CONTROL_PAYLOAD);
    const least = Math.min(this.#frameLimit, this.#messageLimit);
    this.#enoughScanned = this.#scanLimit <= least ? Number.POSITIVE_INFINITY : least;
  }

  /**
   * Takes a chunk; its bytes are unmasked in place. Bytes after `stop` are dropped.
   *
   * @param borrowed whether its memory is lent, until `keep`
   */
  push(chunk: Buffer, borrowed: boolean): void {
    if (this.#stopped || chunk.length === 0) return;
    if (this.#waiting.bytes === 0 && this.#row === this.#rowsEnd && this.#at === this.#chunk.length) {
      this.#chunk = chunk;
      this.#borrowed = borrowed;
      this.#at = 0;
    } else {
      this.#waiting.push(borrowed ? keptCopy(chunk) : chunk);
    }
  }

  /** Makes what is needed of a borrowed chunk its own. */
  keep(): void {
    if (!this.#borrowed) return;
    if (this.#row < this.#rowsEnd || this.#at < this.#chunk.length) {
      this.#own();
    } else {
      this.#borrowed = false;
      this.clear();
    }
  }

  /** Copies a borrowed chunk. */
  #own(): void {
    const chunk = this.#chunk;
    this.#borrowed = false;
    this.#chunk = keptCopy(chunk);
    if (this.#payload === chunk) this.#payload = this.#chunk;
  }

  /** Raw bytes that wait for `poll`; the start of a frame that it waits for itself is none. */
  get bufferedBytes(): number {
    const rowsFrom = this.#row < this.#rowsEnd ? this.#table[this.#row + ROW_START] : this.#at;
    const decoding = this.#decoding ? this.#pieceSize : 0;
    return this.#chunk.length - Math.min(rowsFrom, this.#at) + this.#waiting.bytes + decoding;
  }

  /** Whether `poll` cannot go on before a decoder has called `onReady`. */
  get isHeldUp(): boolean {
    return this.#pending;
  }

  /** Empties the cursor. */
  clear(): void {
    this.#show(NO_BYTES, 0, 0, true, true);
    this.#viewed = NO_BYTES;
    this.#memory = NO_BYTES.buffer;
    this.#offset = 0;
  }

  /** Drops what waits and everything that comes. The event at the cursor stays readable. */
  stop(): void {
    // Out of the memory that is lent, too, which is not known any more once the chunk is let go.
    if (this.#borrowed && this.#payload === this.#chunk)
      this.#show(Buffer.from(this.peek()), 0, this.length, true, true);
    else if (this.#rowMeta !== 0) this.#show(this.#payload, this.#startOfPayload, this.length, true, true);
    this.#stopped = true;
    this.#releaseBatch();
    this.#chunk = NO_BYTES;
    this.#at = 0;
    this.#row = 0;
    this.#rowsEnd = 0;
    this.#waiting.clear();
    this.#carried = 0;
    this.#carry = null;
    this.#control = null;
    this.#decoding = false;
    this.#decoded = null;
    this.#characters.clear();
    this.#assembly.clear();
  }

  /** Goes on to the next event. After VIOLATION or CLOSE the reader must be stopped. */
  poll(): number {
    for (;;) {
      const row = this.#row;
      if (this.#plain && row < this.#rowsEnd) {
        const meta = this.#table[row + ROW_META];
        if (meta === WHOLE_BYTES || meta === WHOLE_ASCII || meta === WHOLE_UTF8) {
          this.#row = row + ROW_SIZE;
          this.#rowMeta = meta;
          return meta === WHOLE_BYTES ? BYTES : TEXT;
        }
      }
      const kind = this.#decoding ? this.#goOnDecoding() : this.#advance();
      if (kind === HELD_UP) return NEED_DATA;
      if (kind !== NEED_DATA || (this.#chunk.length === 0 && !this.#decoding)) return kind;
    }
  }

  /** The payload at the cursor as a string. */
  text(): string {
    const start = this.#startOfPayload;
    const end = start + this.length;
    return this.#rowMeta === WHOLE_ASCII ? asciiText(this.#payload, start, end) : utf8Text(this.#payload, start, end);
  }

  /** The payload at the cursor as a view of the memory it arrived in, which it may keep. */
  bytes(): Buffer {
    if (this.#borrowed && this.#payload === this.#chunk) this.#own();
    return this.peek();
  }

  /** The payload at the cursor as a view of memory that may be lent. */
  peek(): Buffer {
    return this.#view(this.#payload, this.#startOfPayload, this.length);
  }

  #view(memory: Buffer, start: number, length: number): Buffer {
    if (memory !== this.#viewed) {
      this.#viewed = memory;
      this.#memory = memory.buffer;
      this.#offset = memory.byteOffset;
    }
    return viewOf(this.#memory, this.#offset + start, length);
  }

  /** The bytes of the payload at the cursor. */
  get length(): number {
    return this.#rowMeta === 0 ? this.#length : this.#table[this.#row - ROW_SIZE + ROW_LENGTH];
  }

  get #startOfPayload(): number {
    return this.#rowMeta === 0 ? this.#start : this.#table[this.#row - ROW_SIZE + ROW_START];
  }

  get frameFinished(): boolean {
    return this.#frameFinished;
  }

  get messageFinished(): boolean {
    return this.#messageFinished;
  }

  /** After VIOLATION, which one. */
  get violation(): Violation {
    return this.#violation as Violation;
  }

  /** One step off the short way. NEED_DATA only says that this step made no event; no chunk, that there is no more. */
  #advance(): number {
    if (this.#row < this.#rowsEnd) return this.#takeRow();
    if (this.#status >= ScanStatus.RESERVED_BITS) return this.#fail(headerViolation(this.#status, this.#tooLarge));
    if (this.#at === this.#chunk.length) this.#nextChunk();
    else if (this.#remaining > 0) return this.#continueFrame();
    else if (this.#carried > 0) return this.#completeHeader();
    else this.#scan(this.#chunk);
    return NEED_DATA;
  }

  #nextChunk(): void {
    this.#releaseBatch();
    this.#at = 0;
    this.#chunk = this.#waiting.shift() ?? NO_BYTES;
    this.#borrowed = false;
    // An idle connection must not keep the memory of its last chunk.
    if (this.#chunk === NO_BYTES) this.clear();
  }

  #releaseBatch(): void {
    if (this.#batch === null) return;
    returnBatch(this.#batch);
    this.#batch = null;
    this.#table = NO_TABLE;
  }

  #scan(bytes: Buffer, from = this.#at, to = bytes.length): void {
    this.#batch ??= borrowBatch();
    const batch = this.#batch;
    const rows = this.#kernels.scan(bytes, from, to, batch, this.#rules, this.#scanLimit);
    this.#table = batch.table;
    this.#row = BATCH_ROWS;
    this.#rowsEnd = BATCH_ROWS + rows * ROW_SIZE;
    this.#status = batch.status;
    if (bytes !== this.#chunk) return;
    this.#show(bytes, 0, 0, true, true);
    this.#at = batch.consumed;
    if (this.#status === ScanStatus.END && this.#at < to) {
      // Kept as long as the connection, so not out of the pool, of which it would keep much more.
      this.#carry ??= Buffer.allocUnsafeSlow(MAX_HEADER);
      this.#carried = bytes.copy(this.#carry, 0, this.#at, to);
      this.#at = to;
    }
  }

  /**
   * Goes on with a header that the last chunk cut, a byte at a time: headers are few bytes, this happens once a chunk
   * at most, and `scan` stays the one place that knows what is wrong with a header.
   */
  #completeHeader(): number {
    const carry = this.#carry as Buffer;
    while (this.#at < this.#chunk.length) {
      carry[this.#carried++] = this.#chunk[this.#at++];
      this.#scan(carry, 0, this.#carried);
      if (this.#rowsEnd > BATCH_ROWS || this.#status !== ScanStatus.END) break;
    }
    if (this.#rowsEnd === BATCH_ROWS) return NEED_DATA;
    // The row tells where the payload begins in `carry`, and that is at its end.
    this.#carried = 0;
    this.#table[BATCH_ROWS + ROW_START] = this.#at;
    return this.#takeRow();
  }

  #takeRow(): number {
    const table = this.#table;
    const row = this.#row;
    const meta = table[row + ROW_META];
    const start = table[row + ROW_START];
    const length = table[row + ROW_LENGTH];
    this.#row = row + ROW_SIZE;

    if ((meta & META_PARTIAL) === 0) {
      const violation = this.#beginFrame(meta, length);
      if (violation !== null) return this.#fail(violation);
      if (isControl(meta & META_OPCODE)) return this.#controlEvent(this.#chunk, start, length);
      return this.#takePiece(start, length, false, true);
    }
    const batch = this.#batch as FrameBatch;
    const violation = this.#beginFrame(meta, batch.total);
    if (violation !== null) return this.#fail(violation);
    this.#remaining = batch.total;
    this.#key = batch.key;
    this.#phase = 0;
    return length === 0 ? NEED_DATA : this.#takePartial(start, length);
  }

  /** Checks a frame against the ones before it, as soon as its header is known. */
  #beginFrame(meta: number, length: number): Violation | null {
    this.#meta = meta;
    const opcode = meta & META_OPCODE;
    if (isControl(opcode)) {
      this.#controlLength = 0;
      return null;
    }
    if (length > this.#frameLimit) return this.#tooLarge;
    if (opcode === CONTINUATION) {
      if (this.#messageKind === NEED_DATA) return UNEXPECTED_CONTINUATION;
      // Extensions mark a message by the RSV bits of its first frame (RFC 7692 §6).
      if ((meta & META_RSV) !== 0) return RESERVED_BITS;
    } else {
      if (this.#messageKind !== NEED_DATA) return EXPECTED_CONTINUATION;
      this.#messageKind = opcode === TEXT_OPCODE ? TEXT : BYTES;
      this.#plain = false;
      this.#messageSize = 0;
      this.#fragments = 0;
      this.#utf8 = UTF8_ACCEPT;
      this.#rsv = meta & META_RSV;
      this.#decoder = this.#rsv === 0 ? null : decoderOf(this.#decodersOf(this.#rsv));
    }
    if (++this.#fragments > this.#maxFragments) return MAX_FRAGMENTS;
    if (this.#decoder === null && this.#messageSize + length > this.#messageLimit) return MAX_MESSAGE_SIZE;
    return null;
  }

  /** The extensions that decode a message with these RSV bits, in the order in which they undo their work. */
  #decodersOf(rsv: number): readonly Extension[] {
    const extensions = this.#extensions;
    return extensions.length === 1 ? extensions : extensions.filter((each) => (each.rsv & rsv) !== 0).reverse();
  }

  #continueFrame(): number {
    const start = this.#at;
    const length = Math.min(this.#remaining, this.#chunk.length - start);
    this.#at = start + length;
    return this.#takePartial(start, length);
  }

  /** Takes bytes of a frame that did not arrive whole; they are still masked. */
  #takePartial(start: number, length: number): number {
    this.#remaining -= length;
    const finished = this.#remaining === 0;
    if (!isControl(this.#meta & META_OPCODE)) {
      const kind = this.#takePiece(start, length, true, finished);
      this.#phase = (this.#phase + length) & 3;
      return kind;
    }
    this.#control ??= Buffer.allocUnsafe(MAX_CONTROL_PAYLOAD);
    this.#kernels.mask(this.#chunk, start, this.#control, this.#controlLength, length, this.#key, this.#phase);
    this.#controlLength += length;
    this.#phase = (this.#phase + length) & 3;
    if (!finished) return NEED_DATA;
    // The next control frame must not write into what this event hands out.
    const payload = this.#control;
    this.#control = null;
    return this.#controlEvent(payload, 0, this.#controlLength);
  }

  #controlEvent(payload: Buffer, start: number, length: number): number {
    this.#show(payload, start, length, true, true);
    const opcode = this.#meta & META_OPCODE;
    return opcode === 9 ? PING : opcode === 10 ? PONG : CLOSE;
  }

  /** Takes bytes of a data frame from the chunk: decodes them where that is due, and goes on with what they are. */
  #takePiece(start: number, length: number, masked: boolean, frameFinished: boolean): number {
    const messageFinished = frameFinished && (this.#meta & META_FIN) !== 0;
    const isMasked = masked && this.#expectMask;
    if (this.#decoder === null)
      return this.#takePlain(this.#chunk, start, length, isMasked, frameFinished, messageFinished);
    // What waits to be decoded when an event was returned must not lie in memory that is lent.
    if (this.#borrowed && (this.#delivery !== 'messages' || this.#extensions.length > 1)) this.#own();
    const chunk = this.#chunk;
    if (isMasked) this.#kernels.mask(chunk, start, chunk, start, length, this.#key, this.#phase);
    this.#decoding = true;
    this.#pieceSize = length;
    this.#endsFrame = frameFinished;
    this.#endsMessage = messageFinished;
    return this.#decode(this.#view(chunk, start, length));
  }

  /** Goes on with the piece that is being decoded, or with the control frames behind it. */
  #goOnDecoding(): number {
    return this.#pending ? this.#takeControl() : this.#decode(null);
  }

  /**
   * Decodes, part by part, up to the end of the piece or an event.
   *
   * @param piece where it begins, otherwise null
   */
  #decode(piece: Uint8Array | null): number {
    const decoder = this.#decoder as Decoder;
    const { onReady } = this;
    const whenReady = onReady === null ? null : this.#whenReady;
    let isNew = piece;
    for (;;) {
      let found: Uint8Array | null | undefined;
      try {
        const limit = this.#messageLimit - this.#messageSize - (this.#decoded?.length ?? 0);
        if (isNew !== null) found = decoder.decode(isNew, this.#rsv, this.#endsMessage, limit, whenReady);
        else found = decoder.more?.(limit, whenReady);
        if (found && found.length > limit) return this.#fail(MAX_MESSAGE_SIZE);
      } catch (error) {
        return this.#fail(error instanceof RangeError ? MAX_MESSAGE_SIZE : INVALID_PAYLOAD);
      }
      isNew = null;
      if (found === null) {
        this.#pending = true;
        return NEED_DATA;
      }
      const decoded = this.#decoded ?? NO_BYTES;
      if (found === undefined) {
        this.#decoding = false;
        this.#decoded = null;
        return this.#takePlain(asBuffer(decoded), 0, decoded.length, false, this.#endsFrame, this.#endsMessage);
      }
      this.#decoded = found;
      if (decoded.length === 0) continue;
      const kind = this.#takePlain(asBuffer(decoded), 0, decoded.length, false, false, false);
      if (kind !== NEED_DATA) return kind;
    }
  }

  readonly #whenReady = (): void => {
    this.#pending = false;
    if (!this.#stopped) this.onReady?.();
  };

  /** One step towards a Ping or Pong behind the piece that is decoded elsewhere, for nothing else may overtake it. */
  #takeControl(): number {
    if (this.#row < this.#rowsEnd) {
      const opcode = this.#table[this.#row + ROW_META] & META_OPCODE;
      return isControl(opcode) && opcode !== CLOSE_OPCODE ? this.#takeRow() : HELD_UP;
    }
    if (this.#remaining > 0) {
      const opcode = this.#meta & META_OPCODE;
      const mayGoOn = isControl(opcode) && opcode !== CLOSE_OPCODE && this.#at < this.#chunk.length;
      if (mayGoOn) return this.#continueFrame();
    }
    if (this.#at === this.#chunk.length && this.#waiting.bytes > 0) {
      this.#nextChunk();
      return NEED_DATA;
    }
    const canScan = this.#remaining === 0 && this.#carried === 0 && this.#status < ScanStatus.RESERVED_BITS;
    if (!canScan || this.#at === this.#chunk.length) return HELD_UP;
    this.#scan(this.#chunk);
    return NEED_DATA;
  }

  /** Takes bytes of a message as they are: validates, and shows or stores them. */
  #takePlain(
    piece: Buffer,
    start: number,
    length: number,
    isMasked: boolean,
    frameFinished: boolean,
    messageFinished: boolean,
  ): number {
    const unitFinished = this.#delivery === 'messages' ? messageFinished : frameFinished;
    // What is shown from where it lies: a unit that is here whole, or any piece when pieces are what is wanted.
    const direct = this.#delivery === 'chunks' || (unitFinished && this.#assembly.length === 0);

    let source = piece;
    let from = start;
    let size = length;
    if (isMasked && direct) this.#kernels.mask(source, from, source, from, size, this.#key, this.#phase);
    this.#messageSize += size;
    if (!direct) {
      const joined = this.#assembly.length;
      const expected = unitFinished ? joined + size : this.#expectedLength(joined + size);
      this.#assembly.append(this.#kernels, source, from, size, isMasked ? this.#key : 0, this.#phase, expected);
      source = this.#assembly.memory;
      from = joined;
    }
    if (this.#messageKind === TEXT) {
      this.#utf8 = this.#classified(source, from, size);
      if (this.#utf8 === UTF8_REJECT || (messageFinished && this.#utf8 !== UTF8_ACCEPT))
        return this.#fail(INVALID_UTF8);
    }
    if (!direct) {
      if (!unitFinished) return NEED_DATA;
      from = 0;
      size = this.#assembly.length;
      this.#assembly.clear();
    }
    return this.#showPiece(source, from, size, frameFinished, messageFinished);
  }

  /** What an assembly of `length` bytes comes to in the end, where the frame under way ends it. */
  #expectedLength(length: number): number {
    const known = this.#decoder === null && (this.#delivery === 'frames' || (this.#meta & META_FIN) !== 0);
    return known ? length + this.#remaining : Number.POSITIVE_INFINITY;
  }

  /** The state of UTF-8 after a piece; the scan has done the work for a whole text in a whole frame. */
  #classified(source: Uint8Array, from: number, size: number): number {
    const found = this.#meta & META_TEXT;
    if (found !== 0) return found === TEXT_INVALID ? UTF8_REJECT : UTF8_ACCEPT;
    return this.#kernels.utf8(source, from, from + size, this.#utf8);
  }

  #showPiece(source: Buffer, from: number, size: number, frameFinished: boolean, messageFinished: boolean): number {
    const kind = this.#messageKind;
    if (messageFinished) this.#messageKind = NEED_DATA;
    if (kind === TEXT && this.#delivery !== 'messages') {
      const isLent = this.#borrowed && source === this.#chunk;
      // What is cut is a view of its own, of which `bytes` would not see that its memory is lent.
      if (isLent) this.#own();
      const whole = isLent ? this.#chunk : source;
      const text = this.#characters.cut(whole.subarray(from, from + size), this.#utf8 !== UTF8_ACCEPT);
      this.#show(text, 0, text.length, frameFinished, messageFinished);
    } else {
      this.#show(source, from, size, frameFinished, messageFinished);
    }
    // Half a character, or the header of a frame without its payload, is nothing to tell yet.
    return this.#length === 0 && !frameFinished ? NEED_DATA : kind;
  }

  #show(payload: Buffer, start: number, length: number, frameFinished: boolean, messageFinished: boolean): void {
    this.#payload = payload;
    this.#start = start;
    this.#length = length;
    this.#rowMeta = 0;
    this.#frameFinished = frameFinished;
    this.#messageFinished = messageFinished;
    this.#plain =
      payload === this.#chunk &&
      frameFinished &&
      messageFinished &&
      this.#messageKind === NEED_DATA &&
      payload.length <= this.#enoughScanned;
  }

  #fail(violation: Violation): number {
    this.#violation = violation;
    return VIOLATION;
  }
}
