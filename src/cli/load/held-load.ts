/** A load whose connections are opened before it runs, and stay open. */

import type { Extension, SupportedExtension } from '../../core/index.js';
import { openAll } from './crew.js';
import type { LoadFault } from './fault.js';
import type { Answer, Inbox } from './inbox.js';
import { Link, type LinkOwner } from './link.js';
import { type Counts, Load } from './load.js';
import type { LoadTarget } from './target.js';
import type { Watched } from './watch.js';

export abstract class HeldLoad extends Load implements LinkOwner {
  protected readonly links: Link[] = [];
  readonly #count: number;

  /** @throws TypeError for a wrong URL or number */
  constructor(target: LoadTarget, connections: number, records: boolean) {
    super(target, records);
    if (!(Number.isInteger(connections) && connections > 0)) {
      throw new TypeError('connections must be a whole number from 1 up');
    }
    this.#count = connections;
  }

  protected async open(): Promise<void> {
    try {
      await openAll(this.endpoint, this.#count, this.extensions, (index, opened) => {
        this.links[index] = new Link(index, opened, (answer) => this.inboxOf(index, opened.extensions, answer), this);
        this.joined(this.links[index], opened.extensions);
      });
    } catch (error) {
      this.cutOff();
      throw error;
    }
  }

  // What the kinds of load bring.

  /** What is offered. */
  protected get extensions(): readonly SupportedExtension[] {
    return [];
  }
  /** Takes what comes on a connection. */
  protected abstract inboxOf(index: number, extensions: readonly Extension[], answer: Answer): Inbox;
  /** A connection is open. */
  protected abstract joined(link: Link, extensions: readonly Extension[]): void;
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
