/** A load of echoes: each connection keeps so many messages in flight, or all of them together send at a fixed rate. */

import type { Extension } from '../../core/index.js';
import { pingFrame } from './frames.js';
import { HeldLoad } from './held-load.js';
import { type Answer, type Inbox, inboxFor, type Replies } from './inbox.js';
import type { Link } from './link.js';
import type { Counts } from './load.js';
import { Messages } from './messages.js';
import { checkNumber } from './numbers.js';
import { Pacer } from './pacer.js';
import { Sender } from './sender.js';
import type { LoadTarget } from './target.js';

export interface EchoTraffic {
  readonly connections: number;
  /** Messages that each connection has under way; without meaning where there is a `rate`. */
  readonly inFlight: number;
  /** Bytes of payload of a message. */
  readonly size: number;
  readonly text: boolean;
  /**
   * Messages a second over all connections, at fixed times, whether or not earlier ones are answered (an open loop).
   * Latencies then count from when a message was due, so that a server which stalls cannot hide it (coordinated omission).
   */
  readonly rate?: number;
  /** Offers permessage-deflate, and compresses what is sent. A server that declines is a fault. */
  readonly deflate?: boolean;
  /**
   * `'echo'`, the default: each reply must be the message, in order. `'any'`: one reply to each message, whatever it is.
   * `'none'`: nothing is waited for, and what comes is not looked at; the run is over when the server has answered a
   * Ping behind the last message.
   */
  readonly replies?: Replies;
  /** Whether latencies are recorded; true by default. */
  readonly latency?: boolean;
}

/** What a connection sends, and when it was sent. */
interface Voice {
  readonly sender: Sender;
  /** When the messages in flight were sent: a ring, of which the oldest is at `answered`. */
  readonly times: Float64Array;
  /** Sent and answered in this run. */
  sent: number;
  answered: number;
  /** Waits for the socket to take what it was given. */
  isFull: boolean;
}

export class EchoLoad extends HeldLoad {
  readonly #traffic: EchoTraffic;
  readonly #replies: Replies;
  readonly #messages: Messages;
  readonly #voices: Voice[] = [];
  readonly #pacer: Pacer | null;
  #waiting = 0;
  #answered = 0;
  #immediate: NodeJS.Immediate | undefined;

  /** @throws TypeError for a wrong URL or number */
  constructor(target: LoadTarget, traffic: EchoTraffic) {
    const { connections, inFlight, size, text, rate, deflate, replies = 'echo', latency = true } = traffic;
    super(target, connections, latency && replies !== 'none', deflate);
    checkNumber('inFlight', inFlight, 1, true);
    checkNumber('size', size, 0, true);
    if (rate !== undefined) checkNumber('rate', rate, 0, false);
    this.#traffic = traffic;
    this.#replies = replies;
    this.#messages = new Messages({ size, text, deflate }, inFlight + 1);
    this.#pacer = rate === undefined ? null : new Pacer(rate, (from, to) => this.#onDue(from, to));
  }

  protected override inboxOf(index: number, extensions: readonly Extension[], answer: Answer): Inbox {
    return inboxFor(this.#replies, this.#messages, this.#first(index), extensions, answer);
  }

  protected override prepare(windowBits: number): void {
    this.#messages.requests(windowBits);
  }

  protected override joined(link: Link, windowBits: number): void {
    const sender = new Sender(this.#messages.requests(windowBits), link.wire, this.#first(link.index));
    const times = new Float64Array(this.#traffic.inFlight);
    const voice: Voice = { sender, times, sent: 0, answered: 0, isFull: false };
    this.#voices[link.index] = voice;
    link.wire.socket.on('drain', () => {
      voice.isFull = false;
    });
  }

  /** Connections begin at different messages, so that one which gets what is another's notices. */
  #first(index: number): number {
    const { count } = this.#messages;
    return Math.floor((index * count) / this.#traffic.connections) % count;
  }

  protected override begin(now: number): void {
    for (const voice of this.#voices) {
      voice.sent = 0;
      voice.answered = 0;
    }
    if (this.#pacer !== null) this.#pacer.start(now);
    else if (this.#replies === 'none') this.#flood();
    else for (const link of this.links) this.#send(link, this.#traffic.inFlight, now);
  }

  protected override finish(): void {
    this.#pacer?.finish();
    this.stop();
    if (this.#replies === 'none') this.#askWhetherTaken();
  }

  protected override stop(): void {
    this.#pacer?.stop();
    clearImmediate(this.#immediate);
  }

  protected override get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  override onMessages(link: Link, count: number): void {
    if (link.awaitsPong && link.inbox.pongs > 0) this.#taken(link);
    if (count === 0) return;
    this.#waiting -= count;
    this.#answered += count;
    const now = this.latency === null ? 0 : performance.now();
    this.#record(link.index, count, now);
    if (!this.isRunning) this.settle();
    else if (this.#pacer === null) this.#send(link, count, now);
  }

  #send(link: Link, count: number, now: number): void {
    const voice = this.#voices[link.index];
    link.waiting += count;
    this.#waiting += count;
    if (this.#pacer === null) {
      const { times } = voice;
      for (let i = 0; i < count; i++) times[(voice.sent + i) % times.length] = now;
    }
    voice.sent += count;
    voice.sender.send(count);
  }

  #record(index: number, count: number, now: number): void {
    const { latency } = this;
    const voice = this.#voices[index];
    if (latency !== null) {
      const { connections } = this.#traffic;
      const { times } = voice;
      for (let i = voice.answered; i < voice.answered + count; i++) {
        const since = this.#pacer === null ? times[i % times.length] : this.#pacer.due(i * connections + index);
        latency.record(now - since);
      }
    }
    voice.answered += count;
  }

  /** Messages of the open loop go to one connection after the other. */
  #onDue(from: number, to: number): void {
    const { connections } = this.#traffic;
    const count = to - from;
    for (let i = from; i < Math.min(to, from + connections); i++) {
      const index = i % connections;
      const share = Math.ceil((count - (i - from)) / connections);
      if (this.#replies === 'none') this.#tell(index, share);
      else this.#send(this.links[index], share, 0);
    }
  }

  // Without replies.

  /** Every connection sends, unless its socket has enough, and does so again in the next turn of the event loop. */
  #flood(): void {
    for (let i = 0; i < this.#voices.length; i++) if (!this.#voices[i].isFull) this.#tell(i, this.#traffic.inFlight);
    this.#immediate = setImmediate(() => this.#flood());
  }

  #tell(index: number, count: number): void {
    const voice = this.#voices[index];
    this.#answered += count;
    if (!voice.sender.send(count)) voice.isFull = true;
  }

  #askWhetherTaken(): void {
    for (const link of this.links) {
      if (link.awaitsPong) continue;
      link.awaitsPong = true;
      this.#waiting++;
      link.wire.write(pingFrame());
    }
  }

  #taken(link: Link): void {
    link.awaitsPong = false;
    this.#waiting--;
    this.settle();
  }

  protected override counts(): Counts {
    const counts = super.counts();
    counts.messages = this.#answered;
    for (const { sender } of this.#voices) counts.sentBytes += sender.count * this.#messages.size;
    return counts;
  }
}
