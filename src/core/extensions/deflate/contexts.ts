/**
 * Who has a context, and for how long.
 *
 * Connections that need one for a message are lent one of a few that go around. One of its own, which is what makes
 * connections dear, is for a connection that has shown that it gains from one; there are `maxContexts` of each kind at
 * most, and who has not used its own for `contextIdleTimeout` loses it.
 */

import { trimMemory } from '../../../kernels/index.js';
import type { Codec, Context, Decompressor } from './codec.js';

/** What contexts are made with, and how many there may be. */
export interface ContextLimits {
  readonly level: number;
  readonly memLevel: number;
  readonly maxContexts: number;
  /** Milliseconds. */
  readonly contextIdleTimeout: number;
}

/** Somebody with a context of its own. */
export abstract class Holder {
  /** Neighbours by last use; both null at the ends, or outside of the list. */
  older: Holder | null = null;
  newer: Holder | null = null;
  lastUsed = 0;
  abstract readonly kind: 'compressors' | 'decompressors';
  /** Gives the context up, unless it is in the middle of something; whether it has. */
  abstract release(): boolean;
}

/** How many of a kind are kept for the next message. */
const MAX_SPARE = 4;
/** How many are given up at once: each takes some microseconds. */
const MAX_RELEASED = 128;
/** From how many on, each some 10 to 300 KiB, it is worth a millisecond to see that their memory is given back. */
const WORTH_TRIMMING = 32;
/** How often the time is wanted while a context falls idle. */
const LOOKS = 4;

export class Contexts {
  readonly #codec: Codec;
  readonly #limits: ContextLimits;
  readonly #trim: (() => void) | null;
  readonly #compressors: Context[][] = [];
  readonly #decompressors: Decompressor[][] = [];
  readonly #owned = { compressors: 0, decompressors: 0 };
  #oldest: Holder | null = null;
  #newest: Holder | null = null;
  /** The owner's clock, as it was last told. */
  #now = 0;
  /** Contexts closed since memory was given back. */
  #freed = 0;
  /** Whether nobody has told the time since there was a reason to. */
  #isStale = true;
  /** Called when there is a deadline where there was none. */
  onDeadline: (() => void) | null = null;

  /** @param trim gives memory that was freed back to the system */
  constructor(codec: Codec, limits: ContextLimits, trim: (() => void) | null = trimMemory) {
    this.#codec = codec;
    this.#limits = limits;
    this.#trim = trim;
  }

  /** Contexts that connections have of their own. */
  get owned(): { readonly compressors: number; readonly decompressors: number } {
    return { ...this.#owned };
  }

  /** One as if it were new, until it is given back or adopted. */
  borrowCompressor(windowBits: number): Context {
    const { level, memLevel } = this.#limits;
    return this.#compressors[windowBits]?.pop() ?? this.#codec.compressor(windowBits, level, memLevel);
  }

  borrowDecompressor(windowBits: number): Decompressor {
    return this.#decompressors[windowBits]?.pop() ?? this.#codec.decompressor(windowBits);
  }

  returnCompressor(context: Context, windowBits: number): void {
    this.#giveBack(this.#compressors, context, windowBits);
  }

  returnDecompressor(context: Decompressor, windowBits: number): void {
    this.#giveBack(this.#decompressors, context, windowBits);
  }

  /** Closes one that is of no more use. */
  discard(context: Context): void {
    context.close();
    this.#freed++;
  }

  /** Lets somebody keep the context that it was lent, if there may be one more. */
  adopt(holder: Holder): boolean {
    if (this.#owned[holder.kind] >= this.#limits.maxContexts) return false;
    this.#owned[holder.kind]++;
    const hadNone = this.#oldest === null;
    this.#append(holder);
    if (hadNone) this.onDeadline?.();
    return true;
  }

  used(holder: Holder): void {
    if (holder === this.#newest) {
      holder.lastUsed = this.#now;
      return;
    }
    this.#remove(holder);
    this.#append(holder);
  }

  /** Somebody's context is its own no more. */
  disown(holder: Holder): void {
    this.#owned[holder.kind]--;
    this.#remove(holder);
  }

  /** When to call `handleTimeout` next, on the owner's clock in milliseconds; null for never. */
  nextDeadline(): number | null {
    const { contextIdleTimeout } = this.#limits;
    if (this.#oldest === null || contextIdleTimeout === Number.POSITIVE_INFINITY) return null;
    if (this.#isStale) return this.#now;
    // More often than that, because it is how uses learn the time.
    return Math.min(this.#oldest.lastUsed + contextIdleTimeout, this.#now + contextIdleTimeout / LOOKS);
  }

  /** Tells the time; takes the contexts of those who have not used theirs for long. */
  handleTimeout(now: number): void {
    this.#now = now;
    this.#releaseIdle(now);
    // Also when nobody has one any more: then there is most to give back.
    if (this.#freed < WORTH_TRIMMING) return;
    this.#freed = 0;
    this.#trim?.();
  }

  #releaseIdle(now: number): void {
    // Who comes later must not be taken to have come now.
    if (this.#oldest === null) return;
    if (this.#isStale) {
      this.#isStale = false;
      for (let holder: Holder | null = this.#oldest; holder !== null; holder = holder.newer) holder.lastUsed = now;
      return;
    }
    for (let released = 0; released < MAX_RELEASED; released++) {
      const holder = this.#oldest;
      if (holder === null || holder.lastUsed + this.#limits.contextIdleTimeout > now) break;
      if (!holder.release()) this.used(holder);
    }
  }

  #append(holder: Holder): void {
    holder.lastUsed = this.#now;
    holder.older = this.#newest;
    if (this.#newest === null) this.#oldest = holder;
    else this.#newest.newer = holder;
    this.#newest = holder;
  }

  #remove(holder: Holder): void {
    const { older, newer } = holder;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    holder.older = null;
    holder.newer = null;
    if (this.#oldest === null) this.#isStale = true;
  }

  #giveBack<Kind extends Context>(spares: Kind[][], context: Kind, windowBits: number): void {
    spares[windowBits] ??= [];
    const spare = spares[windowBits];
    if (spare.length >= MAX_SPARE) {
      this.discard(context);
      return;
    }
    context.reset();
    spare.push(context);
  }
}
