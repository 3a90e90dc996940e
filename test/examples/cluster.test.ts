/** examples/cluster.js: one port, one chat, and processes that come and go. */

import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { atEnd, until } from '../node/support.js';
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

const listening = (example: Example) =>
  [...example.stdout.matchAll(/worker (\d+) listens/g)].map(([, pid]) => Number(pid));

/** Whether a process is there. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('the life of a cluster: a chat, a worker killed, all replaced, the end', async () => {
  const example = await start('2');
  const [first, second] = await joinEach(example, 2);
  const said = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(i * 10)}`);
  for (const text of said) first.ws.send(text);
  const both = [first, second];
  await until(() => both.every(({ texts }) => texts.length === said.length), 'everything to be heard by both');
  for (const { texts } of both) expect(texts).toEqual(said);

  // Killed: another takes its place, on the same port, and the other one has not noticed.
  process.kill(first.pid, 'SIGKILL');
  await until(() => first.code === 1006, 'the end of its clients');
  await example.prints(new RegExp(`worker ${first.pid} ended \\(SIGKILL\\)`));
  await until(() => listening(example).length === 3, 'another worker');
  const [, , third] = listening(example);
  const clients = await joinEach(example, 2);
  expect(new Set(clients.map(({ pid }) => pid))).toEqual(new Set([second.pid, third]));
  for (const { ws } of clients) ws.send('hello');
  await until(() => second.texts.length === said.length + 2, 'both greetings');
  expect(second.code).toBeNull();

  // Replaced, one after the other: there is somebody to connect to all the while.
  if (process.platform !== 'win32') {
    example.kill('SIGHUP');
    // Who was handed to a worker in the moment in which that closed has to try again, and then there is another.
    let refused = 0;
    while (!/all workers are replaced/.test(example.stdout)) {
      const client = await join(example).catch(() => null);
      client?.ws.terminate();
      refused = client === null ? refused + 1 : 0;
      expect(refused, 'refusals in a row').toBeLessThan(5);
    }
    for (const { code } of [second, ...clients]) expect(code).toBe(1001);
    expect(example.stdout.match(/worker \d+ ended \(0\)/g)).toHaveLength(2);
  }

  const last = await joinEach(example, 2);
  for (const { pid } of last) expect([first.pid, second.pid, third]).not.toContain(pid);
  example.kill('SIGTERM');
  await until(() => last.every(({ code }) => code !== null), 'the end of all clients');
  expect(last.map(({ code }) => code)).toEqual([1001, 1001]);
  await example.endsWell();
  expect(listening(example).filter(isAlive)).toEqual([]);
});

test.skipIf(process.platform === 'win32')('a worker that is stuck costs a bounded number of bytes', async () => {
  const example = await start('2', { MAX_PENDING: '200000' });
  const [stuck, other] = await joinEach(example, 2);
  process.kill(stuck.pid, 'SIGSTOP');
  try {
    const before = example.memory;
    const text = 'x'.repeat(60_000);
    for (let i = 0; i < 1000; i++) other.ws.send(text);
    await until(() => other.texts.length === 1000, 'everything, where nothing is stuck');
    await example.prints(new RegExp(`worker ${stuck.pid} does not keep up`));
    // 60 MB did not go out.
    expect(example.memory - before).toBeLessThan(32 * 1024 * 1024);
  } finally {
    process.kill(stuck.pid, 'SIGCONT');
  }
  // It has missed most, and is there again.
  await until(() => stuck.texts.length > 0, 'what had room');
  other.ws.send('and now');
  await until(() => stuck.texts.at(-1) === 'and now', 'the last');
  expect(stuck.texts.length).toBeLessThan(500);

  example.kill('SIGINT');
  await until(() => stuck.code !== null && other.code !== null, 'the end of both');
  expect([stuck.code, other.code]).toEqual([1001, 1001]);
  await example.endsWell();
});

test('the port outlives the only worker, and a worker does not outlive the primary', async () => {
  const example = await start('1');
  const first = await join(example);
  process.kill(first.pid, 'SIGTERM');
  await until(() => first.code !== null, 'its end');
  if (process.platform !== 'win32') expect(first.code).toBe(1001);
  await until(() => listening(example).length === 2, 'another worker');
  const second = await join(example);
  example.kill('SIGKILL');
  await until(() => second.code === 1006, 'the end of its clients');
  await until(() => !isAlive(second.pid), 'the worker to end');
});
