/**
 * `millrace/kernels`: chooses a tier at load, and tells which and why.
 *
 * `MILLRACE_KERNELS=portable` keeps the addon out; `MILLRACE_KERNELS=native` makes this module throw when the addon
 * cannot be loaded. Without it the addon is used where it loads, and each call picks the faster tier for its size:
 * a crossing costs more than a small payload takes in TypeScript.
 */

import type { FrameBatch, Kernels, Tier } from './contract.js';
import { loadAddon, nativeKernels } from './native.js';
import { portable } from './portable/index.js';

export * from './contract.js';

/** Bytes from which a call is faster in the addon; found by `npm run bench -- crossover`. */
const SCAN_FROM = 96;
const MASK_FROM = 64;
/** Nowhere yet: the portable tier has Node's own vector validator behind it. */
const UTF8_FROM = Number.POSITIVE_INFINITY;

/** The tier in use and what led to it. */
export interface KernelsInfo {
  readonly tier: Tier;
  /** Why this tier: one sentence. */
  readonly reason: string;
  /** CPU features that the active kernels use; empty for the portable tier. */
  readonly features: readonly string[];
}

/** A forced tier could not be had, or `MILLRACE_KERNELS` names none. */
export class KernelsError extends Error {
  override readonly name = 'KernelsError';
  readonly code: 'KERNELS_UNAVAILABLE' | 'KERNELS_UNKNOWN';

  constructor(code: KernelsError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether to stay in TypeScript. Arguments are not checked yet: a wrong one must reach the check and not coerce here. */
function isSmall(start: number, end: number, enough: number): boolean {
  return typeof start === 'number' && typeof end === 'number' && end - start < enough;
}

/** The addon for calls that are large enough, TypeScript for the rest. */
function bySize(native: Kernels): Kernels {
  return Object.freeze({
    tier: 'native',
    scan: (chunk: Uint8Array, from: number, to: number, batch: FrameBatch, rules: number, limit: number) =>
      (isSmall(from, to, SCAN_FROM) ? portable : native).scan(chunk, from, to, batch, rules, limit),
    mask: (
      src: Uint8Array,
      srcStart: number,
      dst: Uint8Array,
      dstStart: number,
      length: number,
      key: number,
      phase: number,
    ) => (isSmall(0, length, MASK_FROM) ? portable : native).mask(src, srcStart, dst, dstStart, length, key, phase),
    utf8: (data: Uint8Array, start: number, end: number, state: number) =>
      (isSmall(start, end, UTF8_FROM) ? portable : native).utf8(data, start, end, state),
  });
}

function choose(): { kernels: Kernels; tiers: readonly Kernels[]; info: KernelsInfo } {
  const forced = process.env['MILLRACE_KERNELS'] ?? '';
  if (!['', 'native', 'portable'].includes(forced)) {
    throw new KernelsError('KERNELS_UNKNOWN', `MILLRACE_KERNELS is "${forced}", it may be "native" or "portable"`);
  }
  if (forced === 'portable') {
    return {
      kernels: portable,
      tiers: [portable],
      info: { tier: 'portable', reason: 'MILLRACE_KERNELS=portable', features: [] },
    };
  }
  const loaded = loadAddon();
  if ('error' in loaded) {
    const reason = `the addon did not load: ${loaded.error.message}`;
    if (forced === 'native') {
      throw new KernelsError('KERNELS_UNAVAILABLE', `MILLRACE_KERNELS=native, but ${reason}`, { cause: loaded.error });
    }
    return { kernels: portable, tiers: [portable], info: { tier: 'portable', reason, features: [] } };
  }
  const native = nativeKernels(loaded.addon);
  const reason = forced === 'native' ? 'MILLRACE_KERNELS=native' : `the addon loaded from ${loaded.path}`;
  const info = { tier: 'native', reason, features: loaded.addon.features } as const;
  return { kernels: bySize(native), tiers: [native, portable], info };
}

const chosen = choose();

/** The kernels in use. */
export const kernels: Kernels = chosen.kernels;

/** Every tier that can run here, each pure: it never hands a call to another. For tests and benchmarks. */
export const tiers: readonly Kernels[] = chosen.tiers;

const pureNative = tiers.find(({ tier }) => tier === 'native');

/** Each native variant that this CPU can run, by name, pure; empty without the addon. For tests and benchmarks. */
export const variants: ReadonlyMap<string, Kernels> = new Map(pureNative === undefined ? [] : [['scalar', pureNative]]);

/** The tier in use, why, and the CPU features it uses. */
export const info: KernelsInfo = chosen.info;
