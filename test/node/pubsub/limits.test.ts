/** A subscriber that has too much queued: its policy decides, and the others do not notice. */

import { describe, expect, test } from 'vitest';
import { connect, type Peer, SendLimitError, type ServeOptions } from '../../../src/node/index.js';
import { closeFrame, noise, start, turns, until, warningsDuring } from '../support.js';
import { SlowBlob } from '../support-peer.js';
import { type Hub, hub, received } from './support.js';

const LIMIT = 100_000;

/** Three subscribers, of whom the first has so much queued that next to nothing fits. */
async function full(options: ServeOptions = {}): Promise<Hub> {
  const found = await hub(3, { sendHardLimit: LIMIT, sendHighWater: 1000, ...options });
  for (const ws of found.peers) ws.subscribe('t');
  found.peers[0].send(noise(LIMIT - 100));
  return found;
}

describe.each(['refuse', 'drop', 'close'] as const)('%s', (overflow) => {
  test('decides about what the turn has published to the topic, and goes on with the next', async () => {
    const { server, peers, clients, log } = await full({ overflow });
    expect(server.publish('t', 'x'.repeat(150))).toBe(3);
    await turns(2);
    for (const client of clients.slice(1)) expect(await received(client, 1)).toHaveLength(1);
    if (overflow === 'close') {
      expect(await clients[0].closeCode()).toEqual([1013, 'too much is queued']);
      clients[0].write(closeFrame(1013));
      clients[0].socket.end();
      await until(() => server.subscriberCount('t') === 2);
    } else {
      await until(() => peers[0].bufferedAmount === 0);
      server.publish('t', 'small');
      expect((await received(clients[0], 2))[1]).toBe('small');
    }
    expect(log.filter(([name]) => name === 'error')).toMatchObject(
      overflow === 'refuse' ? [['error', 0, { name: 'SendLimitError', code: 'SEND_HARD_LIMIT', event: null }]] : [],
    );
    // What was turned away was not sent.
    expect(peers.map(({ messagesSent }) => messagesSent)).toEqual(overflow === 'close' ? [1, 1, 1] : [2, 2, 2]);
  });

  test('also about what waits behind a Blob', async () => {
    const { server, peers, clients, log } = await hub(2, { sendHardLimit: LIMIT, sendHighWater: 1000, overflow });
    for (const ws of peers) ws.subscribe('t');
    const blob = new SlowBlob([noise(LIMIT - 100)]);
    peers[0].send(blob);
    server.publish('t', noise(150));
    await turns(2);
    await received(clients[1], 1);
    expect(peers[0].bufferedAmount).toBeLessThanOrEqual(LIMIT);
    expect(log.filter(([name]) => name === 'error')).toHaveLength(overflow === 'refuse' ? 1 : 0);
    expect(peers[0].isOpen).toBe(overflow !== 'close');
    blob.gate.resolve();
    expect(await received(clients[0], 1)).toHaveLength(1);
    if (overflow === 'close') expect(await clients[0].closeCode()).toEqual([1013, 'too much is queued']);
  });

  test('a message that is larger than the limit itself', async () => {
    const { server, clients, log } = await hub(2, { sendHardLimit: 1000, overflow, open: (ws) => ws.subscribe('t') });
    expect(server.publish('t', noise(2000))).toBe(2);
    await turns(3);
    for (const client of clients) {
      if (overflow === 'close') expect((await client.closeCode())[0]).toBe(1013);
      else expect(await received(client, 0)).toEqual([]);
    }
    expect(log.filter(([name]) => name === 'error')).toHaveLength(overflow === 'refuse' ? 2 : 0);
  });
});

describe('where what was published closes the connection', () => {
  test('nothing behind it can be sent, in order or behind a Blob', async () => {
    const { server, peers, clients } = await full({ overflow: 'close' });
    server.publish('t', noise(150));
    expect(peers[0].send('behind')).toBe(false);
    const blob = new SlowBlob([noise(LIMIT - 100)]);
    peers[1].send(blob);
    server.publish('t', noise(150));
    expect(peers[1].send('behind')).toBe(false);
    blob.gate.resolve();
    for (const client of clients.slice(0, 2)) expect(await client.closeCode()).toEqual([1013, 'too much is queued']);
    expect(clients.slice(0, 2).map((client) => client.texts())).toEqual([[], []]);
    expect(await received(clients[2], 2)).toHaveLength(2);
  });

  test('others are still given what is compressed elsewhere', async () => {
    const peers: Peer[] = [];
    const server = await start({
      perMessageDeflate: { offThreadFrom: 20_000 },
      sendHardLimit: LIMIT,
      overflow: 'close',
      open: (ws) => void peers.push(ws),
    });
    const got: number[][] = [[], []];
    for (const list of got) {
      await connect(`ws://127.0.0.1:${server.port}`, {
        perMessageDeflate: true,
        message: (_ws, data) => void list.push(data.length),
      });
    }
    peers[0].subscribe('before');
    for (const ws of peers) ws.subscribe('t');
    peers[0].send(noise(LIMIT - 100), { compress: false });
    server.publish('before', noise(150));
    server.publish('t', 'x'.repeat(30_000));
    await until(() => got[1].length > 0 && peers[0].isOpen === false, 'the message');
    expect(got[1]).toEqual([30_000]);
  });
});

describe('the error handler', () => {
  test('is called once for all that a turn has refused, when the turn ends', async () => {
    const { server, log } = await full({ overflow: 'refuse' });
    for (let i = 0; i < 90; i++) server.publish('t', noise(1000));
    expect(log.filter(([name]) => name === 'error')).toEqual([]);
    await turns(2);
    expect(log.filter(([name]) => name === 'error')).toMatchObject([['error', 0, { code: 'SEND_HARD_LIMIT' }]]);
  });

  test('publishes, sends, subscribes, unsubscribes and closes', async () => {
    const errors: unknown[] = [];
    const found: Hub = await full({
      overflow: 'refuse',
      error(ws, error) {
        errors.push(error);
        expect(error).toBeInstanceOf(SendLimitError);
        ws.unsubscribe('t');
        ws.subscribe('u');
        expect(ws.publish('t', 'it was too much for one')).toBe(2);
        found.server.publish('u', 'u');
        found.peers[1].send('sent');
        ws.close(3013);
      },
    });
    const { server, clients } = found;
    server.publish('t', 'x'.repeat(150));
    expect(await clients[0].closeCode()).toEqual([3013, '']);
    expect(clients[0].texts()).toEqual(['u']);
    expect((await received(clients[1], 3)).slice(1).sort()).toEqual(['it was too much for one', 'sent']);
    expect((await received(clients[2], 2))[1]).toBe('it was too much for one');
    expect(errors).toHaveLength(1);
  });

  test('that publishes without end does so once a turn, and holds up nobody', async () => {
    let calls = 0;
    const found: Hub = await full({
      overflow: 'refuse',
      error() {
        calls++;
        found.server.publish('t', noise(LIMIT + 1));
      },
    });
    found.server.publish('t', 'x'.repeat(150));
    for (let i = 0; i < 20; i++) {
      const before = calls;
      await turns(1);
      expect(calls - before).toBeLessThanOrEqual(3);
    }
    expect(calls).toBeGreaterThan(5);
    found.peers[1].send('goes on');
    await until(() => found.clients[1].texts().includes('goes on'));
    for (const ws of found.peers) ws.unsubscribe('t');
  });

  test('that throws becomes a warning, and nothing else is lost', async () => {
    const warnings = await warningsDuring(async () => {
      const { server, peers, clients } = await full({
        overflow: 'refuse',
        error() {
          throw new Error('as asked');
        },
      });
      server.publish('t', 'x'.repeat(150));
      await turns(2);
      await until(() => peers[0].bufferedAmount === 0);
      server.publish('t', 'next');
      for (const client of clients) expect((await received(client, 2))[1]).toBe('next');
    });
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('as asked')]);
  });

  test('is not called for those who are gone before the turn ends', async () => {
    const { server, peers, log } = await full({ overflow: 'refuse' });
    for (let i = 0; i < 10; i++) server.publish('t', noise(10_000));
    peers[0].terminate();
    await until(() => server.size === 2);
    const names = log.filter(([, number]) => number === 0).map(([name]) => name);
    expect(names.filter((name) => name === 'close')).toHaveLength(1);
    expect(names.indexOf('error') < names.indexOf('close') || !names.includes('error')).toBe(true);
  });
});

test('drain follows what was published above sendHighWater', async () => {
  const drained: Peer[] = [];
  const { server, peers } = await hub(2, { sendHighWater: 1000, drain: (ws) => void drained.push(ws) });
  peers[0].subscribe('t');
  server.publish('t', noise(2000));
  await until(() => drained.length > 0);
  await turns(3);
  expect(drained).toEqual([peers[0]]);
});

test('a subscriber that does not read is bounded, and the others get everything as they read', async () => {
  const { server, peers, clients } = await hub(3, { sendHardLimit: 1_000_000, overflow: 'drop' });
  for (const ws of peers) ws.subscribe('t');
  clients[0].socket.pause();
  const before = Array.from({ length: 30 }, (_, i) => Buffer.concat([Buffer.from(`${i} `), noise(500_000)]));
  for (const data of before) {
    server.publish('t', data);
    await until(() => peers[1].bufferedAmount === 0 && peers[2].bufferedAmount === 0);
    expect(peers[0].bufferedAmount).toBeLessThanOrEqual(1_000_000);
  }
  for (const client of clients.slice(1)) {
    await received(client, 30);
    expect(client.frames.every(({ payload }, i) => payload.equals(before[i]))).toBe(true);
  }
  clients[0].socket.resume();
  await until(() => peers[0].bufferedAmount === 0);
  // What it got is what was published, and nothing of it twice.
  const got = () => clients[0].frames.map(({ payload }) => before.findIndex((data) => data.equals(payload)));
  await until(() => got().length === peers[0].messagesSent);
  expect(got()).toEqual([...new Set(got())].toSorted((a, b) => a - b));
  expect(got()).not.toContain(-1);
  expect(got().length).toBeLessThan(30);
});
