/** How long the handlers of messages take. */

import { performance } from 'node:perf_hooks';

/** Times in milliseconds. */
export interface HandlerTimes {
  /** Messages whose handler is done. */
  readonly count: number;
  /** Of the calls, and of the promises that they returned. */
  readonly total: number;
  readonly max: number;
}

/** Counts for all connections of a server. */
export class Meter {
  #count = 0;
  #total = 0;
  #max = 0;

  /** @returns the time, to be given to `stop` */
  start(): number {
    return performance.now();
  }

  stop(started: number): void {
    const took = performance.now() - started;
    this.#count++;
    this.#total += took;
    if (took > this.#max) this.#max = took;
  }

  snapshot(): HandlerTimes {
    return { count: this.#count, total: this.#total, max: this.#max };
  }
}
