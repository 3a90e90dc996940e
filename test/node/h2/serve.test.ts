/** `serve` with TLS speaks both versions of HTTP on one port. */

import type { IncomingMessage } from 'node:http';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { get as httpsGet, request as httpsRequest } from 'node:https';
import { createConnection } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { ENHANCE_YOUR_CALM } from '../../../src/node/h2/codes.js';
import { LocalProtocolError, type ServeOptions, serve } from '../../../src/node/index.js';
import { wheel } from '../../../src/node/wheel.js';
import { atEnd, closeFrame, frame, next, request, until } from '../support.js';
import { ca, openTls, serverTls } from '../support-streams.js';
import { FramePeer, GOAWAY, HEADERS, headersFrame, PREFACE, rstFrame, SETTINGS, settingsFrame } from './frames.js';
import { sessions } from './leftovers.js';
import { ASKED, framesTo, H2Client, openSession, secure } from './support.js';

/** An ordinary request over HTTP/2. */
async function fetchOn(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, body = '') {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === '' });
  if (body !== '') stream.end(body);
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [received] = (await next(stream, 'response')) as [IncomingHttpHeaders];
  if (!stream.readableEnded) await next(stream, 'end');
  return { status: received[':status'], headers: received, body: `${Buffer.concat(chunks)}` };
}

/** What a connection that offers these protocols ends up with. */
async function chosen(port: number, ALPNProtocols: string[]): Promise<string | false | null> {
  const client = await openTls(port, { ALPNProtocols });
  const { alpnProtocol } = client.socket;
  if (client.error !== null) throw client.error;
  client.socket.destroy();
  return alpnProtocol;
}

describe('ALPN', () => {
  test('offers h2 and http/1.1; whoever names none gets HTTP/1.1', async () => {
    const server = await secure();
    expect(await chosen(server.port, ['h2', 'http/1.1'])).toBe('h2');
    expect(await chosen(server.port, ['http/1.1', 'h2'])).toBe('h2');
    expect(await chosen(server.port, ['http/1.1'])).toBe('http/1.1');
    const none = await openTls(server.port);
    expect(none.socket.alpnProtocol).toBe(false);
    expect(await none.ask()).toContain('101');
    none.socket.end(closeFrame(1000));
    await expect(chosen(server.port, ['spdy/1'])).rejects.toThrow(/no application protocol/i);
  });

  test('http2: false offers HTTP/1.1 alone', async () => {
    const server = await secure({ http2: false });
    const client = await openTls(server.port, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(client.socket.alpnProtocol).not.toBe('h2');
    expect(await client.ask()).toContain('101');
    client.socket.end(closeFrame(1000));
  });

  test("a list of the user's own", async () => {
    const server = await secure({ tls: { ...serverTls, ALPNProtocols: ['http/1.1'] } });
    expect(await chosen(server.port, ['h2', 'http/1.1'])).toBe('http/1.1');
    const only = await secure({ tls: { ...serverTls, ALPNProtocols: ['h2'] } });
    expect(await chosen(only.port, ['h2', 'http/1.1'])).toBe('h2');
    await H2Client.open(await openSession(only.port));
  });

  test("a callback of the user's own", async () => {
    const asked: unknown[] = [];
    const server = await secure({
      tls: {
        ...serverTls,
        ALPNCallback: ({ servername, protocols }) => {
          asked.push([servername, protocols]);
          return 'h2';
        },
      },
    });
    expect(await chosen(server.port, ['http/1.1', 'h2'])).toBe('h2');
    expect(asked).toEqual([['localhost', ['http/1.1', 'h2']]]);
  });

  test('WebSockets in both versions at once, on one port', async () => {
    const versions: string[] = [];
    const server = await secure({
      upgrade: ({ httpVersion }) => {
        versions.push(httpVersion);
      },
      message: (ws, data) => ws.send(data),
    });
    const one = await openTls(server.port, { ALPNProtocols: ['http/1.1'] });
    await one.ask();
    const session = await openSession(server.port);
    const [two, three] = [await H2Client.open(session), await H2Client.open(session)];
    expect(versions).toEqual(['1.1', '2.0', '2.0']);
    expect([server.size, sessions.server.length]).toEqual([3, 1]);
    for (const client of [two, three]) client.write(frame(1, 'hello'));
    one.socket.write(frame(1, 'hello'));
    await two.framesUpTo(1);
    await three.framesUpTo(1);
    await until(() => one.frames.length === 1);
    expect([...two.texts, ...three.texts, `${one.frames[0].payload}`]).toEqual(['hello', 'hello', 'hello']);
  });
});

describe('settings', () => {
  test('the defaults', async () => {
    const session = await openSession((await secure()).port);
    expect(session.remoteSettings).toMatchObject({
      enableConnectProtocol: true,
      maxConcurrentStreams: 256,
      maxHeaderListSize: 32 * 1024,
    });
  });

  test('limits that are given', async () => {
    const session = await openSession((await secure({ maxHeaderSize: 5000, http2: { maxConcurrentStreams: 3 } })).port);
    expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: 3, maxHeaderListSize: 10_000 });
  });

  test('without limits', async () => {
    const server = await secure({
      maxHeaderSize: Number.POSITIVE_INFINITY,
      maxHeaderFields: Number.POSITIVE_INFINITY,
      handshakeTimeout: Number.POSITIVE_INFINITY,
      http2: { maxResetRate: Number.POSITIVE_INFINITY, sessionTimeout: Number.POSITIVE_INFINITY },
    });
    const session = await openSession(server.port);
    expect(session.remoteSettings.enableConnectProtocol).toBe(true);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'x'.repeat(100)]));
    const client = await H2Client.open(session, many);
    client.write(closeFrame(1000));
    await client.closeCode();
  });

  test('a stream above maxConcurrentStreams is refused, and may be tried again', async () => {
    const server = await secure({ http2: { maxConcurrentStreams: 2 } });
    const frames = await framesTo(server.port);
    for (const id of [1, 3, 5]) frames.write(headersFrame(id, ASKED));
    expect(await frames.reset(5)).toBe(7);
    expect(frames.of(HEADERS).map(({ stream }) => stream)).toEqual([1, 3]);
    expect(server.size).toBe(2);
    frames.write(rstFrame(1, 8));
    await until(() => server.size === 1);
    frames.write(headersFrame(7, ASKED));
    await frames.frame(HEADERS, 7);
  });

  test('they come before the client has sent anything', async () => {
    const server = await secure();
    const options = { port: server.port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: ['h2'] };
    const socket = connectTls(options);
    atEnd(() => socket.destroy());
    const frames = new FramePeer(socket, false);
    frames.onFrame = () => true;
    const { payload } = await frames.frame(SETTINGS);
    const ids = Array.from({ length: payload.length / 6 }, (_, i) => payload.readUInt16BE(6 * i));
    expect(ids).toEqual(expect.arrayContaining([3, 6, 8]));
    frames.write(PREFACE, settingsFrame());
  });

  test.for<[string, ServeOptions]>([
    ['http2', { tls: serverTls, http2: 1 as never }],
    ['http2', { tls: serverTls, http2: null as never }],
    ['http2 needs tls', { http2: true }],
    ['http2 needs tls', { http2: {} }],
    ['http2.maxConcurrentStreams', { tls: serverTls, http2: { maxConcurrentStreams: 0 } }],
    ['http2.maxConcurrentStreams', { tls: serverTls, http2: { maxConcurrentStreams: 1.5 } }],
    ['http2.maxConcurrentStreams', { tls: serverTls, http2: { maxConcurrentStreams: 2 ** 31 } }],
    ['http2.maxConcurrentStreams', { tls: serverTls, http2: { maxConcurrentStreams: Number.POSITIVE_INFINITY } }],
    ['http2.maxResetRate', { tls: serverTls, http2: { maxResetRate: -1 } }],
    ['http2.maxResetRate', { tls: serverTls, http2: { maxResetRate: '9' as never } }],
    ['http2.sessionTimeout', { tls: serverTls, http2: { sessionTimeout: Number.NaN } }],
  ])('a wrong %s is refused by name', async ([name, options]) => {
    const wrong = await serve(options).catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(LocalProtocolError);
    expect(wrong).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
  });

  test.for<[string, ServeOptions]>([
    ['http2: false without tls', { http2: false }],
    ['http2: undefined', { http2: undefined as never }],
    ['limits that are undefined', { tls: serverTls, http2: { maxResetRate: undefined as never } }],
  ])('%s is right', async ([, options]) => {
    const server = await secure({ tls: undefined as never, ...options });
    expect(server.port).toBeGreaterThan(0);
  });
});

describe('ordinary requests', () => {
  const agentless = (port: number) => ({ port, host: '127.0.0.1', servername: 'localhost', ca, agent: false });

  async function overHttp1(port: number, method = 'GET') {
    const asked = httpsRequest({ ...agentless(port), method }).end();
    const [response] = (await next(asked, 'response')) as [IncomingMessage];
    let body = '';
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode, headers: response.headers, body };
  }

  test('a handler of the user’s answers in both versions', async () => {
    const server = await secure({
      request: (asked, response) => {
        let body = '';
        asked.on('data', (chunk) => {
          body += chunk;
        });
        asked.on('end', () => {
          response.writeHead(200, { 'x-version': asked.httpVersion });
          response.end(`${asked.method} ${asked.url} ${body}`);
        });
      },
    });
    const session = await openSession(server.port);
    expect(await fetchOn(session, { ':path': '/page?x' })).toMatchObject({
      status: 200,
      body: 'GET /page?x ',
      headers: { 'x-version': '2.0' },
    });
    expect((await fetchOn(session, { ':method': 'POST' }, 'a body')).body).toBe('POST / a body');
    expect(await overHttp1(server.port)).toMatchObject({
      status: 200,
      body: 'GET / ',
      headers: { 'x-version': '1.1' },
    });
  });

  test('by default 405 that allows CONNECT, over HTTP/1.1 426 with Upgrade', async () => {
    const server = await secure();
    const session = await openSession(server.port);
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const { status, headers, body } = await fetchOn(session, { ':method': method });
      expect([status, headers['allow'], headers['upgrade'], headers['connection']]).toEqual([
        405,
        'CONNECT',
        undefined,
        undefined,
      ]);
      expect(body).toContain('WebSocket');
    }
    const { status, headers } = await overHttp1(server.port);
    expect([status, headers.upgrade]).toEqual([426, 'websocket']);
  });

  test('beside WebSockets of the same session', async () => {
    const server = await secure({
      message: (ws, data) => ws.send(data),
      request: (_asked, response) => response.end('page'),
    });
    const session = await openSession(server.port);
    const client = await H2Client.open(session);
    expect((await fetchOn(session)).body).toBe('page');
    client.write(frame(1, 'still here'));
    await client.framesUpTo(1);
    expect(client.texts).toEqual(['still here']);
    expect(sessions.server).toHaveLength(1);
    client.write(closeFrame(1000));
    await client.closeCode();
    client.end();
    await until(() => client.closed);
    expect((await fetchOn(session)).body).toBe('page');
  });

  test('a handler that throws over HTTP/1.1 aside, what a request does is not counted among WebSockets', async () => {
    const server = await secure({ request: (_asked, response) => response.end() });
    await fetchOn(await openSession(server.port));
    await new Promise((resolve) =>
      httpsGet(agentless(server.port), (response) => response.resume().on('end', resolve)),
    );
    expect(server.stats().connections).toEqual({ open: 0, opening: 0, total: 0, refused: 0, peak: 0 });
  });
});

describe('sessions', () => {
  test('one without a stream is closed after sessionTimeout, one with a WebSocket is not', async () => {
    const server = await secure({ http2: { sessionTimeout: 100 } });
    const session = await openSession(server.port);
    const client = await H2Client.open(session);
    const other = await openSession(server.port);
    const done = new H2Client(other);
    await done.answered();
    done.write(closeFrame(1000));
    done.end();
    await until(() => other.destroyed, 'the idle session to be closed');
    expect(session.destroyed).toBe(false);
    client.write(frame(9, 'x'));
    await client.framesUpTo(1);
  });

  test('one that never has a stream is closed after handshakeTimeout', async () => {
    const server = await secure({ handshakeTimeout: 100 });
    const session = await openSession(server.port);
    await until(() => session.destroyed);
  });

  test('who sends something else than HTTP/2 after choosing it', async () => {
    const server = await secure();
    const client = await openTls(server.port, { ALPNProtocols: ['h2'] });
    client.socket.write(request());
    await until(() => client.closed || client.ended);
    client.socket.destroy();
    await H2Client.open(await openSession(server.port));
  });

  test('plain HTTP/2 to the port of TLS', async () => {
    const server = await secure();
    const socket = createConnection(server.port, '127.0.0.1');
    atEnd(() => socket.destroy());
    const frames = new FramePeer(socket, false);
    frames.write(PREFACE, settingsFrame());
    await until(() => frames.closed);
  });

  test.for([8, 0, 5])('resets with %d in quick succession end the session, by name, and no other', async (code) => {
    const errors: unknown[] = [];
    const server = await secure({
      http2: { maxConcurrentStreams: 5, maxResetRate: 1 },
      error: (_ws, error) => errors.push(error),
    });
    const good = await H2Client.open(await openSession(server.port));
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, ASKED));
    await frames.frame(HEADERS, 1);
    for (let id = 3; id < 40 && !frames.closed; id += 2) frames.write(headersFrame(id, ASKED), rstFrame(id, code));
    const goaway = await frames.frame(GOAWAY);
    expect(goaway.payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM);
    await until(() => server.size === 1);
    expect(errors).toContainEqual(expect.objectContaining({ code: 'TOO_MANY_RESETS' }));
    good.write(frame(9, 'x'));
    await good.framesUpTo(1);
  });

  test('maxResetRate without a limit: also of resets within one millisecond', async () => {
    const server = await secure({ http2: { maxConcurrentStreams: 1, maxResetRate: Number.POSITIVE_INFINITY } });
    const frames = await framesTo(server.port);
    const { now } = wheel;
    atEnd(() => {
      wheel.now = now;
    });
    const moment = wheel.now();
    wheel.now = () => moment;
    for (let id = 1; id < 10; id += 2) {
      frames.write(headersFrame(id, ASKED));
      await frames.frame(HEADERS, id);
      expect(server.size).toBe(1);
      frames.write(rstFrame(id, 8));
      await until(() => server.size === 0);
    }
    expect(frames.of(GOAWAY)).toEqual([]);
  });

  test('streams that the server resets itself do not count', async () => {
    const server = await secure({
      http2: { maxConcurrentStreams: 2, maxResetRate: 0.001 },
      open: (ws) => ws.terminate(),
    });
    const session = await openSession(server.port);
    for (let i = 0; i < 10; i++) {
      const client = new H2Client(session);
      await until(() => client.closed);
      expect(client.rstCode).toBe(8);
    }
    expect(session.destroyed).toBe(false);
  });
});
