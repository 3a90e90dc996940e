/** Clients over HTTP/2 (RFC 8441): what they ask for, what they wait for, and how it ends. */

import { createServer as createHttp2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { WebSocket } from '../../../src/node/client/websocket.js';
import { WebSocketStream } from '../../../src/node/client/websocket-stream.js';
import { attach, type ConnectOptions, reject, type UpgradeRequest } from '../../../src/node/index.js';
import {
  DATA,
  END_STREAM,
  type FramePeer,
  HEADERS,
  h2Frame,
  headersFrame,
  rstFrame,
  settingsFrame,
} from '../h2/frames.js';
import { secure } from '../h2/support.js';
import { atEnd, deferred, next, noise, recording, turns, until, warningsDuring, within } from '../support.js';
import {
  ALLOW,
  acceptAll,
  frameServer,
  h2Server,
  living,
  okFrame,
  onRequests,
  overH2,
  ownSession,
  plainUrl,
  secureUrl,
  sessions,
} from './http2-support.js';
import { ca, listen, open, rawTlsServer, refusal, serverClose, serverFrame } from './support.js';

describe('a conversation', () => {
  test('connect, with our server', async () => {
    const asked = deferred<UpgradeRequest>();
    const server = await secure({
      upgrade: (request) => {
        asked.resolve(request);
        return { protocol: 'two', headers: { 'x-hello': 'there' } };
      },
      message: (ws, data) => ws.send(data),
    });
    const { log, handlers } = recording();
    const accepted = deferred<unknown>();
    const peer = await open(secureUrl(server.port, '/chat?x=1'), {
      ...overH2,
      ...handlers,
      protocols: ['one', 'two'],
      headers: { 'X-From': 'me', Cookie: 'a=1' },
      origin: 'https://example.com',
      accepted: (answer) => accepted.resolve(answer),
    });
    const request = await asked.promise;
    expect(request).toMatchObject({
      httpVersion: '2.0',
      target: '/chat?x=1',
      host: `localhost:${server.port}`,
      origin: 'https://example.com',
      subprotocols: ['one', 'two'],
    });
    expect(request.headers).toMatchObject({ 'x-from': 'me', cookie: 'a=1', 'sec-websocket-version': '13' });
    expect(request.headers['sec-websocket-key']).toBeUndefined();
    expect(await accepted.promise).toMatchObject({
      httpVersion: '2.0',
      protocol: 'two',
      headers: { 'x-hello': 'there' },
    });
    expect([peer.protocol, peer.remoteAddress]).toEqual(['two', '127.0.0.1']);
    peer.send('text');
    peer.send(noise(3_000_000));
    peer.ping(Buffer.from('there?'));
    await until(() => log.some(([name]) => name === 'pong') && log.filter(([name]) => name === 'message').length === 2);
    peer.close(4001, 'enough');
    await until(() => log.some(([name]) => name === 'close'));
    const messages = log.filter(([name]) => name === 'message').map(([, data]) => data);
    expect([messages[0], noise(3_000_000).equals(messages[1] as Buffer)]).toEqual(['text', true]);
    expect(log.at(-1)).toEqual(['close', 4001, '']);
    await until(() => server.size === 0);
    expect(server.stats().closes).toEqual({ 4001: 1 });
  });

  test('WebSocket', async () => {
    const server = await secure({ message: (ws, data) => ws.send(data) });
    const socket = new WebSocket(secureUrl(server.port), [], overH2);
    const events: unknown[] = [];
    const closed = deferred();
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => {
      events.push(data);
      socket.close(3000, 'done');
    };
    socket.onerror = () => events.push('error');
    socket.onclose = ({ wasClean, code, reason }) => {
      events.push([wasClean, code, reason]);
      closed.resolve();
    };
    await within(closed.promise);
    expect(events).toEqual(['hello', [true, 3000, '']]);
  });

  test('WebSocketStream', async () => {
    const server = await secure({ message: (ws, data) => ws.send(data) });
    const stream = new WebSocketStream(secureUrl(server.port), { ...overH2, protocols: [] });
    const { readable, writable } = await within(stream.opened);
    const writer = writable.getWriter();
    await writer.write('hello');
    const reader = readable.getReader();
    expect(await reader.read()).toEqual({ done: false, value: 'hello' });
    stream.close({ closeCode: 3001, reason: 'enough' });
    expect(await within(stream.closed)).toEqual({ closeCode: 3001, reason: '' });
    expect(await reader.read()).toEqual({ done: true, value: undefined });
  });

  test('permessage-deflate', async () => {
    const server = await secure({ perMessageDeflate: { threshold: 0 }, message: (ws, data) => ws.send(data) });
    const got = deferred<unknown>();
    const peer = await open(secureUrl(server.port), {
      ...overH2,
      perMessageDeflate: { threshold: 0 },
      message: (_ws, data) => got.resolve(data),
    });
    const text = 'the same words, '.repeat(1000);
    peer.send(text);
    expect(await within(got.promise)).toBe(text);
    expect(peer.bytesReceived).toBeLessThan(1000);
    peer.close();
    await until(() => server.size === 0);
  });

  test('ws: without TLS, with a server of h2c', async () => {
    const http = createHttp2Server();
    const attachment = attach(http, { message: (ws, data) => ws.send(data) });
    const port = await listen(http as never);
    atEnd(() => attachment.close({ timeout: 0 }));
    const got = deferred<unknown>();
    const peer = await open(plainUrl(port), { http2: true, message: (_ws, data) => got.resolve(data) });
    peer.send('in the clear');
    expect(await within(got.promise)).toBe('in the clear');
    peer.terminate();
  });

  test('what the server sends with its answer is handed out before the promise is heard of', async () => {
    const port = await frameServer((peer) =>
      onRequests(peer, (stream) =>
        peer.write(
          okFrame(stream),
          h2Frame(DATA, 0, stream, serverFrame(1, 'one')),
          h2Frame(DATA, END_STREAM, stream, Buffer.concat([serverFrame(1, 'two'), serverClose(4000, 'bye')])),
        ),
      ),
    );
    const { log, handlers } = recording();
    await open(secureUrl(port), { ...overH2, ...handlers });
    await until(() => log.length === 4);
    expect(log).toEqual([['open'], ['message', 'one'], ['message', 'two'], ['close', 4000, 'bye']]);
  });

  test.for([200, 204, 299])('%d accepts', async (status) => {
    const port = await frameServer((peer) =>
      onRequests(peer, (stream) =>
        peer.write(
          headersFrame(stream, [
            [':status', String(status)],
            ['x-status', String(status)],
          ]),
        ),
      ),
    );
    const accepted = deferred<IncomingHttpHeaders>();
    const peer = await open(secureUrl(port), { ...overH2, accepted: ({ headers }) => accepted.resolve(headers) });
    expect(await accepted.promise).toMatchObject({ 'x-status': String(status) });
    expect(peer.isOpen).toBe(true);
    peer.terminate();
  });

  test('1xx responses come first and mean nothing', async () => {
    const { port } = await h2Server((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.additionalHeaders({ ':status': 102 });
      setImmediate(() => acceptAll(stream, {}));
    });
    const peer = await open(secureUrl(port), overH2);
    expect(peer.isOpen).toBe(true);
    peer.terminate();
  });

  test('the request as it goes out', async () => {
    const seen = deferred<IncomingHttpHeaders>();
    const { port } = await h2Server((stream, headers) => {
      seen.resolve(headers);
      acceptAll(stream, headers);
    });
    const url = `wss://user:pass%20word@localhost:${port}/a/b?c=d`;
    const peer = await open(url, overH2);
    expect(await seen.promise).toMatchObject({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':authority': `localhost:${port}`,
      ':path': '/a/b?c=d',
      'sec-websocket-version': '13',
      authorization: `Basic ${Buffer.from('user:pass word').toString('base64')}`,
    });
    peer.terminate();
  });
});

describe('options that are wrong', () => {
  test.for<[string, ConnectOptions]>([
    ['http2', { http2: 1 as never }],
    ['http2', { http2: null as never }],
    ['http2', { http2: {} as never }],
    ['allowHTTP1', { http2: true, allowHTTP1: 'yes' as never }],
  ])('%s', async ([name, options]) => {
    const { connect } = await import('../../../src/node/index.js');
    await expect(connect('wss://localhost:1/', options)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(name),
    });
  });

  test('a header field that node:http2 does not take twice: an error, and the session goes on', async () => {
    const { port } = await h2Server(acceptAll);
    const first = await open(secureUrl(port), overH2);
    const error = await refusal(secureUrl(port), {
      ...overH2,
      headers: [
        ['authorization', 'a'],
        ['authorization', 'b'],
      ],
    });
    expect(error).toMatchObject({ code: 'INVALID_HEADER', cause: { code: 'ERR_HTTP2_HEADER_SINGLE_VALUE' } });
    expect([first.isOpen, sessions.client.length]).toEqual([true, 1]);
    first.terminate();
  });
});

describe('refused', () => {
  test('403 with a body', async () => {
    const server = await secure({ upgrade: () => reject(403, 'not you', { 'x-why': 'because' }) });
    const error = await refusal(secureUrl(server.port), overH2);
    expect(error).toMatchObject({
      code: 'UNEXPECTED_RESPONSE',
      statusCode: 403,
      headers: { 'x-why': 'because', 'content-length': '7' },
      message: expect.stringContaining('200 OK'),
    });
    expect(`${error.body}`).toBe('not you');
    await until(() => server.stats().connections.refused === 1);
  });

  test('without a body', async () => {
    const server = await secure({ upgrade: () => reject(401) });
    const error = await refusal(secureUrl(server.port), overH2);
    expect([error.code, error.statusCode, error.body.length]).toEqual(['UNEXPECTED_RESPONSE', 401, 0]);
  });

  test('a redirect', async () => {
    const server = await secure({ upgrade: () => reject(302, '', { location: 'https://example.com/' }) });
    expect(await refusal(secureUrl(server.port), overH2)).toMatchObject({
      code: 'REDIRECT',
      statusCode: 302,
      message: expect.stringContaining('https://example.com/'),
    });
  });

  test.for<[string, (stream: ServerHttp2Stream) => void]>([
    ['cut off by the client at 64 KiB', (stream) => void stream.write(Buffer.alloc(200_000, 'x'))],
    [
      'cut off by a reset',
      (stream) => {
        stream.write(Buffer.alloc(1000, 'x'), () => setImmediate(() => stream.close(8)));
      },
    ],
    [
      'cut off by another reset',
      (stream) => {
        stream.write(Buffer.alloc(1000, 'x'), () => setImmediate(() => stream.close(2)));
      },
    ],
    ['that never ends', (stream) => void stream.write(Buffer.alloc(1000, 'x'))],
    [
      'cut off by the end of the session',
      (stream) => {
        stream.write(Buffer.alloc(1000, 'x'), () => setTimeout(() => stream.session?.destroy(), 20));
      },
    ],
  ])('with a body %s', async ([, body]) => {
    const { port } = await h2Server((stream) => {
      stream.respond({ ':status': 400 });
      body(stream);
    });
    const error = await refusal(secureUrl(port), { ...overH2, handshakeTimeout: Number.POSITIVE_INFINITY });
    expect([error.code, error.statusCode]).toEqual(['UNEXPECTED_RESPONSE', 400]);
    expect(error.body.length).toBeGreaterThanOrEqual(1000);
    expect(error.body.length).toBeLessThanOrEqual(64 * 1024);
  });

  test('a body of another length than it says', async () => {
    const port = await frameServer((peer) =>
      onRequests(peer, (stream) =>
        peer.write(
          headersFrame(stream, [
            [':status', '400'],
            ['content-length', '10'],
          ]),
          h2Frame(DATA, END_STREAM, stream, Buffer.from('short')),
        ),
      ),
    );
    expect(await refusal(secureUrl(port), overH2)).toMatchObject({ code: 'UNEXPECTED_RESPONSE', statusCode: 400 });
  });

  test.for<[string, (stream: number) => Buffer[], string]>([
    [
      '400, and a reset in the middle of its body',
      (stream) => [
        headersFrame(stream, [[':status', '400']]),
        h2Frame(DATA, 0, stream, Buffer.from('part')),
        rstFrame(stream, 2),
      ],
      'UNEXPECTED_RESPONSE',
    ],
    ['a reset', (stream) => [rstFrame(stream, 2)], 'CONNECTION_FAILED'],
    ['a cancellation', (stream) => [rstFrame(stream, 8)], 'CONNECTION_FAILED'],
    ['a reset with NO_ERROR', (stream) => [rstFrame(stream, 0)], 'UNEXPECTED_EOF'],
    ['101', (stream) => [headersFrame(stream, [[':status', '101']])], 'CONNECTION_FAILED'],
    ['no status', (stream) => [headersFrame(stream, [['x', 'y']])], 'CONNECTION_FAILED'],
    [
      'an extension that was not offered',
      (stream) => [
        headersFrame(stream, [
          [':status', '200'],
          ['sec-websocket-extensions', 'x-y'],
        ]),
      ],
      'INVALID_EXTENSION',
    ],
    [
      'a subprotocol that was not offered',
      (stream) => [
        headersFrame(stream, [
          [':status', '200'],
          ['sec-websocket-protocol', 'z'],
        ]),
      ],
      'INVALID_SUBPROTOCOL',
    ],
  ])('by %s', async ([, answer, code]) => {
    const port = await frameServer((peer) => onRequests(peer, (stream) => peer.write(...answer(stream))));
    const error = await refusal(secureUrl(port), overH2);
    expect(error.code, error.message).toBe(code);
  });

  test('200 with END_STREAM is a connection that ends at once', async () => {
    const port = await frameServer((peer) => onRequests(peer, (stream) => peer.write(okFrame(stream, END_STREAM))));
    const { log, handlers } = recording();
    await open(secureUrl(port), { ...overH2, ...handlers });
    await until(() => log.length === 2);
    expect(log).toEqual([['open'], ['close', 1006, '']]);
  });

  test('header fields without end are too large', async () => {
    const { port } = await h2Server((stream) => {
      stream.respond({ ':status': 200, 'x-long': 'x'.repeat(3000) });
    });
    const error = await refusal(secureUrl(port), { ...overH2, maxHeaderSize: 1000 });
    expect(error.code).toBe('HEADERS_TOO_LARGE');
  });

  test('a subprotocol has to be chosen for a WebSocket', async () => {
    const { port } = await h2Server(acceptAll);
    const failed = deferred<unknown>();
    const socket = new WebSocket(secureUrl(port), ['one'], overH2);
    socket.onerror = ({ error }) => failed.resolve(error);
    expect(await within(failed.promise)).toMatchObject({ code: 'MISSING_SUBPROTOCOL' });
  });

  test('accepted that throws resets the stream, and the session goes on', async () => {
    const codes: number[] = [];
    const { port } = await h2Server((stream, headers) => {
      acceptAll(stream, headers);
      stream.on('close', () => codes.push(stream.rstCode));
    });
    const first = await open(secureUrl(port), overH2);
    const why = new Error('not this one');
    await expect(
      open(secureUrl(port), {
        ...overH2,
        accepted: () => {
          throw why;
        },
      }),
    ).rejects.toBe(why);
    await until(() => codes.length === 1);
    expect([codes, first.isOpen, sessions.server.length]).toEqual([[8], true, 1]);
    first.terminate();
  });
});

describe('settings', () => {
  test('late ones are waited for', async () => {
    const peer = deferred<FramePeer>();
    let allowed = false;
    const port = await frameServer((made) => {
      made.onFrame = ({ type, stream }) => {
        if (type === HEADERS) made.write(okFrame(stream));
        // Settings come before all else.
        return !allowed;
      };
      peer.resolve(made);
    });
    const connecting = open(secureUrl(port), overH2);
    const server = await peer.promise;
    await until(() => server.frames.length > 0);
    await turns(30);
    expect(server.of(HEADERS)).toEqual([]);
    allowed = true;
    server.write(ALLOW);
    const client = await connecting;
    expect(server.of(HEADERS)).toHaveLength(1);
    client.terminate();
  });

  test('that never come: HANDSHAKE_TIMEOUT, which says what was waited for', async () => {
    const port = await frameServer((peer) => {
      peer.onFrame = () => true;
    });
    expect(await refusal(secureUrl(port), { ...overH2, handshakeTimeout: 100 })).toMatchObject({
      code: 'HANDSHAKE_TIMEOUT',
      message: expect.stringContaining('an HTTP/2 session'),
    });
  });

  test('without the setting: CONNECT_PROTOCOL_DISABLED', async () => {
    for (const plain of [false, true]) {
      const { port } = await h2Server(() => expect.unreachable(), {
        plain,
        settings: { enableConnectProtocol: false },
      });
      const url = plain ? plainUrl(port) : secureUrl(port);
      expect(await refusal(url, overH2)).toMatchObject({
        code: 'CONNECT_PROTOCOL_DISABLED',
        message: expect.stringContaining('does not take WebSockets'),
      });
    }
    await until(() => living().length === 0);
  });

  test('empty ones: CONNECT_PROTOCOL_DISABLED', async () => {
    const port = await frameServer((peer) => peer.write(settingsFrame()));
    expect(await refusal(secureUrl(port), overH2)).toMatchObject({ code: 'CONNECT_PROTOCOL_DISABLED' });
  });

  test('with the setting in a second frame, before anything is answered', async () => {
    const port = await frameServer((peer) => {
      onRequests(peer, (stream) => peer.write(okFrame(stream)), settingsFrame({ 3: 100 }));
      peer.write(ALLOW);
    });
    const client = await open(secureUrl(port), overH2);
    client.terminate();
  });
});

describe("a session of the caller's own", () => {
  test('is used, and left open', async () => {
    const server = await secure({
      upgrade: ({ path }) => (path === '/no' ? reject(403) : undefined),
      message: (ws, data) => ws.send(data),
    });
    const session = await ownSession(`https://localhost:${server.port}`);
    const before = session.eventNames().length;
    const got = deferred<unknown>();
    const peer = await open(secureUrl(server.port), { http2: session, message: (_ws, data) => got.resolve(data) });
    peer.send('hello');
    expect(await within(got.promise)).toBe('hello');
    expect([sessions.client.length, sessions.server.length]).toEqual([1, 1]);
    peer.close();
    await until(() => server.size === 0);
    await turns(30);
    expect([session.closed, session.destroyed]).toEqual([false, false]);
    expect(session.eventNames().length).toBeLessThanOrEqual(before + 1);
    // Neither is it closed by one that fails.
    expect((await refusal(secureUrl(server.port, '/no'), { http2: session })).statusCode).toBe(403);
    expect(session.destroyed).toBe(false);
  });

  test('many at once, on one that is connecting yet, without a warning of listeners', async () => {
    const warnings = await warningsDuring(async () => {
      const server = await secure();
      const { connect } = await import('node:http2');
      const session = connect(`https://localhost:${server.port}`, { ca });
      session.on('error', () => {});
      atEnd(() => session.destroy());
      const peers = await Promise.all(
        Array.from({ length: 50 }, () => open(secureUrl(server.port), { http2: session })),
      );
      expect([server.size, sessions.server.length]).toEqual([50, 1]);
      for (const peer of peers) peer.close();
      await until(() => server.size === 0);
      expect(session.destroyed).toBe(false);
    });
    expect(warnings).toEqual([]);
  });

  test('that is closed, or destroyed: an error', async () => {
    const server = await secure();
    for (const how of ['close', 'destroy'] as const) {
      const session = await ownSession(`https://localhost:${server.port}`);
      session[how]();
      expect(await refusal(secureUrl(server.port), { http2: session })).toMatchObject({
        code: 'CONNECTION_FAILED',
        message: expect.stringContaining('closed'),
      });
    }
  });

  test('that dies while its settings are waited for', async () => {
    const port = await frameServer((peer) => {
      peer.onFrame = () => true;
    });
    const session = await ownSession(`https://localhost:${port}`);
    const failing = refusal(secureUrl(port), { http2: session });
    await turns(20);
    session.destroy();
    expect(await failing).toMatchObject({
      code: 'CONNECTION_FAILED',
      message: expect.stringContaining('settings'),
    });
  });

  test('that cannot connect', async () => {
    const { connect } = await import('node:http2');
    const session = connect('http://127.0.0.1:1');
    session.on('error', () => {});
    expect(await refusal('ws://127.0.0.1:1/', { http2: session })).toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  test('with the setting in a second frame, some time after the first', async () => {
    const made = deferred<FramePeer>();
    const port = await frameServer((peer) => {
      onRequests(peer, (stream) => peer.write(okFrame(stream)), settingsFrame({ 3: 100 }));
      made.resolve(peer);
    });
    const session = await ownSession(`https://localhost:${port}`);
    await next(session, 'remoteSettings');
    expect(await refusal(secureUrl(port), { http2: session })).toMatchObject({ code: 'CONNECT_PROTOCOL_DISABLED' });
    (await made.promise).write(ALLOW);
    await next(session, 'remoteSettings');
    const peer = await open(secureUrl(port), { http2: session });
    peer.terminate();
  });

  test('the settings that never come', async () => {
    const port = await frameServer((peer) => {
      peer.onFrame = () => true;
    });
    const session = await ownSession(`https://localhost:${port}`);
    const error = await refusal(secureUrl(port), { http2: session, handshakeTimeout: 100 });
    expect(error).toMatchObject({
      code: 'HANDSHAKE_TIMEOUT',
      message: expect.stringContaining('settings of the HTTP/2 session'),
    });
    expect(session.destroyed).toBe(false);
  });
});

describe('the end of the connection', () => {
  test('by the server, with a FIN and no more: 1006', async () => {
    const made = deferred<FramePeer>();
    const port = await frameServer((peer) => {
      onRequests(peer, (stream) => peer.write(okFrame(stream)));
      made.resolve(peer);
    });
    const { log, handlers } = recording();
    await open(secureUrl(port), { ...overH2, ...handlers });
    (await made.promise).socket.end();
    await until(() => log.length === 2);
    expect(log).toEqual([['open'], ['close', 1006, '']]);
  });
});

describe('time and giving up', () => {
  /** What the server hears of each stream. */
  function silent() {
    const codes: number[] = [];
    const asked = deferred();
    const server = h2Server((stream) => {
      asked.resolve();
      stream.on('close', () => codes.push(stream.rstCode)).resume();
    });
    return { server, codes, asked };
  }

  test('silence after the request: the stream is reset, the session may serve others', async () => {
    const { server, codes } = silent();
    const { port } = await server;
    const error = await refusal(secureUrl(port), { ...overH2, handshakeTimeout: 100 });
    expect(error).toMatchObject({ code: 'HANDSHAKE_TIMEOUT', message: expect.stringContaining('an answer') });
    await until(() => codes.length === 1);
    expect(codes).toEqual([8]);
    expect(living()).toHaveLength(1);
  });

  test('silence in TLS', async () => {
    const { port } = await listenSilently();
    const error = await refusal(`wss://127.0.0.1:${port}/`, { ...overH2, handshakeTimeout: 100 });
    expect(error).toMatchObject({ code: 'HANDSHAKE_TIMEOUT', message: expect.stringContaining('an HTTP/2 session') });
  });

  test('a signal: before, at once, while there is no session, while there is no answer', async () => {
    const aborted = AbortSignal.abort(new Error('no'));
    expect(await refusal('wss://localhost:1/', { ...overH2, signal: aborted })).toMatchObject({
      code: 'ABORTED',
      cause: aborted.reason,
    });

    const atOnce = new AbortController();
    const first = refusal('wss://localhost:1/', { ...overH2, signal: atOnce.signal });
    atOnce.abort('why');
    expect(await first).toMatchObject({ code: 'ABORTED', cause: 'why' });

    const { port } = await listenSilently();
    const connecting = new AbortController();
    const second = refusal(`wss://127.0.0.1:${port}/`, { ...overH2, signal: connecting.signal });
    await turns(10);
    connecting.abort();
    expect((await second).code).toBe('ABORTED');

    const { server, codes, asked } = silent();
    const waiting = new AbortController();
    const third = refusal(secureUrl((await server).port), { ...overH2, signal: waiting.signal });
    await asked.promise;
    waiting.abort();
    expect((await third).code).toBe('ABORTED');
    await until(() => codes.length === 1);
    expect(codes).toEqual([8]);
  });

  test('a signal does nothing once open', async () => {
    const server = await secure({ message: (ws, data) => ws.send(data) });
    const abort = new AbortController();
    const got = deferred<unknown>();
    const peer = await open(secureUrl(server.port), {
      ...overH2,
      signal: abort.signal,
      message: (_ws, data) => got.resolve(data),
    });
    abort.abort();
    peer.send('still here');
    expect(await within(got.promise)).toBe('still here');
  });

  test('WebSocket.close while connecting', async () => {
    const { server, codes, asked } = silent();
    const socket = new WebSocket(secureUrl((await server).port), [], overH2);
    const events: string[] = [];
    socket.onerror = () => events.push('error');
    socket.onclose = ({ code }) => events.push(`close ${code}`);
    await asked.promise;
    socket.close();
    await until(() => events.length === 2 && codes.length === 1);
    expect([events, codes]).toEqual([['error', 'close 1006'], [8]]);
  });
});

describe('where to', () => {
  test('nobody listens', async () => {
    expect(await refusal('wss://127.0.0.1:1/', overH2)).toMatchObject({
      code: 'CONNECTION_FAILED',
      cause: { code: 'ECONNREFUSED' },
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('a stream of the user’s own, and TLS over it', async () => {
    const server = await secure();
    const targets: unknown[] = [];
    const peer = await open('wss://localhost/', {
      ...overH2,
      createConnection: (target) => {
        targets.push(target);
        return createConnection(server.port, '127.0.0.1');
      },
    });
    expect(targets).toMatchObject([{ host: 'localhost', port: 443, secure: true }]);
    peer.close();
    const { port } = server;
    const own = await open('wss://localhost/', {
      http2: true,
      createConnection: async () =>
        connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: ['h2'] }),
    });
    own.close();
    await until(() => server.size === 0);
  });

  test('a stream that cannot be made', async () => {
    const why = new Error('no tunnel');
    const failing = [
      () => Promise.reject(why),
      () => {
        throw why;
      },
    ];
    for (const createConnection of failing) {
      expect(await refusal('wss://localhost/', { ...overH2, createConnection })).toMatchObject({
        code: 'CONNECTION_FAILED',
        cause: why,
      });
    }
    const dead = new Duplex({ read() {}, write() {} }).destroy();
    const options = { ...overH2, createConnection: () => dead };
    expect((await refusal('ws://localhost/', options)).code).toBe('CONNECTION_FAILED');
  });

  test('a stream that comes too late is closed', async () => {
    const late = deferred<Duplex>();
    const error = await refusal('ws://localhost/', {
      http2: true,
      handshakeTimeout: 50,
      createConnection: () => late.promise,
    });
    expect(error.code).toBe('HANDSHAKE_TIMEOUT');
    const stream = new Duplex({ read() {}, write() {} });
    late.resolve(stream);
    await until(() => stream.destroyed);
  });

  test('h2c over a Unix socket', async () => {
    const path = join(tmpdir(), `millrace-h2-${process.pid}.sock`);
    const http = createHttp2Server();
    const hosts: string[] = [];
    const attachment = attach(http, {
      upgrade: ({ host, remoteAddress }) => {
        hosts.push(host, remoteAddress);
      },
      message: (ws, data) => ws.send(data),
    });
    await listen(http as never, { path });
    atEnd(() => attachment.close({ timeout: 0 }));
    const got = deferred<unknown>();
    const options = { http2: true, socketPath: path } as const;
    const peer = await open('ws://inside.example/there', { ...options, message: (_ws, data) => got.resolve(data) });
    const other = await open('ws://inside.example/', options);
    peer.send('through');
    expect(await within(got.promise)).toBe('through');
    expect([hosts, peer.remoteAddress, sessions.server.length]).toEqual([
      ['inside.example', '', 'inside.example', ''],
      '',
      1,
    ]);
    for (const each of [peer, other]) each.terminate();
  });

  test('an unknown authority, another name, and TLS that is not spoken', async () => {
    const { port } = await h2Server(acceptAll);
    expect(await refusal(secureUrl(port), { http2: true })).toMatchObject({
      code: 'CONNECTION_FAILED',
      cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    });
    expect(await refusal(secureUrl(port), { http2: true, tls: { ca, servername: 'other.example' } })).toMatchObject({
      code: 'CONNECTION_FAILED',
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
    const { port: plain } = await h2Server(acceptAll, { plain: true });
    expect(await refusal(secureUrl(plain), overH2)).toMatchObject({ code: 'TLS_NOT_SPOKEN' });
  });

  test('ws: to a server for TLS', async () => {
    const { port } = await h2Server(acceptAll);
    const error = await refusal(plainUrl(port), overH2);
    expect(error.code).toBe('HTTP2_NOT_SPOKEN');
  });

  test('a TLS server that hangs up before it has said anything of HTTP/2', async () => {
    const port = await rawTlsServer((socket) => socket.destroy(), { ALPNProtocols: ['h2'] });
    expect(await refusal(secureUrl(port), overH2)).toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  test('a server that chose h2 and says something else', async () => {
    const port = await rawTlsServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), {
      ALPNProtocols: ['h2'],
    });
    expect(await refusal(secureUrl(port), overH2)).toMatchObject({ code: 'CONNECTION_FAILED' });
  });
});

async function listenSilently(): Promise<{ port: number }> {
  const { rawServer } = await import('./support.js');
  return { port: await rawServer((socket: Socket) => socket.resume().on('end', () => socket.end())) };
}
