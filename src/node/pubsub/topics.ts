/** The topics of an endpoint, and when what was published is queued: when the turn ends, ahead of all writing. */

import type { TopicStats } from '../stats.js';
import { beforeTurnEnd } from '../turn.js';
import type { Message } from './message.js';
import type { Subscriber } from './subscriber.js';
import { type Subscription, Topic } from './topic.js';

export class Topics {
  readonly #topics = new Map<string, Topic>();
  /** Those with something in their logs. */
  #due: Topic[] = [];
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

  /** Those with something in their logs. */
  get due(): readonly Topic[] {
    return this.#due;
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
      if (subscription === undefined) continue;
      excepted ??= new Set();
      excepted.add(subscription);
    }
    if (excepted?.size === topic.size) return 0;
    this.#published++;
    if (!topic.isDue) {
      topic.isDue = true;
      if (this.#due.length === 0) beforeTurnEnd(this);
      this.#due.push(topic);
    }
    return topic.publish(message, excepted);
  }

  onTurnEnd(): void {
    const due = this.#due;
    this.#due = [];
    for (const topic of due) topic.deliver();
  }
}
