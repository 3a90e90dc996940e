/** What the tests of the kernels share: the kernels to test, frames to feed them, and a plain way to read a batch. */

import {
  EXPECT_MASK,
  FrameBatch,
  type Kernels,
  kernels,
  nativeVariants,
  ScanStatus,
  tiers,
} from '../../src/kernels/index.js';

export const SERVER = EXPECT_MASK;
export const CLIENT = 0;

/** Kernels and what a report calls them. */
export type Subject = readonly [name: string, kernels: Kernels];

export const portable = tiers.find(({ tier }) => tier === 'portable') as Kernels;
export const native = tiers.find(({ tier }) => tier === 'native');

/** What is compared with the portable tier: every native variant, and the kernels in use, which go by size. */
export const others: readonly Subject[] = native === undefined ? [] : [...nativeVariants(), ['by size', kernels]];

/** All kernels that run here. */
export const subjects: readonly Subject[] = [['portable', portable], ...others];

/** The title of a group that needs the addon; where it is missing, the title tells why the group is skipped. */
export function needsAddon(title: string): string {
  return native === undefined ? `${title} (skipped: the addon is not built)` : title;
}

export interface Frame {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly fin?: boolean;
  /** 0x10, 0x20, 0x40 */
  readonly rsv?: number;
  /** The masking key, its first byte lowest; null for a frame without one. */
  readonly key?: number | null;
  /** How many bytes the header has for the length; the fewest when left out. */
  readonly lengthBytes?: 1 | 2 | 8;
  /** What the header says in place of the length of the payload. */
  readonly claim?: bigint;
}

/** The bytes of a frame, right or wrong. */
export function encode(frame: Frame): Uint8Array {
  const { opcode, payload, fin = true, rsv = 0, key = null, claim = BigInt(payload.length) } = frame;
  const lengthBytes = frame.lengthBytes ?? (claim < 126n ? 1 : claim < 0x1_0000n ? 2 : 8);
  const masked = key === null ? 0 : 0x80;
  const header: number[] = [(fin ? 0x80 : 0) | rsv | opcode];
  header.push(masked | (lengthBytes === 1 ? Number(claim) : lengthBytes === 2 ? 126 : 127));
  for (let i = lengthBytes === 1 ? 0 : lengthBytes; i > 0; i--) {
    header.push(Number((claim >> BigInt(8 * (i - 1))) & 0xffn));
  }
  for (let i = 0; i < 4 && key !== null; i++) header.push((key >>> (8 * i)) & 0xff);
  const bytes = new Uint8Array(header.length + payload.length);
  bytes.set(header);
  bytes.set(masked === 0 ? payload : xor(payload, key as number), header.length);
  return bytes;
}

/** The rule of RFC 6455 §5.3 as it stands there, one byte after the other. */
export function xor(bytes: Uint8Array, key: number, phase = 0): Uint8Array {
  return bytes.map((byte, i) => byte ^ ((key >>> (8 * ((phase + i) % 4))) & 0xff));
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** Bytes that look random and are the same in every run. */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x1234_5677;
    return state >>> 24;
  });
}

/** A copy of `bytes` that begins at `offset` in its buffer, with other bytes around it. */
export function placed(bytes: Uint8Array, offset: number): Uint8Array {
  const memory = new Uint8Array(offset + bytes.length + 8).fill(0xee);
  memory.set(bytes, offset);
  return memory.subarray(offset, offset + bytes.length);
}

const Uint8ArrayOfLength: new (length: number) => Uint8Array<ArrayBuffer> = Uint8Array;
/** A class of arrays that misleads whoever makes a view by `subarray` or `slice`. */
export class Misleading extends Uint8ArrayOfLength {}
Object.defineProperty(Misleading, Symbol.species, {
  value: function elsewhere() {
    return new Uint8Array(4096).fill(0xff);
  },
});

export interface Row {
  readonly meta: number;
  readonly start: number;
  readonly length: number;
}

export interface Outcome {
  readonly rows: Row[];
  readonly status: string;
  readonly consumed: number;
  readonly key: number;
  readonly total: number;
}

/** Reads a batch after `scan` returned `count`. */
export function outcome(batch: FrameBatch, count: number): Outcome {
  const rows = Array.from({ length: count }, (_, i) => {
    const at = 5 + 3 * i;
    return { meta: batch.table[at], start: batch.table[at + 1], length: batch.table[at + 2] };
  });
  const { consumed, key, total } = batch;
  return { rows, status: ScanStatus[batch.status], consumed, key, total };
}

export interface ScanOptions {
  readonly rules?: number;
  readonly limit?: number;
  readonly capacity?: number;
  readonly from?: number;
  readonly to?: number;
}

/** One scan of a chunk, which it changes. */
export function scan(subject: Kernels, chunk: Uint8Array, options: ScanOptions = {}): Outcome {
  const { rules = SERVER, limit = Number.POSITIVE_INFINITY, capacity = 64, from = 0, to = chunk.length } = options;
  const batch = new FrameBatch(capacity);
  batch.table.fill(-1);
  return outcome(batch, subject.scan(chunk, from, to, batch, rules, limit));
}
