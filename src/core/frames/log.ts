/**
 * Frames that many connections send alike: written once, in memory that all of them refer to.
 *
 * A log is filled, its frames are queued on connections, as they are or from some place on, and then it is cleared. The
 * frames of a log that are still to be queued when it is cleared have to be kept.
 */

import { Buffer } from 'node:buffer';
import { kernels } from '../../kernels/index.js';
import type { SharedEncoder } from '../extensions/extension.js';
import { viewOf } from '../views.js';
import { BINARY, FIN, TEXT } from './opcodes.js';
import type { OutputQueue } from './output.js';
import { releasePiece, SLAB_SIZE, type Slab, sharedSlabFor } from './slab.js';
import { type FrameSink, FrameWriter } from './writer.js';

/** Single frames up to this size are copied, so that many leave as one piece. */
const COPY_SINGLE = 1024;

/** Consecutive bytes of frames. */
interface Run {
  readonly memory: Uint8Array;
  start: number;
  end: number;
  /** The slab the memory is of, or null where it is the run's own. */
  readonly slab: Slab | null;
  readonly endsFrame: boolean;
}

/** Whole frames of whole messages, as a server sends them. */
export class SharedFrames {
  /** Of all frames, in bytes. */
  readonly size: number;
  readonly messages: number;
  /** What has encoded any of them; null where they are all as they are. */
  readonly encoder: SharedEncoder | null;
  readonly #runs: readonly Run[];

  constructor(runs: readonly Run[], size: number, messages: number, encoder: SharedEncoder | null) {
    this.#runs = runs;
    this.size = size;
    this.messages = messages;
    this.encoder = encoder;
  }

  /**
   * Queues them.
   *
   * @param from how many bytes at the beginning are left out
   */
  queueOn(output: OutputQueue, from = 0): void {
    let skipped = from;
    for (const { memory, start, end, slab, endsFrame } of this.#runs) {
      const at = start + skipped;
      skipped = Math.max(0, at - end);
      if (at >= end) continue;
      if (slab !== null) {
        output.share(slab, at, end, endsFrame);
      } else if (end - at > COPY_SINGLE) {
        output.append(at === 0 ? memory : memory.subarray(at, end));
      } else {
        const room = output.reserve(end - at);
        room.memory.set(memory.subarray(at, end), room.used);
        output.commit(room, end - at);
      }
    }
  }

  /** All of them in one piece, where they lie so. */
  get bytes(): Uint8Array | null {
    const [{ memory, start, end, slab }] = this.#runs;
    if (this.#runs.length > 1) return null;
    return slab === null ? memory : viewOf(slab.arrayBuffer, start, end - start);
  }

  /** Keeps the memory until `release`. */
  keep(): this {
    for (const { slab } of this.#runs) if (slab !== null) slab.pieces++;
    return this;
  }

  release(): void {
    for (const { slab } of this.#runs) if (slab !== null) releasePiece(slab);
  }
}

export class FrameLog implements FrameSink {
  readonly #encoder: SharedEncoder | null;
  readonly #writer = new FrameWriter(kernels, null, this);
  #runs: Run[] = [];
  #size = 0;
  #messages = 0;
  #isEncoded = false;
  #generation = 0;
  #frames: SharedFrames | null = null;

  /** @param encoder of the connections that will send it; null for those without an extension */
  constructor(encoder: SharedEncoder | null) {
    this.#encoder = encoder;
  }

  /** Bytes of frames in it. */
  get size(): number {
    return this.#size;
  }

  get messages(): number {
    return this.#messages;
  }

  /** How often it was cleared. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Writes a message.
   *
   * @param data text as a string or as valid UTF-8; bytes may change afterwards
   * @param compress false to leave it uncompressed
   */
  write(data: string | Uint8Array, isText: boolean, compress = true): void {
    this.#frames = null;
    this.#messages++;
    const first = FIN | (isText ? TEXT : BINARY);
    if (this.#encoder !== null && compress) {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data;
      const encoder = this.#encoder.forMessage(bytes.length);
      const encoded = encoder?.encode(bytes, true, true, null) ?? null;
      if (encoded !== null) {
        if (encoded.rsv !== 0) this.#isEncoded = true;
        this.#writer.writeBytes(
          first | encoded.rsv,
          encoded.payload,
          encoded.lent === true || encoded.payload === data,
        );
        return;
      }
    }
    if (typeof data === 'string') this.#writer.writeText(first, data);
    else this.#writer.writeBytes(first, data, true);
  }

  /**
   * Its frames, or those behind some of them.
   *
   * @param size of the frames that are left out, and how many messages they are
   */
  frames(size = 0, messages = 0): SharedFrames {
    const encoder = this.#isEncoded ? this.#encoder : null;
    if (size > 0) return new SharedFrames(this.#runsFrom(size), this.#size - size, this.#messages - messages, encoder);
    this.#frames ??= new SharedFrames(this.#runsFrom(0), this.#size, this.#messages, encoder);
    return this.#frames;
  }

  /** Makes one run of many, where that is a matter of copying little: each connection pays for every one. */
  join(): void {
    if (this.#runs.length <= 1 || this.#size > SLAB_SIZE || this.#runs.some(({ slab }) => slab === null)) return;
    const runs = this.#runs;
    const slab = sharedSlabFor(this.#size);
    const start = slab.used;
    for (const { memory, start: from, end } of runs) {
      slab.memory.set(memory.subarray(from, end), slab.used);
      slab.used += end - from;
    }
    slab.pieces++;
    this.#frames = null;
    this.#runs = [{ memory: slab.memory, start, end: slab.used, slab, endsFrame: true }];
    for (const run of runs) releasePiece(run.slab as Slab);
  }

  /** Forgets its frames. */
  clear(): void {
    const runs = this.#runs;
    this.#runs = [];
    this.#frames = null;
    this.#size = 0;
    this.#messages = 0;
    this.#isEncoded = false;
    this.#generation++;
    for (const { slab } of runs) if (slab !== null) releasePiece(slab);
  }

  // What its writer does.

  reserve(size: number): Slab {
    return sharedSlabFor(size);
  }

  commit(slab: Slab, size: number, endsFrame = true): void {
    const start = slab.used;
    slab.used += size;
    this.#size += size;
    const last = this.#runs.at(-1);
    if (last !== undefined && last.slab === slab && last.end === start && last.endsFrame && endsFrame) {
      last.end += size;
      return;
    }
    slab.pieces++;
    this.#runs.push({ memory: slab.memory, start, end: start + size, slab, endsFrame });
  }

  append(memory: Uint8Array): void {
    this.#size += memory.length;
    this.#runs.push({ memory, start: 0, end: memory.length, slab: null, endsFrame: true });
  }

  /** Copies, because the last grows as long as it can. */
  #runsFrom(size: number): Run[] {
    const runs = this.#runs;
    let first = runs.length;
    let before = this.#size;
    while (before > size) {
      const { start, end } = runs[--first];
      before -= end - start;
    }
    const found = runs.slice(first).map((run) => ({ ...run }));
    // Memory of a run's own is never cut: a place is between two messages.
    if (before < size) found[0].start += size - before;
    return found;
  }
}
