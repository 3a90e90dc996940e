/**
 * Turns payloads into frames (RFC 6455 §5.2) for an output queue or a log: small ones into a slab, so that many leave as one
 * piece; large ones as they are behind their header, or masked into memory of their own.
 */

import { Buffer } from 'node:buffer';
import type { Kernels } from '../../kernels/index.js';
import type { MaskingKeySource } from '../masking.js';
import { writeUtf8 } from '../strings.js';
import { MAX_CONTROL_PAYLOAD, MAX_HEADER } from './opcodes.js';
import type { Slab } from './slab.js';

/**
 * Payloads up to this size are copied, so that many leave as one piece: for 16 KiB that costs as much as a piece of its
 * own would (`npm run bench:peers`).
 */
export const COPY_UP_TO = 16 * 1024;

const MASKED = 0x80;

/** Where frames go. */
export interface FrameSink {
  /** A slab with room for `size` bytes at `used`, to be filled and then passed to `commit`. */
  reserve(size: number): Slab;
  /** Takes `size` bytes just written at the end of a slab; `endsFrame` is true unless told. */
  commit(slab: Slab, size: number, endsFrame?: boolean): void;
  /** Takes memory as it is, behind what was committed. */
  append(memory: Uint8Array): void;
}

export class FrameWriter {
  readonly #sink: FrameSink;
  readonly #kernels: Kernels;
  readonly #maskingKeys: MaskingKeySource | null;

  /** @param maskingKeys a client's source of keys, or null for a server, whose frames are not masked */
  constructor(kernels: Kernels, maskingKeys: MaskingKeySource | null, sink: FrameSink) {
    this.#sink = sink;
    this.#kernels = kernels;
    this.#maskingKeys = maskingKeys;
  }

  /** Queues one frame with the UTF-8 of `text`. */
  writeText(first: number, text: string): void {
    const most = text.length * 3;
    if (most > COPY_UP_TO) {
      this.writeBytes(first, Buffer.from(text));
      return;
    }
    const slab = this.#sink.reserve(MAX_HEADER + most);
    const { memory, used } = slab;
    // The header's size depends on the length that only writing tells; for ASCII the first guess is right.
    let header = this.#headerSize(text.length);
    const length = writeUtf8(memory, text, used + header, most);
    const needed = this.#headerSize(length);
    if (needed !== header) {
      memory.copyWithin(used + needed, used + header, used + header + length);
      header = needed;
    }
    this.#writeHeader(memory, used, first, length);
    this.#maskWritten(memory, used + header, length);
    this.#sink.commit(slab, header + length);
  }

  /**
   * Queues one frame. A large payload on a server is not copied and must not change until it is acknowledged.
   *
   * @param lent whether its memory will be used again
   */
  writeBytes(first: number, payload: Uint8Array, lent = false): void {
    const { length } = payload;
    const header = this.#headerSize(length);
    if (length <= COPY_UP_TO) {
      const slab = this.#sink.reserve(header + length);
      this.#writeFrame(slab.memory, slab.used, first, payload);
      this.#sink.commit(slab, header + length);
    } else if (this.#maskingKeys === null) {
      const slab = this.#sink.reserve(header);
      this.#writeHeader(slab.memory, slab.used, first, length);
      this.#sink.commit(slab, header, false);
      this.#sink.append(lent ? Buffer.from(payload) : payload);
    } else {
      const memory = Buffer.allocUnsafeSlow(header + length);
      this.#writeFrame(memory, 0, first, payload);
      this.#sink.append(memory);
    }
  }

  /** A frame in memory of its own. */
  frame(first: number, payload: Uint8Array): Buffer {
    const memory = Buffer.allocUnsafe(this.frameSize(payload.length));
    this.#writeFrame(memory, 0, first, payload);
    return memory;
  }

  /** The bytes of a frame with such a payload. */
  frameSize(length: number): number {
    return this.#headerSize(length) + length;
  }

  #headerSize(length: number): number {
    return (length <= MAX_CONTROL_PAYLOAD ? 2 : length <= 0xffff ? 4 : 10) + (this.#maskingKeys === null ? 0 : 4);
  }

  #writeFrame(memory: Buffer, at: number, first: number, payload: Uint8Array): void {
    const start = this.#writeHeader(memory, at, first, payload.length);
    if (this.#maskingKeys === null) memory.set(payload, start);
    else this.#kernels.mask(payload, 0, memory, start, payload.length, this.#writtenKey(memory, start), 0);
  }

  /** Writes a header with a new key, and returns where the payload goes. */
  #writeHeader(memory: Buffer, start: number, first: number, length: number): number {
    const mask = this.#maskingKeys === null ? 0 : MASKED;
    let at = start;
    memory[at++] = first;
    if (length <= MAX_CONTROL_PAYLOAD) {
      memory[at++] = mask | length;
    } else if (length <= 0xffff) {
      memory[at++] = mask | 126;
      memory[at++] = length >>> 8;
      memory[at++] = length & 0xff;
    } else {
      memory[at++] = mask | 127;
      at = memory.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at);
      at = memory.writeUInt32BE(length >>> 0, at);
    }
    if (this.#maskingKeys !== null) at = memory.writeInt32LE(this.#maskingKeys() | 0, at);
    return at;
  }

  #writtenKey(memory: Buffer, payloadStart: number): number {
    return memory.readInt32LE(payloadStart - 4);
  }

  #maskWritten(memory: Buffer, start: number, length: number): void {
    if (this.#maskingKeys === null) return;
    this.#kernels.mask(memory, start, memory, start, length, this.#writtenKey(memory, start), 0);
  }
}
