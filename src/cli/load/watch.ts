/** Notices a connection on which nothing moves any more. */

/** A connection, as far as it matters here. */
export interface Watched {
  /** Whether something is waited for on it. */
  readonly isWaiting: boolean;
  /** Grows whenever something moves. */
  readonly moved: number;
}

export class Watch {
  readonly #connections: readonly Watched[];
  readonly #timeout: number;
  readonly #moved: Float64Array;
  readonly #since: Float64Array;

  constructor(connections: readonly Watched[], timeout: number, now: number) {
    this.#connections = connections;
    this.#timeout = timeout;
    this.#moved = new Float64Array(connections.length).fill(-1);
    this.#since = new Float64Array(connections.length).fill(now);
  }

  /** Milliseconds between two looks. */
  get interval(): number {
    return Math.min(1000, this.#timeout / 4);
  }

  /** The number of a connection that is stuck, or -1. */
  look(now: number): number {
    for (let i = 0; i < this.#connections.length; i++) {
      const { isWaiting, moved } = this.#connections[i];
      if (!isWaiting || moved !== this.#moved[i]) {
        this.#moved[i] = moved;
        this.#since[i] = now;
      } else if (now - this.#since[i] >= this.#timeout) {
        return i;
      }
    }
    return -1;
  }
}
