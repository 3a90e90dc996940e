/** Large numbers: of subscribers, of topics, of subscriptions of one connection. */

import { describe, expect, test } from 'vitest';
import { Child, openFilesLimit, poll } from './support/processes.js';

const SUBSCRIBERS = 10_000;
/** Those of the process itself. */
const FILES = 200;
/** What a topic has published within a turn goes out in pieces of this size. */
const LOG_SIZE = 64 * 1024;
/** Larger messages lie in memory of their own. */
const COPY_UP_TO = 16 * 1024;

interface TopicCounts {
  readonly topics: number;
  readonly subscriptions: number;
  readonly published: number;
}

interface Published {
  /** Calls of `write` and its kin. */
  readonly writes: number;
  readonly ms: number;
  readonly inTurns: number;
  /** Whether the addon sends what it can. */
  readonly hasAddon: boolean;
}

interface Reading {
  readonly done: number;
  readonly firstWrong: string | null;
}

async function begin(count: number, env: NodeJS.ProcessEnv = {}): Promise<{ server: Child; client: Child }> {
  const [server, client] = await Promise.all([
    Child.start('publishing-server.js', [], env),
    Child.start('subscribing-client.js'),
  ]);
  const port = await server.ask<number>('listen', {});
  await client.ask('open', { port, count });
  return { server, client };
}

describe.skipIf(openFilesLimit() < SUBSCRIBERS + FILES)('10,000 subscribers of a topic', () => {
  test.each([
    { turns: 10, aTurn: 1, size: 100, kernels: 'portable' },
    { turns: 10, aTurn: 50, size: 100, kernels: 'found' },
    { turns: 10, aTurn: 50, size: 100, kernels: 'portable' },
    { turns: 5, aTurn: 3, size: 20_000, kernels: 'found' },
    // More than a log holds.
    { turns: 3, aTurn: 400, size: 300, kernels: 'found' },
  ])('get everything in order, each turn in one write: $aTurn a turn of $size B, kernels $kernels', async (what) => {
    const env = what.kernels === 'found' ? {} : { MILLRACE_KERNELS: what.kernels };
    const { server, client } = await begin(SUBSCRIBERS, env);
    await client.ask('expect', [{ size: what.size, count: what.turns * what.aTurn }]);
    const { writes, ms, inTurns, hasAddon } = await server.ask<Published>('publishTurns', what);
    await poll(
      'everybody to have everything',
      () => client.ask<Reading>('state'),
      ({ done, firstWrong }) => done === SUBSCRIBERS || firstWrong !== null,
    );
    expect(await client.ask('state')).toMatchObject({ done: SUBSCRIBERS, firstWrong: null });
    console.log(
      `${what.turns} turns of ${what.aTurn} x ${what.size} B to ${SUBSCRIBERS}: ${ms.toFixed(0)} ms, ` +
        `${inTurns.toFixed(0)} of them in the turns; ${(writes / SUBSCRIBERS / what.turns).toFixed(3)} writes each`,
    );
    // What the addon sends is not among them. What a socket has no room for, or a log, is written in two.
    const isVolley = hasAddon && what.size <= COPY_UP_TO && what.aTurn * what.size < LOG_SIZE;
    const ordinary = isVolley ? 0 : SUBSCRIBERS * what.turns;
    expect(writes).toBeGreaterThanOrEqual(ordinary);
    expect(writes).toBeLessThan(ordinary + SUBSCRIBERS * what.turns * 0.1 + 100);
  });

  test('are no subscribers any more when they are gone', async () => {
    const { server, client } = await begin(SUBSCRIBERS);
    const state = () => server.ask<{ subscribers: number; topics: TopicCounts; size: number }>('state');
    expect(await state()).toMatchObject({ subscribers: SUBSCRIBERS, topics: { topics: 1 } });
    await client.kill();
    await poll('them to be gone', state, ({ size }) => size === 0);
    expect(await state()).toMatchObject({ subscribers: 0, topics: { topics: 0, subscriptions: 0 } });
  });
});

describe('10,000 topics', () => {
  test.each([
    [10, 1000],
    [1000, 10],
    [1, 10_000],
  ])('of %i connections with %i subscriptions each', async (connections, each) => {
    const total = connections * each;
    const { server, client } = await begin(connections);
    await client.ask('listen');
    const subscribed = await server.ask<{ ms: number; topics: TopicCounts }>('subscribe', { topics: each });
    expect(subscribed.topics).toEqual({ topics: total + 1, subscriptions: total + connections, published: 0 });
    for (const direct of [false, true]) {
      const { ms, published } = await server.ask<{ ms: number; published: number }>('publishToEach', { direct });
      expect(published).toBe(total);
      console.log(`${total} topics, ${connections} connections, direct messages: ${direct}: ${ms.toFixed(0)} ms`);
      await poll(
        'everything to arrive',
        () => client.ask<number[]>('heard'),
        (heard) => heard.every((count) => count === (direct ? 2 : 1) * each),
      );
    }
    expect(await client.ask('state')).toMatchObject({ firstWrong: null });
    const { topics } = await server.ask<{ topics: TopicCounts }>('unsubscribe');
    expect(topics).toMatchObject({ topics: 0, subscriptions: 0 });
  });

  test('published to in one turn with direct messages between take time in proportion to their number', async () => {
    const few = 2000;
    const many = 8 * few;
    const { server, client } = await begin(1);
    await client.ask('listen');
    const measure = async (topics: number): Promise<number> => {
      await server.ask('unsubscribe');
      await server.ask('subscribe', { topics });
      let best = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 5; i++) {
        const { ms } = await server.ask<{ ms: number }>('publishToEach', { direct: true });
        best = Math.min(best, ms);
      }
      return best;
    };
    await measure(few);
    // 8 where it is in proportion; 64 where each message looks at every topic.
    let ratio = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3 && ratio >= 24; i++) {
      const [short, long] = [await measure(few), await measure(many)];
      ratio = Math.min(ratio, long / short);
      console.log(`${few} topics ${short.toFixed(1)} ms, ${many} topics ${long.toFixed(1)} ms: ${ratio.toFixed(1)}x`);
    }
    expect(ratio).toBeLessThan(24);
  });
});
