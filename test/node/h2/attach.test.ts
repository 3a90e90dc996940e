/** WebSockets on servers of node:http2 that somebody else has made. */

import type { RequestListener } from 'node:http';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ENHANCE_YOUR_CALM } from '../../../src/node/h2/codes.js';
import { type AttachOptions, accept, attach, type Peer, reject } from '../../../src/node/index.js';
import { atEnd, closeFrame, deferred, frame, next, recording, request, turns, until, within } from '../support.js';
import { openTls, serverTls } from '../support-streams.js';
import { GOAWAY, HEADERS, headersFrame, rstFrame } from './frames.js';
import { sessions } from './leftovers.js';
import { ASKED, answer, framesTo, H2Client, openSession } from './support.js';

type AnyServer = Http2Server | Http2SecureServer;
type Kind = 'h2c' | 'h2';
const KINDS: readonly Kind[] = ['h2c', 'h2'];

const page = (_request: Http2ServerRequest, response: Http2ServerResponse) => response.end('a page');

function web(kind: Kind, listener?: typeof page, options: SecureServerOptions = {}): AnyServer {
  return kind === 'h2c' ? createServer(options, listener) : createSecureServer({ ...serverTls, ...options }, listener);
}

/** Listens, and ends its sessions when the test ends. */
async function listening(server: AnyServer): Promise<number> {
  atEnd(() => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const session of sessions.server) session.destroy();
    return closed;
  });
  server.listen(0, '127.0.0.1');
  await next(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** An attachment that is closed before its server. */
function attached<Data = unknown>(server: AnyServer, options: AttachOptions<Data> = {}) {
  const attachment = attach(server, options);
  atEnd(() => attachment.close({ timeout: 0 }));
  return attachment;
}

const echo: AttachOptions = { message: (ws, data) => ws.send(data) };
const sessionOf = (kind: Kind, port: number) => openSession(port, { plain: kind === 'h2c' });

async function echoes(client: H2Client, word = 'hello'): Promise<void> {
  client.write(frame(1, word));
  await until(() => client.texts.includes(word) || client.closed);
  expect(client.texts).toContain(word);
}

/** An ordinary request. */
async function get(session: Awaited<ReturnType<typeof openSession>>, path = '/') {
  const stream = session.request({ ':path': path });
  let body = '';
  stream.on('data', (chunk) => {
    body += chunk;
  });
  const [headers] = (await next(stream, 'response')) as [IncomingHttpHeaders];
  await until(() => stream.closed);
  return { status: headers[':status'], body };
}

/** What is listened to on a server, by whom ever. */
const listeners = (server: AnyServer) =>
  Object.fromEntries(server.eventNames().map((name) => [name, server.listenerCount(name as string)]));

describe.for(KINDS)('attach to a server of node:http2, %s', (kind) => {
  test.for(['before', 'after'] as const)('%s it listens, beside ordinary requests', async (when) => {
    const server = web(kind, page);
    if (when === 'before') attached(server, echo);
    const port = await listening(server);
    if (when === 'after') attached(server, echo);
    const session = await sessionOf(kind, port);
    expect(session.remoteSettings.enableConnectProtocol).toBe(true);
    const client = await H2Client.open(session);
    await echoes(client);
    expect(await get(session)).toEqual({ status: 200, body: 'a page' });
    await echoes(client, 'again');
    client.write(closeFrame(1000));
    expect(await client.closeCode()).toEqual([1000, '']);
    client.end();
    await until(() => client.closed);
    expect(await get(session)).toEqual({ status: 200, body: 'a page' });
  });

  test('without a listener to requests', async () => {
    const server = web(kind);
    attached(server, { path: '/chat', ...echo });
    const session = await sessionOf(kind, await listening(server));
    await echoes(await H2Client.open(session, { ':path': '/chat' }));
    const other = await new H2Client(session, { ':path': '/other' }).answered();
    expect(other.status).toBe(404);
    await until(() => other.closed);
  });

  test('what upgrade is told', async () => {
    const asked = deferred<unknown[]>();
    const server = web(kind, page);
    attached(server, {
      upgrade: ({ httpVersion, remoteAddress, remotePort, tls, host, headers, path }) => {
        asked.resolve([
          httpVersion,
          remoteAddress,
          remotePort > 0,
          tls?.alpnProtocol ?? null,
          host,
          headers.host,
          path,
        ]);
      },
    });
    const port = await listening(server);
    const session = await sessionOf(kind, port);
    await H2Client.open(session, { ':path': '/a?b' });
    const host = kind === 'h2' ? `localhost:${port}` : `127.0.0.1:${port}`;
    expect(await asked.promise).toEqual(['2.0', '127.0.0.1', true, kind === 'h2' ? 'h2' : null, host, host, '/a']);
  });

  test('several with paths: the first that matches takes it, nobody’s is 404, another protocol 501', async () => {
    const server = web(kind, page);
    const taken: string[] = [];
    const named = (name: string, path: string | RegExp): AttachOptions => ({ path, open: () => void taken.push(name) });
    const first = attached(server, named('first', '/chat'));
    attached(server, named('rooms', /^\/rooms\/\d+$/));
    attached(server, named('second', /^\/(chat|more)$/));
    const session = await sessionOf(kind, await listening(server));
    for (const path of ['/chat', '/rooms/1?x=/y', '/more', '/chat?x']) await H2Client.open(session, { ':path': path });
    expect(taken).toEqual(['first', 'rooms', 'second', 'first']);
    for (const [headers, status] of [
      [{ ':path': '/rooms/x' }, 404],
      [{ ':path': '/chat', ':protocol': 'connect-udp' }, 501],
    ] as const) {
      const client = await new H2Client(session, headers).answered();
      expect(client.status).toBe(status);
      await until(() => client.closed);
    }
    await within(first.close({ timeout: 0 }));
    await H2Client.open(session, { ':path': '/chat' });
    expect(taken.at(-1)).toBe('second');
  });

  test("beside a 'stream' listener of the user's own", async () => {
    const server = web(kind);
    const seen: unknown[] = [];
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      if (headers[':protocol'] !== undefined) {
        if (headers[':path'] !== '/theirs') return;
        seen.push(headers[':path']);
        // An answer that takes its time: nobody may have given one meanwhile.
        setImmediate(() => {
          stream.respond({ ':status': 200 });
          stream.end('theirs');
        });
        return;
      }
      stream.respond({ ':status': 200 });
      stream.end('streamed');
    });
    attached(server, { path: '/ours', ...echo });
    const session = await sessionOf(kind, await listening(server));
    expect(await get(session)).toEqual({ status: 200, body: 'streamed' });
    await echoes(await H2Client.open(session, { ':path': '/ours' }));
    const theirs = await new H2Client(session, { ':path': '/theirs' }).finished();
    expect([`${theirs.bytes}`, seen]).toEqual(['theirs', ['/theirs']]);
    theirs.end();
  });

  test("a 'stream' listener that answers all streams has the last word", async () => {
    const server = web(kind);
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 418 });
      stream.end();
    });
    const attachment = attached(server, { ...echo, open: () => expect.unreachable() });
    const session = await sessionOf(kind, await listening(server));
    const client = await new H2Client(session).answered();
    expect([client.status, attachment.size]).toEqual([418, 0]);
    client.end();
    await until(() => client.closed);
  });

  test("beside a 'connect' listener of the user's own: what is not ours is theirs", async () => {
    const server = web(kind, page);
    const theirs: unknown[] = [];
    server.on('connect', (asked: Http2ServerRequest, response: Http2ServerResponse) => {
      if (asked.url === '/ours') return;
      theirs.push([asked.headers[':protocol'], asked.url]);
      // An answer that takes its time.
      setImmediate(() => {
        response.writeHead(418);
        response.end();
      });
    });
    attached(server, { path: '/ours', ...echo });
    const session = await sessionOf(kind, await listening(server));
    await echoes(await H2Client.open(session, { ':path': '/ours' }));
    for (const headers of [{ ':path': '/theirs' }, { ':path': '/theirs', ':protocol': 'connect-udp' }]) {
      const client = await new H2Client(session, headers).answered();
      expect(client.status).toBe(418);
      client.end();
    }
    expect(theirs).toEqual([
      ['websocket', '/theirs'],
      ['connect-udp', '/theirs'],
    ]);
  });

  test('detaching leaves the server as it was, and its sessions alone', async () => {
    const server = web(kind, page);
    const port = await listening(server);
    const before = listeners(server);
    const one = attach(server, { path: '/one', ...echo });
    const two = attach(server, { path: '/two', ...echo });
    const session = await sessionOf(kind, port);
    const [a, b] = [
      await H2Client.open(session, { ':path': '/one' }),
      await H2Client.open(session, { ':path': '/two' }),
    ];
    expect([one.size, two.size]).toEqual([1, 1]);
    const closing = one.close({ code: 1012, reason: 'moved' });
    expect(await a.closeCode()).toEqual([1012, 'moved']);
    a.write(closeFrame(1012));
    a.end();
    await within(closing);
    await echoes(b);
    expect((await new H2Client(session, { ':path': '/one' }).answered()).status).toBe(404);
    await within(two.close({ timeout: 0 }));
    await until(() => b.closed);
    expect(listeners(server)).toEqual(before);
    expect(session.destroyed).toBe(false);
    expect(await get(session)).toEqual({ status: 200, body: 'a page' });
    // Nobody is there any more for a CONNECT: that is Node's own answer.
    const late = await new H2Client(session, { ':path': '/one' }).answered();
    expect(late.status).toBe(405);
    late.end();
    const again = attached(server, echo);
    await echoes(await H2Client.open(await sessionOf(kind, port)));
    expect(again.size).toBe(1);
  });

  test('closing an attachment refuses what is pending with 503, and cuts off at its deadline', async () => {
    const server = web(kind, page);
    const asked = deferred();
    const attachment = attached(server, {
      upgrade: ({ path }) => {
        if (path !== '/pending') return undefined;
        asked.resolve();
        return new Promise<undefined>(() => {});
      },
    });
    const session = await sessionOf(kind, await listening(server));
    const deaf = await H2Client.open(session);
    const pending = new H2Client(session, { ':path': '/pending' });
    await asked.promise;
    const closing = attachment.close({ timeout: 100 });
    expect((await pending.answered()).status).toBe(503);
    await within(closing);
    await until(() => deaf.closed);
    expect([deaf.rstCode, session.destroyed]).toEqual([8, false]);
  });

  test('a rejection, thrown headers and all', async () => {
    const server = web(kind, page);
    attached(server, { upgrade: () => reject(403, 'no', { 'X-Why': 'because' }) });
    const session = await sessionOf(kind, await listening(server));
    const client = await new H2Client(session).finished();
    expect([client.status, `${client.bytes}`, client.headers['x-why']]).toEqual([403, 'no', 'because']);
    await until(() => client.closed);
  });

  test('an attachment while the client is connected is told to it, and may be used', async () => {
    const server = web(kind, page, { settings: { enableConnectProtocol: true } });
    const session = await sessionOf(kind, await listening(server));
    attached(server, echo);
    await echoes(await H2Client.open(session));
  });

  test("a server's session that ends with an error is an error of each WebSocket, and not the process's", async () => {
    const server = web(kind, page);
    const { log, handlers } = recording();
    attached(server, handlers);
    const session = await sessionOf(kind, await listening(server));
    await H2Client.open(session);
    await until(() => log.length === 1);
    sessions.server[0].destroy(new Error('enough'));
    await until(() => log.length === 3);
    expect(log).toMatchObject([['open'], ['error', { message: 'enough' }], ['close', 1006, '']]);
  });
});

describe('limits of somebody else’s server', () => {
  test('are its own; resets in quick succession end a session all the same', async () => {
    const server = createServer({ settings: { maxConcurrentStreams: 1000 } }, page);
    const attachment = attached(server, echo);
    const port = await listening(server);
    const frames = await framesTo(port, { plain: true });
    const asked = ASKED.map(([name, value]) => [name, name === ':scheme' ? 'http' : value] as const);
    frames.write(headersFrame(1, asked));
    await frames.frame(HEADERS, 1);
    for (let id = 3; id < 5000 && !frames.closed; id += 2) {
      frames.write(headersFrame(id, asked), rstFrame(id, 8));
      if (id % 100 === 1) await turns(1);
    }
    expect((await frames.frame(GOAWAY)).payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM);
    await until(() => frames.closed && attachment.size === 0);
    await echoes(await H2Client.open(await openSession(port, { plain: true })));
  });
});

describe('a server with allowHTTP1', () => {
  const mixed = (listener = page) =>
    createSecureServer({ ...serverTls, allowHTTP1: true }, listener as unknown as typeof page & RequestListener);

  test('takes WebSockets in both versions, and ordinary requests', async () => {
    const server = mixed();
    const versions: string[] = [];
    attached(server, {
      ...echo,
      upgrade: ({ httpVersion }) => {
        versions.push(httpVersion);
      },
    });
    const port = await listening(server);
    const one = await answer('1.1', port);
    expect(one.status).toBe(101);
    const session = await openSession(port);
    const two = await H2Client.open(session);
    one.write(frame(1, 'hello'));
    await one.framesUpTo(1);
    await echoes(two);
    expect([versions, one.texts]).toEqual([['1.1', '2.0'], ['hello']]);
    expect((await get(session)).body).toBe('a page');
    const plain = await openTls(port, { ALPNProtocols: ['http/1.1'] });
    await plain.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(plain.status).toBe(200);
    one.write(closeFrame(1000));
    one.end();
    await one.finished();
  });

  test('an upgrade for another path is 404, and a CONNECT over HTTP/1.1 gets its connection closed', async () => {
    const server = mixed();
    const attachment = attached(server, { path: '/chat', ...echo });
    const port = await listening(server);
    const other = await (await answer('1.1', port, { path: '/other' })).finished();
    expect(other.status).toBe(404);
    other.end();
    for (const detached of [false, true]) {
      if (detached) await attachment.close();
      const tunnel = await openTls(port, { ALPNProtocols: ['http/1.1'] });
      tunnel.socket.write('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n');
      await until(() => tunnel.closed || tunnel.ended, 'the connection to be closed');
      expect(tunnel.bytes.length).toBe(0);
      tunnel.socket.destroy();
    }
  });

  test("a CONNECT over HTTP/1.1 is left to a 'connect' listener of the user's own", async () => {
    const server = mixed();
    server.on('connect', ((_asked: unknown, socket: Socket) => {
      if ('stream' in socket) return;
      setImmediate(() => socket.end('HTTP/1.1 418 Other\r\nContent-Length: 0\r\n\r\n'));
    }) as never);
    attached(server, echo);
    const port = await listening(server);
    const tunnel = await openTls(port, { ALPNProtocols: ['http/1.1'] });
    await tunnel.ask('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n');
    expect(tunnel.status).toBe(418);
    tunnel.socket.end();
  });
});

describe("accept, from a 'connect' listener", () => {
  async function accepting(options: AttachOptions) {
    const server = createServer(page);
    const peers: Promise<Peer | null>[] = [];
    server.updateSettings({ enableConnectProtocol: true });
    server.on('connect', (asked: Http2ServerRequest, response: Http2ServerResponse) => {
      const peer = accept(asked, response.stream, Buffer.alloc(0), options);
      peer.catch(() => {});
      peers.push(peer);
    });
    const session = await openSession(await listening(server), { plain: true });
    return { session, peers };
  }

  test('a connection, as any other', async () => {
    const { session, peers } = await accepting(echo);
    const client = await H2Client.open(session, { ':path': '/any' });
    const peer = await peers[0];
    expect(peer?.remoteAddress).toBe('127.0.0.1');
    await echoes(client);
    expect((await get(session)).body).toBe('a page');
    peer?.close(4000, 'enough');
    expect(await client.closeCode()).toEqual([4000, 'enough']);
    client.write(closeFrame(4000));
    client.end();
    await until(() => client.closed);
  });

  test('refused, malformed or gone: null', async () => {
    const { session, peers } = await accepting({
      upgrade: ({ path, signal }) =>
        path === '/slow'
          ? new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)))
          : reject(403),
    });
    const refused = await new H2Client(session).answered();
    const malformed = await new H2Client(session, { 'sec-websocket-version': '1' }).answered();
    expect([refused.status, malformed.status]).toEqual([403, 400]);
    const slow = new H2Client(session, { ':path': '/slow' });
    await until(() => peers.length === 3);
    slow.reset();
    expect(await within(Promise.all(peers))).toEqual([null, null, null]);
    for (const client of [refused, malformed]) await until(() => client.closed);
  });

  test('the limits of one object of options hold for all calls', async () => {
    const { session } = await accepting({ maxConnections: 1 });
    await H2Client.open(session);
    const second = await new H2Client(session).answered();
    expect([second.status, second.headers['retry-after']]).toEqual([503, '5']);
    await until(() => second.closed);
  });

  test('options that are wrong leave the stream alone', async () => {
    const { session, peers } = await accepting({ maxMessageSize: -1 });
    const client = new H2Client(session);
    await until(() => peers.length === 1);
    await expect(peers[0]).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    expect([client.status, client.closed]).toEqual([0, false]);
    client.reset();
  });
});

test('requests of HTTP/1.1 in plain text to a server for h2c disturb nobody', async () => {
  const server = createServer(page);
  attached(server, echo);
  const port = await listening(server);
  const { createConnection } = await import('node:net');
  const plain = createConnection(port, '127.0.0.1');
  plain.on('error', () => {});
  plain.resume().write(request());
  await next(plain, 'close');
  await echoes(await H2Client.open(await openSession(port, { plain: true })));
});
