/** examples/stream-client.js: against the server that it is for, and servers that are not as they should be. */

import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { listen, rawServer } from '../node/client/support.js';
import { start, until } from '../node/support.js';
import { Example } from './support.js';

const urlOf = (port: number) => `ws://127.0.0.1:${port}`;

test('sends what it makes up, gets it back, and closes with its code', async () => {
  const server = await Example.serve('sans-io');
  const client = Example.run('stream-client', [urlOf(server.port), '64']);
  await client.endsWell();
  expect(client.stdout).toContain(`connected to ${urlOf(server.port)}/`);
  expect(client.stdout).toContain('1024 of 1024 messages came back, 67108864 of 67108864 bytes');
  expect(client.stdout).toContain('closed with 4000');
  // What the buffers of the system hold, and little more.
  const [, underWay] = await client.prints(/never more than (\d+) bytes were under way/);
  expect(Number(underWay)).toBeLessThan(32 * 1024 * 1024);
  await server.prints(/closed: 4000 all echoed \(peer\)/);
});

test('sends the lines of its stdin', async () => {
  const server = await Example.serve('sans-io');
  const client = Example.run('stream-client', [urlOf(server.port), '-'], 'one\ntwo\n\ngrüße\n');
  await client.endsWell();
  expect(client.stdout).toContain('4 of 4 messages came back, 13 of 13 bytes');
});

test('a server that does not read holds the source', async () => {
  const port = await rawServerThatOpens();
  const client = Example.run('stream-client', [urlOf(port), '100000']);
  await client.prints(/connected/);
  // 100 GB of messages that nobody waits for: where they were made up ahead, this process would not last.
  const sizes: number[] = [];
  await until(() => {
    sizes.push(client.memory);
    return sizes.length > 100;
  }, 'a hundred looks');
  expect(Math.max(...sizes)).toBeLessThan(300 * 1024 * 1024);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s closes the connection and ends it, with stdin open', async (signal) => {
  const closes: unknown[] = [];
  const server = await start({
    message: (ws, data) => {
      ws.send(data);
    },
    close: (_ws, code, reason) => closes.push([code, reason]),
  });
  const client = Example.run('stream-client', [urlOf(server.port), '-'], null);
  client.child.stdin?.write('one\n');
  await until(() => server.stats().messagesReceived === 1, 'the first message');
  client.kill(signal);
  await client.endsWell();
  expect(client.stdout).toContain(`closed with 4001\ngave up: ${signal}\n`);
  await until(() => closes.length === 1, 'the close');
  expect(closes).toEqual([[4001, 'gave up']]);
});

test('the deadline of everything', async () => {
  const server = await start({ message() {} });
  const client = Example.run('stream-client', [urlOf(server.port), '1'], undefined, { TIMEOUT: '300' });
  await client.ends(1);
  expect(client.stdout).toMatch(/gave up: The operation was aborted due to timeout/);
});

test('the deadline of the handshake, for a server that does not answer', async () => {
  const port = await rawServer((socket) => socket.resume());
  const client = Example.run('stream-client', [urlOf(port)], undefined, { CONNECT_TIMEOUT: '200' });
  await client.ends(1);
  expect(client.stdout).toBe('gave up: The operation was aborted due to timeout\n');
});

test('a server that closes, one that breaks off, and none', async () => {
  const closing = await start({ message: (ws) => ws.close(4321, 'no more') });
  const breaking = await start({ message: (ws) => ws.terminate() });
  const [closed, broken, absent] = [urlOf(closing.port), urlOf(breaking.port), urlOf(1)].map((url) =>
    Example.run('stream-client', [url, '1']),
  );
  await Promise.all([closed.ends(1), broken.ends(1), absent.ends(1)]);
  expect(closed.stdout).toContain('closed with 4321 no more\ngave up: ');
  expect(broken.stdout).toContain('the connection broke\ngave up: ');
  expect(absent.stdout).toMatch(/^gave up: .*ECONNREFUSED/);
  expect(closed.stderr + broken.stderr + absent.stderr).toBe('');
});

/** Takes WebSockets, and reads nothing from them. */
async function rawServerThatOpens(): Promise<number> {
  const { createServer } = await import('node:http');
  const http = createServer();
  new WebSocketServer({ server: http }).on('connection', (ws) => ws.pause());
  return listen(http);
}
