/** The native tier: opens the addon, and gives its functions the shape of the contract. */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { FrameBatch, Kernels } from './contract.js';
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
  open(control: Float64Array): Variant[];
}

/** The addon's contract version that this code goes with. */
export const ADDON_VERSION = 2;

const CONTROL_PLACES = 5;

/** The native kernels by the name of their variant, the slowest first, and where they came from. */
export interface Loaded {
  readonly variants: ReadonlyMap<string, Kernels>;
  readonly path: string;
}

/** Tries to load the addon. Never throws: a missing, foreign or outdated binary is an `error` that says so. */
export function loadAddon(): Loaded | { readonly error: Error } {
  const forced = process.env['MILLRACE_ADDON'] ?? '';
  const path = forced === '' ? fileURLToPath(new URL('../../build/Release/millrace.node', import.meta.url)) : forced;
  try {
    const addon = createRequire(import.meta.url)(path) as Addon;
    if (addon.version !== ADDON_VERSION) {
      return { error: new Error(`the addon is of version ${addon.version}, this code needs ${ADDON_VERSION}`) };
    }
    const control = new Float64Array(new SharedArrayBuffer(8 * CONTROL_PLACES));
    const variants = addon.open(control).map((variant) => [variant.name, nativeKernels(variant, control)] as const);
    return { variants: new Map(variants), path };
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    return { error: new Error(reason, { cause }) };
  }
}

/**
 * Every call crosses into the addon, whatever its size. A call with wrong arguments goes to the portable tier, which
 * throws what there is to throw: numbers are looked at before they are coerced by the control array, the rest the addon
 * refuses.
 */
function nativeKernels(variant: Variant, control: Float64Array): Kernels {
  const { scan, mask, utf8 } = variant;
  return Object.freeze({
    tier: 'native',
    scan(chunk: Uint8Array, from: number, to: number, batch: FrameBatch, rules: number, limit: number) {
      if (
        typeof from === 'number' &&
        typeof to === 'number' &&
        typeof rules === 'number' &&
        typeof limit === 'number'
      ) {
        control[0] = from;
        control[1] = to;
        control[2] = rules;
        control[3] = limit;
        if (scan(chunk, (batch as FrameBatch | undefined)?.table) === undefined) return control[0];
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
        typeof srcStart === 'number' &&
        typeof dstStart === 'number' &&
        typeof length === 'number' &&
        typeof key === 'number' &&
        typeof phase === 'number'
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
      if (typeof start === 'number' && typeof end === 'number' && typeof state === 'number') {
        control[0] = start;
        control[1] = end;
        control[2] = state;
        if (utf8(data) === undefined) return control[0];
      }
      return portable.utf8(data, start, end, state);
    },
  });
}
