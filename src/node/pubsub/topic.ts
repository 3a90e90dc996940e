/**
 * A topic: who has subscribed to it, and the log of what was published to it in this turn, once for each kind of
 * connection (those that compress alike, and those that do not).
 *
 * Everyone is given the whole log when the turn ends, unless something else was sent to one of them meanwhile: that one
 * is given what there is before it, and the rest later.
 */

import { FrameLog, PreparedMessage, type SharedEncoder, type SharedFrames } from '../../core/index.js';
import type { Link } from '../link.js';
import type { Message } from './message.js';
import { hasVolleys, Volley } from './volley.js';

/** A log that has grown so far is handed on before the turn ends. */
const LOG_SIZE = 64 * 1024;

/** One connection's subscription to one topic. */
export class Subscription {
  readonly topic: Topic;
  readonly group: Group;
  readonly link: Link;
  /** How far this one is ahead of the others: which log that was, its bytes and its messages. */
  #generation = -1;
  #size = 0;
  #messages = 0;

  constructor(topic: Topic, group: Group, link: Link) {
    this.topic = topic;
    this.group = group;
    this.link = link;
    this.skip();
  }

  /** Takes everything that is in the log for given. */
  skip(): void {
    const { log } = this.group;
    this.#generation = log.generation;
    this.#size = log.size;
    this.#messages = log.messages;
  }

  /** Queues what is in the log and was not given yet. */
  deliver(): void {
    const frames = this.take();
    if (frames !== null) this.link.sendFrames(frames);
  }

  /** What is in the log and was not given yet, which it then was. */
  take(): SharedFrames | null {
    const frames = this.#pending();
    this.skip();
    return frames;
  }

  #pending(): SharedFrames | null {
    const { log } = this.group;
    if (this.#generation !== log.generation || this.#size === 0) return log.size === 0 ? null : log.frames();
    return this.#size === log.size ? null : log.frames(this.#size, this.#messages);
  }
}

/** The subscribers of a topic whose frames are alike. */
class Group {
  readonly log: FrameLog;
  readonly members = new Set<Subscription>();
  readonly #encoder: SharedEncoder | null;

  constructor(encoder: SharedEncoder | null) {
    this.#encoder = encoder;
    this.log = new FrameLog(encoder);
  }

  /** @param except those whom it does not concern */
  publish({ data, isText, compress }: Message, except: ReadonlySet<Subscription>): void {
    const { log } = this;
    if (compress && this.#encoder?.takesLong(Buffer.byteLength(data))) {
      // Each connection waits for it behind what it was sent before.
      this.deliver();
      const prepared = new PreparedMessage(data, { binary: !isText });
      for (const subscription of this.members) {
        if (!except.has(subscription)) subscription.link.sendPrepared(prepared);
      }
      return;
    }
    log.write(data, isText, compress);
    for (const subscription of except) if (subscription.group === this) subscription.skip();
    if (log.size >= LOG_SIZE) this.deliver();
  }

  deliver(last = false): void {
    const { log } = this;
    if (log.size === 0) return;
    log.join();
    const all = log.frames();
    const bytes = last && hasVolleys && this.members.size > 1 ? all.bytes : null;
    const volley = bytes === null ? null : new Volley(all, bytes);
    for (const subscription of this.members) {
      const frames = subscription.take();
      if (frames === null || (frames === all && volley?.add(subscription.link))) continue;
      subscription.link.sendFrames(frames, last);
    }
    volley?.end();
    log.clear();
  }
}

const NOBODY: ReadonlySet<Subscription> = new Set();

export class Topic {
  readonly name: string;
  /** Its last place among those that were published to in this turn; -1 where it was not. */
  recentAt = -1;
  /** The number of subscribers. */
  size = 0;
  readonly #groups = new Map<SharedEncoder | null, Group>();

  constructor(name: string) {
    this.name = name;
  }

  add(link: Link): Subscription {
    const encoder = link.connection.sharedEncoder ?? null;
    let group = this.#groups.get(encoder);
    if (group === undefined) {
      group = new Group(encoder);
      this.#groups.set(encoder, group);
    }
    const subscription = new Subscription(this, group, link);
    group.members.add(subscription);
    this.size++;
    return subscription;
  }

  delete(subscription: Subscription): void {
    const { group } = subscription;
    group.members.delete(subscription);
    this.size--;
    if (group.members.size > 0) return;
    group.log.clear();
    for (const [encoder, candidate] of this.#groups) if (candidate === group) this.#groups.delete(encoder);
  }

  /**
   * Writes a message into the logs.
   *
   * @returns for how many subscribers it is
   */
  publish(message: Message, except: ReadonlySet<Subscription> = NOBODY): number {
    // What they were still to be given lies before it.
    for (const subscription of except) subscription.deliver();
    for (const group of this.#groups.values()) group.publish(message, except);
    return this.size - except.size;
  }

  /**
   * Queues what is in the logs.
   *
   * @param last whether nothing more comes in this turn: to queue and to write for one connection after the other is half
   *   as dear as to go through them twice
   */
  deliver(last: boolean): void {
    this.recentAt = -1;
    for (const group of this.#groups.values()) group.deliver(last);
  }
}
