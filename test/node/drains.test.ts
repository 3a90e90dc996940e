/** Drains: when they come, how often, and that nothing calls itself over them. */

import { createConnection } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Connection, ConnectionType } from '../../src/core/index.js';
import { Session } from '../../src/node/handlers.js';
import type { Peer } from '../../src/node/index.js';
import { atEnd, concat, FakeStream, frame, noise, RawClient, request, start, turns, until } from './support.js';
import { pair } from './support-peer.js';

const KiB = 1024;

/** A client that reads as fast as it can and only counts. */
function counting(port: number): { write(bytes: Uint8Array | string): void; received(): number } {
  const socket = createConnection({ port, host: '127.0.0.1' });
  let received = 0;
  socket.on('data', ({ length }) => {
    received += length;
  });
  socket.on('error', () => {});
  atEnd(() => socket.destroy());
  return { write: (bytes) => socket.write(bytes), received: () => received };
}

test('a thousand answers of 200 KiB to one packet: no overflow of the stack, a drain and a turn for each', async () => {
  const answer = noise(200 * KiB);
  const count = 1000;
  const calls: string[] = [];
  let turn = 0;
  let deepest = 0;
  const perTurn = new Map<number, number>();
  const server = await start({
    message: (ws) => {
      calls.push('message');
      perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
      expect(ws.send(answer)).toBe(false);
      // As deep as the calls are, so long is the stack.
      Error.stackTraceLimit = 200;
      const lines = new Error().stack?.split('\n').length ?? 0;
      Error.stackTraceLimit = 10;
      deepest = Math.max(deepest, lines);
    },
    drain: () => {
      calls.push('drain');
    },
  });
  let counts = true;
  const countTurns = () => {
    turn++;
    if (counts) setImmediate(countTurns);
  };
  atEnd(() => {
    counts = false;
  });
  setImmediate(countTurns);
  const client = counting(server.port);
  client.write(request());
  await until(() => server.size === 1);
  client.write(concat(...Array.from({ length: count }, () => frame(1, 'x'))));
  await until(() => calls.length === 2 * count, 'all answers');
  await until(() => client.received() > count * answer.length);
  // Each message has its drain before the next.
  expect(calls.every((call, i) => call === (i % 2 === 0 ? 'message' : 'drain'))).toBe(true);
  expect(deepest).toBeLessThan(60);
  expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(2);
  expect(server.stats()).toMatchObject({ messagesReceived: count, messagesSent: count, bufferedAmount: 0 });
});

describe('drain', () => {
  test('comes at the end of the turn, not within send', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    expect(peer.send(noise(5000))).toBe(false);
    expect(log).toEqual([]);
    await Promise.resolve();
    await new Promise((resolve) => process.nextTick(resolve));
    expect(log).toEqual([]);
    await client.frameAt(0);
    await turns(2);
    expect(log).toEqual([['drain']]);
  });

  test('is one for all that a turn was refused', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    for (let i = 0; i < 10; i++) expect(peer.send(noise(5000))).toBe(false);
    await client.frameAt(9);
    await turns(3);
    expect(log).toEqual([['drain']]);
  });

  test('after cork, which has written at once, comes in time too, and not within it', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    peer.cork(() => expect(peer.send(noise(5000))).toBe(false));
    expect([log, peer.bufferedAmount]).toEqual([[], 0]);
    await client.frameAt(0);
    await turns(2);
    expect(log).toEqual([['drain']]);
  });

  test('before the next message, however often', async () => {
    const calls: unknown[] = [];
    const { client } = await pair({
      sendHighWater: 1000,
      message: (ws, data) => {
        calls.push(data);
        if (Number(data) % 2 === 0) ws.send(noise(5000));
      },
      drain: () => calls.push('drain'),
    });
    client.write(...Array.from({ length: 6 }, (_, i) => frame(1, `${i}`)));
    await until(() => calls.length === 9);
    expect(calls).toEqual(['0', 'drain', '1', '2', 'drain', '3', '4', 'drain', '5']);
  });

  test('a drain that sends too much has another one, without end in one turn', async () => {
    let left = 1000;
    let turn = 0;
    const perTurn = new Map<number, number>();
    const fill = (ws: Peer) => {
      perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
      if (left-- > 0) expect(ws.send(noise(70 * KiB))).toBe(false);
    };
    const { peer, client } = await pair({ drain: fill });
    client.socket.removeAllListeners('data').resume();
    const immediate = () => {
      turn++;
      if (left >= 0) setImmediate(immediate);
    };
    setImmediate(immediate);
    fill(peer);
    await until(() => left < 0, 'the last drain');
    expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(2);
    expect(peer.messagesSent).toBe(1000);
  });

  test('an async drain holds the next message', async () => {
    const calls: unknown[] = [];
    const { client } = await pair({
      sendHighWater: 1000,
      message: (ws, data) => {
        calls.push(data);
        if (data === 'a') ws.send(noise(5000));
      },
      drain: async () => {
        calls.push('drain begins');
        await turns(3);
        calls.push('drain ends');
      },
    });
    client.write(frame(1, 'a'), frame(1, 'b'));
    await until(() => calls.length === 4);
    expect(calls).toEqual(['a', 'drain begins', 'drain ends', 'b']);
  });

  test('with a client that reads slowly: none is lost either', async () => {
    const calls: string[] = [];
    const count = 60;
    const server = await start({
      message: (ws) => {
        calls.push('message');
        ws.send(noise(200 * KiB));
      },
      drain: () => calls.push('drain'),
    });
    const client = await RawClient.open(server.port);
    client.socket.pause();
    client.write(...Array.from({ length: count }, () => frame(1, 'x')));
    await until(() => calls.length > 2);
    for (let i = 0; calls.length < 2 * count; i++) {
      client.socket[i % 2 === 0 ? 'resume' : 'pause']();
      await turns(3);
    }
    client.socket.resume();
    await client.frameAt(count - 1);
    expect(calls.every((call, i) => call === (i % 2 === 0 ? 'message' : 'drain'))).toBe(true);
  });
});

test('a stream that takes every write at once does not nest either', async () => {
  const stream = new FakeStream();
  const connection = new Connection(ConnectionType.SERVER, [], { sendHighWater: 100 });
  const calls: string[] = [];
  const session = new Session<null>(
    stream,
    connection,
    {
      message: (ws) => {
        calls.push('message');
        ws.send(noise(200));
      },
      drain: () => calls.push('drain'),
    },
    { data: null, protocol: '', remoteAddress: '' },
    () => {},
  );
  session.start(concat(...Array.from({ length: 2000 }, () => frame(1, 'x'))));
  stream.push(frame(1, 'x'));
  await until(() => calls.length === 2 * 2001);
  expect(calls.every((call, i) => call === (i % 2 === 0 ? 'message' : 'drain'))).toBe(true);
});
