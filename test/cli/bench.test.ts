/** `millrace bench`: what it prints, what it refuses, and how it ends. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bars } from '../../src/cli/bench/bars.js';
import { LiveLine } from '../../src/cli/bench/live.js';
import { benchOptions } from '../../src/cli/bench/options.js';
import { Histogram } from '../../src/cli/load/index.js';
import { serve } from '../../src/node/index.js';
import { Fake } from './load/support.js';
import { command, run, Serving, until } from './support.js';

const caFile = fileURLToPath(new URL('../fixtures/tls/ca.pem', import.meta.url));
const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url));

let serving: Serving;
let url = '';

beforeAll(async () => {
  serving = await Serving.start();
  url = `ws://127.0.0.1:${serving.port}/echo`;
});

afterAll(() => serving.kill());

const QUICK = ['--duration', '300ms', '--connections', '4'];

test('it tells rates and latencies, and says nothing on stderr without a terminal', async () => {
  const { code, stdout, stderr } = await run(['bench', url, ...QUICK, '--in-flight', '3', '--size', '1k', '--text']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(`millrace bench ${url}\n`);
  expect(stdout).toContain('4 connections, 3 messages in flight on each, 1 KiB text\n');
  expect(stdout).toContain('300 ms after 30 ms of warm-up\n');
  for (const row of [
    /^ {2}messages {2}[\d,]+ in [\d.]+ m?s, every reply checked$/m,
    /^ {2}rate {6}[\d,.]+ messages a second$/m,
    /^ {2}payload {3}[\d.]+ MB\/s sent, [\d.]+ MB\/s received$/m,
    /^ {2}errors {4}none$/m,
    /^ {4}min {5} *[\d.]+ ms$/m,
    /^ {4}p99\.9 {3} *[\d.]+ ms$/m,
    /^ {4} *< [\d.]+ ms +[\d.]+ %.*█{40}$/m,
  ]) {
    expect(stdout).toMatch(row);
  }
});

test('as JSON, with a rate and permessage-deflate', async () => {
  const args = ['--duration', '1', '-c', '3', '--rate', '0.5k', '-s', '2KiB', '--deflate', '--json'];
  const { code, stdout, stderr } = await run(['bench', url, ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({
    url,
    traffic: { connections: 3, size: 2048, rate: 500, deflate: true, text: false, replies: 'echo' },
    duration: 1000,
    interrupted: false,
    loadBusy: null,
  });
  expect(report.messages).toBeGreaterThanOrEqual(495);
  expect(report.messages).toBeLessThanOrEqual(report.elapsed / 2 + 1);
  expect(report.payload).toEqual({ sent: report.messages * 2048, received: report.messages * 2048 });
  expect(report.wire.received).toBeLessThan(report.payload.received);
  const { min, p50, p90, p99, 'p99.9': p999, max } = report.latency;
  expect([min, p50, p90, p99, p999, max]).toEqual([min, p50, p90, p99, p999, max].sort((a, b) => a - b));
  expect(report.latency.count).toBe(report.messages);
});

test("replies 'none' and 'any', header fields and subprotocols", async () => {
  const fake = await Fake.start({
    message: (client) => client.send({ opcode: 1, payload: Buffer.from('ok') }),
  });
  const any = await run([
    'bench',
    fake.url,
    ...QUICK,
    '--replies',
    'any',
    '--header',
    'X-Key:  a: b ',
    '--header',
    'X-B: c',
  ]);
  expect(any).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('one reply to each') });
  expect(fake.requests[0]).toContain('\r\nX-Key: a: b\r\n');
  expect(fake.requests[0]).toContain('\r\nX-B: c');
  const none = await run(['bench', fake.url, ...QUICK, '--replies', 'none']);
  expect(none).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('read by the server') });
  expect(none.stdout).not.toContain('latency');
  const refused = await run(['bench', fake.url, ...QUICK, '--protocol', 'chat', '--protocol', 'x', '--replies', 'any']);
  expect(refused.code).toBe(0);
  expect(fake.requests.at(-1)).toContain('\r\nSec-WebSocket-Protocol: chat, x');
});

test('TLS: with the certificate to trust, without a check, and refused', async () => {
  const server = await serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: { cert: fixture('server.pem'), key: fixture('server-key.pem') },
    message: (ws, data) => void ws.send(data),
  });
  const secure = `wss://localhost:${server.port}/`;
  try {
    expect((await run(['bench', secure, ...QUICK, '--ca', caFile])).code).toBe(0);
    expect((await run(['bench', secure, ...QUICK, '--insecure'])).code).toBe(0);
    const { code, stderr } = await run(['bench', secure, ...QUICK]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^millrace: LoadFault HANDSHAKE: connection \d+: .*(certificate|issuer)/);
  } finally {
    await server.close();
  }
});

test.each([
  {
    path: '/nothing',
    says: /^millrace: LoadFault HANDSHAKE: connection \d: the server answered 404 Not Found in place of 101/,
  },
  { path: '/stats', says: /^millrace: LoadFault (UNEXPECTED|CORRUPT): connection \d: / },
])('a fault of the server at $path ends it with 1', async ({ path, says }) => {
  const wrong = url.replace('/echo', path);
  const { code, stderr, stdout } = await run(['bench', wrong, ...QUICK]);
  expect(code).toBe(1);
  expect(stderr).toMatch(says);
  expect(stderr.trimEnd()).not.toContain('\n');
  expect(stdout).not.toContain('errors');
  const json = await run(['bench', wrong, ...QUICK, '--json']);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ url: wrong, error: { name: 'LoadFault', code: expect.any(String) } });
});

test('nobody listens', async () => {
  const fake = await Fake.start();
  const { url: gone } = fake;
  await fake.stop();
  const { code, stderr } = await run(['bench', gone]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/^millrace: LoadFault HANDSHAKE: connection \d+: connect ECONNREFUSED 127\.0\.0\.1:\d+\n$/),
  ]);
});

test.each([
  { signal: 'SIGINT', exitCode: 130 },
  { signal: 'SIGTERM', exitCode: 143 },
] as const)('$signal ends the run and tells what there is', async ({ signal, exitCode }) => {
  const fake = await Fake.start();
  const child = spawn(process.execPath, [command, 'bench', fake.url, '-d', '4s', '-c', '2'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  // Past the warm-up of 400 ms.
  await until('messages', () => fake.messages > 0);
  const started = performance.now();
  await until('the end of the warm-up', () => performance.now() - started > 2000);
  child.kill(signal);
  const [stdout, stderr, [code]] = await printed;
  expect([code, stderr]).toEqual([exitCode, '']);
  expect(stdout).toContain('note      ended before its time');
  expect(stdout).toMatch(/p99 /);
  expect(fake.clients.map(({ closeCode }) => closeCode)).toEqual([1000, 1000]);
});

test.each([
  { args: [], says: 'bench needs the URL of a server: ws://… or wss://…' },
  { args: ['http://localhost'], says: 'the URL of a server begins with ws:// or wss://, not "http://localhost"' },
  { args: ['ws://a', 'ws://b'], says: 'bench takes one URL; "ws://b" is another' },
  { args: ['ws://a', '--fast'], says: "Unknown option '--fast'" },
  { args: ['ws://a', '-c', '0'], says: '--connections must be a whole number from 1 to 65535, not "0"' },
  { args: ['ws://a', '-i', '1.5'], says: '--in-flight must be a whole number from 1 to 1000000, not "1.5"' },
  { args: ['ws://a', '-s', '1g'], says: '--size must be bytes, such as 64, 16k or 1m, not "1g"' },
  { args: ['ws://a', '-s', '900m'], says: 'so many messages in flight of that size do not fit into memory' },
  { args: ['ws://a', '-d', '0'], says: '--duration must be a time up to a day, such as 500ms, 10s or 2m, not "0"' },
  { args: ['ws://a', '-d', '2d'], says: '--duration must be a time up to a day, such as 500ms, 10s or 2m, not "2d"' },
  { args: ['ws://a', '--rate', '-1'], says: "Option '--rate' argument is ambiguous" },
  { args: ['ws://a', '--rate', '0'], says: '--rate must be messages a second, such as 500 or 20k, not "0"' },
  {
    args: ['ws://a', '--rate', '5', '-i', '2'],
    says: '--in-flight has no meaning with --rate: messages go out when they are due',
  },
  { args: ['ws://a', '--replies', 'all'], says: '--replies is echo, any or none, not "all"' },
  { args: ['ws://a', '--header', 'X'], says: '--header must be \'Name: value\', not "X"' },
  { args: ['ws://a', '--ca', '/no/such'], says: "--ca: ENOENT: no such file or directory, open '/no/such'" },
])('$args is refused in one line', async ({ args, says }) => {
  const outcome = await run(['bench', ...args]);
  expect(outcome).toEqual({ code: 2, stdout: '', stderr: `millrace: ${says} (see millrace --help)\n` });
});

test.each([
  { args: ['--header', 'Host: x'], says: /Host/ },
  { args: ['--protocol', 'a b'], says: /subprotocols must be/ },
])('$args cannot be asked for', async ({ args, says }) => {
  const { code, stderr } = await run(['bench', url, ...args]);
  expect(code).toBe(2);
  expect(stderr).toMatch(says);
  expect(stderr.trimEnd()).not.toContain('\n');
});

test('help needs no kernels', async () => {
  const { code, stdout } = await run(['bench', '--help'], { MILLRACE_KERNELS: 'nonsense' });
  expect(code).toBe(0);
  for (const name of ['--connections', '--in-flight', '--rate', '--replies', '--json', 'Exit codes: 0']) {
    expect(stdout).toContain(name);
  }
});

test.each([
  { size: '64', is: 64 },
  { size: '16k', is: 16_384 },
  { size: '16KiB', is: 16_384 },
  { size: '1M', is: 1_048_576 },
  { size: '0', is: 0 },
])('--size $size', ({ size, is }) => {
  expect(benchOptions({ size }, ['ws://a']).traffic.size).toBe(is);
});

test.each([
  { duration: '500ms', is: 500 },
  { duration: '10', is: 10_000 },
  { duration: '1.5s', is: 1500 },
  { duration: '2m', is: 120_000 },
])('--duration $duration', ({ duration, is }) => {
  expect(benchOptions({ duration }, ['ws://a']).duration).toBe(is);
});

test('the line on a terminal is rewritten, fits it, and goes away', () => {
  const written: string[] = [];
  const out = { isTTY: true, columns: 40, write: (part: string) => written.push(part) };
  const live = new LiveLine(out as unknown as NodeJS.WriteStream);
  const latency = new Histogram();
  latency.record(1.25);
  const counts = { messages: 10, bytes: 0, sentBytes: 0, wire: { sent: 0, received: 0 } };
  live.show({ ...counts, elapsed: 2500, rate: 12_345, latency }, 10_000);
  live.clear();
  live.clear();
  expect(written).toEqual(['\r\x1b[K  █████···············   2.5 of 10 s   ', '\r\x1b[K']);
  out.columns = 200;
  live.show({ ...counts, elapsed: 2500, rate: 12_345, latency }, 10_000);
  expect(written[2]).toMatch(/2\.5 of 10 s {6}12,345 \/s {3}p50 1\.25 ms {3}p99 1\.25 ms$/);
  out.isTTY = false;
  live.show({ ...counts, elapsed: 2500, rate: 12_345, latency }, 10_000);
  expect(written.length).toBe(3);
});

test('bars are as long as their share', () => {
  const latency = new Histogram();
  latency.record(0.3, 10);
  latency.record(0.7, 40);
  latency.record(3, 20);
  expect(bars(latency)).toEqual([
    `< 0.500 ms  14.3 %  ${'█'.repeat(10)}`,
    ` < 1.00 ms  57.1 %  ${'█'.repeat(40)}`,
    ' < 2.00 ms  0.00 %',
    ` < 4.00 ms  28.6 %  ${'█'.repeat(20)}`,
  ]);
});
