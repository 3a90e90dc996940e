/** Peers that are gone without a word: keep-alive finds every one of them, and nothing of them is left. */

import { expect, test } from 'vitest';
import { Child, openFilesLimit, poll } from './support/processes.js';

const MiB = 1024 * 1024;
const WANTED = 10_000;
/** Files that a process has open beside its connections. */
const OTHER_FILES = 200;
/** What the compilers of V8 make of so many connections is most of what is left of them, and hides what else may be. */
const NO_COMPILER = ['--no-opt', '--no-sparkplug'];
const WARM_UP = 500;

/** Long enough for all to be opened before the first is given up. */
const PING_INTERVAL = 4000;
const PING_TIMEOUT = 1000;
/** What may be left of a connection, in bytes: no object has so few. */
const TRACE = 20;

interface Counts {
  readonly opened: number;
  readonly pongs: number;
  readonly closed: number;
  readonly lost: number;
  readonly errors: Record<string, number>;
  readonly most: number;
  readonly handles: number;
  readonly size: number;
}

interface Left {
  readonly heapUsed: number;
  readonly external: number;
  readonly handles: number;
  readonly files: number;
}

/** As many connections as are wanted and the system allows to a process. */
function connections(wanted: number): number {
  const possible = Math.min(wanted, openFilesLimit() - OTHER_FILES);
  if (possible < wanted) console.warn(`only ${possible} connections: "ulimit -n" is ${openFilesLimit()}`);
  return possible;
}

/** A server that has seen connections come and go, and what it holds then. */
async function begin(options: object = {}): Promise<{ server: Child; client: Child; port: number; before: Left }> {
  const [server, client] = await Promise.all([
    Child.start('keep-alive-server.js', NO_COMPILER),
    Child.start('holding-client.js'),
  ]);
  const timing = { pingInterval: PING_INTERVAL, pingTimeout: PING_TIMEOUT };
  const port = await server.ask<number>('listen', { ...timing, ...options });
  await client.ask('open', { port, count: WARM_UP, answers: false });
  await client.ask('closeAll');
  await emptied(server);
  await server.ask('reset');
  return { server, client, port, before: await server.ask<Left>('settled') };
}

function emptied(server: Child): Promise<Counts> {
  return poll(
    'every connection to be freed',
    () => server.ask<Counts>('state'),
    ({ size }) => size === 0,
  );
}

async function expectNothingLeft(server: Child, before: Left, count: number): Promise<void> {
  const left = await server.ask<Left>('settled');
  const a = (left.heapUsed - before.heapUsed) / count;
  const b = (left.external - before.external) / count;
  console.log(`${count} connections: ${a.toFixed(1)} B of heap left of each, ${b.toFixed(1)} B outside of it`);
  expect(left.handles).toBe(before.handles);
  expect(left.files).toBe(before.files);
  expect(a).toBeLessThan(TRACE);
  expect(b).toBeLessThan(TRACE);
}

test('peers that stop reading are all found and freed', async () => {
  const count = connections(WANTED);
  const { server, client, port, before } = await begin();
  await client.ask('open', { port, count, answers: false });
  const { opened, most, handles } = await server.ask<Counts>('state');
  expect(opened).toBe(count);
  if (most === count) expect(handles).toBe(before.handles + count);
  const after = await emptied(server);
  expect(after).toMatchObject({ opened: count, closed: count, lost: count, pongs: 0, errors: { PING_TIMEOUT: count } });
  if (most < count) console.warn(`this machine is slow: only ${most} of ${count} were open at once`);
  await expectNothingLeft(server, before, count);
});

test('a process that is stopped: its connections are kept while it answers, and all found when it no longer does', async () => {
  const count = connections(WANTED);
  const { server, client, port, before } = await begin();
  await client.ask('open', { port, count, answers: true });
  const alive = await poll(
    'every connection to have answered',
    () => server.ask<Counts>('state'),
    ({ pongs }) => pongs >= count,
  );
  expect(alive).toMatchObject({ opened: count, closed: 0, size: count, errors: {} });
  await client.freeze();
  const after = await emptied(server);
  expect(after).toMatchObject({ opened: count, closed: count, lost: count, errors: { PING_TIMEOUT: count } });
  await expectNothingLeft(server, before, count);
});

test('peers that stop reading with much under way to them', async () => {
  const count = connections(50);
  // More than the system takes: the rest waits in the server, and no ping gets past it.
  const { server, client, port, before } = await begin({ pingInterval: 1000 });
  await server.ask('welcome', 12 * MiB);
  await client.ask('open', { port, count, answers: false });
  const after = await emptied(server);
  expect(after).toMatchObject({ opened: count, closed: count, lost: count, pongs: 0, errors: { PING_TIMEOUT: count } });
  const left = await server.ask<Left>('settled');
  expect(left.handles).toBe(before.handles);
  expect(left.files).toBe(before.files);
  expect(left.external - before.external).toBeLessThan(12 * MiB + MiB);
});
