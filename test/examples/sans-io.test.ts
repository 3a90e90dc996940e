/** examples/sans-io.js: that it echoes is the least of it. It is held to both rules of back-pressure. */

import { expect, test } from 'vitest';
import { connect } from '../../src/node/index.js';
import { closeFrame, connectWs, deferred, frame, next, noise, RawClient, request, until } from '../node/support.js';
import { Example, held } from './support.js';

const MiB = 1024 * 1024;
/** More than the system's buffers of one connection hold, both ways, many times over. */
const FLOOD = 64;
/** What garbage may wait to be collected; far less than the flood. */
const MEMORY = 32 * MiB;
const message = Buffer.from(frame(2, noise(MiB)));

test('echoes to clients of ws and to ours', async () => {
  const example = await Example.serve('sans-io');
  const ws = await connectWs(example.port);
  for (const data of [Buffer.from('grüße 🌾'), noise(3 * MiB), Buffer.alloc(0)]) {
    const echo = next(ws, 'message');
    ws.send(data);
    expect(Buffer.compare((await echo)[0] as Buffer, data)).toBe(0);
  }
  const closed = next(ws, 'close');
  ws.close(4000, 'enough');
  expect((await closed)[0]).toBe(4000);
  await example.prints(/closed: 4000 enough \(peer\)/);

  const echoed = deferred<string | Buffer>();
  const peer = await connect(`ws://127.0.0.1:${example.port}`, { message: (_ws, data) => echoed.resolve(data) });
  peer.send('hello');
  expect(await echoed.promise).toBe('hello');
  peer.terminate();
  await example.prints(/closed: 1006 {2}\(eof\)/);
});

test('a client that sends without end is held by TCP while the application is at work', async () => {
  const example = await Example.serve('sans-io');
  const client = await example.client();
  const before = example.memory;
  client.write(frame(1, 'work 60000'));
  for (let i = 0; i < FLOOD; i++) client.socket.write(message);
  expect(await held(client)).toBeLessThan((FLOOD / 2) * MiB);
  expect(example.memory - before).toBeLessThan(MEMORY);
  // It does not stand in anybody's way.
  const other = await example.client();
  other.write(frame(1, 'hello'));
  await other.frameAt(0);
});

test('what waited behind the work is all there, and in order', async () => {
  const example = await Example.serve('sans-io');
  const client = await example.client();
  const texts = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(i * 50)}`);
  client.write(frame(1, 'work 50'), ...texts.map((text) => frame(1, text)));
  await client.frameAt(200);
  expect(client.texts()).toEqual(['work 50', ...texts]);
});

test('a client that does not read is not read from either, and its answers wait within bounds', async () => {
  const example = await Example.serve('sans-io');
  const client = await example.client();
  const before = example.memory;
  client.socket.pause();
  for (let i = 0; i < FLOOD; i++) client.socket.write(message);
  expect(await held(client)).toBeLessThan((FLOOD / 2) * MiB);
  expect(example.memory - before).toBeLessThan(MEMORY);
  client.socket.resume();
  await until(() => client.frames.length === FLOOD, 'all echoes');
});

test('an answer still reaches a client that has ended its side', async () => {
  const example = await Example.serve('sans-io');
  const client = await example.client();
  client.write(frame(1, 'work 50'), frame(1, 'last'));
  client.socket.end();
  await until(() => client.closed, 'the end');
  expect(client.texts()).toEqual(['work 50', 'last']);
  expect(client.error).toBeNull();
  await example.prints(/closed: 1006 {2}\(eof\)/);
});

test('pings are answered, violations closed, and input that follows does not destroy the Close', async () => {
  const example = await Example.serve('sans-io');
  const client = await example.client();
  client.write(frame(9, 'are you there'));
  expect(await client.frameAt(0)).toMatchObject({ opcode: 10, payload: Buffer.from('are you there') });
  client.write(frame(3), noise(FLOOD * MiB));
  expect((await client.closeCode())[0]).toBe(1002);
  await until(() => client.ended, 'the end');
  client.socket.end();
  await until(() => client.closed, 'the close');
  expect(client.error).toBeNull();
  await example.prints(/closed: 1002 .*\(violation\)/);
});

const REFUSALS = [
  { what: 'another method', bytes: request({}, 'POST / HTTP/1.1'), answer: /^HTTP\/1\.1 405 / },
  { what: 'no upgrade', bytes: request({ Upgrade: null }), answer: /^HTTP\/1\.1 426 .*upgrade: websocket/is },
  { what: 'another version', bytes: request({ 'Sec-WebSocket-Version': '8' }), answer: /sec-websocket-version: 13/i },
  { what: 'too much', bytes: request({ long: 'x'.repeat(1_000_000) }), answer: /^HTTP\/1\.1 431 / },
  { what: 'nonsense', bytes: 'nonsense\r\n\r\n', answer: /^HTTP\/1\.1 400 / },
];

test('bad handshakes are refused, each as it ought to be', async () => {
  const example = await Example.serve('sans-io');
  for (const { what, bytes, answer } of REFUSALS) {
    const client = await RawClient.ask(example.port, bytes);
    expect(client.head, what).toMatch(answer);
    await until(() => client.closed, 'the close');
    expect(client.error, what).toBeNull();
  }
  await until(() => example.stdout.match(/refused: .+ \([A-Z_]+\)/g)?.length === REFUSALS.length, 'all to be told');
  example.kill('SIGTERM');
  await example.endsWell();
});

test('sockets that fail, in every phase, hurt nobody', async () => {
  const example = await Example.serve('sans-io');
  const witness = await example.client();
  for (const bytes of ['', 'GET / HT', request(), `${request()}\x81`]) {
    const client = new RawClient(example.port);
    client.socket.write(bytes === '' ? '\r\n' : bytes, () => client.socket.resetAndDestroy());
    await until(() => client.closed, 'the close');
  }
  const busy = await example.client();
  busy.write(frame(1, 'work 60000'));
  busy.socket.resetAndDestroy();
  witness.write(frame(1, 'still there'));
  await witness.frameAt(0);
  witness.write(closeFrame(1000));
  await witness.closeCode();
  witness.socket.end();
  // The work that nobody waits for any more does not keep it alive.
  example.kill('SIGTERM');
  await example.endsWell();
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s closes everybody with 1001, and ends it', async (signal) => {
  const example = await Example.serve('sans-io');
  const clients = await Promise.all([connectWs(example.port), connectWs(example.port)]);
  const closes = clients.map((ws) => next(ws, 'close'));
  // In its handshake, and silent.
  const early = new RawClient(example.port);
  early.write('GET / HTTP/1.1\r\n');
  const late = await example.client();
  late.write(frame(1, 'hello'));
  await late.frameAt(0);
  late.socket.on('end', () => late.socket.end());
  const lateCloses = late.closeCode().then((close) => {
    late.write(closeFrame(1001));
    return close;
  });
  example.kill(signal);
  for (const close of closes) expect((await close).map(String)).toEqual(['1001', 'shutting down']);
  expect(await lateCloses).toEqual([1001, 'shutting down']);
  await example.endsWell();
});
