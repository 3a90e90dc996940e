/** The topics of an endpoint, and when what was published is queued: when the turn ends, ahead of all writing. */

import type { TopicStats } from '../stats.js';
import { beforeTurnEnd } from '../turn.js';
import type { Message } from './message.js';
import type { Subscriber } from './subscriber.js';
import { type Subscription, Topic } from './topic.js';

export class Topics {
  readonly #topics = new Map<string, Topic>();
  /**
   * Those that were published to in this turn, in order: each once, and again where somebody has looked meanwhile. So each
   * connection that is sent something else looks at what is new to it and at no more.
   */
  #recent: Topic[] = [];
  /** How many of them somebody has looked at. */
  #seen = 0;
  #turn = 0;
  #subscriptions = 0;
  #published = 0;

  stats(): TopicStats {
    return { topics: this.#topics.size, subscriptions: this.#subscriptions, published: this.#published };
  }

  /** Their names. */
  names(): IterableIterator<string> {
    return this.#topics.keys();
  }

  subscriberCount(name: string): number {
    return this.#topics.get(name)?.size ?? 0;
  }

  /** The number of this turn. */
  get turn(): number {
    return this.#turn;
  }

  /** Those that were published to in this turn, in order, some more than once. Who was here before reads on from there. */
  look(): readonly Topic[] {
    this.#seen = this.#recent.length;
    return this.#recent;
  }

  subscribe(name: string, subscriber: Subscriber): Subscription {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new Topic(name);
      this.#topics.set(name, topic);
    }
    this.#subscriptions++;
    return topic.add(subscriber.link);
  }

  /** Ends a subscription; what was published before is not lost. */
  unsubscribe(subscription: Subscription): void {
    subscription.deliver();
    const { topic } = subscription;
    this.#subscriptions--;
    topic.delete(subscription);
    if (topic.size === 0) this.#topics.delete(topic.name);
  }

  /** @returns for how many subscribers it is */
  publish(name: string, message: Message, except: Iterable<Subscriber>): number {
    const topic = this.#topics.get(name);
    if (topic === undefined) return 0;
    let excepted: Set<Subscription> | undefined;
    for (const subscriber of except) {
      const subscription = subscriber.get(name);
      // Another server may have a topic of that name.
      if (subscription?.topic !== topic) continue;
      excepted ??= new Set();
      excepted.add(subscription);
    }
    if (excepted?.size === topic.size) return 0;
    this.#published++;
    if (topic.recentAt < this.#seen) {
      if (this.#recent.length === 0) beforeTurnEnd(this);
      topic.recentAt = this.#recent.push(topic) - 1;
    }
    return topic.publish(message, excepted);
  }

  onTurnEnd(): void {
    const recent = this.#recent;
    this.#recent = [];
    this.#seen = 0;
    this.#turn++;
    for (const [index, topic] of recent.entries()) topic.deliver(index === recent.length - 1);
  }
}
