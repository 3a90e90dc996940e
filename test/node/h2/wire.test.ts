/**
 * Extended CONNECT on the wire (RFC 8441, RFC 9113 §8): requests with hand-made headers, through node:http2 where that
 * sends them and in frames where it would not, and every way in which a stream or a session can end.
 */

import type { Http2Session, OutgoingHttpHeaders } from 'node:http2';
import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR, NO_ERROR } from '../../../src/node/h2/codes.js';
import { reject, type ServeOptions } from '../../../src/node/index.js';
import {
  atEnd,
  closeFrame,
  concat,
  deferred,
  frame,
  type Log,
  next,
  noise,
  recording,
  turns,
  until,
  warningsDuring,
} from '../support.js';
import {
  DATA,
  END_STREAM,
  FramePeer,
  GOAWAY,
  goawayFrame,
  HEADERS,
  h2Frame,
  headersFrame,
  INITIAL_WINDOW_SIZE,
  PREFACE,
  RST_STREAM,
  rstFrame,
  settingsFrame,
  WINDOW_UPDATE,
} from './frames.js';
import { sessions } from './leftovers.js';
import { ASK, ASKED, ca, framesTo, H2Client, openSession, secure } from './support.js';

/** The socket itself; what a session shows of it cannot be destroyed. */
function socketOf(session: Http2Session): Socket | undefined {
  return session.socket?.on('close', () => {});
}

const PROTOCOL_ERROR = 1;
const STREAM_CLOSED = 5;

/** A server that writes down what happens, and a session. */
async function recorded(options: ServeOptions = {}) {
  const { log, handlers } = recording();
  const server = await secure({ ...handlers, ...options });
  return { log, server, session: await openSession(server.port) };
}

const named = (log: Log, name: string) => log.filter(([found]) => found === name);

/** The fields without some, and with others. */
function asked(changes: Readonly<Record<string, string | null>>): [string, string][] {
  const kept = ASKED.filter(([name]) => !(name in changes)).map(([name, value]): [string, string] => [name, value]);
  const added = Object.entries(changes).filter((entry): entry is [string, string] => entry[1] !== null);
  // Pseudo-headers go first, whatever they are.
  return [
    ...added.filter(([name]) => name.startsWith(':')),
    ...kept,
    ...added.filter(([name]) => !name.startsWith(':')),
  ];
}

describe('requests', () => {
  test.for<[string, OutgoingHttpHeaders, number, OutgoingHttpHeaders]>([
    ['with another :protocol', { ':protocol': 'connect-udp' }, 501, {}],
    ['with :protocol in other letters', { ':protocol': 'WebSocket' }, 200, {}],
    ['with a wrong version', { 'sec-websocket-version': '8' }, 400, { 'sec-websocket-version': '13' }],
    ['without a version', { 'sec-websocket-version': undefined }, 400, {}],
    ['with a bad subprotocol', { 'sec-websocket-protocol': 'a b' }, 400, {}],
    ['with subprotocols that repeat', { 'sec-websocket-protocol': 'a, a' }, 400, {}],
    ['with a bad extension', { 'sec-websocket-extensions': 'x;;' }, 400, {}],
    ['with a body announced', { 'content-length': '5' }, 400, {}],
    ['with another scheme', { ':scheme': 'ftp' }, 400, {}],
    ['with a key, which is not looked at', { 'sec-websocket-key': 'x' }, 200, {}],
  ])('%s', async ([, headers, status, more]) => {
    const { log, server, session } = await recorded();
    const given = Object.fromEntries(Object.entries({ ...ASK, ...headers }).filter(([, value]) => value !== undefined));
    const stream = session.request(given, { endStream: false });
    const response = deferred<OutgoingHttpHeaders>();
    stream.on('response', (received) => response.resolve(received));
    stream.on('error', () => {});
    stream.resume();
    expect(await response.promise).toMatchObject({ ':status': status, ...more });
    if (status === 200) {
      stream.close(CANCEL);
      return;
    }
    await until(() => stream.closed);
    expect([stream.rstCode, log, server.stats().connections.refused]).toEqual([NO_ERROR, [], 1]);
    // The session is none the worse for it.
    await H2Client.open(session);
  });

  test('a CONNECT for a tunnel: 501', async () => {
    const { session, log } = await recorded();
    const stream = session.request({ ':method': 'CONNECT', ':authority': 'example.com:443' }, { endStream: false });
    const status = deferred<unknown>();
    stream.on('response', (headers) => status.resolve(headers[':status']));
    stream.resume();
    expect(await status.promise).toBe(501);
    await until(() => stream.closed);
    expect(log).toEqual([]);
  });

  test('END_STREAM with the request: 400', async () => {
    const { session, log, server } = await recorded();
    const client = await new H2Client(session, {}, { endStream: true }).answered();
    expect(client.status).toBe(400);
    await until(() => client.closed);
    expect([client.rstCode, log, server.size]).toEqual([NO_ERROR, [], 0]);
  });

  test.for<[string, [string, string][]]>([
    ['without :path', asked({ ':path': null })],
    ['with a :path that is none', asked({ ':path': '*' })],
    ['with a :path without a slash', asked({ ':path': 'chat' })],
    ['with an empty :path', asked({ ':path': '' })],
    ['without :scheme', asked({ ':scheme': null })],
    ['without :authority', asked({ ':authority': null })],
    ['without :method', asked({ ':method': null })],
    ['with a pseudo-header of responses', asked({ ':status': '200' })],
    ['with an unknown pseudo-header', asked({ ':other': 'x' })],
    ['with :path twice', [...asked({}).slice(0, 4), [':path', '/other'], ...asked({}).slice(4)]],
    ['with a pseudo-header behind a field', [...asked({ ':authority': null }), [':authority', 'localhost']]],
    ['with Connection', asked({ connection: 'upgrade' })],
    ['with Upgrade', asked({ upgrade: 'websocket' })],
    ['with Transfer-Encoding', asked({ 'transfer-encoding': 'chunked' })],
    ['with Keep-Alive', asked({ 'keep-alive': '1' })],
    ['with Proxy-Connection', asked({ 'proxy-connection': 'x' })],
    ['with TE', asked({ te: 'gzip' })],
    ['with a field in upper-case letters', asked({ 'X-Upper': '1' })],
    ['with :protocol on another method', asked({ ':method': 'GET' })],
    ['with userinfo in :authority', asked({ ':authority': 'user@localhost' })],
  ])('malformed, %s: refused, by whom ever, and nobody else is disturbed', async ([, fields]) => {
    const { log, server } = await recorded();
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, ASKED));
    await frames.frame(HEADERS, 1);
    frames.write(headersFrame(3, fields));
    // What comes of it is a stream error, or an answer and then RST_STREAM(NO_ERROR).
    const code = await frames.reset(3);
    const answered = frames.of(HEADERS, 3).length > 0;
    expect(code).toBe(answered ? NO_ERROR : PROTOCOL_ERROR);
    expect(log).toEqual([['open']]);
    frames.write(h2Frame(DATA, 0, 1, frame(1, 'still here')));
    await until(() => named(log, 'message').length === 1);
    frames.write(headersFrame(5, ASKED));
    await frames.frame(HEADERS, 5);
    expect(server.size).toBe(2);
  });

  test.for<[string, number, number]>([
    ['over maxHeaderSize: 431', 1200, 431],
    ['over twice that: reset by node:http2', 3000, 0],
  ])('a header block %s', async ([, size, status]) => {
    const { log, session } = await recorded({ maxHeaderSize: 1000 });
    const client = new H2Client(session, { 'x-long': 'x'.repeat(size) });
    await until(() => client.closed);
    expect(client.status).toBe(status);
    if (status === 0) expect(client.rstCode).toBe(ENHANCE_YOUR_CALM);
    expect(log).toEqual([]);
    await H2Client.open(session);
  });

  test('a header block in many CONTINUATION frames without an end', async () => {
    const { log, server } = await recorded();
    const frames = await framesTo(server.port);
    frames.write(h2Frame(HEADERS, 0, 1, new Uint8Array(0)));
    for (let i = 0; i < 100 && !frames.closed; i++) {
      frames.write(
        h2Frame(
          9,
          0,
          1,
          Buffer.concat([Buffer.of(0, 1, 0x61, 127, 0x81, 0x7f), Buffer.alloc(16_384, 0x62)]).subarray(0, 16_000),
        ),
      );
      await turns(1);
    }
    await until(() => frames.closed || frames.of(GOAWAY).length > 0 || frames.of(RST_STREAM, 1).length > 0);
    expect(log).toEqual([]);
    await H2Client.open(await openSession(server.port));
  });

  test.for(['accept', 'reject'] as const)(
    'header fields that node:http2 does not take twice, to %s: 500',
    async (how) => {
      const headers = [
        ['content-type', 'a/b'],
        ['content-type', 'c/d'],
      ] as const;
      const warnings = await warningsDuring(async () => {
        const { log, session, server } = await recorded({
          upgrade: () => (how === 'accept' ? { headers } : reject(403, 'no', headers)),
        });
        const client = new H2Client(session);
        await until(() => client.closed);
        if (how === 'accept') expect([client.status, client.rstCode]).toEqual([500, NO_ERROR]);
        else expect([client.status, client.rstCode]).toEqual([0, INTERNAL_ERROR]);
        expect([log, server.size]).toEqual([[], 0]);
        expect(session.destroyed).toBe(false);
      });
      expect(warnings).toHaveLength(1);
    },
  );

  test('what upgrade answers about a connection is left out', async () => {
    const headers = { 'Keep-Alive': 'timeout=5', 'X-A': '1' };
    const { session } = await recorded({
      upgrade: ({ path }) => (path === '/' ? { headers } : reject(403, '', { Connection: 'close', ...headers })),
    });
    for (const path of ['/', '/no']) {
      const client = await new H2Client(session, { ':path': path }).answered();
      expect(client.headers).toMatchObject({ ':status': path === '/' ? 200 : 403, 'x-a': '1' });
      expect(client.headers['connection'] ?? client.headers['keep-alive']).toBeUndefined();
    }
  });

  test('a field whose value is none does not reach upgrade', async () => {
    const seen = deferred<unknown>();
    const { server } = await recorded({
      upgrade: ({ headers }) => {
        seen.resolve(headers);
      },
    });
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, asked({ 'x-bad': 'a\r\nx-smuggled: b', 'x-good': 'c' })));
    const headers = await seen.promise;
    expect(headers).toMatchObject({ 'x-good': 'c' });
    expect(Object.keys(headers as object)).not.toContain('x-smuggled');
  });

  test('cookies in crumbs, and a host of its own', async () => {
    const seen = deferred<unknown>();
    const { server } = await recorded({
      upgrade: ({ headers, host }) => {
        seen.resolve([headers.cookie, host, headers.host]);
      },
    });
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, [...ASKED, ['cookie', 'a=1'], ['cookie', 'b=2'], ['host', 'other.example']]));
    expect(await seen.promise).toEqual(['a=1; b=2', 'localhost', 'localhost']);
  });
});

describe('DATA', () => {
  test('before the answer is delivered behind it, and none is lost', async () => {
    const gate = deferred<object>();
    const { log, session } = await recorded({ upgrade: () => gate.promise });
    const client = new H2Client(session);
    const payload = noise(30_000);
    client.write(concat(frame(1, 'early'), frame(2, payload)));
    // A ping goes behind the data, so what came before its answer is there.
    await new Promise((resolve) => session.ping(resolve));
    expect([log, client.status]).toEqual([[], 0]);
    gate.resolve({});
    await until(() => log.length === 3);
    expect(log).toEqual([['open'], ['message', 'early'], ['message', payload]]);
  });

  test('before the answer is bounded by the window of its stream', async () => {
    const gate = deferred<object>();
    let stream: { readableLength: number } | null = null;
    const { server } = await recorded({
      upgrade: ({ incoming }) => {
        stream = (incoming as unknown as { stream: { readableLength: number } }).stream;
        return gate.promise;
      },
    });
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, ASKED));
    await until(() => stream !== null);
    const chunk = Buffer.alloc(16_000);
    for (let i = 0; i < 4; i++) frames.write(h2Frame(DATA, 0, 1, chunk));
    await until(() => stream?.readableLength === 64_000);
    // More than the window allows is an error of the peer's (RFC 9113 §6.9.1).
    frames.write(h2Frame(DATA, 0, 1, chunk));
    await until(() => frames.closed || frames.of(RST_STREAM, 1).length + frames.of(GOAWAY).length > 0);
    await until(() => server.stats().connections.opening === 0);
  });

  test('after the end of a stream does no harm', async () => {
    const { log, server } = await recorded();
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, ASKED));
    await frames.frame(HEADERS, 1);
    frames.write(h2Frame(DATA, END_STREAM, 1, frame(1, 'last')), h2Frame(DATA, 0, 1, frame(1, 'too late')));
    await until(() => named(log, 'close').length === 1);
    expect(named(log, 'message')).toEqual([['message', 'last']]);
    await until(() => frames.of(RST_STREAM, 1).length + frames.of(GOAWAY).length > 0);
    const [reset] = frames.of(RST_STREAM, 1);
    if (reset !== undefined) expect([STREAM_CLOSED, NO_ERROR]).toContain(reset.payload.readUInt32BE(0));
  });

  test('of a stream that nobody opened ends the session, and no other', async () => {
    const { server, session } = await recorded();
    const client = await H2Client.open(session);
    const frames = await framesTo(server.port);
    frames.write(h2Frame(DATA, 0, 1, frame(1, 'x')));
    await until(() => frames.closed || frames.of(GOAWAY).length > 0);
    client.write(frame(9, 'x'));
    await client.framesUpTo(1);
  });

  test('split at every byte, with padding and empty frames', async () => {
    const { log, server } = await recorded();
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, ASKED));
    const bytes = concat(frame(1, 'héllo'), frame(9, 'p'), closeFrame(1000, 'done'));
    const PADDED = 0x8;
    for (const [i] of bytes.entries()) {
      frames.write(
        h2Frame(DATA, 0, 1),
        h2Frame(DATA, PADDED, 1, concat(Buffer.of(3), bytes.subarray(i, i + 1), Buffer.alloc(3))),
      );
    }
    await until(() => named(log, 'close').length === 1);
    expect(log).toEqual([['open'], ['message', 'héllo'], ['ping', Buffer.from('p')], ['close', 1000, 'done']]);
  });
});

/** A client in frames with a WebSocket on stream 1. */
async function openFrames(port: number): Promise<FramePeer> {
  const frames = await framesTo(port);
  frames.write(headersFrame(1, ASKED));
  await frames.frame(HEADERS, 1);
  return frames;
}

describe('the end of a stream', () => {
  test('in order: Close, the answer and END_STREAM, and both sides are done with NO_ERROR', async () => {
    const { log, session, server } = await recorded();
    const client = await H2Client.open(session);
    client.write(closeFrame(1000, 'bye'));
    await client.finished();
    expect(await client.closeCode()).toEqual([1000, '']);
    client.end();
    await until(() => client.closed && server.size === 0);
    expect([client.rstCode, client.error]).toEqual([NO_ERROR, null]);
    expect(log).toEqual([['open'], ['close', 1000, 'bye']]);
  });

  test('END_STREAM without a Close: 1006, no error, and the stream ends in order', async () => {
    const { log, session, server } = await recorded();
    const client = await H2Client.open(session);
    client.write(frame(1, 'last'));
    client.end();
    await until(() => client.closed && server.size === 0);
    expect([client.rstCode, client.ended, client.frames]).toEqual([NO_ERROR, true, []]);
    expect(log).toEqual([['open'], ['message', 'last'], ['close', 1006, '']]);
    expect(session.destroyed).toBe(false);
  });

  test.for([CANCEL, NO_ERROR])('RST_STREAM(%d): 1006 without an error', async (code) => {
    const { log, server } = await recorded();
    const frames = await openFrames(server.port);
    frames.write(rstFrame(1, code));
    await until(() => server.size === 0);
    expect(log).toEqual([['open'], ['close', 1006, '']]);
    frames.write(headersFrame(3, ASKED));
    await frames.frame(HEADERS, 3);
  });

  test('RST_STREAM(NO_ERROR) where much is still to be sent: 1006 and gone at once, though nothing was read', async () => {
    const { log, server } = await recorded({
      message: (ws, data) => {
        for (let i = 0; i < 10; i++) ws.send(data);
      },
    });
    const frames = await framesTo(server.port, { settings: { [INITIAL_WINDOW_SIZE]: 0 } });
    frames.write(headersFrame(1, ASKED), headersFrame(3, ASKED));
    await until(() => server.size === 2);
    const [first, second] = server.connections();
    // Of the one little is queued; the other is not read any more on account of what is.
    frames.write(h2Frame(DATA, 0, 1, frame(2, noise(1000))), h2Frame(DATA, 0, 3, frame(2, noise(10_000))));
    await until(() => first.bufferedAmount > 9000 && second.bufferedAmount > 90_000);
    frames.write(h2Frame(DATA, 0, 3, frame(2, noise(10_000))), rstFrame(1, NO_ERROR), rstFrame(3, NO_ERROR));
    await until(() => server.size === 0);
    expect(named(log, 'close')).toEqual([
      ['close', 1006, ''],
      ['close', 1006, ''],
    ]);
  });

  test('RST_STREAM(NO_ERROR) while a handler waits for a drain, and holds what is to be read: drain, then 1006', async () => {
    const messages: unknown[] = [];
    let drained = deferred();
    const { log, server } = await recorded({
      drain: () => drained.resolve(),
      message: async (ws, data) => {
        messages.push(data);
        drained = deferred();
        if (!ws.send(noise(100_000))) await drained.promise;
      },
    });
    const frames = await framesTo(server.port, { settings: { [INITIAL_WINDOW_SIZE]: 0 } });
    frames.write(headersFrame(1, ASKED), h2Frame(DATA, 0, 1, frame(1, 'first')));
    await until(() => messages.length === 1);
    await turns();
    // It is not read any more: the stream has it, which has no end before.
    frames.write(
      h2Frame(DATA, 0, 1, frame(1, 'second')),
      h2Frame(DATA, 0, 1, frame(1, 'third')),
      rstFrame(1, NO_ERROR),
    );
    await until(() => server.size === 0);
    expect(messages).toEqual(['first', 'second', 'third']);
    expect(named(log, 'close')).toEqual([['close', 1006, '']]);
  });

  test.for([PROTOCOL_ERROR, INTERNAL_ERROR, ENHANCE_YOUR_CALM])('RST_STREAM(%d): an error, then 1006', async (code) => {
    const { log, server } = await recorded();
    const frames = await openFrames(server.port);
    frames.write(rstFrame(1, code));
    await until(() => server.size === 0);
    expect(log).toMatchObject([['open'], ['error', { code: 'ERR_HTTP2_STREAM_ERROR' }], ['close', 1006, '']]);
    frames.write(headersFrame(3, ASKED));
    await frames.frame(HEADERS, 3);
  });

  test('a reset by node:http2, which ends the stream before: 1006 without an error', async () => {
    const { log, session, server } = await recorded();
    const client = await H2Client.open(session);
    client.reset(INTERNAL_ERROR);
    await until(() => server.size === 0 && client.closed);
    expect(log).toEqual([['open'], ['close', 1006, '']]);
    await H2Client.open(session);
  });

  test('a reset while upgrade is pending, after DATA: gone, no error', async () => {
    const gate = deferred<object>();
    const { log, session, server } = await recorded({ upgrade: () => gate.promise });
    const client = new H2Client(session);
    client.write(frame(1, 'x'));
    await until(() => server.stats().connections.opening === 1);
    client.reset(INTERNAL_ERROR);
    await until(() => server.stats().connections.opening === 0);
    gate.resolve({});
    await turns();
    expect(log).toEqual([]);
  });

  test.for([NO_ERROR, INTERNAL_ERROR, CANCEL])('RST_STREAM(%d) right behind the request', async (code) => {
    const warnings = await warningsDuring(async () => {
      const { log, server } = await recorded();
      const frames = await framesTo(server.port);
      frames.write(headersFrame(1, ASKED), rstFrame(1, code), headersFrame(3, ASKED));
      await frames.frame(HEADERS, 3);
      await until(() => server.size === 1);
      expect(named(log, 'open').length - named(log, 'close').length).toBe(1);
    });
    expect(warnings).toEqual([]);
  });

  test('RST_STREAM behind a request that is refused', async () => {
    const { server } = await recorded({ path: '/only' });
    const frames = await framesTo(server.port);
    for (let id = 1; id < 20; id += 2) frames.write(headersFrame(id, ASKED), rstFrame(id, INTERNAL_ERROR));
    frames.write(headersFrame(21, asked({ ':path': '/only' })));
    await frames.frame(HEADERS, 21);
  });

  test('terminate: RST_STREAM(CANCEL), and the session lives', async () => {
    const { log, session, server } = await recorded();
    const [client, other] = [await H2Client.open(session), await H2Client.open(session)];
    const [peer] = server.connections();
    peer.terminate();
    await until(() => client.closed);
    expect([client.rstCode, client.error, client.ended]).toEqual([CANCEL, null, expect.any(Boolean)]);
    await until(() => server.size === 1);
    expect(named(log, 'close')).toEqual([['close', 1006, '']]);
    other.write(frame(1, 'alive'));
    await until(() => named(log, 'message').length === 1);
  });

  test.for([0, 100, 1_000_000])(
    'terminate with %d bytes sent: RST_STREAM without END_STREAM, and close is last',
    async (size) => {
      const { log, server } = await recorded();
      const frames = await openFrames(server.port);
      const [peer] = server.connections();
      if (size > 0) peer.send(noise(size));
      await turns();
      peer.terminate();
      expect(await frames.reset(1)).toBe(CANCEL);
      expect(frames.of(DATA, 1).filter(({ flags }) => (flags & END_STREAM) !== 0)).toEqual([]);
      await until(() => server.size === 0);
      await turns();
      expect(log.at(-1)).toEqual(['close', 1006, '']);
      expect(named(log, 'error')).toEqual([]);
    },
  );

  test('terminate with much unsent: what is queued is forgotten', async () => {
    const { session, server } = await recorded();
    const client = await H2Client.open(session);
    client.stream.pause();
    const [peer] = server.connections();
    peer.send(noise(5_000_000));
    await turns(5);
    peer.terminate();
    await until(() => server.size === 0);
    client.stream.resume();
    await until(() => client.closed);
    expect(client.rstCode).toBe(CANCEL);
    await H2Client.open(session);
  });

  test('a violation: Close, END_STREAM; a client that does not end is reset after closeTimeout', async () => {
    const { log, session, server } = await recorded({ closeTimeout: 100 });
    const client = await H2Client.open(session);
    client.write(frame(3));
    expect((await client.closeCode())[0]).toBe(1002);
    await until(() => client.ended);
    expect([client.closed, client.rstCode]).toEqual([false, NO_ERROR]);
    await until(() => client.closed && server.size === 0);
    expect(client.rstCode).toBe(CANCEL);
    expect(log).toMatchObject([['open'], ['error', {}], ['close', 1002, expect.any(String)]]);
    expect(session.destroyed).toBe(false);
  });
});

describe('the end of a session', () => {
  test('GOAWAY(NO_ERROR) from the client: 1001 to each WebSocket, and what was begun goes on', async () => {
    const gate = deferred();
    const { log, session, server } = await recorded({
      request: async (_asked, response) => {
        response.write('first ');
        await gate.promise;
        response.end('last');
      },
    });
    const clients = [await H2Client.open(session), await H2Client.open(session)];
    const page = session.request({ ':path': '/' });
    let body = '';
    page.on('data', (chunk) => {
      body += chunk;
    });
    await until(() => body === 'first ');
    session.close();
    for (const client of clients) {
      expect(await client.closeCode()).toEqual([1001, '']);
      client.write(frame(1, 'last words'), closeFrame(1001));
      client.end();
    }
    await until(() => server.size === 0);
    expect(named(log, 'close')).toEqual([
      ['close', 1001, ''],
      ['close', 1001, ''],
    ]);
    expect(named(log, 'message')).toHaveLength(2);
    gate.resolve();
    await until(() => body === 'first last');
    await until(() => session.destroyed);
  });

  test('GOAWAY(NO_ERROR) while upgrade is pending', async () => {
    const gate = deferred<object>();
    const { session, server } = await recorded({ upgrade: () => gate.promise });
    const client = new H2Client(session);
    await until(() => server.stats().connections.opening === 1);
    session.close();
    await until(() => sessions.server.some(({ closed }) => closed));
    gate.resolve({});
    await client.answered();
    expect(await client.closeCode()).toEqual([1001, '']);
    client.write(closeFrame(1001));
    client.end();
    await until(() => server.size === 0 && session.destroyed);
  });

  test('GOAWAY with an error: an error and 1006 to each, and others are not disturbed', async () => {
    const { log, server, session } = await recorded();
    const frames = await framesTo(server.port);
    for (const id of [1, 3]) {
      frames.write(headersFrame(id, ASKED));
      await frames.frame(HEADERS, id);
    }
    const other = await H2Client.open(session);
    frames.write(goawayFrame(0, INTERNAL_ERROR));
    await until(() => server.size === 1);
    expect(log.slice(3)).toHaveLength(4);
    expect(named(log, 'error')).toMatchObject([
      ['error', {}],
      ['error', {}],
    ]);
    expect(named(log, 'close')).toEqual([
      ['close', 1006, ''],
      ['close', 1006, ''],
    ]);
    other.write(frame(9, 'x'));
    await other.framesUpTo(1);
  });

  test.for(['destroy', 'reset'] as const)('the TCP connection dies by %s: 1006 to each', async (how) => {
    const { log, server } = await recorded();
    const frames = await framesTo(server.port, { plain: false });
    for (const id of [1, 3, 5]) frames.write(headersFrame(id, ASKED));
    await until(() => server.size === 3);
    const socket = frames.socket as Socket & { _parent?: Socket };
    if (how === 'destroy') socket.destroy();
    else socket.end();
    await until(() => server.size === 0);
    expect(named(log, 'close')).toEqual([1, 3, 5].map(() => ['close', 1006, '']));
    expect(named(log, 'error')).toEqual([]);
  });

  test('the TCP connection is reset while much is being written to it: its socket is closed all the same', async () => {
    const { server, log, session } = await recorded({
      pingInterval: 1000,
      pingTimeout: 500,
      http2: { sessionTimeout: 100 },
      open: (ws) => {
        for (let i = 0; i < 15; i++) ws.send(noise(1_000_000));
      },
    });
    const raw = createConnection(server.port, '127.0.0.1');
    const socket = connectTls({ socket: raw, servername: 'localhost', ca, ALPNProtocols: ['h2'] });
    for (const each of [raw, socket]) each.on('error', () => {});
    atEnd(() => raw.destroy());
    await next(socket, 'secureConnect');
    const frames = new FramePeer(socket, false);
    const large = Buffer.of(0x40, 0, 0, 0);
    frames.write(PREFACE, settingsFrame({ [INITIAL_WINDOW_SIZE]: 2 ** 30 }), h2Frame(WINDOW_UPDATE, 0, 0, large));
    frames.write(headersFrame(1, ASKED));
    await frames.frame(DATA, 1);
    socket.pause();
    session.destroy();
    const held = socketOf(sessions.server.at(-1) as Http2Session);
    const [peer] = server.connections();
    let before = -1;
    let same = 0;
    await until(() => {
      same = peer.bufferedAmount === before ? same + 1 : 0;
      before = peer.bufferedAmount;
      return same > 100;
    }, 'the server to be held');
    expect(before).toBeGreaterThan(0);
    raw.resetAndDestroy();
    await until(() => log.at(-1)?.[0] === 'close');
    expect(log.at(-1)?.[1]).toBe(1006);
    await until(() => held?.destroyed === true, 'the socket to be closed');
  });

  test('while upgrade is pending: the signal is aborted', async () => {
    const gate = deferred<object>();
    let signal: AbortSignal | null = null;
    const { session, server, log } = await recorded({
      upgrade: (request) => {
        signal = request.signal;
        return gate.promise;
      },
    });
    new H2Client(session);
    await until(() => signal !== null);
    session.destroy();
    await until(() => signal?.aborted === true);
    gate.resolve({});
    await until(() => server.stats().connections.opening === 0);
    expect(log).toEqual([]);
  });

  test('what a protocol error does to all of a session', async () => {
    const { log, server } = await recorded();
    const frames = await framesTo(server.port);
    for (const id of [1, 3]) frames.write(headersFrame(id, ASKED));
    await until(() => server.size === 2);
    // A HEADERS frame for stream 0 (RFC 9113 §6.2).
    frames.write(headersFrame(0, ASKED));
    await until(() => server.size === 0);
    expect(named(log, 'close')).toEqual([
      ['close', 1006, ''],
      ['close', 1006, ''],
    ]);
  });
});
