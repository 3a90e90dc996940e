/** WebSockets on HTTP servers that somebody else has made. */

import { EventEmitter } from 'node:events';
import { createServer, get, type Server as HttpServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { type AttachOptions, attach, LocalProtocolError } from '../../src/node/index.js';
import {
  atEnd,
  closeFrame,
  connectWs,
  deferred,
  frame,
  next,
  RawClient,
  recording,
  request,
  turns,
  until,
  within,
} from './support.js';
import { ca, openTls, serverTls } from './support-streams.js';

async function listening<Server extends HttpServer>(http: Server): Promise<number> {
  atEnd(() => {
    http.closeAllConnections();
    return new Promise((resolve) => http.close(resolve));
  });
  http.listen(0, '127.0.0.1');
  await next(http, 'listening');
  return (http.address() as AddressInfo).port;
}

/** An attachment that is closed before its server. */
function attached<Data = unknown>(http: HttpServer, options: AttachOptions<Data> = {}) {
  const attachment = attach(http, options);
  atEnd(() => attachment.close({ timeout: 0 }));
  return attachment;
}

const web = () => createServer((_request, response) => response.end('a page'));
const line = (path: string) => request({}, `GET ${path} HTTP/1.1`);
const echo: AttachOptions = { message: (ws, data) => ws.send(data) };

async function statusAt(port: number, bytes: string): Promise<string> {
  const client = await RawClient.ask(port, bytes);
  return client.head.split(' ', 2)[1];
}

describe('attach', () => {
  test.for(['before', 'after'] as const)('%s the server listens', async (when) => {
    const http = web();
    if (when === 'before') attached(http, echo);
    const port = await listening(http);
    if (when === 'after') attached(http, echo);
    const ws = await connectWs(port);
    const answer = next(ws, 'message');
    ws.send('hello');
    expect(`${(await answer)[0]}`).toBe('hello');
    const client = await RawClient.ask(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(client.body).toContain('a page');
    ws.terminate();
  });

  test('to a server of node:https: half-open, with TLS told of', async () => {
    const https = createSecureServer(serverTls, (_request, response) => response.end('a page'));
    const { handlers, log } = recording();
    let servername: unknown;
    const attachment = attached(https, {
      ...handlers,
      upgrade: ({ tls }) => {
        servername = tls?.servername;
      },
      message: async (ws, data) => {
        await turns(3);
        ws.send(data);
      },
    });
    const port = await listening(https);
    const client = await openTls(port);
    expect(await client.ask()).toMatch(/^HTTP\/1\.1 101 /);
    expect(servername).toBe('localhost');
    client.socket.end(Buffer.concat([frame(1, 'last words'), closeFrame(1000)]));
    await until(() => client.ended);
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([1, 8]);
    expect(log.at(-1)).toEqual(['close', 1000, '']);
    await until(() => attachment.size === 0);
  });

  test('several paths on one server: the first that matches takes a request', async () => {
    const http = web();
    const taken: string[] = [];
    const named = (name: string, path: string | RegExp): AttachOptions => ({
      path,
      open: (ws) => {
        taken.push(name);
        ws.close();
      },
    });
    attached(http, named('chat', '/chat'));
    attached(http, named('rooms', /^\/rooms\/\d+$/g));
    attached(http, named('second', /^\/(chat|more)$/y));
    const port = await listening(http);
    for (const path of ['/chat', '/rooms/1', '/rooms/22?a=/b', '/more', '/chat?x', '/rooms/3']) {
      await RawClient.open(port, undefined, line(path));
    }
    expect(taken).toEqual(['chat', 'rooms', 'rooms', 'second', 'chat', 'rooms']);
    expect(await statusAt(port, line('/rooms/x'))).toBe('404');
    expect(await statusAt(port, line('/'))).toBe('404');
    expect(http.listenerCount('upgrade')).toBe(1);
  });

  test('what is for another protocol gets 426 where nobody else listens', async () => {
    const http = web();
    attached(http, { path: '/chat' });
    const port = await listening(http);
    const client = await RawClient.ask(port, request({ Upgrade: 'h2c' }, 'GET /chat HTTP/1.1'));
    expect(client.head).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
    expect(client.head).toMatch(/Upgrade: websocket\r\nConnection: close, Upgrade\r\n/);
  });

  test.for(['before', 'after'] as const)('what is not ours is left to a listener added %s', async (when) => {
    const http = web();
    const others: [string | undefined, string | undefined][] = [];
    const other = ({ url, headers }: IncomingMessage, stream: Duplex) => {
      if (url === '/chat' && headers.upgrade === 'websocket') return;
      others.push([url, headers.upgrade]);
      // An answer that takes its time: nobody may have touched the stream meanwhile.
      setImmediate(() => stream.end('HTTP/1.1 418 Other\r\nContent-Length: 0\r\n\r\n'));
    };
    if (when === 'before') http.on('upgrade', other);
    attached(http, { path: '/chat' });
    if (when === 'after') http.on('upgrade', other);
    const port = await listening(http);
    expect(await statusAt(port, line('/other'))).toBe('418');
    expect(await statusAt(port, request({ Upgrade: 'h2c' }, 'GET /chat HTTP/1.1'))).toBe('418');
    await RawClient.open(port, undefined, line('/chat'));
    expect(others).toEqual([
      ['/other', 'websocket'],
      ['/chat', 'h2c'],
    ]);
  });

  test('beside a WebSocketServer of ws', async () => {
    const http = web();
    const theirs = new WebSocketServer({ noServer: true });
    http.on('upgrade', (incoming, stream, head) => {
      if (incoming.url === '/ws') theirs.handleUpgrade(incoming, stream, head, (ws) => ws.send('theirs'));
    });
    attached(http, { path: '/ours', open: (ws) => ws.send('ours') });
    const port = await listening(http);
    for (const [path, word] of [
      ['/ws', 'theirs'],
      ['/ours', 'ours'],
    ]) {
      const client = await RawClient.open(port, undefined, line(path));
      expect(`${(await client.frameAt(0)).payload}`).toBe(word);
    }
  });

  test('our limits of the header block hold within those of the server', async () => {
    const http = web();
    attached(http, { maxHeaderFields: 6 });
    const port = await listening(http);
    expect(await statusAt(port, request({ 'X-1': '', 'X-2': '' }))).toBe('431');
    expect((await RawClient.open(port, undefined, request({ 'X-1': '' }))).head).toContain('101');
  });

  test('behind a request that is not answered yet: cut off', async () => {
    const gate = deferred();
    const http = createServer(async (_request, response) => {
      await gate.promise;
      response.end('late');
    });
    const attachment = attached(http, { path: '/chat' });
    const port = await listening(http);
    for (const path of ['/chat', '/nobody']) {
      const client = new RawClient(port);
      client.isHttp = true;
      client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n', line(path));
      await until(() => client.ended || client.closed, 'the connection to be cut off');
      expect(client.head).toBe('');
    }
    expect(attachment.stats().connections.total).toBe(0);
    gate.resolve();
    await turns();
  });

  test.for<[string, unknown, unknown]>([
    ['first argument', {}, {}],
    ['first argument', undefined, {}],
    ['path', new EventEmitter(), { path: 'chat' }],
    ['path', new EventEmitter(), { path: '/chat?x' }],
    ['path', new EventEmitter(), { path: 7 }],
    ['maxMessageSize', new EventEmitter(), { maxMessageSize: -1 }],
  ])('a wrong %s is refused, and nothing listens', ([name, http, options]) => {
    const wrong = () => attach(http as HttpServer, options as AttachOptions);
    expect(wrong).toThrow(LocalProtocolError);
    expect(wrong).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) }));
    if (http instanceof EventEmitter) expect(http.listenerCount('upgrade')).toBe(0);
  });
});

describe('closing an attachment', () => {
  test('closes its connections, and leaves the server and the others alone', async () => {
    const http = web();
    const one = attached(http, { path: '/one', ...echo });
    const two = attached(http, { path: '/two', ...echo });
    const port = await listening(http);
    const [a, b] = await Promise.all([connectWs(port, { path: '/one' }), connectWs(port, { path: '/two' })]);
    expect([one.size, two.size]).toEqual([1, 1]);
    const closed = next(a, 'close');
    for (const peer of one.connections()) peer.send('last words');
    const last = next(a, 'message');
    await within(one.close({ code: 1012, reason: 'moved' }));
    expect(`${(await last)[0]}`).toBe('last words');
    expect((await closed).map(String)).toEqual(['1012', 'moved']);
    expect([one.size, two.size]).toEqual([0, 1]);
    expect(await statusAt(port, line('/one'))).toBe('404');
    const answer = next(b, 'message');
    b.send('still here');
    expect(`${(await answer)[0]}`).toBe('still here');
    await connectWs(port, { path: '/two' });

    expect(http.listenerCount('upgrade')).toBe(1);
    await within(two.close());
    expect(http.listenerCount('upgrade')).toBe(0);
    const page = get({ port, host: '127.0.0.1', agent: false });
    const [response] = (await next(page, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
  });

  test('refuses pending handshakes with 503, and waits for nobody else', async () => {
    const http = web();
    const asked = deferred();
    const attachment = attached(http, {
      upgrade: () => {
        asked.resolve();
        return new Promise<undefined>(() => {});
      },
    });
    const port = await listening(http);
    const idle = new RawClient(port);
    const client = new RawClient(port);
    client.isHttp = true;
    client.write(request());
    await asked.promise;
    const closing = attachment.close();
    await until(() => client.ended);
    expect(client.head).toMatch(/^HTTP\/1\.1 503 /);
    client.socket.end();
    await within(closing);
    expect(idle.closed).toBe(false);
  });

  test('cuts off at its timeout who does not answer', async () => {
    const http = web();
    const attachment = attached(http);
    const port = await listening(http);
    const client = await RawClient.open(port);
    await within(attachment.close({ timeout: 100 }));
    expect(attachment.size).toBe(0);
    await until(() => client.closed || client.ended);
  });

  test('and attaching anew', async () => {
    const http = web();
    const port = await listening(http);
    for (let i = 0; i < 3; i++) {
      const attachment = attach(http, { open: (ws) => ws.send(`${i}`) });
      const client = await RawClient.open(port);
      expect(`${(await client.frameAt(0)).payload}`).toBe(`${i}`);
      client.write(closeFrame(1000));
      client.socket.end();
      await within(attachment.close());
      expect(http.listenerCount('upgrade')).toBe(0);
    }
  });
});

test('a client of ws over TLS', async () => {
  const https = createSecureServer(serverTls);
  attached(https, { open: (ws) => ws.send('hello') });
  const port = await listening(https);
  const ws = new WebSocket(`wss://localhost:${port}`, { ca });
  atEnd(() => ws.terminate());
  expect(`${(await next(ws, 'message'))[0]}`).toBe('hello');
});
