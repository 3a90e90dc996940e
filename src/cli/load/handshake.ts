/** A load of opening handshakes: each lane opens a connection, closes it in order, and opens the next. */

import { setMaxListeners } from 'node:events';
import { LoadFault } from './fault.js';
import { CountingInbox } from './inbox.js';
import { Link, type LinkOwner } from './link.js';
import { type Counts, Load } from './load.js';
import { checkNumber } from './numbers.js';
import { open } from './opening.js';
import type { LoadTarget } from './target.js';
import type { Watched } from './watch.js';

export interface HandshakeTraffic {
  /** Handshakes that are under way at a time. */
  readonly connections: number;
  /** Whether latencies are recorded, from the call of `connect(2)` to the server's answer; true by default. */
  readonly latency?: boolean;
}

/** The closing counts into the time of a run, but into no latency. */
export class HandshakeLoad extends Load implements LinkOwner {
  readonly #lanes: number;
  #busy = 0;
  #messages = 0;
  #sent = 0;
  #received = 0;
  readonly #abort = new AbortController();
  readonly #open = new Set<Link>();

  /** @throws TypeError for a wrong URL or number */
  constructor(target: LoadTarget, { connections, latency = true }: HandshakeTraffic) {
    super(target, latency);
    checkNumber('connections', connections, 1, true);
    this.#lanes = connections;
    setMaxListeners(connections, this.#abort.signal);
  }

  /** Tries once, so that a server which refuses is known before the run. */
  protected override async open(): Promise<void> {
    const { wire, extensions, trailing } = await open(this.endpoint);
    await this.#link({ wire, extensions, trailing }).close();
    this.#open.clear();
  }

  protected override begin(): void {
    for (let i = 0; i < this.#lanes; i++) void this.#lane(i);
  }

  protected override finish(): void {}
  protected override stop(): void {}

  protected override get isWaiting(): boolean {
    return this.#busy > 0;
  }

  async #lane(index: number): Promise<void> {
    this.#busy++;
    try {
      while (this.isRunning) await this.#once();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.fail(error instanceof LoadFault ? error.on(index) : error);
    }
    this.#busy--;
    this.settle();
  }

  async #once(): Promise<void> {
    const started = performance.now();
    const opened = await open(this.endpoint, [], this.#abort.signal);
    this.latency?.record(performance.now() - started);
    this.#messages++;
    const link = this.#link(opened);
    await link.close();
    this.#open.delete(link);
    this.#sent += link.wire.socket.bytesWritten ?? 0;
    this.#received += link.wire.received;
  }

  #link(opened: Awaited<ReturnType<typeof open>>): Link {
    const link = new Link(0, opened, (answer) => new CountingInbox(opened.extensions, answer, true), this);
    this.#open.add(link);
    return link;
  }

  onMessages(): void {}

  onFault(fault: LoadFault): void {
    this.fail(fault);
  }

  protected override async end(): Promise<void> {
    this.#abort.abort();
    await Promise.all([...this.#open].map((link) => link.close()));
  }

  protected override cutOff(): void {
    this.#abort.abort();
    for (const link of this.#open) link.cutOff();
  }

  protected override counts(): Counts {
    return {
      messages: this.#messages,
      bytes: 0,
      sentBytes: 0,
      wireSent: this.#sent,
      wireReceived: this.#received,
    };
  }

  /** Every handshake has a deadline of its own. */
  protected override get watched(): readonly Watched[] {
    return [];
  }

  protected override describeWait(): string {
    return '';
  }
}
