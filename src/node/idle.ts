/** Connections over which no message goes. */

import type { Link } from './link.js';

/** Looks in an idle time; so much earlier than at its end, and so late, a connection can be found idle. */
const LOOKS = 4;

/**
 * Finds out, at every look, whether messages went over a link since the last: counting them costs nothing, noting
 * the time of each would.
 */
export class IdleWatch {
  readonly #timeout: number;
  #messages = -1;
  #since = 0;
  #nextLook = 0;

  /** @param timeout milliseconds */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** When to look next. */
  get deadline(): number {
    return this.#nextLook;
  }

  /** Whether no message went over the link for the whole time. */
  isIdle({ messagesReceived, messagesSent }: Link, now: number): boolean {
    const messages = messagesReceived + messagesSent;
    if (messages !== this.#messages) {
      this.#messages = messages;
      this.#since = now;
    }
    // Counted from the last message, because each look may come a tick late.
    const idle = now - this.#since;
    const span = this.#timeout / LOOKS;
    this.#nextLook = this.#since + span * (Math.floor(idle / span) + 1);
    return idle >= this.#timeout;
  }
}
