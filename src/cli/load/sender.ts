/** Sends messages of a ring on one connection, one after the other, any number of them in one write. */

import type { Ring } from './ring.js';
import type { Wire } from './wire.js';

export class Sender {
  /** Messages sent. */
  count = 0;
  readonly #ring: Ring;
  readonly #wire: Wire;
  #next: number;

  /** @param first the number in the ring of the message that goes first */
  constructor(ring: Ring, wire: Wire, first: number) {
    this.#ring = ring;
    this.#wire = wire;
    this.#next = first;
  }

  /** The next message is that number of the ring. */
  goTo(index: number): void {
    this.#next = index;
  }

  /** @returns false when the socket has enough for now */
  send(count: number): boolean {
    const ring = this.#ring;
    const from = this.#next;
    const to = from + count;
    this.count += count;
    if (to < ring.count) {
      this.#next = to;
      return this.#wire.write(ring.slice(from, to));
    }
    this.#next = to % ring.count;
    const { socket } = this.#wire;
    socket.cork();
    let taken = this.#wire.write(ring.slice(from, ring.count));
    for (let left = to - ring.count; left > 0; left -= ring.count) {
      taken = this.#wire.write(ring.slice(0, Math.min(left, ring.count)));
    }
    socket.uncork();
    return taken;
  }
}
