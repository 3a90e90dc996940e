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

/**
 * Asks a silent peer whether it is there. Anything that arrives is an answer, so a busy connection is never pinged,
 * and one that its owner does not read from is not blamed for it.
 */
export class KeepAlive {
  readonly #silence: Deadline;
  readonly #answer: Deadline;
  #heard = false;

  constructor(pingInterval: number, pingTimeout: number) {
    this.#silence = new Deadline(pingInterval);
    this.#answer = new Deadline(pingTimeout);
    this.#silence.arm();
  }

  /** Something arrived. */
  heard(): void {
    this.#heard = true;
  }

  stop(): void {
    this.#silence.disarm();
    this.#answer.disarm();
  }

  next(lastTold: number): number | null {
    return this.#answer.next(lastTold) ?? this.#silence.next(lastTold);
  }

  tick(now: number): KeepAliveAction {
    if (this.#answer.armed) {
      if (this.#heard) this.#listen(now);
      else if (this.#answer.tick(now)) return 'lost';
      return 'none';
    }
    if (!this.#silence.tick(now)) return 'none';
    if (this.#heard) {
      this.#listen(now);
      return 'none';
    }
    this.#answer.arm(now);
    // An answer that may take for ever is asked for again.
    if (!this.#answer.armed) this.#silence.arm(now);
    return 'ping';
  }

  #listen(now: number): void {
    this.#heard = false;
    this.#answer.disarm();
    this.#silence.arm(now);
  }
}
