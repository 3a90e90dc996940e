/**
 * Feeds a stream to a tier as a connection would, piece by piece with what must be carried between them, and notes
 * everything that can be seen: each call's value, each byte of memory, each place of the batch.
 */

import {
  BATCH_ROWS,
  FrameBatch,
  type Kernels,
  META_PARTIAL,
  META_TEXT,
  ROW_LENGTH,
  ROW_META,
  ROW_SIZE,
  ROW_START,
  ScanStatus,
  TEXT_INVALID,
  UTF8_ACCEPT,
} from '../../src/kernels/index.js';
import { outcome } from './alike.js';
import { type Placement, place } from './memory.js';

export interface Stream {
  readonly bytes: Uint8Array;
  /** Where the stream is cut, in any order; places beyond its end do not count. */
  readonly cuts: readonly number[];
  readonly placement: Placement;
  readonly rules: number;
  readonly limit: number;
  readonly capacity: number;
}

/** A frame put together again, the same however its stream was cut. */
export interface Received {
  /** The first byte of the frame. */
  readonly first: number;
  readonly payload: string;
  /** For whole, unfragmented text without RSV bits: whether it is valid. */
  readonly valid: boolean | null;
}

export interface Walk {
  readonly frames: Received[];
  /** The violation that ended the stream and where its frame begins in the stream, or null. */
  readonly violation: { readonly status: string; readonly at: number } | null;
  /** Every call and all that it left behind. */
  readonly calls: unknown[];
}

/** The parts of a frame whose payload was not whole in its piece. */
interface Open {
  readonly first: number;
  readonly key: number;
  readonly payload: Uint8Array;
  filled: number;
  state: number;
}

const WHOLE_TEXT = 0x81;

export function walk(kernels: Kernels, stream: Stream): Walk {
  const { bytes, placement, rules, limit, capacity } = stream;
  const frames: Received[] = [];
  const calls: unknown[] = [];
  const batch = new FrameBatch(capacity);
  batch.table.fill(-1);
  let open: Open | null = null;
  let from = 0;

  const receive = (first: number, payload: Uint8Array, valid: boolean | null) =>
    frames.push({ first, payload: Buffer.from(payload).toString('hex'), valid });

  for (const to of pieces(stream)) {
    let at = from;
    if (open !== null) {
      const frame: Open = open;
      const take = Math.min(to - at, frame.payload.length - frame.filled);
      const memory = place(bytes.subarray(at, at + take), placement);
      const { view, from: start } = memory;
      const { payload, filled, key, state } = frame;
      const masked = outcome(() => kernels.mask(view, start, payload, filled, take, key, filled & 3));
      const checked = outcome(() => kernels.utf8(payload, filled, filled + take, state));
      calls.push({ masked, checked, all: memory.bytes(), payload: payload.slice() });
      if ('value' in checked) frame.state = checked.value;
      frame.filled += take;
      at += take;
      if (frame.filled < payload.length) {
        from = at;
        continue;
      }
      receive(frame.first, payload, frame.first === WHOLE_TEXT ? frame.state === UTF8_ACCEPT : null);
      open = null;
    }

    // What is left of the piece, and ahead of it the bytes of a header that was not whole.
    const memory = place(bytes.subarray(at, to), placement);
    let next = memory.from;
    let status: ScanStatus = ScanStatus.FULL;
    while (status === ScanStatus.FULL) {
      const scanned = outcome(() => kernels.scan(memory.view, next, memory.to, batch, rules, limit));
      calls.push({ scanned, all: memory.bytes().slice(), table: batch.table.slice() });
      if (!('value' in scanned)) return { frames, violation: null, calls };
      for (let row = 0; row < scanned.value; row++) {
        const place = BATCH_ROWS + row * ROW_SIZE;
        const meta = batch.table[place + ROW_META];
        const start = batch.table[place + ROW_START];
        const payload = memory.view.subarray(start, start + batch.table[place + ROW_LENGTH]);
        const text = meta & META_TEXT;
        if ((meta & META_PARTIAL) === 0) receive(meta & 0xff, payload, text === 0 ? null : text !== TEXT_INVALID);
        else open = begin(kernels, meta & 0xff, batch, payload, bytes.length + 1, calls);
      }
      next = batch.consumed;
      status = batch.status;
    }
    from = at + next - memory.from;
    if (status >= ScanStatus.RESERVED_BITS) {
      return { frames, violation: { status: ScanStatus[status], at: from }, calls };
    }
  }
  return { frames, violation: null, calls };
}

/** @param room bytes to make room for, whatever the header claims; a stream that has fewer leaves the frame open */
function begin(
  kernels: Kernels,
  first: number,
  { total, key }: FrameBatch,
  masked: Uint8Array,
  room: number,
  calls: unknown[],
): Open {
  const payload = new Uint8Array(Math.min(total, room));
  const done = outcome(() => kernels.mask(masked, 0, payload, 0, masked.length, key, 0));
  const checked = outcome(() => kernels.utf8(payload, 0, masked.length, UTF8_ACCEPT));
  calls.push({ done, checked, payload: payload.subarray(0, masked.length).slice() });
  const state = 'value' in checked ? checked.value : UTF8_ACCEPT;
  return { first, key, payload, filled: masked.length, state };
}

/** Where each piece of a stream ends. */
function pieces({ bytes, cuts }: Stream): number[] {
  const inside = cuts.filter((cut) => cut > 0 && cut < bytes.length);
  return [...new Set([...inside, bytes.length])].sort((a, b) => a - b);
}
