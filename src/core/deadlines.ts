/**
 * Deadlines without a clock. The core never asks what time it is; its owner says so by calling `handleTimeout`.
 *
 * A deadline that was armed since its owner last told the time is due "at once": that call gives it its place in
 * time, and the next one may find it past.
 */

/** One span that may be running. */
export class Deadline {
  readonly #span: number;
  #armed = false;
  /** When it ends on the owner's clock, or null until the owner has told the time. */
  #end: number | null = null;

  /** @param span milliseconds; `Infinity` never ends */
  constructor(span: number) {
    this.#span = span;
  }

  get armed(): boolean {
    return this.#armed;
  }

  /** Starts the span anew, at `now` where the time is known. */
  arm(now: number | null = null): void {
    this.#armed = this.#span !== Number.POSITIVE_INFINITY;
    this.#end = now === null ? null : now + this.#span;
  }

  disarm(): void {
    this.#armed = false;
  }

  /** When the owner should tell the time, `lastTold` meaning at once; null while nothing runs. */
  next(lastTold: number): number | null {
    return this.#armed ? (this.#end ?? lastTold) : null;
  }

  /** Takes the time; true when the span has run out, once. */
  tick(now: number): boolean {
    if (!this.#armed) return false;
    this.#end ??= now + this.#span;
    if (now < this.#end) return false;
    this.#armed = false;
    return true;
  }
}

/** What a keep-alive finds at a tick. */
export type KeepAliveAction = 'none' | 'ping' | 'lost';

/** What is waited for: nothing, the end of the interval, or anything from the peer. */
const OFF = 0;
const SILENCE = 1;
const ANSWER = 2;

/**
 * Asks a silent peer whether it is there. Anything that arrives is an answer, so a busy connection is never pinged,
 * and one that its owner does not read from is not blamed for it.
 *
 * Every connection has one, so it is numbers and no `Deadline`s.
 */
export class KeepAlive {
  readonly #interval: number;
  readonly #timeout: number;
  #phase = OFF;
  /** When the phase ends on the owner's clock, or null until the owner has told the time. */
  #end: number | null = null;
  #heard = false;

  constructor(pingInterval: number, pingTimeout: number) {
    this.#interval = pingInterval;
    this.#timeout = pingTimeout;
    this.#wait(SILENCE, null);
  }

  /** Something arrived. */
  heard(): void {
    this.#heard = true;
  }

  stop(): void {
    this.#phase = OFF;
  }

  next(lastTold: number): number | null {
    return this.#phase === OFF ? null : (this.#end ?? lastTold);
  }

  tick(now: number): KeepAliveAction {
    if (this.#phase === OFF) return 'none';
    if (this.#phase === ANSWER && this.#heard) {
      this.#listen(now);
      return 'none';
    }
    this.#end ??= now + this.#interval;
    if (now < this.#end) return 'none';
    if (this.#phase === ANSWER) {
      this.#phase = OFF;
      return 'lost';
    }
    if (this.#heard) {
      this.#listen(now);
      return 'none';
    }
    this.#wait(ANSWER, now);
    // An answer that may take for ever is asked for again.
    if (this.#phase === OFF) this.#wait(SILENCE, now);
    return 'ping';
  }

  #listen(now: number): void {
    this.#heard = false;
    this.#wait(SILENCE, now);
  }

  #wait(phase: typeof SILENCE | typeof ANSWER, now: number | null): void {
    const span = phase === SILENCE ? this.#interval : this.#timeout;
    this.#phase = span === Number.POSITIVE_INFINITY ? OFF : phase;
    this.#end = now === null ? null : now + span;
  }
}
