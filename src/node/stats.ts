/** What an endpoint counts. Nothing is counted twice: what a connection counts itself is only added up. */

import type { DeflateStats } from '../core/index.js';
import type { HandlerTimes } from './meter.js';
import type { Peer } from './peer.js';

/** What was published. */
export interface TopicStats {
  /** Topics that have subscribers now. */
  readonly topics: number;
  /** Subscriptions now, to all topics. */
  readonly subscriptions: number;
  /** Messages that were published, each counted once however many got it. */
  readonly published: number;
}

/** A snapshot of what an endpoint has done since it was made. */
export interface EndpointStats {
  readonly connections: {
    /** Open or closing now. */
    readonly open: number;
    /** In their opening handshake now. */
    readonly opening: number;
    /** That were ever opened. */
    readonly total: number;
    /** Requests that were answered with something else than a WebSocket. */
    readonly refused: number;
    /** The most that were open at once. */
    readonly peak: number;
  };
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Bytes queued on all connections that the system has not taken yet. */
  readonly bufferedAmount: number;
  /** How many connections ended with each code that `close` is called with. */
  readonly closes: Readonly<Record<number, number>>;
  /** How often `error` was called. */
  readonly errors: number;
  readonly topics: TopicStats;
  /** How long the handlers of messages took, or null where they are not measured. */
  readonly handlers: HandlerTimes | null;
  /** What was compressed, and what is kept for it; null where nothing is. Of all who share a `PerMessageDeflate`. */
  readonly perMessageDeflate: DeflateStats | null;
}

const COUNTS = ['messagesReceived', 'messagesSent', 'bytesReceived', 'bytesSent'] as const;

/** What is kept of connections that are gone, and of what no connection knows. */
export class Counts {
  #total = 0;
  #peak = 0;
  #errors = 0;
  refused = 0;
  readonly #closes = new Map<number, number>();
  readonly #left = emptySums();

  opened(open: number): void {
    this.#total++;
    this.#peak = Math.max(this.#peak, open);
  }

  closed(code: number): void {
    this.#closes.set(code, (this.#closes.get(code) ?? 0) + 1);
  }

  failed(): void {
    this.#errors++;
  }

  gone(peer: Peer<never>): void {
    addTo(this.#left, peer);
  }

  snapshot(
    peers: Iterable<Peer<never>>,
    opening: number,
  ): Omit<EndpointStats, 'topics' | 'handlers' | 'perMessageDeflate'> {
    const sums = { ...this.#left };
    let open = 0;
    let bufferedAmount = 0;
    for (const peer of peers) {
      open++;
      bufferedAmount += peer.bufferedAmount;
      addTo(sums, peer);
    }
    return {
      connections: { open, opening, total: this.#total, refused: this.refused, peak: this.#peak },
      ...sums,
      bufferedAmount,
      closes: Object.fromEntries(this.#closes),
      errors: this.#errors,
    };
  }
}

type Sums = { [Name in (typeof COUNTS)[number]]: number };

function emptySums(): Sums {
  return { messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0 };
}

function addTo(sums: Sums, peer: Peer<never>): void {
  for (const name of COUNTS) sums[name] += peer[name];
}
