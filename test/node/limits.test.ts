/** The number of connections: its limit, and what is counted. */

import { describe, expect, test } from 'vitest';
import { LocalProtocolError, reject, type ServeOptions, serve } from '../../src/node/index.js';
import { Refusal } from '../../src/node/refusal.js';
import {
  closeFrame,
  connectWs,
  deferred,
  frame,
  noise,
  onDeadlines,
  RawClient,
  recording,
  request,
  serverEndOf,
  start,
  until,
} from './support.js';

describe('maxConnections', () => {
  test('above it 503 with Retry-After, and upgrade is not asked', async () => {
    let asked = 0;
    const server = await start({
      maxConnections: 2,
      upgrade: () => {
        asked++;
      },
    });
    const first = await RawClient.open(server.port);
    await RawClient.open(server.port);
    // Not even its handshake is looked at.
    for (const bytes of [request(), request({ 'Sec-WebSocket-Key': 'bad' })]) {
      const refused = await RawClient.ask(server.port, bytes);
      expect(refused.head).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: \d+\r\n/);
    }
    expect([asked, server.size]).toEqual([2, 2]);
    first.socket.destroy();
    await until(() => server.size === 1);
    await RawClient.open(server.port);
    expect(server.stats().connections).toEqual({ open: 2, opening: 0, total: 3, refused: 2, peak: 2 });
  });

  test('handshakes count, refused and lost ones no more', async () => {
    const gates = [deferred<undefined>(), deferred<undefined>(), deferred<undefined>()];
    let asked = 0;
    const server = await start({ maxConnections: 2, upgrade: () => gates[asked++].promise.then(() => reject(403)) });
    const clients = [new RawClient(server.port), new RawClient(server.port)];
    for (const [i, client] of clients.entries()) {
      client.isHttp = true;
      client.write(request());
      await until(() => asked === i + 1);
    }
    expect(server.stats().connections).toMatchObject({ open: 0, opening: 2 });
    expect((await RawClient.ask(server.port, request())).head).toMatch(/^HTTP\/1\.1 503 /);
    gates[0].resolve(undefined);
    await until(() => clients[0].ended);
    clients[1].socket.resetAndDestroy();
    await until(() => server.stats().connections.opening === 0);
    const third = new RawClient(server.port);
    third.write(request());
    await until(() => asked === 3);
    expect(server.stats().connections).toEqual({ open: 0, opening: 1, total: 0, refused: 2, peak: 0 });
  });

  test('Infinity, and none, are fine', async () => {
    const server = await start({ maxConnections: Number.POSITIVE_INFINITY });
    await RawClient.open(server.port);
  });

  test('those that are refused and stay are no more than a thousand', async () => {
    onDeadlines((entry, deadline) => (entry instanceof Refusal ? null : deadline));
    const server = await start({ maxConnections: 0 });
    const clients: RawClient[] = [];
    for (let i = 0; i < 1100; i++) {
      const client = new RawClient(server.port);
      client.isHttp = true;
      client.write(request());
      clients.push(client);
    }
    // Not one of them ends its side: whoever is gone was cut off.
    await until(() => clients.every(({ ended, closed }) => ended || closed), 'every answer');
    const isGone = ({ socket }: RawClient) => serverEndOf(socket).destroyed;
    await until(() => clients.filter(isGone).length >= 100, 'the first to be cut off');
    const last = clients.at(-1) as RawClient;
    expect([isGone(last), last.head]).toEqual([false, expect.stringContaining('503')]);
  });

  test.for([-1, Number.NaN, '7'])('%o is refused by name', async (maxConnections) => {
    const wrong = await serve({ maxConnections } as ServeOptions).catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(LocalProtocolError);
    expect(wrong).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('maxConnections') });
  });
});

describe('stats', () => {
  test('of a server that nobody has used', async () => {
    const server = await start();
    expect(server.stats()).toEqual({
      connections: { open: 0, opening: 0, total: 0, refused: 0, peak: 0 },
      messagesReceived: 0,
      messagesSent: 0,
      bytesReceived: 0,
      bytesSent: 0,
      bufferedAmount: 0,
      closes: {},
      errors: 0,
      topics: { topics: 0, subscriptions: 0, published: 0 },
      handlers: null,
      perMessageDeflate: null,
    });
  });

  test('connections, how they ended, and errors', async () => {
    const { handlers, names } = recording();
    const server = await start({
      ...handlers,
      upgrade: ({ path }) => (path === '/no' ? reject(403) : undefined),
      message: (_ws, data) => {
        if (data === 'fail') throw new Error('as asked');
      },
    });
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.open(server.port)));
    await RawClient.ask(server.port, request({}, 'GET /no HTTP/1.1'));
    await RawClient.ask(server.port, request({ 'Sec-WebSocket-Key': 'bad' }));
    clients[0].write(closeFrame(1000));
    clients[1].write(closeFrame(1000));
    clients[2].write(frame(3));
    clients[3].socket.resetAndDestroy();
    clients[4].write(frame(1, 'fail'));
    expect((await clients[4].closeCode())[0]).toBe(1011);
    clients[4].write(closeFrame(1011));
    for (const client of clients) client.socket.end();
    await until(() => server.size === 0);
    const { connections, closes, errors } = server.stats();
    expect(connections).toEqual({ open: 0, opening: 0, total: 5, refused: 2, peak: 5 });
    expect(closes).toEqual({ 1000: 2, 1002: 1, 1006: 1, 1011: 1 });
    // One for the violation, one for the handler, and one where a reset is told of as an error of the stream.
    expect(errors).toBe(names().filter((name) => name === 'error').length);
    expect(errors).toBeGreaterThanOrEqual(2);
  });

  test('bytes that are queued', async () => {
    const server = await start({ open: (ws) => ws.send(noise(12_000_000)) });
    const client = await RawClient.open(server.port);
    client.socket.pause();
    expect(server.stats().bufferedAmount).toBeGreaterThan(1_000_000);
    client.socket.destroy();
    await until(() => server.size === 0);
    expect(server.stats().bufferedAmount).toBe(0);
  });

  test('what connections count of themselves is added up, and kept when they are gone', async () => {
    const server = await start();
    const clients = await Promise.all([1, 2].map(() => connectWs(server.port)));
    let counted = 0;
    for (const peer of server.connections()) {
      counted++;
      for (const name of ['messagesReceived', 'messagesSent', 'bytesReceived', 'bytesSent']) {
        Object.defineProperty(peer, name, { value: counted * name.length, configurable: true });
      }
    }
    const sums = { messagesReceived: 48, messagesSent: 36, bytesReceived: 39, bytesSent: 27 };
    expect(server.stats()).toMatchObject(sums);
    clients[0].close();
    await until(() => server.size === 1);
    expect(server.stats()).toMatchObject(sums);
    clients[1].terminate();
    await until(() => server.size === 0);
    expect(server.stats()).toMatchObject(sums);
  });

  test('handlers are called as methods of the options, whatever these are', async () => {
    class Rooms {
      readonly #calls: string[] = [];
      hostname = '127.0.0.1';
      upgrade() {
        this.#calls.push('upgrade');
      }
      open() {
        this.#calls.push('open');
      }
      message() {
        this.#calls.push('message');
      }
      close() {
        this.#calls.push('close');
      }
      get calls() {
        return this.#calls;
      }
    }
    const rooms = new Rooms();
    const server = await serve(rooms);
    const client = await RawClient.open(server.port, frame(1, 'x'));
    client.write(closeFrame(1000));
    await client.closeCode();
    client.socket.end();
    await server.close();
    expect(rooms.calls).toEqual(['upgrade', 'open', 'message', 'close']);
  });
});
