/** What a turn publishes: one write for each subscriber, of memory that all of them share, in order with all else. */

import { describe, expect, test } from 'vitest';
import { decodeAll, frame, noise, turns, until, writesTo } from '../support.js';
import { SlowBlob } from '../support-peer.js';
import { hub, received, receivedBy } from './support.js';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe('what a turn publishes', () => {
  test('leaves in one write for each subscriber, of several topics too', async () => {
    const { server, peers, clients } = await hub(5);
    for (const ws of peers) for (const topic of ['a', 'b', 'c']) ws.subscribe(topic);
    const writes = clients.map(({ socket }) => writesTo(socket));
    for (let turn = 1; turn <= 4; turn++) {
      for (let i = 0; i < 50; i++) server.publish('abc'[i % 3], `${turn} ${i}`);
      await Promise.resolve();
      server.publish('a', 'from a promise');
      expect(writes.map(({ length }) => length)).toEqual(Array(5).fill(turn - 1));
      await turns(1);
      expect(writes.map(({ length }) => length)).toEqual(Array(5).fill(turn));
    }
    // One piece of memory for each topic, though they were published to by turns.
    for (const each of writes) {
      for (const write of each) expect([decodeAll(write).length, write.pieces <= 3]).toEqual([51, true]);
    }
    await received(clients[4], 4 * 51);
  });

  test('leaves in one write with what each is sent besides', async () => {
    const { server, peers, clients } = await hub(3);
    for (const ws of peers) ws.subscribe('t');
    const writes = clients.map(({ socket }) => writesTo(socket));
    server.publish('t', '0');
    peers[1].send('1');
    server.publish('t', '2', { except: peers[0] });
    peers[2].ping();
    server.publish('t', '3');
    await turns(1);
    expect(writes.map((each) => each.map((write) => decodeAll(write).map(({ payload }) => `${payload}`)))).toEqual([
      [['0', '3']],
      [['0', '1', '2', '3']],
      // A Ping is no message.
      [['', '0', '2', '3']],
    ]);
  });

  test('leaves in one write when it is more than a log holds, large messages among it', async () => {
    const { server, peers, clients } = await hub(3);
    for (const ws of peers) ws.subscribe('t');
    const writes = clients.map(({ socket }) => writesTo(socket));
    const payloads: Buffer[] = [];
    for (let i = 0; i < 400; i++) {
      const payload = noise(i % 40 === 0 ? 25_000 : 300, i);
      payloads.push(Buffer.from(payload));
      server.publish('t', payload);
      payload.fill(0);
    }
    await turns(1);
    expect(writes.map(({ length }) => length)).toEqual([1, 1, 1]);
    for (const [write] of writes) {
      const found = decodeAll(write);
      expect(found).toHaveLength(400);
      expect(found.every(({ payload }, i) => payload.equals(payloads[i]))).toBe(true);
    }
    await received(clients[2], 400);
  });

  test('is handed on before the turn ends where it is much, and written when it does', async () => {
    const { server, peers, clients } = await hub(2);
    for (const ws of peers) ws.subscribe('t');
    server.publish('t', 'x'.repeat(10_000));
    expect(peers.map(({ bufferedAmount }) => bufferedAmount)).toEqual([0, 0]);
    for (let i = 0; i < 6; i++) server.publish('t', 'x'.repeat(10_000));
    expect(peers.map(({ bufferedAmount }) => bufferedAmount)).toEqual([70_028, 70_028]);
    server.publish('t', 'the last', { except: peers[0] });
    await turns(1);
    expect(await received(clients[1], 8)).toHaveLength(8);
    expect(await received(clients[0], 7)).toHaveLength(7);
    expect(peers.map(({ messagesSent }) => messagesSent)).toEqual([7, 8]);
  });

  test('waits for nobody: a handler that takes its time, and a connection that is paused', async () => {
    const { server, peers, clients } = await hub(2, { message: () => new Promise(() => {}) });
    for (const ws of peers) ws.subscribe('t');
    clients[0].write(frame(1, 'x'));
    await until(() => peers[0].messagesReceived === 1);
    peers[1].pause();
    server.publish('t', 'y');
    for (const client of clients) expect(await received(client, 1)).toEqual(['y']);
  });
});

describe('order', () => {
  test('of a topic against what is sent, for each connection by itself', async () => {
    const { server, peers, clients } = await hub(3);
    for (const ws of peers) ws.subscribe('t');
    const expected: string[][] = [[], [], []];
    for (let i = 0; i < 200; i++) {
      if (i % 3 === 0) {
        peers[i % 2].send(`${i}`);
        expected[i % 2].push(`${i}`);
      } else if (i % 7 === 0) {
        peers[2].publish('t', `${i}`);
        for (const each of expected.slice(0, 2)) each.push(`${i}`);
      } else {
        server.publish('t', `${i}`);
        for (const each of expected) each.push(`${i}`);
      }
    }
    expect(await receivedBy({ peers, clients })).toEqual(expected);
  });

  test('behind a Blob, for whom it is sent, and the others do not wait', async () => {
    const { server, peers, clients } = await hub(2);
    for (const ws of peers) ws.subscribe('t');
    server.publish('t', '0');
    const blob = new SlowBlob(['1']);
    peers[0].send(blob);
    server.publish('t', '2');
    peers[0].send('3');
    server.publish('t', '4');
    await turns(2);
    server.publish('t', '5');
    peers[0].send('6');
    server.publish('t', '7'.repeat(20_000));
    expect((await received(clients[1], 5)).map((text) => text[0])).toEqual(['0', '2', '4', '5', '7']);
    expect(await received(clients[0], 1)).toEqual(['0']);
    blob.gate.resolve();
    expect((await received(clients[0], 8)).map((text) => text[0])).toEqual(numbers(8));
    expect(peers.map(({ messagesSent, bufferedAmount }) => [messagesSent, bufferedAmount])).toEqual([
      [8, 0],
      [5, 0],
    ]);
  });

  test('ahead of a Close that follows', async () => {
    const { server, peers, clients } = await hub(2);
    for (const ws of peers) ws.subscribe('t');
    server.publish('t', '0');
    peers[0].close(3000, 'done');
    server.publish('t', '1');
    expect(await clients[0].closeCode()).toEqual([3000, 'done']);
    expect(clients[0].texts()).toEqual(['0']);
    expect(await received(clients[1], 2)).toEqual(['0', '1']);
  });

  test('ahead of the Close of a server that shuts down, and of a handler that throws', async () => {
    const { server, peers, clients } = await hub(2, {
      message: (ws) => {
        server.publish('t', 'from the handler');
        ws.send('sent');
        server.publish('t', 'from the handler again');
        throw new Error('as asked');
      },
    });
    for (const ws of peers) ws.subscribe('t');
    clients[0].write(frame(1, 'x'));
    expect(await clients[0].closeCode()).toEqual([1011, '']);
    expect(clients[0].texts()).toEqual(['from the handler', 'sent', 'from the handler again']);
    await received(clients[1], 2);
    server.publish('t', 'the last');
    const closed = server.close({ timeout: 1000 });
    expect(await clients[1].closeCode()).toEqual([1001, '']);
    expect(clients[1].texts().at(-1)).toBe('the last');
    for (const { socket } of clients) socket.destroy();
    await closed;
  });

  test('within a cork, and around it', async () => {
    const { server, peers, clients } = await hub(2);
    for (const ws of peers) ws.subscribe('t');
    const writes = writesTo(clients[0].socket);
    server.publish('t', '0');
    peers[0].cork(() => {
      peers[0].send('1');
      server.publish('t', '2');
      peers[0].send('3');
      expect(writes).toHaveLength(0);
    });
    expect(writes.map((write) => decodeAll(write).length)).toEqual([4]);
    server.publish('t', '4');
    expect(await received(clients[0], 5)).toEqual(numbers(5));
    expect(await received(clients[1], 3)).toEqual(['0', '2', '4']);
  });
});

describe('in the middle of a turn', () => {
  test('handlers that unsubscribe, cut off or close others', async () => {
    const { server, peers, clients } = await hub(5);
    for (const ws of peers) ws.subscribe('t');
    server.publish('t', '0');
    peers[1].unsubscribe('t');
    peers[2].terminate();
    peers[3].close();
    expect(server.publish('t', '1', { except: peers[2] })).toBeGreaterThanOrEqual(2);
    peers[4].publish('t', '2');
    await until(() => clients[2].closed || clients[2].ended);
    await clients[3].closeCode();
    expect(await received(clients[0], 3)).toEqual(['0', '1', '2']);
    expect(await received(clients[4], 2)).toEqual(['0', '1']);
    expect([clients[1].texts(), clients[3].texts()]).toEqual([['0'], ['0']]);
    expect(server.subscriberCount('t')).toBeLessThanOrEqual(3);
  });

  test('large logs and those who go away between', async () => {
    const { server, peers, clients } = await hub(3);
    for (const ws of peers) ws.subscribe('t');
    for (let i = 0; i < 30; i++) {
      server.publish('t', `${i}`.padEnd(10_000));
      if (i === 10) peers[0].unsubscribe('t');
      if (i === 15) peers[1].terminate();
      if (i === 20) peers[0].subscribe('t');
    }
    expect((await received(clients[2], 30)).map((text) => text.trim())).toEqual(numbers(30));
    const rejoined = numbers(30).filter((_, i) => i <= 10 || i > 20);
    expect((await received(clients[0], 20)).map((text) => text.trim())).toEqual(rejoined);
  });
});
