/**
 * One timer for every deadline: coarse, because the deadlines of connections are seconds long and rarely come due.
 * Entries lie in buckets of one tick each, so that arming and disarming cost the same however many there are.
 */

import { performance } from 'node:perf_hooks';

/** Milliseconds between two looks at what is due; a deadline comes up to this much late, never early. */
const TICK = 500;

/** Something with a deadline. An entry stands in one bucket at most; the field is the wheel's. */
export interface Timed {
  /** The bucket this stands in, or null. */
  bucket: number | null;
  /** Its deadline has come; `now` is the wheel's clock. */
  onDeadline(now: number): void;
}

export class Wheel {
  readonly #buckets = new Map<number, Set<Timed>>();
  #timer: NodeJS.Timeout | null = null;
  #lastTick = 0;

  /** Milliseconds on a clock that only goes forward: whole ones, which take no memory of their own where they are kept. */
  now(): number {
    return Math.floor(performance.now());
  }

  /** Arms an entry, in place of what it was armed for before; null disarms it. */
  set(entry: Timed, deadline: number | null): void {
    const bucket = deadline === null || deadline === Number.POSITIVE_INFINITY ? null : Math.ceil(deadline / TICK);
    if (bucket === entry.bucket) return;
    this.#remove(entry);
    if (bucket === null) return;
    if (this.#timer === null) this.#start();
    // What is past already comes with the next tick.
    entry.bucket = Math.max(bucket, this.#lastTick + 1);
    const entries = this.#buckets.get(entry.bucket);
    if (entries === undefined) this.#buckets.set(entry.bucket, new Set([entry]));
    else entries.add(entry);
  }

  #remove(entry: Timed): void {
    if (entry.bucket === null) return;
    const entries = this.#buckets.get(entry.bucket);
    entries?.delete(entry);
    if (entries?.size === 0) this.#buckets.delete(entry.bucket);
    entry.bucket = null;
    if (this.#buckets.size === 0 && this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#timer = null;
    }
  }

  #start(): void {
    const now = this.now();
    this.#lastTick = Math.floor(now / TICK);
    this.#schedule(now);
  }

  /** To the next tick itself: an interval, begun anywhere between two, would add up to one more. */
  #schedule(now: number): void {
    const wait = TICK - (now % TICK);
    this.#timer = setTimeout(() => this.#turn(), Math.ceil(wait)).unref();
  }

  #turn(): void {
    const now = this.now();
    const tick = Math.floor(now / TICK);
    this.#schedule(now);
    while (this.#lastTick < tick) {
      this.#lastTick++;
      for (const entry of this.#buckets.get(this.#lastTick) ?? []) {
        this.#remove(entry);
        entry.onDeadline(now);
      }
    }
  }
}

/** The wheel of this thread. */
export const wheel = new Wheel();
