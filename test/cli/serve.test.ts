/** `millrace serve` as a process: what it prints, echoes and counts, and how it ends. */

import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import type { Snapshot } from '../../src/cli/stats.js';
import { nextMessage, run, Serving, until } from './support.js';

const started: Serving[] = [];

async function start(...parameters: Parameters<typeof Serving.start>): Promise<Serving> {
  const serving = await Serving.start(...parameters);
  started.push(serving);
  return serving;
}

afterEach(() => {
  for (const serving of started.splice(0)) serving.kill();
});

async function statsOf(serving: Serving): Promise<Snapshot> {
  return JSON.parse((await serving.get('/stats')).body) as Snapshot;
}

async function echoed(socket: WebSocket, data: string | Buffer) {
  socket.send(data);
  return nextMessage(socket);
}

describe('what it prints', () => {
  test('the URL, the tier and why', async () => {
    const { stdout, port } = await start();
    expect(stdout).toMatch(/^millrace \d+\.\d+\.\d+\n\n {2}page {6}http:\/\/127\.0\.0\.1:\d+\/\n/);
    expect(stdout).toContain(`ws://127.0.0.1:${port}/echo\n`);
    expect(stdout).toMatch(/^ {2}kernels {3}(?:native|portable): the addon .+$/m);
    expect(stdout).not.toContain('other machines');
  });

  test('that a tier is forced', async () => {
    const { stdout } = await start(['--port', '0'], { MILLRACE_KERNELS: 'portable' });
    expect(stdout).toMatch(/^ {2}kernels {3}portable: MILLRACE_KERNELS=portable$/m);
  });

  test('that other machines can reach it', async () => {
    const { stdout, port } = await start(['--port', '0', '--host', '0.0.0.0']);
    expect(stdout).toContain(`http://localhost:${port}/`);
    expect(stdout).toContain('other machines can reach this server');
  });
});

describe('ports', () => {
  test('one that is asked for and taken is an error', async () => {
    const { port } = await start();
    expect(await run(['serve', '--port', String(port)])).toEqual({
      code: 1,
      stdout: '',
      stderr: `millrace: port ${port} on 127.0.0.1 is taken\n`,
    });
  });

  test('the default one is exchanged for a free one when it is taken', async () => {
    const blocker = createServer().on('error', () => {});
    await Promise.race([once(blocker.listen(8080, '127.0.0.1'), 'listening'), once(blocker, 'error')]).catch(() => {});
    try {
      const { stdout, port } = await start([]);
      expect(port).not.toBe(8080);
      expect(stdout).toContain('port 8080 is taken, this is a free one');
    } finally {
      blocker.close();
    }
  });

  test('an address that is not of this machine is an error', async () => {
    const { code, stderr } = await run(['serve', '--port', '0', '--host', '192.0.2.1']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'millrace: 192.0.2.1 is no address of this machine\n' });
  });
});

describe('echo', () => {
  test.each(['/echo', '/', '/echo?room=1'])('on %s', async (path) => {
    const socket = await (await start()).connect(path);
    expect(await echoed(socket, 'grüße 🌾')).toEqual({ data: Buffer.from('grüße 🌾'), isBinary: false });
    const bytes = Buffer.from([0, 1, 255]);
    expect(await echoed(socket, bytes)).toEqual({ data: bytes, isBinary: true });
  });

  test('is open to pages of any origin', async () => {
    const socket = await (await start()).connect('/echo', { origin: 'https://elsewhere.example' });
    expect((await echoed(socket, 'hello')).data.toString()).toBe('hello');
  });

  test('of the largest messages, small ones in between', async () => {
    const socket = await (await start()).connect('/echo');
    const large = Buffer.alloc(16 * 1024 * 1024, 'x');
    const small = Buffer.alloc(60_000);
    const sizes: number[] = [];
    socket.on('message', (data: Buffer) => sizes.push(data.length));
    for (const message of [small, large, small, large, small]) socket.send(message);
    await until('five echoes', () => sizes.length === 5);
    expect(sizes).toEqual([small, large, small, large, small].map(({ length }) => length));
  });

  test('nowhere else', async () => {
    const serving = await start();
    await expect(serving.connect('/elsewhere')).rejects.toThrow('status 404');
    await expect(serving.connect('/app.js')).rejects.toThrow('status 404');
  });
});

describe('counts', () => {
  test('connections, messages and payload bytes', async () => {
    const serving = await start();
    expect(await statsOf(serving)).toMatchObject({
      version: expect.stringMatching(/^\d/),
      kernels: { tier: expect.stringMatching(/^(?:native|portable)$/), reason: expect.any(String) },
      runtime: { node: process.version, platform: process.platform, arch: process.arch },
      connections: { open: 0, total: 0, watching: 0 },
      messages: { received: 0, echoed: 0 },
      bytes: { received: 0, echoed: 0 },
    });

    const [first, second] = await Promise.all([serving.connect('/echo'), serving.connect('/')]);
    for (let i = 0; i < 10; i++) await echoed(first, 'äöü');
    await echoed(second, Buffer.alloc(70_000));
    const counts = { messages: { received: 11, echoed: 11 }, bytes: { received: 70_060, echoed: 70_060 } };
    expect(await statsOf(serving)).toMatchObject({ connections: { open: 2, total: 2, watching: 0 }, ...counts });

    first.close();
    await once(first, 'close');
    second.terminate();
    const gone = async () => (await statsOf(serving)).connections.open === 0;
    await until('both are gone', gone);
    expect(await statsOf(serving)).toMatchObject({ connections: { open: 0, total: 2, watching: 0 }, ...counts });
  });

  test('are pushed once a second, and those who watch are not counted among the rest', async () => {
    const serving = await start();
    const watcher = await serving.connect('/stats', { origin: `http://127.0.0.1:${serving.port}` });
    const snapshots: Snapshot[] = [];
    watcher.on('message', (data) => snapshots.push(JSON.parse(String(data)) as Snapshot));
    const echo = await serving.connect('/echo');
    await echoed(echo, 'hello');
    await until('three snapshots', () => snapshots.length >= 3);
    const [before, after] = snapshots.slice(-2);
    expect(after).toMatchObject({
      connections: { open: 1, total: 1, watching: 1 },
      messages: { received: 1, echoed: 1 },
      bytes: { received: 5, echoed: 5 },
    });
    expect(after.uptime - before.uptime).toBeGreaterThan(500);
    expect(after.process.memory).toBeGreaterThan(1e6);
    expect(after.process.cpu).toBeGreaterThan(0);
  });

  test('are not for pages of other origins', async () => {
    const serving = await start();
    await expect(serving.connect('/stats', { origin: 'https://elsewhere.example' })).rejects.toThrow('status 403');
    await expect(serving.connect('/stats', { origin: 'null' })).rejects.toThrow('status 403');
  });
});

describe.skipIf(process.platform === 'win32')('the end', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s closes every connection with 1001 and exits with 0', async (signal) => {
    const serving = await start();
    const sockets = await Promise.all([serving.connect('/echo'), serving.connect('/'), serving.connect('/stats')]);
    const closes = sockets.map(async (socket) => (await once(socket, 'close'))[0]);
    expect(await serving.stop(signal)).toBe(0);
    expect(await Promise.all(closes)).toEqual([1001, 1001, 1001]);
  });

  test('what was received before the signal is echoed before the end', async () => {
    const serving = await start();
    const socket = await serving.connect('/echo');
    const lengths: number[] = [];
    socket.on('message', (data: Buffer) => lengths.push(data.length));
    await echoed(socket, 'the connection is up');
    for (let i = 0; i < 20; i++) socket.send('x'.repeat(i));
    const received = async () => (await statsOf(serving)).messages.received === 21;
    await until('the server has them', received);
    expect(await serving.stop('SIGTERM')).toBe(0);
    expect(lengths).toEqual([20, ...Array.from({ length: 20 }, (_, i) => i)]);
  });

  test('a second signal does not wait for a client that does not close', async () => {
    const serving = await start();
    const socket = await serving.connect('/echo');
    socket.pause();
    const exited = serving.stop('SIGINT');
    await until('the listening socket is closed', () =>
      serving.get('/').then(
        () => false,
        () => true,
      ),
    );
    expect(await serving.stop('SIGINT')).toBe(130);
    expect(await exited).toBe(130);
    socket.terminate();
  });
});
