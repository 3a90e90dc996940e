/**
 * What waits to be written: pieces of memory in order, and two slots for control frames that may go ahead of them.
 *
 * Bytes are counted from the moment they are queued until `acknowledge` says that the system has them, whether or
 * not they were taken in between. A piece of slab memory is used again only then.
 */

import { Buffer } from 'node:buffer';
import { LocalProtocolError } from '../errors.js';
import { viewOf } from '../views.js';
import { ownSlabFor, releasePiece, SLAB_SIZE, type Slab, slabFor } from './slab.js';
import type { FrameSink } from './writer.js';

/** With this many pieces not acknowledged a connection is behind, and takes memory from shared slabs no more. */
const MAX_SHARED_PIECES = 32;
/** What a connection that is behind copies of frames that it shares with others: a piece for each would take more. */
const COPY_BELOW = 1024;
/** How many times what is queued the slabs may be that it lies in. */
const MAX_PINNED = 2;

/** Consecutive bytes to be written. */
interface Piece {
  readonly memory: Uint8Array;
  start: number;
  end: number;
  /** The slab the memory is of, or null where it is the piece's own. */
  readonly slab: Slab | null;
  /** Bytes of memory that are kept for its sake. */
  readonly pins: number;
  /** Whether a frame ends with this piece. */
  readonly endsFrame: boolean;
}

/** A control frame that overtakes what is queued; a newer one takes its place. */
export type ControlSlot = 'ping' | 'pong';

export class OutputQueue implements FrameSink {
  readonly #pieces: Piece[] = [];
  readonly #taken: Piece[] = [];
  /** The piece that further frames are written behind, while nothing else has used its slab. */
  #open: Piece | null = null;
  /** The slab of this queue's own, while it is behind. */
  #own: Slab | null = null;
  /** Bytes of the first piece in `#taken` that are acknowledged. */
  #acknowledged = 0;
  #untaken = 0;
  #queued = 0;
  /** Bytes of slabs that are kept for the sake of frames shared with others. */
  #pinned = 0;
  #atFrameEnd = true;
  #ping: Uint8Array | null = null;
  #pong: Uint8Array | null = null;

  /** Bytes queued and not acknowledged. */
  get queuedBytes(): number {
    return this.#queued;
  }

  /** Whether `take` would give anything. */
  get hasOutput(): boolean {
    return this.#untaken > 0;
  }

  /** A slab with room for `size` bytes at `used`, to be filled and then passed to `commit`. */
  reserve(size: number): Slab {
    if (!this.#isBehind) {
      this.#own = null;
      return slabFor(size);
    }
    this.#own = ownSlabFor(size, this.#own);
    return this.#own;
  }

  /** Queues `size` bytes just written at the end of a slab. */
  commit(slab: Slab, size: number, endsFrame = true): void {
    const start = slab.used;
    slab.used = start + size;
    this.#count(size);
    if (this.#extends(slab, start, endsFrame)) {
      (this.#open as Piece).end += size;
      return;
    }
    this.#push(slab, start, start + size, endsFrame, 0);
  }

  /** Queues memory as it is; it must not change until it is acknowledged. */
  append(memory: Uint8Array): void {
    this.#count(memory.length);
    this.#pieces.push({ memory, start: 0, end: memory.length, slab: null, pins: 0, endsFrame: true });
    this.#open = null;
  }

  /** Queues a part of a slab that others queue as well. */
  share(slab: Slab, start: number, end: number, endsFrame: boolean): void {
    const size = end - start;
    if (this.#extends(slab, start, endsFrame)) {
      this.#count(size);
      (this.#open as Piece).end = end;
      return;
    }
    const last = this.#pieces.at(-1) ?? this.#taken.at(-1);
    const pins = last?.slab === slab ? 0 : SLAB_SIZE;
    const pinsTooMuch = this.#pinned + pins > MAX_PINNED * (this.#queued + size);
    if (this.#isBehind && (size < COPY_BELOW || pinsTooMuch)) {
      const own = this.reserve(size);
      own.memory.set(slab.memory.subarray(start, end), own.used);
      this.commit(own, size, endsFrame);
      return;
    }
    this.#count(size);
    this.#pinned += pins;
    this.#push(slab, start, end, endsFrame, pins);
  }

  /** The system has the beginning of a frame, whose end is queued next. */
  interrupted(): void {
    this.#atFrameEnd = false;
  }

  /** Puts a whole control frame into its slot. */
  setControl(slot: ControlSlot, frame: Uint8Array): void {
    const before = slot === 'ping' ? this.#ping : this.#pong;
    this.#count(frame.length - (before?.length ?? 0));
    if (slot === 'ping') this.#ping = frame;
    else this.#pong = frame;
  }

  /** Hands out up to `maxBytes` as views, in order, and returns how many. */
  take(out: Uint8Array[], maxBytes: number): number {
    const pieces = this.#pieces;
    let room = maxBytes;
    let given = 0;
    let index = 0;
    // Without room they stay in their slots, where the next one takes their place.
    if (room > 0) this.#placeControls(0);
    for (; index < pieces.length && room > 0; index++) {
      const piece = pieces[index];
      const size = piece.end - piece.start;
      if (size > room) {
        this.#cut(piece, room, out);
        given += room;
        break;
      }
      this.#hand(piece, out);
      given += size;
      room -= size;
      if (room > 0) this.#placeControls(index + 1);
    }
    removeFirst(pieces, index);
    this.#open = null;
    this.#untaken -= given;
    return given;
  }

  /** Takes everything in memory of its own, which leaves nothing of it to acknowledge. */
  takeCopy(): Buffer {
    const views: Uint8Array[] = [];
    const before = this.#taken.length;
    const size = this.take(views, Number.POSITIVE_INFINITY);
    const bytes = Buffer.concat(views, size);
    // What was taken earlier may still be under way, and stays.
    for (const piece of this.#taken.splice(before)) this.#release(piece);
    this.#queued -= size;
    if (this.#queued === 0) this.#own = null;
    return bytes;
  }

  /** The system has the next `bytes` of what was taken. */
  acknowledge(bytes: number): void {
    if (!(bytes >= 0 && bytes <= this.#queued - this.#untaken)) {
      throw new LocalProtocolError('INVALID_ACKNOWLEDGE', `${bytes} bytes are acknowledged that were not taken`);
    }
    this.#queued -= bytes;
    this.#acknowledged += bytes;
    let done = 0;
    for (; done < this.#taken.length; done++) {
      const piece = this.#taken[done];
      const size = piece.end - piece.start;
      if (size > this.#acknowledged) break;
      this.#acknowledged -= size;
      this.#release(piece);
    }
    removeFirst(this.#taken, done);
    if (this.#queued === 0) this.#own = null;
  }

  /** Puts what waits in the slots ahead of `pieces[index]`, if the frame before it is whole. */
  #placeControls(index: number): void {
    if (!this.#atFrameEnd || (this.#ping === null && this.#pong === null)) return;
    for (const memory of [this.#ping, this.#pong]) {
      if (memory === null) continue;
      this.#pieces.splice(index, 0, { memory, start: 0, end: memory.length, slab: null, pins: 0, endsFrame: true });
    }
    this.#ping = null;
    this.#pong = null;
  }

  #hand(piece: Piece, out: Uint8Array[]): void {
    const { memory, start, end, slab } = piece;
    if (slab !== null) out.push(viewOf(slab.arrayBuffer, start, end - start));
    else out.push(end - start === memory.length ? memory : memory.subarray(start, end));
    this.#taken.push(piece);
    this.#atFrameEnd = piece.endsFrame;
  }

  /** Hands out the first `size` bytes of a piece; the rest stays. */
  #cut(piece: Piece, size: number, out: Uint8Array[]): void {
    this.#hand({ ...piece, end: piece.start + size, pins: 0, endsFrame: false }, out);
    if (piece.slab !== null) piece.slab.pieces++;
    piece.start += size;
  }

  /** With so many pieces the peer does not take what it is sent as fast as that comes. */
  get #isBehind(): boolean {
    return this.#pieces.length + this.#taken.length >= MAX_SHARED_PIECES;
  }

  /** Whether what begins there in a slab goes on where the last piece ends. */
  #extends(slab: Slab, start: number, endsFrame: boolean): boolean {
    const open = this.#open;
    return open !== null && open.slab === slab && open.end === start && open.endsFrame && endsFrame;
  }

  #push(slab: Slab, start: number, end: number, endsFrame: boolean, pins: number): void {
    slab.pieces++;
    this.#open = { memory: slab.memory, start, end, slab, pins, endsFrame };
    this.#pieces.push(this.#open);
  }

  #release({ slab, pins }: Piece): void {
    this.#pinned -= pins;
    if (slab !== null) releasePiece(slab);
  }

  #count(size: number): void {
    this.#untaken += size;
    this.#queued += size;
  }
}

/** Drops the first elements of a list: most often its only one, and then without giving the list's memory back. */
function removeFirst(list: unknown[], count: number): void {
  if (count === 1 && list.length === 1) list.pop();
  else if (count > 0) list.splice(0, count);
}
