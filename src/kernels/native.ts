/** The native tier: opens the addon, and gives its functions the shape of the contract. */

import loadBinary from './binary.cjs';
import type { FrameBatch, Kernels } from './contract.js';
import { isBytes, isInt32, isKey } from './portable/check.js';
import { portable } from './portable/index.js';

/**
 * The functions of the addon for one kind of CPU. Numbers go in and out through the control array, in the places that
 * `nativeKernels` gives them; a call that refuses its arguments changes nothing and returns false.
 */
interface Variant {
  readonly name: string;
  scan(chunk: Uint8Array, table: Int32Array | undefined): false | undefined;
  mask(dst: Uint8Array, src?: Uint8Array): false | undefined;
  utf8(data: Uint8Array): false | undefined;
}

/** What the addon exports. */
interface Addon {
  /** The contract's version; a binary of another version is not used. */
  readonly version: number;
  /** @param control shared memory, which cannot be detached: the addon keeps its address */
  open(control: Int32Array): Variant[];
  /** Where the C library can: gives memory that was freed back to the system. */
  trim?(): void;
  /** Where there are sockets as POSIX has them: gives the same bytes to many of them. */
  sendAll?(bytes: Uint8Array, table: Int32Array): false | undefined;
}

/** The addon's contract version that this code goes with. */
export const ADDON_VERSION = 2;

/** Bytes of the control array: 32-bit integers, and behind them a number of any size. */
const CONTROL_BYTES = 32;
const CONTROL_LIMIT = 24;

/**
 * Gives the same bytes to many sockets at once, and waits for none of them.
 *
 * @param table the number of sockets, then the descriptor of each; in the place of each descriptor it is told how many bytes
 *   that socket has taken, or the number of the error, negative
 * @returns false, with nothing done, for arguments that are not these
 */
export type SendAll = (bytes: Uint8Array, table: Int32Array) => boolean;

/** The addon, opened. */
export interface Loaded {
  /** The variants that this CPU can run, the slowest first. */
  readonly variants: readonly string[];
  readonly path: string;
  /** Gives memory that was freed back to the system; null where that cannot be asked for. */
  readonly trim: (() => void) | null;
  /** Gives the same bytes to many sockets; null where that cannot be asked for. */
  readonly sendAll: SendAll | null;
  /**
   * Kernels of one variant. They are made when asked for and not all at once: V8 calls functions faster of which there is
   * one than those that were made several times over.
   */
  kernels(variant: string): Kernels;
}

/** Tries to load the addon. Never throws: a missing, foreign or outdated binary is an `error` that says so. */
export function loadAddon(): Loaded | { readonly error: Error } {
  const binary = loadBinary();
  if ('error' in binary) return binary;
  const addon = binary.addon as Addon | null | undefined;
  if (addon?.version !== ADDON_VERSION) {
    return { error: new Error(`the addon is of version ${addon?.version}, this code needs ${ADDON_VERSION}`) };
  }
  const memory = new SharedArrayBuffer(CONTROL_BYTES);
  try {
    const variants = new Map(addon.open(new Int32Array(memory)).map((variant) => [variant.name, variant]));
    return {
      variants: [...variants.keys()],
      path: binary.path,
      trim: addon.trim ?? null,
      sendAll: sendAllOf(addon),
      kernels: (name) => nativeKernels(variants.get(name) as Variant, memory),
    };
  } catch (cause) {
    return { error: new Error(`the addon did not open: ${(cause as Error).message}`, { cause }) };
  }
}

function sendAllOf({ sendAll }: Addon): SendAll | null {
  return sendAll === undefined ? null : (bytes, table) => isBytes(bytes) && sendAll(bytes, table) === undefined;
}

/**
 * Every call crosses into the addon, whatever its size. A call with wrong arguments goes to the portable tier, which
 * throws what there is to throw: types and numbers with a fraction are seen here, the rest the addon refuses.
 */
function nativeKernels(variant: Variant, memory: SharedArrayBuffer): Kernels {
  const { scan, mask, utf8 } = variant;
  const control = new Int32Array(memory);
  const limits = new Float64Array(memory, CONTROL_LIMIT);
  return Object.freeze({
    tier: 'native',
    scan(chunk: Uint8Array, from: number, to: number, batch: FrameBatch, rules: number, limit: number) {
      // Ahead of the numbers: whoever looks like a batch may do what it likes when it is asked.
      const table = (batch as FrameBatch | undefined)?.table;
      if (isBytes(chunk) && isInt32(from) && isInt32(to) && isInt32(rules) && typeof limit === 'number') {
        control[0] = from;
        control[1] = to;
        control[2] = rules;
        limits[0] = limit;
        if (scan(chunk, table) === undefined) return control[0];
      }
      return portable.scan(chunk, from, to, batch, rules, limit);
    },
    mask(
      src: Uint8Array,
      srcStart: number,
      dst: Uint8Array,
      dstStart: number,
      length: number,
      key: number,
      phase: number,
    ) {
      if (
        isBytes(src) &&
        isBytes(dst) &&
        isInt32(srcStart) &&
        isInt32(dstStart) &&
        isInt32(length) &&
        isKey(key) &&
        isInt32(phase)
      ) {
        control[0] = dstStart;
        control[1] = length;
        control[2] = key;
        control[3] = phase;
        control[4] = srcStart;
        const refused = src === dst && srcStart === dstStart ? mask(dst) : mask(dst, src);
        if (refused === undefined) return;
      }
      portable.mask(src, srcStart, dst, dstStart, length, key, phase);
    },
    utf8(data: Uint8Array, start: number, end: number, state: number) {
      if (isBytes(data) && isInt32(start) && isInt32(end) && isInt32(state)) {
        control[0] = start;
        control[1] = end;
        control[2] = state;
        if (utf8(data) === undefined) return control[0];
      }
      return portable.utf8(data, start, end, state);
    },
  });
}
