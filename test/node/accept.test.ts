/** Upgrade requests that a framework has routed. */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { accept, Endpoint, type EndpointOptions, LocalProtocolError, Peer, reject } from '../../src/node/index.js';
import { atEnd, closeFrame, deferred, frame, next, RawClient, recording, request, turns, until } from './support.js';

type Route = (request: IncomingMessage, socket: Duplex, head: Buffer) => unknown;

/** An HTTP server whose upgrades go to `route`. */
async function framework(route: Route): Promise<number> {
  const http = createServer((_request, response) => response.end('a page'));
  const sockets = new Set<Duplex>();
  http.on('upgrade', (incoming, socket, head) => {
    sockets.add(socket);
    route(incoming, socket, head);
  });
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  http.listen(0, '127.0.0.1');
  await next(http, 'listening');
  return (http.address() as AddressInfo).port;
}

describe('accept', () => {
  test('resolves with the open connection, after open', async () => {
    const { handlers, log } = recording<string>();
    const options: EndpointOptions<string> = { ...handlers, upgrade: ({ path }) => ({ data: path, protocol: 'chat' }) };
    const accepted = deferred<Peer<string> | null>();
    const port = await framework((...asked) => accept(...asked, options).then(accepted.resolve));
    const asking = request({ 'Sec-WebSocket-Protocol': 'chat' }, 'GET /room?x HTTP/1.1');
    const client = await RawClient.open(port, frame(1, 'early'), asking);
    const peer = await accepted.promise;
    expect(peer).toBeInstanceOf(Peer);
    expect(log[0]).toEqual(['open']);
    expect([peer?.data, peer?.protocol, peer?.isOpen]).toEqual(['/room', 'chat', true]);
    peer?.send('hello');
    expect(`${(await client.frameAt(0)).payload}`).toBe('hello');
    client.write(closeFrame(4000));
    await until(() => log.length === 3);
    expect(log.slice(1)).toEqual([
      ['message', 'early'],
      ['close', 4000, ''],
    ]);
    client.socket.end();
    await until(() => client.closed);
  });

  test.for<[string, string, EndpointOptions, number]>([
    ['by upgrade', request(), { upgrade: () => reject(403) }, 403],
    ['for its handshake', request({ 'Sec-WebSocket-Key': null }), {}, 400],
    ['for its method', request({}, 'POST / HTTP/1.1'), {}, 405],
    ['as another protocol', request({ Upgrade: 'h2c' }), {}, 426],
    ['for its origin', request({ Origin: 'https://evil.example' }), { origins: ['https://good.example'] }, 403],
    ['as one too many', request(), { maxConnections: 0 }, 503],
  ])('resolves with null when it was refused %s', async ([, bytes, options, status]) => {
    const accepted = deferred<Peer | null>();
    const port = await framework((...asked) => accept(...asked, options).then(accepted.resolve, accepted.reject));
    const client = await RawClient.ask(port, bytes);
    expect(client.head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(await accepted.promise).toBeNull();
  });

  test('resolves with null when the client goes away', async () => {
    const accepted = deferred<Peer | null>();
    const options: EndpointOptions = { upgrade: () => new Promise<undefined>(() => {}) };
    const asked = deferred();
    const port = await framework((...args) => {
      accept(...args, options).then(accepted.resolve, accepted.reject);
      asked.resolve();
    });
    const client = new RawClient(port);
    client.write(request());
    await asked.promise;
    client.socket.resetAndDestroy();
    expect(await accepted.promise).toBeNull();
  });

  test.for(['resetAndDestroy', 'end'] as const)('resolves with null when the client had gone by %s', async (how) => {
    const accepted = deferred<Peer | null>();
    const client = deferred<RawClient>();
    const port = await framework(async (incoming, socket, head) => {
      // A framework that takes its time, as one does that looks for a session first.
      socket.on('error', () => {});
      const gone = how === 'end' ? next(socket, 'end') : next(socket, 'close');
      (await client.promise).socket[how]();
      await gone;
      accept(incoming, socket, head, {}).then(accepted.resolve, accepted.reject);
    });
    const raw = new RawClient(port);
    raw.write(request());
    client.resolve(raw);
    expect(await accepted.promise).toBeNull();
    await until(() => raw.closed);
  });

  test('one endpoint for an options object, another for another', async () => {
    const shared: EndpointOptions = { maxConnections: 1 };
    const port = await framework((incoming, socket, head) => {
      accept(incoming, socket, head, incoming.url === '/shared' ? shared : { maxConnections: 1 });
    });
    const ask = async (path: string) => {
      const client = new RawClient(port);
      client.isHttp = true;
      client.write(request({}, `GET ${path} HTTP/1.1`));
      await until(() => client.head !== '');
      return client.head.split(' ', 2)[1];
    };
    expect([await ask('/shared'), await ask('/shared')]).toEqual(['101', '503']);
    expect([await ask('/own'), await ask('/own')]).toEqual(['101', '101']);
  });

  test('wrong options are a LocalProtocolError, and the socket is untouched', async () => {
    const refused = deferred<unknown>();
    const port = await framework(async (incoming, socket, head) => {
      const errors: unknown[] = [];
      for (const options of [undefined, null, { maxMessageSize: -1 }, { maxConnections: Number.NaN }]) {
        await accept(incoming, socket, head, options as EndpointOptions).catch((error) => errors.push(error));
      }
      socket.end('HTTP/1.1 500 Ours\r\n\r\n');
      refused.resolve(errors);
    });
    const client = await RawClient.ask(port, request());
    expect(client.head).toMatch(/^HTTP\/1\.1 500 Ours/);
    const errors = (await refused.promise) as unknown[];
    expect(errors).toHaveLength(4);
    for (const error of errors) expect(error).toBeInstanceOf(LocalProtocolError);
    expect(errors).toEqual(Array(4).fill(expect.objectContaining({ code: 'INVALID_OPTION' })));
  });

  test('behind a request that is not answered yet: null, cut off', async () => {
    const accepted = deferred<Peer | null>();
    const gate = deferred();
    const http = createServer(async (_request, response) => {
      await gate.promise;
      response.end('late');
    });
    http.on('upgrade', (...asked) => accept(...asked, {}).then(accepted.resolve));
    atEnd(() => new Promise((resolve) => http.close(resolve)));
    http.listen(0, '127.0.0.1');
    await next(http, 'listening');
    const client = new RawClient((http.address() as AddressInfo).port);
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n', request());
    expect(await accepted.promise).toBeNull();
    gate.resolve();
    await turns();
    await until(() => client.closed || client.ended);
  });
});

describe('an endpoint of one’s own', () => {
  test('a request of HTTP/1.1 that calls itself HTTP/2.0: 505', async () => {
    const endpoint = new Endpoint();
    const accepted = deferred<Peer | null>();
    const port = await framework((...asked) => endpoint.accept(...asked).then(accepted.resolve));
    const client = await RawClient.ask(port, request({}, 'GET / HTTP/2.0'));
    expect(client.head).toMatch(/^HTTP\/1\.1 505 /);
    expect(await accepted.promise).toBeNull();
  });

  test('counts and closes what it has accepted', async () => {
    const endpoint = new Endpoint({ message: (ws, data) => ws.send(data) });
    const port = await framework((...asked) => endpoint.accept(...asked));
    const clients = await Promise.all([1, 2].map(() => RawClient.open(port)));
    expect(endpoint.size).toBe(2);
    expect([...endpoint.connections()]).toHaveLength(2);
    const closing = endpoint.close();
    for (const client of clients) {
      expect(await client.closeCode()).toEqual([1001, '']);
      client.write(closeFrame(1001));
      client.socket.end();
    }
    await closing;
    expect(endpoint.stats()).toMatchObject({ connections: { open: 0, total: 2, peak: 2 }, closes: { 1001: 2 } });
    const late = await RawClient.ask(port, request());
    expect(late.head).toMatch(/^HTTP\/1\.1 503 /);
  });
});
