/** The server: listening, what it answers, counting, and shutting down. */

import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage } from 'node:http';
import { createConnection } from 'node:net';
import { describe, expect, test } from 'vitest';
import { LocalProtocolError, type Peer, reject, type ServeOptions, serve } from '../../src/node/index.js';
import { Refusal } from '../../src/node/refusal.js';
import {
  atEnd,
  closeFrame,
  connectWs,
  deferred,
  frame,
  next,
  onDeadlines,
  RawClient,
  recording,
  request,
  serverEndOf,
  start,
  turns,
  until,
  within,
} from './support.js';

const PLAIN = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

describe('listening', () => {
  test('on a port that the system chooses, on an address', async () => {
    const server = await start();
    expect(server.port).toBeGreaterThan(0);
    expect(server.hostname).toBe('127.0.0.1');
    expect(server.size).toBe(0);
  });

  test('rejects where the port is taken', async () => {
    const server = await start();
    await expect(serve({ port: server.port, hostname: '127.0.0.1' })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('on all addresses by default', async () => {
    const server = await serve();
    atEnd(() => server.close({ timeout: 0 }));
    const ws = await connectWs(server.port);
    ws.terminate();
  });
});

describe('options', () => {
  test.for<[string, ServeOptions]>([
    ['maxMessageSize', { maxMessageSize: -1 }],
    ['pingInterval', { pingInterval: Number.NaN }],
    ['handshakeTimeout', { handshakeTimeout: -1 }],
    ['handshakeTimeout', { handshakeTimeout: Number.NaN }],
    ['maxHeaderSize', { maxHeaderSize: Number.NaN }],
    ['maxHeaderFields', { maxHeaderFields: -5 }],
    ['maxHeaderFields', { maxHeaderFields: '7' as unknown as number }],
    ['overflow', { overflow: 'explode' as 'drop' }],
    ['path', { path: 'chat' }],
    ['path', { path: '/chat?x' }],
    ['path', { path: 7 as unknown as string }],
  ])('a wrong %s is refused by name before anything listens', async ([name, options]) => {
    const refused = await serve(options).then(
      (server) => server.close().then(() => null),
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(LocalProtocolError);
    expect(refused).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
  });

  test.for<ServeOptions>([
    { handshakeTimeout: Number.POSITIVE_INFINITY },
    { handshakeTimeout: 2000.5 },
    { handshakeTimeout: 2001 },
    { handshakeTimeout: 3_600_000 },
    { maxHeaderSize: Number.POSITIVE_INFINITY },
    { maxHeaderSize: 5000.5 },
    { maxHeaderFields: Number.POSITIVE_INFINITY },
    { maxHeaderFields: 50.5 },
    { closeTimeout: Number.POSITIVE_INFINITY, pingInterval: Number.POSITIVE_INFINITY },
    // What JavaScript may well give.
    { handshakeTimeout: undefined, maxHeaderSize: undefined, port: undefined } as unknown as ServeOptions,
  ])('%o is fine', async (options) => {
    const server = await start(options);
    const ws = await connectWs(server.port);
    ws.terminate();
  });
});

describe('what is not a WebSocket', () => {
  test('gets 426', async () => {
    const server = await start();
    const begun = performance.now();
    const client = await RawClient.ask(server.port, PLAIN);
    expect(performance.now() - begun, 'the connection is closed as the client asked').toBeLessThan(4000);
    expect(client.head).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
    expect(client.head).toMatch(/upgrade: websocket\r\n/);
    expect(client.body).toContain('WebSocket');
  });

  test('goes to `request` where that is given', async () => {
    const server = await start({
      request: (req, res) => {
        res.end(`you asked for ${req.url}`);
      },
    });
    const client = await RawClient.ask(server.port, PLAIN.replace(' / ', ' /page '));
    expect(client.head).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.body).toContain('you asked for /page');
  });

  test('another upgrade goes to `request` where Node can tell it apart', async () => {
    const canTell = 'shouldUpgradeCallback' in createServer();
    const server = await start({ request: (_request, response) => response.end('HTTP/1.1 it is') });
    const fields = { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings, close', 'HTTP2-Settings': '' };
    const client = await RawClient.ask(server.port, request(fields));
    expect(client.head).toMatch(canTell ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 426 /);
    await RawClient.open(server.port, undefined, request({ Upgrade: 'h2c, WebSocket' }));
  });

  test('a WebSocket may follow on the same connection', async () => {
    const server = await start();
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => client.body.includes('WebSocket'));
    client.write(request());
    await until(() => client.body.includes('101 Switching'));
    expect(server.size).toBe(1);
  });
});

describe('path', () => {
  test('only that path, with any query, takes WebSockets', async () => {
    let asked = 0;
    const server = await start({
      path: '/chat',
      upgrade: () => {
        asked++;
      },
    });
    const ask = (target: string) => RawClient.ask(server.port, request({}, `GET ${target} HTTP/1.1`));
    for (const target of ['/', '/chat/', '/Chat', '/chatter', '/?/chat']) {
      expect((await ask(target)).head, target).toMatch(/^HTTP\/1\.1 404 /);
    }
    expect(asked).toBe(0);
    await RawClient.open(server.port, undefined, request({}, 'GET /chat HTTP/1.1'));
    await RawClient.open(server.port, undefined, request({}, 'GET /chat?room=1 HTTP/1.1'));
    await RawClient.open(server.port, undefined, request({}, 'GET ws://localhost/chat?x HTTP/1.1'));
    expect(asked).toBe(3);
  });

  test.for([/^\/rooms\/\d+$/, /^\/rooms\/\d+$/g, /^\/rooms\/\d+$/y])(
    '%o is matched with the path alone',
    async (path) => {
      const server = await start({ path });
      const ask = (target: string) => RawClient.ask(server.port, request({}, `GET ${target} HTTP/1.1`));
      for (const target of ['/', '/rooms/', '/rooms/x', '/rooms/1/2', '/?/rooms/1']) {
        expect((await ask(target)).head, target).toMatch(/^HTTP\/1\.1 404 /);
      }
      for (const target of ['/rooms/1', '/rooms/1', '/rooms/22?a', 'ws://localhost/rooms/3?b']) {
        await RawClient.open(server.port, undefined, request({}, `GET ${target} HTTP/1.1`));
      }
    },
  );

  test('what is for another protocol is 426 on any path', async () => {
    const server = await start({ path: '/chat' });
    for (const target of ['/chat', '/']) {
      const client = await RawClient.ask(
        server.port,
        request({ Upgrade: 'h2c', Connection: 'Upgrade, close' }, `GET ${target} HTTP/1.1`),
      );
      expect(client.head).toMatch(/^HTTP\/1\.1 426 /);
      expect(client.head).toMatch(/upgrade: websocket\r\n/i);
    }
  });
});

describe('counting', () => {
  test('size and connections follow what opens and closes', async () => {
    const server = await start<number>({ upgrade: ({ target }) => ({ data: Number(target.slice(1)) }) });
    const clients = await Promise.all([1, 2, 3].map((i) => connectWs(server.port, { path: `/${i}` })));
    expect(server.size).toBe(3);
    expect([...server.connections()].map(({ data }) => data).sort()).toEqual([1, 2, 3]);
    clients[0].close();
    await until(() => server.size === 2);
    clients[1].terminate();
    await until(() => server.size === 1);
    expect([...server.connections()].map(({ data }) => data)).toEqual([3]);
    clients[2].close();
    await until(() => server.size === 0);
  });

  test('a pending or refused handshake does not count', async () => {
    const gate = deferred();
    let asked = 0;
    const server = await start({
      upgrade: () => {
        asked++;
        return gate.promise.then(() => reject(403));
      },
    });
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write(request());
    await until(() => asked === 1);
    expect(server.size).toBe(0);
    gate.resolve();
    await until(() => client.ended);
    expect(server.size).toBe(0);
    client.socket.end();
  });
});

describe('close', () => {
  test('1001 to all, and resolves when all have gone', async () => {
    const { handlers, log } = recording();
    const server = await start(handlers);
    const clients = await Promise.all([1, 2, 3].map(() => connectWs(server.port)));
    const codes = clients.map((ws) => next(ws, 'close'));
    await within(server.close(), 'close');
    expect((await Promise.all(codes)).map(([code]) => code)).toEqual([1001, 1001, 1001]);
    expect(log.filter(([name]) => name === 'close')).toEqual(Array(3).fill(['close', 1001, '']));
    expect(server.size).toBe(0);
  });

  test('with code and reason; what was sent before comes first', async () => {
    const server = await start();
    const client = await RawClient.open(server.port);
    for (const peer of server.connections()) peer.send('last words');
    const closing = server.close({ code: 1012, reason: 'back soon' });
    expect(await client.closeCode()).toEqual([1012, 'back soon']);
    expect(client.texts()).toEqual(['last words']);
    client.write(closeFrame(1012));
    client.socket.end();
    await within(closing);
  });

  test('twice: the same promise', async () => {
    const server = await start();
    expect(server.close()).toBe(server.close({ code: 1012 }));
    await server.close();
  });

  test('a code or reason that may not be sent changes nothing', async () => {
    const server = await start();
    const ws = await connectWs(server.port);
    await expect(server.close({ code: 1006 })).rejects.toBeInstanceOf(LocalProtocolError);
    await expect(server.close({ reason: 'x'.repeat(124) })).rejects.toBeInstanceOf(LocalProtocolError);
    expect(server.size).toBe(1);
    const other = await connectWs(server.port);
    const codes = [next(ws, 'close'), next(other, 'close')];
    await within(server.close());
    expect((await Promise.all(codes)).map(([code]) => code)).toEqual([1001, 1001]);
  });

  test('takes no new connections', async () => {
    const server = await start();
    const { port } = server;
    const client = await RawClient.open(port);
    const closing = server.close();
    const refused = createConnection({ port, host: '127.0.0.1' });
    atEnd(() => refused.destroy());
    const [error] = await next(refused, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    client.socket.destroy();
    await within(closing);
  });

  test('cuts off at its timeout clients that do not answer', async () => {
    const { handlers, log } = recording();
    const server = await start(handlers);
    const client = await RawClient.open(server.port);
    const begun = performance.now();
    await within(server.close({ timeout: 150 }));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(140);
    expect(performance.now() - begun).toBeLessThan(9000);
    expect(log).toEqual([['open'], ['close', 1006, '']]);
    expect((await client.closeCode())[0]).toBe(1001);
  });

  test('cuts off at its timeout clients that do not read', async () => {
    const server = await start({ open: (ws) => ws.send(new Uint8Array(15_000_000)) });
    const client = await RawClient.open(server.port);
    client.socket.pause();
    await within(server.close({ timeout: 100 }));
    expect(server.size).toBe(0);
  });

  test('is not kept by a handler that never settles', async () => {
    const stuck = deferred();
    let called = false;
    const server = await start({
      message: () => {
        called = true;
        return stuck.promise;
      },
    });
    const client = await RawClient.open(server.port, frame(1, 'x'));
    await until(() => called);
    await within(server.close({ timeout: 50 }), 'close');
    await until(() => client.ended || client.closed);
    stuck.resolve();
    await until(() => server.size === 0);
  });

  test('waits for the handlers of close', async () => {
    const gate = deferred();
    let done = false;
    const server = await start({ close: () => gate.promise.then(() => (done = true)) });
    const ws = await connectWs(server.port);
    const closed = next(ws, 'close');
    const closing = server.close().then(() => expect(done).toBe(true));
    await closed;
    await turns(5);
    expect(server.size).toBe(1);
    gate.resolve();
    await within(closing);
  });

  test('refuses pending handshakes with 503', async () => {
    const gate = deferred();
    let asked = 0;
    const { handlers, log } = recording();
    const server = await start({
      ...handlers,
      upgrade: () => {
        asked++;
        return gate.promise;
      },
    });
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write(request());
    await until(() => asked === 1);
    const closing = server.close();
    await until(() => client.ended);
    expect(client.head).toMatch(/^HTTP\/1\.1 503 /);
    gate.resolve();
    client.socket.end();
    await within(closing);
    expect(log).toEqual([]);
  });

  test('cuts off at its timeout a refused client that stays', async () => {
    onDeadlines((entry, deadline) => (entry instanceof Refusal ? null : deadline));
    const server = await start({ upgrade: () => reject(403) });
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write(request());
    await until(() => client.ended);
    await within(server.close({ timeout: 50 }));
    expect(serverEndOf(client.socket).destroyed).toBe(true);
  });

  test('does not wait for idle keep-alive connections, but for requests under way', async () => {
    const answer = deferred();
    const { promise: asked, resolve: arrived } = deferred();
    const server = await start({
      request: async (req, res) => {
        if (req.url === '/slow') {
          arrived();
          await answer.promise;
        }
        res.end('done');
      },
    });
    const agent = new Agent({ keepAlive: true });
    atEnd(() => agent.destroy());
    const fetchPath = async (path: string) => {
      const req = get({ port: server.port, host: '127.0.0.1', path, agent });
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      res.resume();
      await once(res, 'end');
      return res.statusCode;
    };
    expect(await fetchPath('/')).toBe(200);
    const slow = fetchPath('/slow');
    await asked;
    const idle = createConnection({ port: server.port, host: '127.0.0.1' });
    atEnd(() => idle.destroy());
    await next(idle, 'connect');
    const begun = performance.now();
    const closing = server.close({ timeout: 60_000 });
    let closed = false;
    closing.then(() => {
      closed = true;
    });
    await turns(20);
    expect(closed).toBe(false);
    answer.resolve();
    expect(await slow).toBe(200);
    idle.destroy();
    await within(closing);
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  test('does not wait for who has connected and sent nothing', async () => {
    const server = await start();
    const clients = Array.from({ length: 5 }, () => new RawClient(server.port));
    await Promise.all(clients.map(({ socket }) => next(socket, 'connect')));
    // The server has seen them once it has answered one that came later.
    (await RawClient.open(server.port)).socket.destroy();
    await until(() => server.size === 0);
    const begun = performance.now();
    await within(server.close({ timeout: 60_000 }));
    expect(performance.now() - begun).toBeLessThan(20_000);
    await until(() => clients.every(({ ended, closed }) => ended || closed));
  });

  test('cuts off at its timeout who is in the middle of a request', async () => {
    const server = await start();
    const client = new RawClient(server.port);
    client.write('GET / HTT');
    await next(client.socket, 'connect');
    (await RawClient.open(server.port)).socket.destroy();
    await until(() => server.size === 0);
    const begun = performance.now();
    await within(server.close({ timeout: 150 }));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(140);
    expect(performance.now() - begun).toBeLessThan(9000);
    await until(() => client.ended || client.closed);
  });

  test.for([-1, Number.NaN, '7' as unknown as number])(
    'a timeout of %o is refused, and nothing is closed',
    async (timeout) => {
      const server = await start();
      const refused = server.close({ timeout });
      await expect(refused).rejects.toBeInstanceOf(LocalProtocolError);
      await expect(refused).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('timeout'),
      });
      await RawClient.open(server.port);
    },
  );

  test('from a handler', async () => {
    let closing: Promise<void> | undefined;
    const server = await start({
      message: () => {
        closing = server.close();
      },
    });
    const ws = await connectWs(server.port);
    const closed = next(ws, 'close');
    ws.send('x');
    expect((await closed)[0]).toBe(1001);
    await within(closing as Promise<void>);
  });

  test('from upgrade: 503', async () => {
    const server = await start({
      upgrade: () => {
        server.close();
      },
    });
    const client = await RawClient.ask(server.port, request());
    expect(client.head).toMatch(/^HTTP\/1\.1 503 /);
    await within(server.close());
  });

  test('a timeout beyond what timers can do is none', async () => {
    const server = await start({ closeTimeout: 1e12 });
    let opened: Peer | undefined;
    for (const peer of server.connections()) opened = peer;
    expect(opened).toBeUndefined();
    const client = await RawClient.open(server.port);
    const closing = server.close();
    await client.closeCode();
    await turns(20);
    expect(client.ended || client.closed).toBe(false);
    client.write(closeFrame(1001));
    client.socket.end();
    await within(closing);
  });
});
