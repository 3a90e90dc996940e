/** One connection of a load once it is open: its wire, its inbox, and what it has sent. */

import { LoadFault } from './fault.js';
import { goodbye } from './frames.js';
import type { Inbox } from './inbox.js';
import type { Opened } from './opening.js';
import type { Watched } from './watch.js';
import type { Wire, WireOwner } from './wire.js';

/** Milliseconds that a server has to answer a Close. */
const GOODBYE = 2000;

/** Whoever is told of it. Nothing is said any more of a connection that is being closed. */
export interface LinkOwner {
  /** So many messages have come whole. */
  onMessages(link: Link, count: number): void;
  onFault(fault: LoadFault): void;
}

export class Link implements WireOwner, Watched {
  readonly index: number;
  readonly wire: Wire;
  /** Messages that are still to come. */
  waiting = 0;
  /** Whether something else is, that is no message. */
  awaitsPong = false;
  readonly inbox: Inbox;
  readonly #owner: LinkOwner;
  #isClosing = false;

  constructor(index: number, opened: Opened, inbox: (answer: (frame: Uint8Array) => void) => Inbox, owner: LinkOwner) {
    this.index = index;
    this.wire = opened.wire;
    this.#owner = owner;
    this.inbox = inbox((frame) => this.wire.write(frame));
    this.wire.owner = this;
    if (opened.trailing.length > 0) this.onBytes(opened.trailing, opened.trailing.length);
  }

  get isWaiting(): boolean {
    return this.waiting > 0 || this.awaitsPong;
  }

  get moved(): number {
    return this.wire.received + this.wire.written;
  }

  onBytes(memory: Buffer, length: number): void {
    if (this.#isClosing) return;
    try {
      const count = this.inbox.take(memory, length, this.waiting);
      this.waiting -= count;
      this.#owner.onMessages(this, count);
    } catch (error) {
      if (!(error instanceof LoadFault)) throw error;
      this.#owner.onFault(error.on(this.index));
    }
  }

  onEnd(error: Error | null): void {
    if (this.#isClosing) return;
    const why = error === null ? 'the server ended it without a Close' : error.message;
    const what = this.waiting > 0 ? `, with ${this.waiting} messages still to come` : '';
    this.#owner.onFault(new LoadFault('CLOSED', `the connection is gone: ${why}${what}`).on(this.index));
  }

  /** Says goodbye, and resolves when the connection is gone. */
  close(): Promise<void> {
    this.#isClosing = true;
    const { socket } = this.wire;
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.destroy(), GOODBYE);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      // The server ends the connection when it has answered (RFC 6455 §7.1.1), and the socket follows by itself.
      if (!socket.destroyed && socket.writable) this.wire.write(goodbye());
      else socket.destroy();
    });
  }

  cutOff(): void {
    this.#isClosing = true;
    this.wire.destroy();
  }
}
