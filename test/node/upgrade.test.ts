/** The opening handshake of a server: what `upgrade` decides, what clients do wrong, and what takes too long. */

import { createHash } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { reject, type UpgradeRequest } from '../../src/node/index.js';
import {
  closeFrame,
  concat,
  connectWs,
  deferred,
  frame,
  KEY,
  RawClient,
  recording,
  request,
  serverEndOf,
  start,
  until,
  warningsDuring,
} from './support.js';

const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

function statusOf({ head }: RawClient): number {
  return Number(head.split(' ', 2)[1]);
}

describe('accepting', () => {
  for (const [how, turn] of [
    ['at once', <T>(value: T) => value],
    ['later', async <T>(value: T) => new Promise<T>((resolve) => setImmediate(resolve, value))],
  ] as const) {
    test(`${how}, with data, a subprotocol and headers`, async () => {
      const data = { user: 'ada' };
      const seen: unknown[] = [];
      const server = await start<typeof data>({
        upgrade: () => turn({ data, protocol: 'chat', headers: { 'X-Served-By': 'millrace' } }),
        open: (ws) => seen.push(ws.data, ws.protocol, ws.remoteAddress),
      });
      const client = await RawClient.open(server.port, undefined, request({ 'Sec-WebSocket-Protocol': 'a, chat' }));
      await until(() => seen.length > 0);
      expect(seen).toEqual([data, 'chat', '127.0.0.1']);
      expect(seen[0]).toBe(data);
      expect(client.head.split('\r\n').slice(0, -1)).toEqual([
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${ACCEPT}`,
        'Sec-WebSocket-Protocol: chat',
        'X-Served-By: millrace',
      ]);
    });

    test(`${how}, with nothing`, async () => {
      const seen: unknown[] = [];
      const server = await start({
        upgrade: () => turn(undefined),
        open: (ws) => seen.push(ws.data, ws.protocol),
      });
      await RawClient.open(server.port, undefined, request({ 'Sec-WebSocket-Protocol': 'chat' }));
      expect(seen).toEqual([undefined, '']);
    });

    test(`${how}: what came with the request is not lost`, async () => {
      const { log, handlers } = recording();
      const server = await start({ ...handlers, upgrade: () => turn({}) });
      const early = concat(frame(1, 'one'), frame(1, 'two'), frame(1, 'three'));
      const client = new RawClient(server.port);
      // The third message is cut by the end of the first packet.
      client.write(request(), early.subarray(0, early.length - 3));
      await until(() => client.head !== '');
      client.write(early.subarray(early.length - 3), closeFrame(1000));
      await client.closeCode();
      expect(log).toEqual([
        ['open'],
        ['message', 'one'],
        ['message', 'two'],
        ['message', 'three'],
        ['close', 1000, ''],
      ]);
    });
  }

  test('headers as a list may repeat', async () => {
    const server = await start({
      upgrade: () => ({
        headers: [
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ],
      }),
    });
    const client = await RawClient.open(server.port);
    expect(client.head).toContain('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n');
  });

  test('what upgrade is told', async () => {
    const asked: UpgradeRequest[] = [];
    const server = await start({
      upgrade: (req) => {
        asked.push(req);
      },
    });
    const fields = { Host: 'example.com:81', 'Sec-WebSocket-Protocol': 'b, a', Cookie: 'x=y', Origin: 'http://a' };
    const client = await RawClient.open(server.port, undefined, request(fields, 'GET /chat?room=1 HTTP/1.1'));
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      target: '/chat?room=1',
      path: '/chat',
      host: 'example.com:81',
      origin: 'http://a',
      subprotocols: ['b', 'a'],
      headers: { cookie: 'x=y', origin: 'http://a' },
      remoteAddress: '127.0.0.1',
      remotePort: client.socket.localPort,
      tls: null,
      incoming: { url: '/chat?room=1', method: 'GET' },
    });
    expect(asked[0].incoming).toBeInstanceOf(IncomingMessage);
  });

  test('an origin that is not given, a path that is given in absolute form', async () => {
    const asked: UpgradeRequest[] = [];
    const server = await start({
      upgrade: (req) => {
        asked.push(req);
      },
    });
    await RawClient.open(server.port, undefined, request({}, 'GET ws://localhost/chat?room=/1 HTTP/1.1'));
    await RawClient.open(server.port, undefined, request({}, 'GET ws://localhost HTTP/1.1'));
    expect(asked.map(({ path, origin }) => [path, origin])).toEqual([
      ['/chat', undefined],
      ['/', undefined],
    ]);
  });

  test('what a client floods while upgrade is pending is not read beyond the buffer of the stream', async () => {
    const gate = deferred();
    const { handlers, log } = recording();
    const server = await start({ ...handlers, upgrade: () => gate.promise });
    const client = new RawClient(server.port);
    const message = frame(2, new Uint8Array(100_000));
    client.write(request());
    for (let i = 0; i < 300; i++) client.socket.write(message);
    // The system's buffers take some; the rest waits here.
    let stable = 0;
    let last = -1;
    await until(() => {
      stable = client.socket.writableLength === last ? stable + 1 : 0;
      last = client.socket.writableLength;
      return last > 0 && stable > 100;
    }, 'the client to be held');
    expect(serverEndOf(client.socket).bytesRead).toBeLessThan(300_000);
    gate.resolve();
    await until(() => log.length === 301);
    expect(log.slice(1).every(([name, data]) => name === 'message' && (data as Buffer).length === 100_000)).toBe(true);
  });
});

describe('refusing', () => {
  test.for([0, 1])('with status, headers and body (%d turns later)', async (later) => {
    const refusal = reject(401, 'who are you?', { 'WWW-Authenticate': 'Basic' });
    const server = await start({
      upgrade: () => (later === 0 ? refusal : Promise.resolve(refusal)),
    });
    const client = await RawClient.ask(server.port, request());
    expect(client.head.split('\r\n').slice(0, -1)).toEqual([
      'HTTP/1.1 401 Unauthorized',
      'WWW-Authenticate: Basic',
      'content-type: text/plain; charset=utf-8',
      'content-length: 12',
      'Connection: close',
    ]);
    expect(client.body).toBe('who are you?');
    expect(server.size).toBe(0);
  });

  test('without a body, with bytes, with a content type', async () => {
    const answers = [
      reject(403),
      reject(302, '', { Location: '/there' }),
      reject(400, Buffer.from('{}'), [['Content-Type', 'application/json']]),
    ];
    const server = await start({ upgrade: ({ target }) => answers[Number(target.slice(1))] });
    const asked = await Promise.all(
      [0, 1, 2].map((i) => RawClient.ask(server.port, request({}, `GET /${i} HTTP/1.1`))),
    );
    expect(asked.map(statusOf)).toEqual([403, 302, 400]);
    expect(asked[0].head).toContain('Content-Length: 0\r\n');
    expect(asked[1].head).toContain('Location: /there\r\n');
    expect(asked[2].head.match(/content-type/gi)).toHaveLength(1);
    expect(asked.map(({ body }) => body)).toEqual(['', '', '{}']);
  });

  test.for([0, 1])('by throwing the rejection (%d turns later)', async (later) => {
    const warnings = await warningsDuring(async () => {
      const server = await start({
        upgrade: () => {
          if (later === 0) throw reject(403, 'no');
          return Promise.reject(reject(403, 'no'));
        },
      });
      const client = await RawClient.ask(server.port, request());
      expect([statusOf(client), client.body]).toEqual([403, 'no']);
    });
    expect(warnings).toEqual([]);
  });

  test('a client that floods its refused connection reads the answer', async () => {
    const server = await start({ upgrade: () => reject(403, 'no') });
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write(request(), new Uint8Array(30_000_000));
    await until(() => client.ended);
    expect(client.error).toBeNull();
    expect([statusOf(client), client.body]).toEqual([403, 'no']);
    // All of it is read: what is left unread when the server closes would reset the connection.
    await until(() => client.socket.writableLength === 0 || client.closed);
    client.socket.end();
    await until(() => client.closed);
    expect(client.error).toBeNull();
  });

  const faults: [string, () => never | object | Promise<object>, string][] = [
    [
      'throws',
      () => {
        throw new Error('boom');
      },
      'boom',
    ],
    ['rejects', () => Promise.reject(new Error('boom')), 'boom'],
    ['throws what has no words', () => Promise.reject(Object.create(null)), 'null prototype'],
    ['chooses a subprotocol that was not offered', () => ({ protocol: 'other' }), 'did not offer'],
    ['answers with a header that is none', () => ({ headers: { 'bad name': 'x' } }), 'field name'],
    ['rejects with a status that is no rejection', () => reject(200), 'status'],
    [
      'throws a rejection with such a status',
      () => {
        throw reject(200);
      },
      'status',
    ],
    ['returns false', () => false as unknown as object, 'upgrade returns'],
    ['promises a number', () => Promise.resolve(403 as unknown as object), 'upgrade returns'],
  ];
  test.for(faults)('an upgrade that %s: 500 and a warning', async ([, upgrade, message]) => {
    const warnings = await warningsDuring(async () => {
      const server = await start({ upgrade });
      const client = await RawClient.ask(server.port, request());
      expect(statusOf(client)).toBe(500);
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0].message).toContain(message);
  });
});

describe('handshakes that go wrong', () => {
  const bad: [string, string, number, RegExp?][] = [
    ['another method', request({}, 'POST / HTTP/1.1'), 405, /Allow: GET/],
    ['HTTP/1.0', request({}, 'GET / HTTP/1.0'), 505],
    ['no key', request({ 'Sec-WebSocket-Key': null }), 400],
    ['a short key', request({ 'Sec-WebSocket-Key': 'AAAA' }), 400],
    ['another version', request({ 'Sec-WebSocket-Version': '8' }), 426, /Sec-WebSocket-Version: 13/],
    ['another protocol', request({ Upgrade: 'h2c', Connection: 'Upgrade, close' }), 426, /upgrade: websocket/i],
    ['no host', request({ Host: null }), 400],
    ['a repeated subprotocol', request({ 'Sec-WebSocket-Protocol': 'a, a' }), 400],
    ['a body', request({ 'Content-Length': '5' }), 400],
    ['too large a header', request({ 'X-Large': 'x'.repeat(20_000) }), 431],
    ['too many fields', request(Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`X-${i}`, '1']))), 431],
    ['no HTTP', '\x16\x03\x01\x02\x00garbage\r\n\r\n', 400],
  ];
  test.for(bad)('%s', async ([, bytes, status, header]) => {
    const { handlers, log } = recording();
    const server = await start({ ...handlers, upgrade: () => log.push(['upgrade']) as unknown as undefined });
    const client = await RawClient.ask(server.port, bytes);
    expect(statusOf(client)).toBe(status);
    if (header !== undefined) expect(client.head).toMatch(header);
    await until(() => client.closed);
    expect(log).toEqual([]);
    expect(server.size).toBe(0);
  });

  test('maxHeaderFields and maxHeaderSize are the ones given', async () => {
    const server = await start({ maxHeaderFields: 6, maxHeaderSize: 400 });
    expect((await RawClient.open(server.port, undefined, request({ 'X-1': '' }))).head).toContain('101');
    expect(statusOf(await RawClient.ask(server.port, request({ 'X-1': '', 'X-2': '' })))).toBe(431);
    expect(statusOf(await RawClient.ask(server.port, request({ 'X-1': 'x'.repeat(400) })))).toBe(431);
  });
});

describe('what takes too long', () => {
  test('an upgrade that is slow: 503, and what it decides later is nothing', async () => {
    const gate = deferred<object>();
    const { handlers, log } = recording();
    const server = await start({ ...handlers, handshakeTimeout: 100, upgrade: () => gate.promise });
    const client = await RawClient.ask(server.port, request());
    expect(statusOf(client)).toBe(503);
    gate.resolve({ data: 1 });
    await until(() => client.closed);
    expect(log).toEqual([]);
    expect(server.size).toBe(0);
  });

  test('a slow upgrade that fails after its 503 is forgotten', async () => {
    const gate = deferred<object>();
    const warnings = await warningsDuring(async () => {
      const server = await start({ handshakeTimeout: 100, upgrade: () => gate.promise });
      await RawClient.ask(server.port, request());
      gate.reject(new Error('too late'));
    });
    expect(warnings).toEqual([]);
  });

  test('a client that does not finish its request is answered 408 or cut off', async () => {
    const server = await start({ handshakeTimeout: 200 });
    const client = await RawClient.ask(server.port, request().slice(0, 60));
    if (client.head !== '') expect(statusOf(client)).toBe(408);
    await until(() => client.closed);
  });

  test('a refused client that does not close is cut off', async () => {
    const server = await start({ upgrade: () => reject(403) });
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write(request());
    await until(() => client.ended);
    expect(serverEndOf(client.socket).destroyed).toBe(false);
    await until(() => serverEndOf(client.socket).destroyed, 'the server to cut off');
  });
});

describe('a client that is gone', () => {
  test.for(['reset', 'end'] as const)('by %s, while upgrade is pending', async (how) => {
    const gate = deferred();
    let asked = 0;
    const { handlers, names } = recording();
    const server = await start({
      ...handlers,
      upgrade: () => {
        asked++;
        return gate.promise;
      },
    });
    const client = new RawClient(server.port);
    client.write(request());
    await until(() => asked === 1);
    if (how === 'reset') client.socket.resetAndDestroy();
    else client.socket.destroy();
    await until(() => client.closed);
    gate.resolve();
    const other = await connectWs(server.port);
    other.close();
    await until(() => names().includes('close') && server.size === 0);
    expect(names()).toEqual(['open', 'close']);
  });

  test.for([0, 1, 2])('before its request is whole, after %d lines', async (lines) => {
    const server = await start();
    const client = new RawClient(server.port);
    client.write(request().split('\r\n').slice(0, lines).join('\r\n'));
    await new Promise((resolve) => client.socket.once('connect', resolve));
    client.socket.resetAndDestroy();
    await until(() => client.closed);
    expect((await RawClient.open(server.port)).head).toContain('101');
  });

  test('right after its request', async () => {
    const { handlers, names } = recording();
    const server = await start(handlers);
    for (let i = 0; i < 20; i++) {
      const client = new RawClient(server.port);
      await new Promise((resolve) => client.socket.once('connect', resolve));
      client.write(request());
      if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      client.socket.resetAndDestroy();
    }
    const last = await connectWs(server.port);
    last.terminate();
    await until(() => names().includes('close') && server.size === 0);
    const count = (name: string) => names().filter((found) => found === name).length;
    expect(count('close')).toBe(count('open'));
  });
});

describe('signal', () => {
  /** A server with an `upgrade` that is pending, once it was asked. */
  async function pending(options: { handshakeTimeout?: number } = {}) {
    const gate = deferred<object | undefined>();
    const asked = deferred<UpgradeRequest>();
    const server = await start({
      ...options,
      upgrade: (req) => {
        asked.resolve(req);
        return gate.promise;
      },
    });
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write(request());
    return { server, client, gate, asked: await asked.promise };
  }

  test.for(['resets', 'ends'] as const)(
    'is aborted when the client %s; what upgrade throws then is nothing',
    async (how) => {
      const warnings = await warningsDuring(async () => {
        const { client, gate, asked } = await pending();
        const { signal } = asked;
        expect(signal.aborted).toBe(false);
        expect(asked.signal).toBe(signal);
        signal.addEventListener('abort', () => gate.reject(signal.reason));
        if (how === 'resets') client.socket.resetAndDestroy();
        else client.socket.end();
        await until(() => signal.aborted);
        expect(signal.reason).toMatchObject({ name: 'AbortError' });
        await until(() => client.closed);
      });
      expect(warnings).toEqual([]);
    },
  );

  test('is aborted when the handshake times out', async () => {
    const { client, asked } = await pending({ handshakeTimeout: 100 });
    const { signal } = asked;
    await until(() => signal.aborted);
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
    await until(() => client.ended);
    expect(statusOf(client)).toBe(503);
  });

  test('is aborted when the server closes, and may close it once more', async () => {
    const { server, client, asked } = await pending();
    let again: Promise<void> | undefined;
    asked.signal.addEventListener('abort', () => {
      again = server.close({ code: 1012 });
    });
    const closing = server.close();
    expect(again).toBe(closing);
    await until(() => client.ended);
    client.socket.end();
    await closing;
  });

  test('that is asked for when all is over says how it was', async () => {
    const gone = await pending();
    gone.client.socket.resetAndDestroy();
    await until(() => gone.client.closed);
    await until(() => gone.asked.signal.aborted);
    const fine = await pending();
    fine.gate.resolve({});
    await until(() => fine.server.size === 1);
    expect(fine.asked.signal.aborted).toBe(false);
    fine.client.socket.resetAndDestroy();
    await until(() => fine.server.size === 0);
    expect(fine.asked.signal.aborted).toBe(false);
  });
});

test('a client that sends without end while upgrade is pending is held, and nothing of it is lost', async () => {
  const gate = deferred();
  let received = 0;
  let wrong = 0;
  const server = await start({
    upgrade: () => gate.promise,
    message: (_ws, data) => {
      if ((data as Buffer).readUInt32BE(0) !== received++) wrong++;
    },
  });
  const client = new RawClient(server.port);
  client.write(request());
  let sent = 0;
  let enough = Number.POSITIVE_INFINITY;
  const payload = Buffer.alloc(64 * 1024);
  const pour = () => {
    // As a client does that knows of nothing but back-pressure.
    while (sent < enough) {
      payload.writeUInt32BE(sent++, 0);
      if (!client.socket.write(frame(2, payload))) return;
    }
  };
  client.socket.on('drain', pour);
  pour();
  // Held: for a hundred looks in a row, nothing more has left.
  let stable = 0;
  let last = -1;
  await until(() => {
    stable = client.socket.bytesWritten === last ? stable + 1 : 0;
    last = client.socket.bytesWritten;
    return stable > 100;
  }, 'the client to be held');
  expect(serverEndOf(client.socket).bytesRead).toBeLessThan(300_000);
  gate.resolve();
  await until(() => received > 500, 'the flood to go on');
  enough = sent;
  await until(() => received === sent);
  expect(wrong).toBe(0);
});
