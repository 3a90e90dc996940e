/**
 * Random programs of publishing and sending, held against a simple model: each client gets what it was sent and what was
 * published to its topics, each thing once; what was sent and what was published to one topic in that very order, and all
 * of a turn ahead of all of the next.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { broadcast, connect, type Peer, type Server } from '../../../src/node/index.js';
import { atEnd, connectWs, start, turns, until } from '../support.js';

const RUNS = Number(process.env['MILLRACE_RUNS'] ?? 60);
const TOPICS = ['a', 'b', 'c'];
const END = 'that is all';
/** What clients agree to: nothing, and everything that makes a difference. The last is one of `ws`. */
const CLIENTS = [false, true, { serverNoContextTakeover: true }, { serverMaxWindowBits: 9 }, 'ws'] as const;

/** Something that a client is to get: sent to it alone, or published to a topic. */
interface Item {
  readonly id: number;
  readonly topic: string | null;
  readonly turn: number;
}

class Party {
  readonly peer: Peer;
  readonly close: () => void;
  readonly send: (text: string) => void;
  readonly got: string[] = [];
  readonly expected: Item[] = [];
  readonly topics = new Set<string>();
  ending: 'open' | 'closed' | 'cut off' = 'open';
  closed = false;

  constructor(peer: Peer, close: () => void, send: (text: string) => void) {
    this.peer = peer;
    this.close = close;
    this.send = send;
  }
}

interface State {
  opened: ((peer: Peer) => void) | null;
  onMessage: (() => void) | null;
}

async function join(server: Server, state: State, kind: (typeof CLIENTS)[number]): Promise<Party> {
  let party: Party | null = null;
  const early: string[] = [];
  const take = (data: string | Buffer) => (party?.got ?? early).push(`${data}`);
  const opened = new Promise<Peer>((resolve) => {
    state.opened = resolve;
  });
  if (kind === 'ws') {
    const ws = await connectWs(server.port, { perMessageDeflate: true });
    ws.on('message', take);
    party = new Party(
      await opened,
      () => ws.terminate(),
      (text) => ws.send(text),
    );
    ws.on('close', () => {
      (party as Party).closed = true;
    });
  } else {
    const client = await connect(`ws://127.0.0.1:${server.port}/`, {
      perMessageDeflate: kind,
      message: (_ws, data) => void take(data),
      close: () => {
        (party as Party).closed = true;
      },
    });
    atEnd(() => client.terminate());
    party = new Party(
      await opened,
      () => client.terminate(),
      (text) => client.send(text),
    );
  }
  party.got.push(...early);
  return party;
}

const size = fc.oneof(
  { weight: 5, arbitrary: fc.nat(60) },
  { weight: 4, arbitrary: fc.nat(3000) },
  { weight: 1, arbitrary: fc.nat(40_000) },
);
const operation = fc.record({
  what: fc.constantFrom(
    'publish',
    'publish',
    'publish',
    'publish',
    'publishFrom',
    'publishFrom',
    'send',
    'send',
    'send',
    'blob',
    'broadcast',
    'subscribe',
    'subscribe',
    'subscribe',
    'unsubscribe',
    'microtask',
    'close',
    'terminate',
  ),
  who: fc.nat(CLIENTS.length - 1),
  topic: fc.constantFrom(...TOPICS),
  some: fc.nat(2 ** CLIENTS.length - 1),
  excepts: fc.boolean(),
  size,
  isText: fc.boolean(),
  compress: fc.boolean(),
  corked: fc.boolean(),
});
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;
const turn = fc.record({
  operations: fc.array(operation, { maxLength: 40, size: 'max' }),
  /** In whose handler, or in nobody's. */
  handler: fc.option(fc.nat(CLIENTS.length - 1)),
  waits: fc.boolean(),
});
type Turn = typeof turn extends fc.Arbitrary<infer Value> ? Value : never;
const program = fc.array(turn, { minLength: 1, maxLength: 6 });

/** One program, from the first connection to the last. */
class Run {
  readonly #server: Server;
  readonly #state: State;
  readonly #parties: Party[];
  readonly #data: string[] = [];
  #turn = 0;

  constructor(server: Server, state: State, parties: Party[]) {
    this.#server = server;
    this.#state = state;
    this.#parties = parties;
  }

  #expect(party: Party, id: number, topic: string | null): void {
    if (party.ending === 'open') party.expected.push({ id, topic, turn: this.#turn });
  }

  #do({ what, who, topic, some, excepts, size, isText, compress }: Operation): void {
    const party = this.#parties[who];
    const { peer } = party;
    const id = this.#data.length;
    const data = `${id}:${'what is said twice is said once '.repeat(size / 32 + 1).slice(0, size)}`;
    const sent = isText ? data : Buffer.from(data);
    const chosen = this.#parties.filter((_, i) => (some >> i) & 1);
    const isAll = this.#parties.every(({ ending }) => ending === 'open');
    switch (what) {
      case 'publish':
      case 'publishFrom': {
        const left = excepts ? new Set(chosen) : new Set<Party>();
        if (what === 'publishFrom') left.add(party);
        const options = { compress, ...(excepts && { except: chosen.map((each) => each.peer) }) };
        const publisher = what === 'publish' ? this.#server : peer;
        const count = publisher.publish(topic, sent, options);
        const meant = this.#parties.filter((each) => each.topics.has(topic) && !left.has(each));
        // Those that are closing are subscribers until they are gone.
        if (isAll) expect(count).toBe(meant.length);
        for (const each of meant) this.#expect(each, id, topic);
        break;
      }
      case 'send':
        peer.send(sent, { compress });
        this.#expect(party, id, null);
        break;
      case 'blob':
        peer.send(new Blob([sent]), { compress, binary: !isText });
        this.#expect(party, id, null);
        break;
      case 'broadcast':
        broadcast(
          chosen.map((each) => each.peer),
          sent,
          { compress },
        );
        for (const each of chosen) this.#expect(each, id, null);
        break;
      case 'subscribe':
        if (party.ending === 'open') {
          expect(peer.subscribe(topic)).toBe(!party.topics.has(topic));
          party.topics.add(topic);
        }
        return;
      case 'unsubscribe':
        if (party.ending === 'open') expect(peer.unsubscribe(topic)).toBe(party.topics.delete(topic));
        return;
      case 'close':
        // Not often: there would be nobody left.
        if (some > 2) return;
        peer.close(3000);
        if (party.ending === 'open') party.ending = 'closed';
        return;
      case 'terminate':
        if (some > 2) return;
        peer.terminate();
        party.ending = 'cut off';
        return;
      default:
        return;
    }
    // What goes to many is a copy; what is sent to one may not change yet.
    if (Buffer.isBuffer(sent) && what !== 'send') sent.fill('!');
    this.#data.push(data);
  }

  async #doAll(operations: readonly Operation[]): Promise<void> {
    for (const each of operations) {
      if (each.what === 'microtask') await Promise.resolve();
      else if (each.corked) this.#parties[each.who].peer.cork(() => this.#do(each));
      else this.#do(each);
    }
  }

  async run(ofTurns: readonly Turn[]): Promise<void> {
    for (const { operations, handler, waits } of ofTurns) {
      const party = handler === null ? null : this.#parties[handler];
      if (party === null || party.ending !== 'open') {
        await this.#doAll(operations);
      } else {
        await new Promise<void>((resolve, reject) => {
          this.#state.onMessage = () => this.#doAll(operations).then(resolve, reject);
          party.send('go');
        });
      }
      if (waits) await turns(3);
      else await turns(1);
      this.#turn++;
    }
    for (const { peer, ending } of this.#parties) if (ending === 'open') peer.send(END);
    for (const party of this.#parties) {
      await until(() => (party.ending === 'open' ? party.got.at(-1) === END : party.closed), 'the end');
      this.#check(party);
      party.close();
    }
  }

  #check({ got, expected, ending }: Party): void {
    const all = got.filter((text) => text !== END);
    const ids = all.map((text) => Number.parseInt(text, 10));
    for (const [i, id] of ids.entries())
      if (all[i] !== this.#data[id]) expect(all[i].slice(0, 500)).toBe(this.#data[id]?.slice(0, 500));
    const byId = new Map(expected.map((item) => [item.id, item]));
    expect(ids.filter((id) => !byId.has(id))).toEqual([]);
    const items = ids.map((id) => byId.get(id) as Item);
    for (const topic of [null, ...TOPICS]) {
      const of = (list: readonly Item[]) =>
        list.filter((item) => item.topic === topic || item.topic === null).map(({ id }) => id);
      const [found, wanted] = [of(items), of(expected)];
      expect(found).toEqual(ending === 'cut off' ? wanted.slice(0, found.length) : wanted);
    }
    const turnsOf = items.map(({ turn }) => turn);
    expect(turnsOf).toEqual(turnsOf.toSorted((a, b) => a - b));
  }
}

describe('random programs', () => {
  test.each([2, 1000])(
    'each client gets what it is to get, in order: maxContexts %i',
    async (maxContexts) => {
      const state: State = { opened: null, onMessage: null };
      const server = await start({
        perMessageDeflate: { threshold: 200, offThreadFrom: 15_000, maxContexts },
        open: (ws) => state.opened?.(ws),
        message: () => state.onMessage?.(),
      });
      await fc.assert(
        fc.asyncProperty(program, async (ofTurns) => {
          const parties: Party[] = [];
          for (const kind of CLIENTS) parties.push(await join(server, state, kind));
          await new Run(server, state, parties).run(ofTurns);
          await until(() => server.size === 0, 'everybody to be gone');
          expect([...server.topics()]).toEqual([]);
          expect(server.stats().topics).toMatchObject({ topics: 0, subscriptions: 0 });
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
    },
    120_000,
  );
});
