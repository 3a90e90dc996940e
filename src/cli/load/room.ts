/** A load of rooms: whatever one member sends comes to all of them, in order. */

import type { Extension } from '../../core/index.js';
import { ExactInbox } from './exact.js';
import { HeldLoad } from './held-load.js';
import type { Answer, Inbox } from './inbox.js';
import type { Link } from './link.js';
import type { Counts } from './load.js';
import { Messages } from './messages.js';
import { checkNumber } from './numbers.js';
import { Pacer } from './pacer.js';
import { Sender } from './sender.js';
import type { LoadTarget } from './target.js';

export interface RoomTraffic {
  /** Members. Every message comes to every one, the sender too. */
  readonly connections: number;
  /** Messages that one member sends together. */
  readonly burst: number;
  /** Bytes of payload of a message. */
  readonly size: number;
  readonly text: boolean;
  readonly deflate?: boolean;
  /**
   * Messages a second that are sent, in bursts at fixed times; all by one member, for the order of what several send at
   * once is nobody's. Without it the members take turns: the next burst goes when all of them have all of the last.
   */
  readonly rate?: number;
  /** Whether latencies are recorded, of each delivery; true by default. */
  readonly latency?: boolean;
}

export class RoomLoad extends HeldLoad {
  readonly #traffic: RoomTraffic;
  readonly #messages: Messages;
  readonly #senders: Sender[] = [];
  readonly #pacer: Pacer | null;
  /** Deliveries that are still to come. */
  #waiting = 0;
  #delivered = 0;
  #bursts = 0;
  /** When the last burst was sent, in the closed loop. */
  #sentAt = 0;
  /** Deliveries to each member in this run, in the open loop. */
  readonly #got: Float64Array;

  /** @throws TypeError for a wrong URL or number */
  constructor(target: LoadTarget, traffic: RoomTraffic) {
    const { connections, burst, size, text, rate, deflate, latency = true } = traffic;
    super(target, connections, latency, deflate);
    checkNumber('burst', burst, 1, true);
    checkNumber('size', size, 0, true);
    if (rate !== undefined) checkNumber('rate', rate, 0, false);
    this.#traffic = traffic;
    this.#messages = new Messages({ size, text, deflate }, burst + 1);
    this.#got = new Float64Array(connections);
    this.#pacer = rate === undefined ? null : new Pacer(rate / burst, (from, to) => this.#onDue(from, to));
  }

  protected override inboxOf(_index: number, extensions: readonly Extension[], answer: Answer): Inbox {
    return new ExactInbox(this.#messages, 0, extensions, answer);
  }

  protected override prepare(windowBits: number): void {
    this.#messages.requests(windowBits);
  }

  protected override joined(link: Link, windowBits: number): void {
    this.#senders[link.index] = new Sender(this.#messages.requests(windowBits), link.wire, 0);
  }

  protected override begin(now: number): void {
    this.#got.fill(0);
    if (this.#pacer !== null) this.#pacer.start(now);
    else this.#send(1, now);
  }

  protected override finish(): void {
    this.#pacer?.finish();
    this.stop();
  }

  protected override stop(): void {
    this.#pacer?.stop();
  }

  protected override get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  override onMessages(link: Link, count: number): void {
    if (count === 0) return;
    this.#waiting -= count;
    this.#delivered += count;
    const now = performance.now();
    if (this.latency !== null) this.#record(link.index, count, now);
    if (this.#waiting > 0) return;
    if (!this.isRunning) this.settle();
    else if (this.#pacer === null) this.#send(1, now);
  }

  #record(index: number, count: number, now: number): void {
    if (this.#pacer === null) {
      this.latency?.record(now - this.#sentAt, count);
      return;
    }
    const { burst } = this.#traffic;
    for (let i = this.#got[index]; i < this.#got[index] + count; i++) {
      this.latency?.record(now - this.#pacer.due(Math.floor(i / burst)));
    }
    this.#got[index] += count;
  }

  #onDue(from: number, to: number): void {
    this.#send(to - from, 0);
  }

  #send(bursts: number, now: number): void {
    const { burst, connections } = this.#traffic;
    const count = bursts * burst;
    this.#sentAt = now;
    for (const link of this.links) link.waiting += count;
    this.#waiting += count * connections;
    const turn = this.#pacer === null ? this.#bursts % connections : 0;
    const sender = this.#senders[turn];
    sender.goTo((this.#bursts * burst) % this.#messages.count);
    this.#bursts += bursts;
    sender.send(count);
  }

  protected override counts(): Counts {
    const counts = super.counts();
    counts.messages = this.#delivered;
    counts.sentBytes = this.#bursts * this.#traffic.burst * this.#traffic.size;
    return counts;
  }
}
