/** `serve` on a Unix socket. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { LocalProtocolError, type ServeOptions, serve, type UpgradeRequest } from '../../src/node/index.js';
import { atEnd, closeFrame, next, start, until, within } from './support.js';
import { ca, StreamClient, serverTls } from './support-streams.js';

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 's');
}

/** `start`, without the address that it listens on otherwise. */
async function startOn(socketPath: string, options: ServeOptions = {}) {
  const server = await serve({ socketPath, ...options });
  atEnd(() => server.close({ timeout: 0 }));
  return server;
}

describe.skipIf(process.platform === 'win32')('a Unix socket', () => {
  test('takes WebSockets', async () => {
    const socketPath = newPath();
    const asked: UpgradeRequest[] = [];
    const server = await startOn(socketPath, {
      upgrade: (req) => {
        asked.push(req);
      },
      message: (ws, data) => ws.send(`${ws.remoteAddress}|${data}`),
    });
    expect([server.address, server.port, server.hostname]).toEqual([socketPath, 0, '']);
    const ws = new WebSocket(`ws+unix:${socketPath}:/chat?x`);
    atEnd(() => ws.terminate());
    await next(ws, 'open');
    expect(asked[0]).toMatchObject({ target: '/chat?x', remoteAddress: '', remotePort: 0, tls: null });
    const answer = next(ws, 'message');
    ws.send('hello');
    expect(`${(await answer)[0]}`).toBe('|hello');
  });

  test('with TLS', async () => {
    const socketPath = newPath();
    await startOn(socketPath, { tls: serverTls, open: (ws) => ws.send('hello') });
    const client = new StreamClient(connectTls({ path: socketPath, servername: 'localhost', ca }));
    expect(await client.ask()).toContain('101');
    await until(() => client.frames.length === 1);
  });

  test.for([undefined, serverTls])(
    'is removed by close, which waits for nobody who is silent (TLS: %o)',
    async (tls) => {
      const socketPath = newPath();
      const server = await startOn(socketPath, tls === undefined ? {} : { tls });
      const connect = () => createConnection(socketPath);
      const secure = () => connectTls({ path: socketPath, servername: 'localhost', ca });
      const client = new StreamClient(tls === undefined ? connect() : secure());
      await client.ask();
      const silent = new StreamClient(connect());
      const idle = new StreamClient(tls === undefined ? connect() : secure());
      await next(idle.socket, tls === undefined ? 'connect' : 'secureConnect');
      // The server has seen them all once it has answered one that came later.
      const later = new StreamClient(tls === undefined ? connect() : secure());
      await later.ask();
      later.socket.destroy();
      await until(() => server.size === 1);
      expect(existsSync(socketPath)).toBe(true);
      const begun = performance.now();
      const closing = server.close({ timeout: 60_000 });
      await until(() => client.frames.length === 1);
      client.socket.end(closeFrame(1001));
      await within(closing);
      expect(performance.now() - begun).toBeLessThan(20_000);
      await until(() => silent.closed && idle.closed);
      expect(existsSync(socketPath)).toBe(false);
    },
  );

  test('that exists is EADDRINUSE', async () => {
    const socketPath = newPath();
    await startOn(socketPath);
    await expect(serve({ socketPath })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

test.for<[string, ServeOptions]>([
  ['socketPath', { socketPath: '' }],
  ['socketPath', { socketPath: 7 as never }],
  ['socketPath', { socketPath: '/tmp/s', port: 80 }],
  ['socketPath', { socketPath: '/tmp/s', hostname: '::1' }],
  ['backlog', { backlog: -1 }],
  ['backlog', { backlog: 1.5 }],
])('a wrong %s is refused by name', async ([name, options]) => {
  const wrong = await serve(options).catch((error: unknown) => error);
  expect(wrong).toBeInstanceOf(LocalProtocolError);
  expect(wrong).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
});

test('address of a TCP server', async () => {
  const server = await start({ backlog: 5 });
  expect(server.address).toEqual({ address: '127.0.0.1', family: 'IPv4', port: server.port });
});
