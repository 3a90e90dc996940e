/** The subscriptions of one connection. */

import type { Link, Published } from '../link.js';
import type { Subscription } from './topic.js';
import type { Topics } from './topics.js';

export class Subscriber implements Published {
  readonly link: Link;
  readonly #topics: Topics;
  readonly #subscriptions = new Map<string, Subscription>();
  /** How many of the topics that were published to in which turn were looked at. */
  #seen = 0;
  #turn = -1;

  constructor(link: Link, topics: Topics) {
    this.link = link;
    this.#topics = topics;
  }

  /** @returns false for a topic that it has subscribed to already */
  subscribe(name: string): boolean {
    if (this.#subscriptions.has(name)) return false;
    this.#subscriptions.set(name, this.#topics.subscribe(name, this));
    return true;
  }

  /** @returns false for a topic that it has not subscribed to */
  unsubscribe(name: string): boolean {
    const subscription = this.#subscriptions.get(name);
    if (subscription === undefined) return false;
    this.#subscriptions.delete(name);
    this.#topics.unsubscribe(subscription);
    return true;
  }

  get(name: string): Subscription | undefined {
    return this.#subscriptions.get(name);
  }

  names(): IterableIterator<string> {
    return this.#subscriptions.keys();
  }

  /** Queues what was published in this turn, ahead of something else. */
  deliver(): void {
    const topics = this.#topics;
    const recent = topics.look();
    const from = this.#turn === topics.turn ? this.#seen : 0;
    this.#turn = topics.turn;
    this.#seen = recent.length;
    if (recent.length - from < this.#subscriptions.size) {
      for (let i = from; i < recent.length; i++) this.#subscriptions.get(recent[i].name)?.deliver();
    } else {
      for (const subscription of this.#subscriptions.values()) subscription.deliver();
    }
  }

  /** Ends all of them. */
  end(): void {
    for (const subscription of this.#subscriptions.values()) this.#topics.unsubscribe(subscription);
    this.#subscriptions.clear();
  }
}
