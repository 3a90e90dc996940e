/** examples/cluster.js: one port, one chat, and processes that come and go. */

import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { atEnd, next, until } from '../node/support.js';
import { Example } from './support.js';

interface Client {
  readonly ws: WebSocket;
  readonly texts: string[];
  /** The process that it is connected to. */
  readonly pid: number;
  code: number | null;
}

const start = (workers = '2', env: Record<string, string> = {}) => Example.serve('cluster', [workers], env);

async function join(example: Example): Promise<Client> {
  // The welcome may come with the handshake, so that whoever listens after 'open' misses it.
  const ws = new WebSocket(`ws://127.0.0.1:${example.port}`);
  atEnd(() => ws.terminate());
  const client = { ws, texts: [] as string[], pid: 0, code: null as number | null };
  ws.on('message', (data) => client.texts.push(String(data)));
  ws.on('error', () => {});
  ws.on('close', (code) => {
    client.code = code;
  });
  await until(() => client.texts.length > 0 || client.code !== null, 'the welcome');
  client.pid = Number(/^you are with worker (\d+)$/.exec(client.texts.shift() ?? '')?.[1]);
  if (client.code !== null) throw new Error(`not welcome: ${client.code}`);
  return client;
}

/** Clients of as many processes. */
async function joinEach(example: Example, count: number): Promise<Client[]> {
  const found = new Map<number, Client>();
  for (let tries = 0; found.size < count && tries < 50; tries++) {
    const client = await join(example);
    if (found.has(client.pid)) client.ws.terminate();
    else found.set(client.pid, client);
  }
  expect(found.size, 'workers').toBe(count);
  return [...found.values()];
}

const started = (example: Example) =>
  [...example.stdout.matchAll(/worker (\d+) started/g)].map(([, pid]) => Number(pid));

test('what one says, the clients of every worker hear, in order', async () => {
  const example = await start('2');
  const clients = await joinEach(example, 2);
  const said = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(i * 10)}`);
  for (const text of said) clients[0].ws.send(text);
  await until(() => clients.every(({ texts }) => texts.length === said.length), 'everything');
  for (const { texts } of clients) expect(texts).toEqual(said);
});

test('a worker that is killed is replaced, on the same port, and the others go on', async () => {
  const example = await start('2');
  const [first, second] = await joinEach(example, 2);
  process.kill(first.pid, 'SIGKILL');
  await until(() => first.code === 1006, 'the end of its clients');
  await example.prints(new RegExp(`worker ${first.pid} ended \\(SIGKILL\\)`));
  await until(() => started(example).length === 3, 'another worker');
  const clients = await joinEach(example, 2);
  expect(clients.map(({ pid }) => pid).sort()).toEqual([second.pid, started(example)[2]].sort());
  // The new one is one of them.
  for (const client of clients) client.ws.send('hello');
  await until(() => second.texts.length === 2, 'both greetings');
  expect(second.code).toBeNull();
});

test('the port outlives the only worker', async () => {
  const example = await start('1');
  const client = await join(example);
  process.kill(client.pid, 'SIGTERM');
  await until(() => client.code === 1001, 'a proper Close');
  await until(() => started(example).length === 2, 'another worker');
  for (let again: Client | null = null; again === null; ) again = await join(example).catch(() => null);
});

test.skipIf(process.platform === 'win32')('a worker that is stuck costs a bounded number of bytes', async () => {
  const example = await start('2', { MAX_PENDING: '200000' });
  const [stuck, other] = await joinEach(example, 2);
  process.kill(stuck.pid, 'SIGSTOP');
  try {
    const before = example.memory;
    const text = 'x'.repeat(60_000);
    for (let i = 0; i < 500; i++) other.ws.send(text);
    await until(() => other.texts.length === 500, 'everything, where nothing is stuck');
    await example.prints(new RegExp(`worker ${stuck.pid} does not keep up`));
    // 30 MB did not go out.
    expect(example.memory - before).toBeLessThan(24 * 1024 * 1024);
  } finally {
    process.kill(stuck.pid, 'SIGCONT');
  }
  // It has missed something, and is there again.
  await until(() => stuck.texts.length > 0, 'what had room');
  other.ws.send('and now');
  await until(() => stuck.texts.at(-1) === 'and now', 'the last');
  expect(stuck.texts.length).toBeLessThan(500);
});

test.skipIf(process.platform === 'win32')('SIGHUP replaces the workers one after the other', async () => {
  const example = await start('2');
  const clients = await joinEach(example, 2);
  const before = started(example);
  example.kill('SIGHUP');
  // There is somebody to connect to all the while.
  let connected = 0;
  while (!/all workers are replaced/.test(example.stdout)) {
    const client = await join(example);
    client.ws.terminate();
    connected++;
  }
  expect(connected).toBeGreaterThan(0);
  expect(clients.map(({ code }) => code)).toEqual([1001, 1001]);
  expect(example.stdout.match(/worker \d+ ended \(0\)/g)).toHaveLength(2);
  const pids = (await joinEach(example, 2)).map(({ pid }) => pid);
  expect(pids.filter((pid) => before.includes(pid))).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s closes everybody with 1001, and ends all processes', async (signal) => {
  const example = await start('2');
  const clients = await joinEach(example, 2);
  const closes = clients.map(({ ws }) => next(ws, 'close'));
  example.kill(signal);
  for (const close of closes) expect((await close)[0]).toBe(1001);
  await example.endsWell();
  for (const pid of started(example)) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test.skipIf(process.platform === 'win32')('workers do not outlive a primary that is killed', async () => {
  const example = await start('1');
  const client = await join(example);
  example.kill('SIGKILL');
  await until(() => client.code === 1006, 'the end of its clients');
  await example.ends('SIGKILL');
  const isGone = () => {
    try {
      process.kill(client.pid, 0);
      return false;
    } catch {
      return true;
    }
  };
  await until(isGone, 'the worker to end');
});
