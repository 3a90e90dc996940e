/**
 * The clock of an open loop: things are due at fixed times, whether or not earlier ones are done. Timers of Node's are
 * late by up to a millisecond, so the last bit of a wait is spent turning the event loop.
 */

/** Milliseconds before something is due in which no timer is trusted. */
const SPIN = 2;

export class Pacer {
  readonly interval: number;
  readonly #onDue: (from: number, to: number) => void;
  #start = 0;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  /**
   * @param rate times a second
   * @param onDue told which are due now, from the first to before the second number
   */
  constructor(rate: number, onDue: (from: number, to: number) => void) {
    this.interval = 1000 / rate;
    this.#onDue = onDue;
  }

  /** When something is due, on the clock of `performance.now`. */
  due(index: number): number {
    return this.#start + index * this.interval;
  }

  start(now: number): void {
    this.#start = now;
    this.#next = 0;
    this.#tick();
  }

  /** Stops, when everything that is due by now has been told. */
  finish(): void {
    this.stop();
    const from = this.#next;
    this.#next = this.#dueBy(performance.now());
    if (this.#next > from) this.#onDue(from, this.#next);
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  readonly #tick = (): void => {
    const now = performance.now();
    const from = this.#next;
    const to = this.#dueBy(now);
    this.#next = to;
    const wait = this.due(this.#next) - now;
    if (wait > SPIN) this.#timer = setTimeout(this.#tick, Math.floor(wait - 1));
    else this.#immediate = setImmediate(this.#tick);
    // Last, since it may stop this.
    if (to > from) this.#onDue(from, to);
  };

  #dueBy(now: number): number {
    return Math.max(this.#next, Math.floor((now - this.#start) / this.interval) + 1);
  }
}
