/** Subscriptions end with their connection, however that ends, and leave nothing behind. */

import { describe, expect, test } from 'vitest';
import type { Peer, ServeOptions } from '../../../src/node/index.js';
import { closeFrame, frame, type RawClient, turns, until } from '../support.js';
import { SlowBlob } from '../support-peer.js';
import { type Hub, hub, received } from './support.js';

type End = (hub: Hub, peer: Peer, client: RawClient) => unknown;

const ENDINGS: readonly (readonly [name: string, end: End, code: number, options?: ServeOptions])[] = [
  [
    'closed by the server',
    (_, peer, client) => {
      peer.close();
      client.write(closeFrame(1000));
    },
    1000,
  ],
  ['closed by the client', (_, _peer, client) => client.write(closeFrame(4000)), 4000],
  ['cut off by the server', (_, peer) => peer.terminate(), 1006],
  ['cut off by the client', (_, _peer, client) => client.socket.destroy(), 1006],
  ['ended by the client', (_, _peer, client) => client.socket.end(), 1006],
  ['reset', (_, _peer, client) => client.socket.resetAndDestroy(), 1006],
  ['a violation', (_, _peer, client) => client.write(Uint8Array.of(0x83, 0x80, 0, 0, 0, 0)), 1002],
  ['no answer to a Close', (_, peer) => peer.close(), 1006, { closeTimeout: 30 }],
  ['no answer to a keep-alive', () => {}, 1006, { pingInterval: 20, pingTimeout: 10 }],
  [
    'idle',
    (_, _peer, client) => void client.closeCode().then(() => client.write(closeFrame(1001))),
    1001,
    { idleTimeout: 20 },
  ],
  ['a handler that throws', (_, _peer, client) => client.write(frame(1, 'throw'), closeFrame(1011)), 1011],
  [
    'with something queued that is never read',
    ({ server, peers }, peer) => {
      for (let i = 0; i < 20; i++) server.publish('own 0', 'x'.repeat(30_000), { except: peers.slice(1) });
      peer.send(new SlowBlob(['never']));
      server.publish('own 0', 'behind');
      peer.terminate();
    },
    1006,
  ],
];

describe('a connection that is', () => {
  test.for(ENDINGS)('%s', async ([_name, end, code, options = {}]) => {
    const seen: unknown[] = [];
    const found: Hub = await hub(2, {
      ...options,
      message: () => {
        throw new Error('as asked');
      },
      close: (ws, was) => {
        const number = found.peers.indexOf(ws);
        if (number > 0) return;
        // They are there until it is told of, and to nobody's harm.
        seen.push([was, ws.topics.length, found.server.publish('t', 'while it ends'), ws.subscribe('late')]);
      },
    });
    const { server, peers, clients } = found;
    const [peer] = peers;
    for (const ws of peers) ws.subscribe('t');
    for (let i = 0; i < 100; i++) peer.subscribe(`own ${i}`);
    expect(server.stats().topics).toMatchObject({ topics: 101, subscriptions: 102 });
    await end(found, peer, clients[0]);
    await until(() => seen.length > 0, 'the close event');
    expect(seen).toEqual([[code, 101, 2, false]]);
    await turns(2);
    expect(peer.topics).toEqual([]);
    expect([peer.isSubscribed('t'), server.subscriberCount('own 0'), peer.unsubscribe('t')]).toEqual([false, 0, false]);
    clients[0].socket.destroy();
    if (peers[1].isOpen) {
      expect(server.stats().topics).toMatchObject({ topics: 1, subscriptions: 1 });
      expect(await received(clients[1], 1)).toContain('while it ends');
    }
  });
});

const LAST_FRAMES: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ['closes', closeFrame(4000)],
  ['breaks the protocol', Uint8Array.of(0x83, 0x80, 0, 0, 0, 0)],
];

test.for(LAST_FRAMES)('a peer that %s is given what was published before, as what was sent', async ([_, bytes]) => {
  const { server, peers, clients } = await hub(2, {
    message: (ws, data) => {
      server.publish('t', data);
      ws.send('between');
      server.publish('t', 'after it');
    },
  });
  for (const peer of peers) peer.subscribe('t');
  clients[0].write(frame(1, 'last words'), bytes);
  await clients[0].closeCode();
  expect(await received(clients[0], 0)).toEqual(['last words', 'between', 'after it']);
  expect(clients[0].frames).toHaveLength(4);
  expect(await received(clients[1], 2)).toEqual(['last words', 'after it']);
});

test('the server shuts down: everything ends', async () => {
  const { server, peers, clients } = await hub(5);
  for (const [i, ws] of peers.entries()) {
    ws.subscribe('t');
    ws.subscribe(`own ${i}`);
  }
  const closed = server.close({ timeout: 50 });
  server.publish('t', 'too late');
  for (const client of clients.slice(0, 3)) {
    await client.closeCode();
    client.write(closeFrame(1001));
    client.socket.end();
  }
  await closed;
  expect([...server.topics()]).toEqual([]);
  expect(server.stats().topics).toMatchObject({ topics: 0, subscriptions: 0 });
  for (const client of clients) expect(client.texts()).toEqual([]);
});

test('a close handler that throws, or takes its time, keeps no subscription', async () => {
  let go: (() => void) | null = null;
  const { server, peers, clients } = await hub(2, {
    error() {},
    close(ws) {
      if (ws === peers[0]) throw new Error('as asked');
      return new Promise<void>((resolve) => {
        go = resolve;
      });
    },
  });
  for (const ws of peers) ws.subscribe('t');
  for (const client of clients) client.write(closeFrame(1000));
  await until(() => go !== null);
  expect(server.stats().topics).toMatchObject({ topics: 0, subscriptions: 0 });
  (go as unknown as () => void)();
});

test('a close event that a handler holds up holds the subscriptions, and nothing is sent', async () => {
  let go: (() => void) | null = null;
  const { server, peers, clients } = await hub(1, {
    message: () =>
      new Promise<void>((resolve) => {
        go = resolve;
      }),
  });
  peers[0].subscribe('t');
  clients[0].write(frame(1, 'x'));
  await until(() => go !== null);
  peers[0].terminate();
  for (let i = 0; i < 1000; i++) server.publish('t', 'x'.repeat(10_000));
  await turns(2);
  expect([peers[0].bufferedAmount, server.subscriberCount('t')]).toEqual([0, 1]);
  (go as unknown as () => void)();
  await until(() => server.subscriberCount('t') === 0);
});

test('topics come and go without end, and nothing is left of them', async () => {
  const { server, peers } = await hub(2);
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 100; i++) {
      peers[round % 2].subscribe(`${round} ${i}`);
      server.publish(`${round} ${i}`, 'x');
    }
    if (round % 3 === 0) await turns(1);
    for (let i = 0; i < 100; i++) peers[round % 2].unsubscribe(`${round} ${i}`);
  }
  expect(server.stats().topics).toEqual({ topics: 0, subscriptions: 0, published: 5000 });
  expect([[...server.topics()], peers[0].topics, peers[1].topics]).toEqual([[], [], []]);
});
