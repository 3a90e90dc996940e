/**
 * `millrace/kernels`: chooses a tier at load, and tells which and why.
 *
 * `MILLRACE_KERNELS=portable` keeps the addon out; `MILLRACE_KERNELS=native` makes this module throw when the addon
 * cannot be loaded. Without it the addon is used where it loads, and each call picks the faster tier for its size:
 * a crossing costs more than a small payload takes in TypeScript. Of the addon the best variant that the CPU can run is
 * used; `MILLRACE_CPU` names another.
 */

import type { FrameBatch, Kernels, Tier } from './contract.js';
import { type Loaded, loadAddon, type SendAll } from './native.js';
import { portable } from './portable/index.js';
import { utf8Short } from './portable/utf8.js';

export * from './contract.js';

/** Bytes from which a call is faster in the addon; found by `npm run bench -- crossover`. */
const SCAN_FROM = 64;
const MASK_FROM = 32;
const COPY_FROM = 8;
const UTF8_FROM = 20;
const ASCII_FROM = 80;

/** The tier in use and what led to it. */
export interface KernelsInfo {
  readonly tier: Tier;
  /** Why this tier: one sentence. */
  readonly reason: string;
  /** CPU features that the active kernels use; empty for the portable tier. */
  readonly features: readonly string[];
}

/** A forced tier or variant could not be had, or `MILLRACE_KERNELS` or `MILLRACE_CPU` names none. */
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
      isSmall(from, to, SCAN_FROM)
        ? portable.scan(chunk, from, to, batch, rules, limit)
        : native.scan(chunk, from, to, batch, rules, limit),
    mask: (
      src: Uint8Array,
      srcStart: number,
      dst: Uint8Array,
      dstStart: number,
      length: number,
      key: number,
      phase: number,
    ) =>
      isSmall(0, length, src === dst ? MASK_FROM : COPY_FROM)
        ? portable.mask(src, srcStart, dst, dstStart, length, key, phase)
        : native.mask(src, srcStart, dst, dstStart, length, key, phase),
    utf8: (data: Uint8Array, start: number, end: number, state: number) => {
      if (isSmall(start, end, ASCII_FROM)) {
        const next = utf8Short(data, start, end, state, UTF8_FROM);
        if (next >= 0) return next;
      }
      return native.utf8(data, start, end, state);
    },
  });
}

const VARIANTS = ['scalar', 'sse2', 'avx2', 'avx512', 'neon'];

interface Choice {
  readonly kernels: Kernels;
  readonly tiers: readonly Kernels[];
  readonly loaded: Loaded | null;
  readonly info: KernelsInfo;
}

function choosePortable(reason: string): Choice {
  return { kernels: portable, tiers: [portable], loaded: null, info: { tier: 'portable', reason, features: [] } };
}

function choose(): Choice {
  const tier = process.env['MILLRACE_KERNELS'] ?? '';
  const cpu = process.env['MILLRACE_CPU'] ?? '';
  if (!['', 'native', 'portable'].includes(tier)) {
    throw new KernelsError('KERNELS_UNKNOWN', `MILLRACE_KERNELS is "${tier}", it may be "native" or "portable"`);
  }
  if (!['', ...VARIANTS].includes(cpu)) {
    throw new KernelsError('KERNELS_UNKNOWN', `MILLRACE_CPU is "${cpu}", it may be one of ${VARIANTS.join(', ')}`);
  }
  if (tier === 'portable') return choosePortable('MILLRACE_KERNELS=portable');

  const loaded = loadAddon();
  if ('error' in loaded) {
    const reason = `the addon did not load: ${loaded.error.message}`;
    if (tier === 'native') {
      throw new KernelsError('KERNELS_UNAVAILABLE', `MILLRACE_KERNELS=native, but ${reason}`, { cause: loaded.error });
    }
    return choosePortable(reason);
  }
  const variant = cpu === '' ? (loaded.variants.at(-1) as string) : cpu;
  if (!loaded.variants.includes(variant)) {
    const message = `MILLRACE_CPU=${cpu}, but this CPU runs ${loaded.variants.join(', ')}`;
    throw new KernelsError('KERNELS_UNAVAILABLE', message);
  }
  const native = loaded.kernels(variant);
  const reason = tier === 'native' ? 'MILLRACE_KERNELS=native' : `the addon loaded from ${loaded.path}`;
  const info = { tier: 'native', reason, features: [variant] } as const;
  return { kernels: bySize(native), tiers: [native, portable], loaded, info };
}

const chosen = choose();

/** The kernels in use. */
export const kernels: Kernels = chosen.kernels;

/** Every tier that can run here, each pure: it never hands a call to another. For tests and benchmarks. */
export const tiers: readonly Kernels[] = chosen.tiers;

/** The tier in use, why, and the CPU features it uses. */
export const info: KernelsInfo = chosen.info;

/**
 * Gives memory that was freed back to the system, some milliseconds' work where there is much of it: glibc keeps it
 * otherwise. Null without the addon, and with other C libraries.
 */
export const trimMemory: (() => void) | null = chosen.loaded?.trim ?? null;

/** Gives the same bytes to many sockets at once; null without the addon, and on Windows. */
export const sendAll: SendAll | null = chosen.loaded?.sendAll ?? null;

/**
 * The native tier in every variant that this CPU can run, by name, the slowest first; empty without the addon. For tests
 * and benchmarks.
 */
export function nativeVariants(): ReadonlyMap<string, Kernels> {
  const { loaded } = chosen;
  return new Map(loaded?.variants.map((name) => [name, loaded.kernels(name)]));
}
