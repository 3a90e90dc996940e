/** A load whose connections are opened before it runs, and stay open. */

import type { Extension } from '../../core/index.js';
import { openAll } from './crew.js';
import { agreedWindowBits, deflateOffer } from './deflate.js';
import type { LoadFault } from './fault.js';
import type { Answer, Inbox } from './inbox.js';
import { Link, type LinkOwner } from './link.js';
import { type Counts, Load } from './load.js';
import { checkNumber } from './numbers.js';
import type { Opened } from './opening.js';
import type { LoadTarget } from './target.js';
import type { Watched } from './watch.js';

export abstract class HeldLoad extends Load implements LinkOwner {
  protected readonly links: Link[] = [];
  readonly #count: number;
  readonly #deflate: boolean;

  /**
   * @param records whether latencies are recorded
   * @param deflate whether permessage-deflate is offered, and has to be taken
   * @throws TypeError for a wrong URL or number
   */
  constructor(target: LoadTarget, connections: number, records: boolean, deflate = false) {
    super(target, records);
    checkNumber('connections', connections, 1, true);
    this.#count = connections;
    this.#deflate = deflate;
  }

  protected async open(): Promise<void> {
    // What most servers agree to.
    this.prepare(this.#deflate ? 15 : 0);
    try {
      const offered = this.#deflate ? [deflateOffer()] : [];
      await openAll(this.endpoint, this.#count, offered, (index, opened) => this.#join(index, opened));
    } catch (error) {
      this.cutOff();
      throw error;
    }
  }

  #join(index: number, opened: Opened): void {
    const { wire, extensions } = opened;
    let windowBits = 0;
    try {
      if (this.#deflate) windowBits = agreedWindowBits(extensions);
    } catch (fault) {
      wire.destroy();
      throw fault;
    }
    const link = new Link(index, opened, (answer) => this.inboxOf(index, extensions, answer), this);
    this.links[index] = link;
    this.joined(link, windowBits);
  }

  // What the kinds of load bring.

  /** Does what takes long, and would keep servers waiting later: messages are compressed for that window, or not for 0. */
  protected abstract prepare(windowBits: number): void;
  /** Takes what comes on a connection. */
  protected abstract inboxOf(index: number, extensions: readonly Extension[], answer: Answer): Inbox;
  /**
   * A connection is open.
   *
   * @param windowBits what is sent is to be compressed for; 0 for not at all
   */
  protected abstract joined(link: Link, windowBits: number): void;
  abstract onMessages(link: Link, count: number): void;

  onFault(fault: LoadFault): void {
    this.fail(fault);
  }

  protected override async end(): Promise<void> {
    await Promise.all(this.links.map((link) => link.close()));
  }

  protected override cutOff(): void {
    for (const link of this.links) link?.cutOff();
  }

  protected override get watched(): readonly Watched[] {
    return this.links;
  }

  protected override describeWait(connection: number): string {
    const { waiting } = this.links[connection];
    return waiting > 0 ? `${waiting} messages are still to come` : 'a Pong is still to come';
  }

  protected override counts(): Counts {
    const counts = { messages: 0, bytes: 0, sentBytes: 0, wireSent: 0, wireReceived: 0 };
    for (const { inbox, wire } of this.links) {
      counts.bytes += inbox.bytes;
      counts.wireSent += wire.socket.bytesWritten ?? 0;
      counts.wireReceived += wire.received;
    }
    return counts;
  }
}
