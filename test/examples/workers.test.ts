/** examples/workers.js: the hashes, the bounds, and threads that die. */

import { pbkdf2Sync } from 'node:crypto';
import { expect, test } from 'vitest';
import { connectWs, frame, next, noise, until } from '../node/support.js';
import { Example } from './support.js';

const hashOf = (data: Uint8Array | string) => pbkdf2Sync(data, 'millrace', 100, 32, 'sha256').toString('hex');
const start = (threads = '2', env: Record<string, string> = {}) =>
  Example.serve('workers', [threads], { ROUNDS: '100', ...env });

test('answers with hashes, in order, while other connections go on', async () => {
  const example = await start();
  const messages = Array.from({ length: 40 }, (_, i) => noise(i * 997, i + 1));
  const clients = await Promise.all([1, 2, 3].map(() => connectWs(example.port)));
  const answers = clients.map((ws) => {
    const found: string[] = [];
    ws.on('message', (data: Buffer) => found.push(data.toString('hex')));
    for (const message of messages) ws.send(message);
    ws.send('grüße');
    return found;
  });
  await until(() => answers.every(({ length }) => length === 41), 'all answers');
  const expected = [...messages, 'grüße'].map(hashOf);
  expect(answers).toEqual([expected, expected, expected]);
});

test('a thread that dies fails one message, and is replaced', async () => {
  const example = await start('1');
  const ws = await connectWs(example.port);
  const answers: string[] = [];
  ws.on('message', (data: Buffer, isBinary: boolean) => answers.push(data.toString(isBinary ? 'hex' : 'utf8')));
  for (const message of ['a', 'crash', 'b', 'crash', 'crash', 'c']) ws.send(message);
  await until(() => answers.length === 6, 'all answers');
  const dead = 'failed: the thread died';
  expect(answers).toEqual([hashOf('a'), dead, hashOf('b'), dead, dead, hashOf('c')]);
  expect(example.stdout.match(/a thread ended with code 1/g)).toHaveLength(3);
});

test('a thread that does not come back is given up', async () => {
  const example = await start('1', { TASK_TIMEOUT: '500' });
  const ws = await connectWs(example.port);
  const first = next(ws, 'message');
  ws.send('hang');
  expect(String((await first)[0])).toBe('failed: the thread died');
  const second = next(ws, 'message');
  ws.send('a');
  expect(((await second)[0] as Buffer).toString('hex')).toBe(hashOf('a'));
});

test('while all threads are busy, clients are held and the queue is bounded', async () => {
  const example = await start('1', { TASK_TIMEOUT: '60000' });
  const busy = await connectWs(example.port);
  busy.send('hang');
  // Sixteen may wait for one thread, and each connection has one message waiting at the most.
  const clients = await Promise.all(Array.from({ length: 20 }, () => example.client()));
  const before = example.memory;
  const flood = Buffer.from(frame(2, noise(1024 * 1024 - 64)));
  const refused: number[] = [];
  for (const client of clients) {
    client.closeCode().then(
      ([code]) => refused.push(code),
      () => {},
    );
    for (let i = 0; i < 16; i++) client.socket.write(flood);
  }
  await until(() => refused.length === 4, 'four to be refused');
  expect(refused).toEqual([1013, 1013, 1013, 1013]);
  await until(() => clients.filter(({ socket }) => socket.writableLength > 0).length === 16, 'the rest to be held');
  // 320 MiB are on offer.
  expect(example.memory - before).toBeLessThan(128 * 1024 * 1024);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s closes everybody with 1001, and ends the threads', async (signal) => {
  const example = await start('2', { TASK_TIMEOUT: '500' });
  const [quiet, busy] = await Promise.all([connectWs(example.port), connectWs(example.port)]);
  const closes = [next(quiet, 'close'), next(busy, 'close')];
  const answer = next(quiet, 'message');
  quiet.send('a');
  await answer;
  busy.send('hang');
  const behind = next(quiet, 'message');
  quiet.send('b');
  await behind;
  example.kill(signal);
  for (const close of closes) expect((await close)[0]).toBe(1001);
  await example.endsWell();
});
