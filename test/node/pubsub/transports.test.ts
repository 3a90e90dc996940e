/** One server's topics, whichever way its connections came: paths, TLS, HTTP/2, `attach`, `accept`; and other peers. */

import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { attach, type Peer, type Server } from '../../../src/node/index.js';
import { PythonProcess, pythonMissing } from '../../interop/support.js';
import { H2Client, opened, openSession, secure, VERSIONS } from '../h2/support.js';
import { atEnd, connectWs, next, noise, RawClient, request, start, until } from '../support.js';
import { ca, serverTls } from '../support-streams.js';

/** What is published to those who have opened, as it must come. */
function publishAll(server: Pick<Server, 'publish'>): (string | Buffer)[] {
  const messages = ['first', noise(100_000), '', 'grüße', noise(1_000_000, 3), 'last'];
  for (const message of messages) server.publish('t', message);
  return messages;
}

const asTexts = (messages: readonly (string | Uint8Array)[]) =>
  messages.map((message) => Buffer.from(message as string).toString('latin1'));

test('all paths of a server, and requests that are rejected are none', async () => {
  const server = await start({
    upgrade: ({ target }) => ({ data: { room: target } }),
    open(ws) {
      ws.subscribe('t');
      ws.subscribe(ws.data.room);
    },
  });
  const clients = await Promise.all(['/a', '/b', '/a'].map((path) => connectWs(server.port, { path })));
  const got = clients.map((client) => {
    const texts: string[] = [];
    client.on('message', (data) => texts.push(`${data}`));
    return texts;
  });
  await until(() => server.size === 3);
  expect([server.publish('t', 'all'), server.publish('/a', 'a'), server.publish('/b', 'b')]).toEqual([3, 2, 1]);
  await until(() => got.every(({ length }) => length === 2));
  expect(got.map((texts) => texts.sort())).toEqual([
    ['a', 'all'],
    ['all', 'b'],
    ['a', 'all'],
  ]);
});

test('HTTP/1.1 and HTTP/2 with TLS, several streams of a session, on one server', async () => {
  const peers: Peer[] = [];
  const server = await secure({
    open(ws) {
      peers.push(ws);
      ws.subscribe('t');
    },
  });
  const clients = await Promise.all(VERSIONS.map((version) => opened(version, server.port)));
  const session = await openSession(server.port);
  for (let i = 0; i < 5; i++) clients.push(await H2Client.open(session));
  await until(() => peers.length === 7);
  const expected = asTexts(publishAll(server));
  expect(peers[3].publish('t', 'from one')).toBe(6);
  for (const peer of peers) peer.send('end');
  for (const [i, client] of clients.entries()) {
    const count = expected.length + (peers.length > i ? 1 : 0);
    await client.framesUpTo(count);
    await until(() => client.texts.at(-1) === 'end', 'the end');
    const found = client.frames.map(({ payload }) => payload.toString('latin1'));
    expect(found.slice(0, expected.length)).toEqual(expected);
    expect(found.length - expected.length).toBeLessThanOrEqual(2);
  }
  // All but the publisher, which is one of them.
  expect(clients.filter(({ texts }) => texts.includes('from one'))).toHaveLength(6);
  clients[2].reset();
  await until(() => server.size === 6);
  expect(server.publish('t', 'after')).toBe(6);
  expect(server.subscriberCount('t')).toBe(6);
  session.destroy();
  await until(() => server.size === 2);
  expect(server.publish('t', 'two are left')).toBe(2);
});

test('a stream of HTTP/2 that is not read is bounded, and the others get everything', async () => {
  const server = await secure({ sendHardLimit: 300_000, overflow: 'drop', open: (ws) => ws.subscribe('t') });
  const slow = await opened('2.0', server.port);
  slow.stream.pause();
  const fast = await opened('2.0', server.port);
  const peers = [...server.connections()];
  for (let i = 0; i < 40; i++) {
    server.publish('t', `${i} `.padEnd(50_000));
    await until(() => peers[1].bufferedAmount === 0);
    expect(peers[0].bufferedAmount).toBeLessThanOrEqual(300_000);
  }
  await fast.framesUpTo(40);
  expect(fast.texts.map((text) => text.trim())).toEqual(Array.from({ length: 40 }, (_, i) => `${i}`));
  expect(peers[0].messagesSent).toBeLessThan(40);
  slow.stream.resume();
  await until(() => peers[0].bufferedAmount === 0);
  await slow.framesUpTo(peers[0].messagesSent);
  const got = slow.texts.map((text) => Number(text));
  expect(got).toEqual(got.toSorted((a, b) => a - b));
});

test.each(['http', 'http2'] as const)('a server of the application, attached: %s', async (kind) => {
  const http = kind === 'http' ? createServer() : createSecureServer({ ...serverTls, allowHTTP1: true });
  const chat = attach(http, { path: '/chat', open: (ws) => ws.subscribe('t') });
  const news = attach(http, { path: '/news', open: (ws) => ws.subscribe('t') });
  http.listen(0, '127.0.0.1');
  await next(http, 'listening');
  atEnd(async () => {
    await Promise.all([chat.close({ timeout: 0 }), news.close({ timeout: 0 })]);
    await new Promise((resolve) => http.close(resolve));
  });
  const { port } = http.address() as AddressInfo;
  if (kind === 'http') {
    const [one, other] = [
      await RawClient.open(port, undefined, request({}, 'GET /chat HTTP/1.1')),
      await RawClient.open(port, undefined, request({}, 'GET /news HTTP/1.1')),
    ];
    // Each attachment has topics of its own.
    expect([chat.publish('t', 'chat'), news.publish('t', 'news')]).toEqual([1, 1]);
    await Promise.all([one.frameAt(0), other.frameAt(0)]);
    expect([one.texts(), other.texts()]).toEqual([['chat'], ['news']]);
  } else {
    const clients = await Promise.all(VERSIONS.map((version) => opened(version, port, { path: '/chat' })));
    expect([chat.publish('t', 'chat'), news.publish('t', 'news')]).toEqual([2, 0]);
    for (const client of clients) {
      await client.framesUpTo(1);
      expect(client.texts).toEqual(['chat']);
    }
  }
});

test('a client of ws, with TLS', async () => {
  const server = await secure({ open: (ws) => ws.subscribe('t') });
  const { WebSocket } = await import('ws');
  const client = new WebSocket(`wss://localhost:${server.port}/`, { ca });
  atEnd(() => client.terminate());
  const got: (string | Buffer)[] = [];
  client.on('message', (data, isBinary) => got.push(isBinary ? (data as Buffer) : `${data}`));
  await next(client, 'open');
  await until(() => server.size === 1);
  const expected = publishAll(server);
  await until(() => got.length === expected.length);
  expect(asTexts(got)).toEqual(asTexts(expected));
});

const missing = pythonMissing();

describe.skipIf(missing !== null)(`python3-websockets${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  test.each(['none', 'deflate'])('subscribers that check what they get, compression: %s', async (compression) => {
    const server = await start({
      perMessageDeflate: { offThreadFrom: 50_000 },
      open: (ws) => ws.subscribe('t'),
      message: (ws, data) => ws.send(data),
    });
    const url = `ws://127.0.0.1:${server.port}/`;
    const programs = Array.from({ length: 3 }, () => new PythonProcess('subscriber.py', url, compression));
    await until(() => server.size === 3, 'three subscribers');
    const peers = [...server.connections()];
    let count = 0;
    for (let turn = 0; turn < 20; turn++) {
      for (const size of [10, 2000, 30_000, 70_000]) {
        const text = `${count} `.padEnd(size, `${turn} is said again and again `);
        server.publish('t', count % 2 ? text : Buffer.from(text));
        count++;
        if (count % 5 === 0) for (const ws of peers) ws.send(`${count} sent`.padEnd(1500, ' to one'));
        if (count % 5 === 0) count++;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    server.publish('t', 'end');
    for (const program of programs) {
      expect(await program.exit()).toEqual([{ compressed: compression === 'deflate' }, { count, ordered: true }]);
    }
    if (compression === 'none') expect(server.stats().perMessageDeflate?.messagesCompressed).toBe(0);
    else expect(server.stats().perMessageDeflate?.messagesCompressed).toBe(3 * 20 + 3 * (count - 80));
  });
});
