/** What is right passes, and is counted right. */

import { once } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { EchoLoad, IdleLoad, RoomLoad } from '../../../src/cli/load/index.js';
import { until } from '../../node/support.js';
import { type Behaviour, type Client, Fake, faultOf, frame, type Message, PING } from './support.js';

/** In three frames, of which the second is empty. */
function fragmented(client: Client, { opcode, payload }: Message): void {
  const half = payload.length >> 1;
  client.write(frame(opcode, payload.subarray(0, half), { fin: false }));
  client.write(frame(0, Buffer.alloc(0), { fin: false }));
  client.write(frame(0, payload.subarray(half)));
}

const RIGHT: Record<string, Behaviour> = {
  'an echo': {},
  'an echo with permessage-deflate': { deflate: true },
  'an echo in fragments': { message: fragmented },
  'an echo in fragments now and then': {
    message: (client, message, index) => (index % 7 === 3 ? fragmented(client, message) : client.send(message)),
  },
  'an echo with Pings before messages': {
    message(client, message, index) {
      if (index % 3 === 0) client.write(frame(PING, Buffer.from(String(index))));
      client.send(message);
    },
  },
  'an echo with Pings within messages': {
    message(client, { opcode, payload }) {
      client.write(frame(opcode, payload.subarray(0, 5), { fin: false }));
      client.write(frame(PING, Buffer.from('?')));
      client.write(frame(0, payload.subarray(5)));
    },
  },
  'an echo in pieces of seven bytes': {
    message(client, { opcode, payload }, index) {
      const bytes = frame(opcode, payload);
      if (index % 5 !== 0) client.write(bytes);
      else for (let at = 0; at < bytes.length; at += 7) client.write(bytes.subarray(at, at + 7));
    },
  },
  'an echo with an empty Ping in the last packet of each message': {
    message: (client, { opcode, payload }) =>
      client.write(Buffer.concat([frame(opcode, payload), frame(PING, Buffer.alloc(0)).subarray(0, 1)])) ??
      client.write(frame(PING, Buffer.alloc(0)).subarray(1)),
  },
};

for (const [name, behaviour] of Object.entries(RIGHT)) {
  const deflate = behaviour.deflate ?? false;
  test.each([
    { connections: 3, inFlight: 1, size: 64, text: true },
    { connections: 3, inFlight: 9, size: 64, text: false },
    { connections: 1, inFlight: 2000, size: 10, text: true },
    { connections: 2, inFlight: 4, size: 0, text: true },
    { connections: 2, inFlight: 4, size: 1, text: false },
    { connections: 2, inFlight: 3, size: 126, text: false },
    { connections: 2, inFlight: 3, size: 300_000, text: true },
  ])(`${name}: $connections × $inFlight of $size bytes`, async (traffic) => {
    const fake = await Fake.start(behaviour);
    const load = new EchoLoad({ url: fake.url }, { ...traffic, deflate });
    await load.connect();
    for (let run = 0; run < 2; run++) {
      const [messages, bytes] = [fake.messages, fake.bytes];
      const result = await load.run(60);
      expect(result.messages).toBe(fake.messages - messages);
      expect(result.messages).toBeGreaterThanOrEqual(traffic.connections * traffic.inFlight);
      expect(result.bytes).toBe(fake.bytes - bytes);
      expect(result.sentBytes).toBe(result.bytes);
      expect(result.latency?.count).toBe(result.messages);
      expect(result.elapsed).toBeGreaterThanOrEqual(50);
    }
    await load.close();
    expect(fake.clients.map(({ closeCode }) => closeCode)).toEqual(Array(traffic.connections).fill(1000));
    await until(() => fake.open === 0, 'the end of the connections');
  });
}

test('Pings are answered', async () => {
  const fake = await Fake.start(RIGHT['an echo with Pings before messages']);
  const load = new EchoLoad({ url: fake.url }, { connections: 2, inFlight: 3, size: 20, text: true });
  await load.connect();
  await load.run(50);
  for (const client of fake.clients) await until(() => client.pongs === Math.ceil(client.index / 3), 'the last Pong');
  await load.close();
});

test.each([{ takeover: true }, { takeover: false }])(
  'an echo of ws with permessage-deflate, takeover $takeover',
  async ({ takeover }) => {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      perMessageDeflate: {
        threshold: 100,
        serverNoContextTakeover: !takeover,
        clientMaxWindowBits: takeover ? 15 : 10,
      },
    });
    server.on('connection', (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary })));
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    try {
      for (const size of [0, 50, 1000, 100_000]) {
        const url = `ws://127.0.0.1:${port}`;
        const load = new EchoLoad({ url }, { connections: 3, inFlight: 4, size, text: true, deflate: true });
        await load.connect();
        const { messages, bytes, wire } = await load.run(100);
        expect(messages).toBeGreaterThan(0);
        expect(bytes).toBe(messages * size);
        if (size >= 1000) {
          expect(wire.sent).toBeLessThan(bytes / 2);
          expect(wire.received).toBeLessThan(bytes / 2);
        }
        await load.close();
      }
    } finally {
      server.close();
    }
  },
);

test("replies 'any': one reply to a message, whatever it is", async () => {
  const fake = await Fake.start({
    message: (client, _message, index) => client.send({ opcode: 1, payload: Buffer.from(`ok ${index % 10}`) }),
  });
  const load = new EchoLoad({ url: fake.url }, { connections: 2, inFlight: 3, size: 500, text: false, replies: 'any' });
  await load.connect();
  const { messages, bytes, sentBytes } = await load.run(50);
  expect(messages).toBe(fake.messages);
  expect(bytes).toBe(messages * 4);
  expect(sentBytes).toBe(messages * 500);
  fake.clients[0].send({ opcode: 1, payload: Buffer.from('and another') });
  await once(fake.clients[0].socket, 'close');
  expect((await faultOf(load.run(50))).code).toBe('UNEXPECTED');
  await load.close();
});

test.each([{ rate: undefined }, { rate: 1000 }])(
  "replies 'none' counts what the server has taken, rate $rate",
  async ({ rate }) => {
    // What comes all the same is not looked at.
    const fake = await Fake.start({
      message: (client, _message, index) => {
        if (index % 10 === 0) client.send({ opcode: 1, payload: Buffer.from('so much for now') });
      },
    });
    const load = new EchoLoad(
      { url: fake.url },
      { connections: 3, inFlight: 5, size: 100, text: true, replies: 'none', ...(rate !== undefined && { rate }) },
    );
    await load.connect();
    for (let run = 0; run < 2; run++) {
      const before = fake.messages;
      const { messages, latency } = await load.run(100);
      expect(messages).toBeGreaterThan(rate === undefined ? 15 : 60);
      expect(fake.messages - before).toBe(messages);
      expect(latency).toBeNull();
    }
    await load.close();
  },
);

test("replies 'none' waits for the Pong behind the last message", async () => {
  const fake = await Fake.start({ ignoresPing: true });
  const load = new EchoLoad(
    { url: fake.url, timeout: 200 },
    { connections: 2, inFlight: 1, size: 100, text: true, replies: 'none' },
  );
  await load.connect();
  const fault = await faultOf(load.run(20));
  expect(fault.code).toBe('TIMEOUT');
  expect(fault.message).toContain('a Pong is still to come');
  await load.close();
});

test.each([
  { connections: 1, burst: 1 },
  { connections: 5, burst: 1 },
  { connections: 7, burst: 50 },
  { connections: 3, burst: 1500 },
])('a room: $connections members, bursts of $burst', async ({ connections, burst }) => {
  const fake = await Fake.start({ message: (client, message) => client.server.publish(message) });
  const load = new RoomLoad({ url: fake.url }, { connections, burst, size: 20, text: true });
  await load.connect();
  for (let run = 0; run < 2; run++) {
    const before = fake.messages;
    const { messages, bytes, sentBytes, latency } = await load.run(60);
    const sent = fake.messages - before;
    expect(sent).toBeGreaterThan(0);
    expect(sent % burst).toBe(0);
    expect(messages).toBe(sent * connections);
    expect(bytes).toBe(messages * 20);
    expect(sentBytes).toBe(sent * 20);
    expect(latency?.count).toBe(messages);
  }
  // They take turns.
  if (fake.messages > 2 * burst * connections) for (const { index } of fake.clients) expect(index).toBeGreaterThan(0);
  await load.close();
});

test('a room with permessage-deflate', async () => {
  const fake = await Fake.start({ deflate: true, message: (client, message) => client.server.publish(message) });
  const load = new RoomLoad({ url: fake.url }, { connections: 4, burst: 10, size: 300, text: true, deflate: true });
  await load.connect();
  const { messages } = await load.run(60);
  expect(messages).toBe(fake.messages * 4);
  await load.close();
});

test('connections without latencies record none', async () => {
  const fake = await Fake.start();
  const load = new EchoLoad({ url: fake.url }, { connections: 1, inFlight: 1, size: 1, text: true, latency: false });
  await load.connect();
  expect((await load.run(10)).latency).toBeNull();
  await load.close();
});

test('progress is told, and a signal ends the run before its time', async () => {
  const fake = await Fake.start();
  const load = new EchoLoad({ url: fake.url }, { connections: 2, inFlight: 2, size: 64, text: true });
  await load.connect();
  const abort = new AbortController();
  const seen: number[] = [];
  const result = await load.run(60_000, {
    signal: abort.signal,
    onProgress(progress) {
      seen.push(progress.messages);
      expect(progress.rate).toBeGreaterThan(0);
      expect(progress.latency?.count).toBe(progress.messages);
      if (seen.length === 2) abort.abort();
    },
  });
  expect(seen[1]).toBeGreaterThan(seen[0]);
  expect(result.messages).toBe(fake.messages);
  expect((await load.run(60_000, { signal: AbortSignal.abort() })).messages).toBe(4);
  await load.close();
});

test('an idle load answers Pings, and holds a thousand connections', async () => {
  const fake = await Fake.start();
  const load = new IdleLoad({ url: fake.url }, { connections: 1000 });
  await load.connect();
  expect(fake.clients.length).toBe(1000);
  const run = load.run(50);
  for (const client of fake.clients) client.write(frame(PING, Buffer.from('there?')));
  expect((await run).messages).toBe(0);
  await until(() => fake.clients.every(({ pongs }) => pongs === 1), 'every Pong');
  await load.close();
  await until(() => fake.open === 0, 'the end of the connections');
});

test.each([
  {
    what: 'a message',
    act: (client: Client) => client.send({ opcode: 1, payload: Buffer.from('hello') }),
    code: 'UNEXPECTED',
  },
  { what: 'the end', act: (client: Client) => client.socket.end(), code: 'CLOSED' },
])('to an idle load $what is a fault', async ({ act, code }) => {
  const fake = await Fake.start();
  const load = new IdleLoad({ url: fake.url }, { connections: 3 });
  await load.connect();
  const run = load.run(60_000);
  act(fake.clients[1]);
  expect((await faultOf(run)).code).toBe(code);
  await load.close();
});

test('close cuts off a server that answers no Close', async () => {
  const fake = await Fake.start({ ignoresClose: true });
  const load = new IdleLoad({ url: fake.url }, { connections: 3 });
  await load.connect();
  await load.close();
  await until(() => fake.open === 0, 'the end of the connections');
  expect(fake.clients.map(({ closeCode }) => closeCode)).toEqual([1000, 1000, 1000]);
});

test('connections are opened a few dozen at a time', async () => {
  let underWay = 0;
  let most = 0;
  const fake = await Fake.start();
  // Before the server, so that answers are late and can be counted.
  const proxy = createServer((socket) => {
    most = Math.max(most, ++underWay);
    const onward = connectTcp(fake.port, '127.0.0.1');
    onward.on('data', () => {}).once('data', () => underWay--);
    onward.on('error', () => {});
    socket.on('error', () => {});
    void sleep(50).then(() => socket.pipe(onward).pipe(socket));
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const load = new IdleLoad(
    { url: `ws://127.0.0.1:${(proxy.address() as { port: number }).port}` },
    { connections: 200 },
  );
  await load.connect();
  await load.close();
  proxy.close();
  expect(most).toBeGreaterThan(10);
  expect(most).toBeLessThanOrEqual(64);
});
