/** What is published leaves by the addon, past Node.js, where a socket is idle; and the ordinary way where it is not. */

import { readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { PerMessageDeflate } from '../../../src/core/index.js';
import { sendAll } from '../../../src/kernels/index.js';
import { connect } from '../../../src/node/index.js';
import { frame, start, until } from '../support.js';
import { hub, received } from './support.js';

/** Calls of `write` and its kin that this process has made; `send` is none of them. */
const writes = () => Number(/^syscw: (\d+)/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1]);
const hasCount = process.platform === 'linux' && sendAll !== null;

const KB = 1024;

describe('a subscriber that does not read', () => {
  test('gets the rest of what its socket has taken in part, in order, with pongs between frames', async () => {
    const { server, peers, clients } = await hub(3);
    for (const peer of peers) peer.subscribe('t');
    clients[0].socket.pause();
    const sent: string[] = [];
    for (let i = 0; peers[0].bufferedAmount < 200 * KB; i++) {
      const text = `${i} `.padEnd(7001, 'x');
      sent.push(text);
      server.publish('t', text);
      if (i % 4 === 3) await turn();
      if (i === 100) clients[0].write(frame(9, 'still there?'));
    }
    peers[0].send('behind it all');
    clients[0].socket.resume();
    expect(await received(clients[0], sent.length + 1)).toEqual([...sent, 'behind it all']);
    expect(clients[0].frames.filter(({ opcode }) => opcode === 10)).toHaveLength(1);
    for (const client of clients.slice(1)) expect(await received(client, sent.length)).toEqual(sent);
    await until(() => peers[0].bufferedAmount === 0, 'everything to be taken');
    expect(peers.map(({ messagesSent }) => messagesSent)).toEqual([sent.length + 1, sent.length, sent.length]);
    expect(peers[1].bytesSent).toBe(peers[2].bytesSent);
    expect(peers[0].bytesSent).toBe(peers[1].bytesSent + 'behind it all'.length + 2 + 'still there?'.length + 2);
  });

  test('that is cut off costs the others nothing', async () => {
    const { server, peers, clients, log } = await hub(3);
    for (const peer of peers) peer.subscribe('t');
    clients[1].socket.resetAndDestroy();
    for (let i = 0; i < 50; i++) {
      server.publish('t', `${i}`);
      await turn();
    }
    const all = Array.from({ length: 50 }, (_, i) => `${i}`);
    expect(await received(clients[0], 50)).toEqual(all);
    expect(await received(clients[2], 50)).toEqual(all);
    await until(() => log.some(([name]) => name === 'close'), 'its end');
    expect(log.filter(([name]) => name === 'close')).toEqual([['close', 1, 1006, expect.any(String)]]);
    expect(server.subscriberCount('t')).toBe(2);
  });
});

test('more than sendHardLimit at once is refused as ever', async () => {
  const { server, peers, clients, log } = await hub(2, { sendHardLimit: 100, sendHighWater: 50 });
  for (const peer of peers) peer.subscribe('t');
  server.publish('t', 'x'.repeat(200));
  await until(() => log.filter(([name]) => name === 'error').length === 2, 'the errors');
  server.publish('t', 'small');
  for (const client of clients) expect(await received(client, 1)).toEqual(['small']);
});

test('what a connection compresses itself refers to nothing before what was published', async () => {
  const texts: string[][] = [[], []];
  const deflate = new PerMessageDeflate({ threshold: 0 });
  const server = await start({
    perMessageDeflate: deflate,
    open: (ws) => void ws.subscribe('t'),
    message: (ws, data) => void ws.send(`echo of ${data}`),
  });
  const text = (i: number) => `{"number":${i},"name":"somebody or other","of":"those who have subscribed"}`;
  const peers = await Promise.all(
    texts.map((list) =>
      connect(`ws://127.0.0.1:${server.port}`, {
        perMessageDeflate: true,
        message: (_ws, data) => void list.push(String(data)),
      }),
    ),
  );
  for (let i = 0; i < 30; i += 3) {
    peers[0].send(text(i));
    await until(() => texts[0].at(-1) === `echo of ${text(i)}`, 'the echo');
    server.publish('t', text(i + 1));
    await until(() => texts.every((list) => list.at(-1) === text(i + 1)), 'what was published');
  }
  expect(server.stats().perMessageDeflate?.messagesCompressed).toBe(20);
});

test.runIf(hasCount)('makes one call for all, and none where one alone is meant', async () => {
  const { server, peers, clients } = await hub(10);
  for (const peer of peers) peer.subscribe('t');
  peers[0].subscribe('alone');
  const before = writes();
  server.publish('t', 'to all');
  server.publish('t', 'at once');
  for (const client of clients) expect(await received(client, 2)).toEqual(['to all', 'at once']);
  expect(writes() - before).toBe(0);
  server.publish('alone', 'to one');
  expect(await received(clients[0], 3)).toContain('to one');
  expect(writes() - before).toBeGreaterThan(0);
});
