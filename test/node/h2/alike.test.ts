/** What a server does is the same in both versions of HTTP: each of these is said once, and run over either. */

import { IncomingMessage } from 'node:http';
import { Http2ServerRequest } from 'node:http2';
import { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  type Peer,
  reject,
  type ServeOptions,
  type UpgradeRequest,
  type UpgradeResult,
} from '../../../src/node/index.js';
import {
  closeFrame,
  concat,
  deferred,
  frame,
  type Log,
  noise,
  recording,
  turns,
  until,
  warningsDuring,
  within,
} from '../support.js';
import { answer, ask, opened, secure, VERSIONS, type Version, type WireClient } from './support.js';

/** A server and one connection to it. */
async function pair(version: Version, options: ServeOptions = {}) {
  const peer = deferred<Peer>();
  const { log, handlers } = recording();
  const server = await secure({ ...handlers, ...options, open: (ws) => peer.resolve(ws) });
  const client = await opened(version, server.port);
  return { server, client, log, peer: await within(peer.promise) };
}

const last = (log: Log) => log.at(-1);

/** The end of it, when the client does as it should. */
async function endInOrder(client: WireClient): Promise<void> {
  client.write(closeFrame(1000));
  client.end();
  await client.finished();
}

describe.for(VERSIONS)('the request, over HTTP/%s', (version) => {
  test('what upgrade is told', async () => {
    const asked = deferred<UpgradeRequest>();
    const server = await secure({
      upgrade: (request) => {
        asked.resolve(request);
      },
    });
    const client = await opened(version, server.port, {
      path: '/chat/room?a=1&b=%20',
      headers: {
        'sec-websocket-protocol': 'one, two',
        origin: 'https://example.com',
        cookie: 'a=1; b=2',
        'x-thing': 'yes',
      },
    });
    const request = await asked.promise;
    expect(request).toMatchObject({
      target: '/chat/room?a=1&b=%20',
      path: '/chat/room',
      host: `localhost:${server.port}`,
      origin: 'https://example.com',
      subprotocols: ['one', 'two'],
      httpVersion: version,
      remoteAddress: '127.0.0.1',
    });
    expect(request.remotePort).toBeGreaterThan(0);
    expect(request.remotePort).not.toBe(server.port);
    expect(request.tls).toBeInstanceOf(TLSSocket);
    expect([request.tls?.encrypted, request.tls?.servername]).toEqual([true, 'localhost']);
    expect(request.tls?.alpnProtocol).toBe(version === '2.0' ? 'h2' : 'http/1.1');
    expect(request.headers).toMatchObject({
      host: `localhost:${server.port}`,
      cookie: 'a=1; b=2',
      'x-thing': 'yes',
      'sec-websocket-version': '13',
    });
    expect(Object.keys(request.headers).filter((name) => name.startsWith(':'))).toEqual([]);
    expect(request.incoming).toBeInstanceOf(version === '2.0' ? Http2ServerRequest : IncomingMessage);
    expect(request.incoming.url).toBe('/chat/room?a=1&b=%20');
    expect(request.incoming.headers['x-thing']).toBe('yes');
    expect(request.incoming).toBe(request.incoming);
    expect(request.signal.aborted).toBe(false);
    await endInOrder(client);
    await until(() => server.size === 0);
    expect(request.signal.aborted).toBe(false);
  });

  test('data, a subprotocol and headers', async () => {
    const data = { user: 'ada' };
    const seen = deferred<unknown[]>();
    const server = await secure<typeof data>({
      upgrade: () => ({
        data,
        protocol: 'two',
        headers: [
          ['X-Served-By', 'millrace'],
          ['Set-Cookie', 'a=1'],
        ],
      }),
      open: (ws) => seen.resolve([ws.data, ws.protocol, ws.remoteAddress]),
    });
    const client = await opened(version, server.port, { headers: { 'sec-websocket-protocol': 'one, two' } });
    expect(await seen.promise).toEqual([data, 'two', '127.0.0.1']);
    expect(client.headers).toMatchObject({ 'sec-websocket-protocol': 'two', 'x-served-by': 'millrace' });
    expect([client.headers['set-cookie']].flat()).toEqual(['a=1']);
    await endInOrder(client);
  });

  test('nothing at all accepts, without a subprotocol', async () => {
    const server = await secure();
    const client = await opened(version, server.port, { headers: { 'sec-websocket-protocol': 'one' } });
    expect(client.headers['sec-websocket-protocol']).toBeUndefined();
    await endInOrder(client);
  });

  test('an upgrade that takes its time, and what the client sends meanwhile', async () => {
    const gate = deferred<UpgradeResult<unknown>>();
    const { handlers, log } = recording();
    const server = await secure({ ...handlers, upgrade: () => gate.promise });
    const client = await ask(version, server.port, { early: concat(frame(1, 'early'), frame(1, 'bird')) });
    await until(() => server.stats().connections.opening === 1);
    await turns();
    expect(log).toEqual([]);
    gate.resolve({ protocol: undefined as never });
    await client.answered();
    await endInOrder(client);
    expect(log).toEqual([['open'], ['message', 'early'], ['message', 'bird'], ['close', 1000, '']]);
  });

  test.for<[string, () => UpgradeResult<unknown> | Promise<UpgradeResult<unknown>>]>([
    ['returned', () => reject(401, 'who are you?', { 'WWW-Authenticate': 'Basic' })],
    ['returned later', async () => reject(401, 'who are you?', { 'WWW-Authenticate': 'Basic' })],
    [
      'thrown',
      () => {
        throw reject(401, 'who are you?', { 'WWW-Authenticate': 'Basic' });
      },
    ],
    ['thrown later', () => Promise.reject(reject(401, 'who are you?', { 'WWW-Authenticate': 'Basic' }))],
  ])('a rejection, %s', async ([, upgrade]) => {
    const { handlers, log } = recording();
    const server = await secure({ ...handlers, upgrade });
    const client = await (await answer(version, server.port)).finished();
    expect([client.status, `${client.bytes}`]).toEqual([401, 'who are you?']);
    expect(client.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': '12',
      'www-authenticate': 'Basic',
    });
    client.end();
    await until(() => server.stats().connections.refused === 1);
    expect(log).toEqual([]);
    expect(server.stats().connections).toMatchObject({ open: 0, opening: 0, total: 0, refused: 1 });
  });

  test('a rejection without a body', async () => {
    const server = await secure({ upgrade: () => reject(404) });
    const client = await (await answer(version, server.port)).finished();
    expect([client.status, client.bytes.length]).toEqual([404, 0]);
    expect(client.headers['content-type']).toBeUndefined();
    client.end();
  });

  test('a rejection with a large body arrives whole', async () => {
    const body = noise(1_000_000);
    const server = await secure({ upgrade: () => reject(403, body) });
    const client = await (await answer(version, server.port)).finished();
    expect(client.status).toBe(403);
    expect(body.equals(client.bytes)).toBe(true);
    client.end();
  });

  test.for<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['returns false', () => false],
    ['chooses what was not offered', () => ({ protocol: 'other' })],
    ['names a field that is none', () => ({ headers: { 'a b': '1' } })],
    ['sets a field of the handshake', () => ({ headers: { 'Sec-WebSocket-Extensions': 'x' } })],
    ['rejects with a status that is none', () => reject(200)],
  ])('an upgrade that %s: 500 and a warning', async ([, upgrade]) => {
    const { handlers, log } = recording();
    const warnings = await warningsDuring(async () => {
      const server = await secure({ ...handlers, upgrade: upgrade as never });
      const client = await (await answer(version, server.port)).finished();
      expect(client.status).toBe(500);
      client.end();
      await until(() => client.closed);
      expect(server.stats().connections).toMatchObject({ open: 0, opening: 0, refused: 1 });
    });
    expect(warnings).toHaveLength(1);
    expect(log).toEqual([]);
  });

  test('origins', async () => {
    const server = await secure({ origins: ['https://example.com'] });
    const good = await opened(version, server.port, { headers: { origin: 'https://example.com' } });
    await endInOrder(good);
    for (const headers of [{ origin: 'https://evil.example' }, {} as Record<string, string>]) {
      const bad = await (await answer(version, server.port, { headers })).finished();
      expect(bad.status).toBe(403);
      bad.end();
    }
  });

  test('path', async () => {
    const server = await secure({ path: '/chat' });
    await endInOrder(await opened(version, server.port, { path: '/chat?x=1' }));
    const other = await (await answer(version, server.port, { path: '/other' })).finished();
    expect(other.status).toBe(404);
    other.end();
    expect(server.stats().connections).toMatchObject({ total: 1, refused: 1 });
  });

  test('maxConnections', async () => {
    let asked = 0;
    const server = await secure({
      maxConnections: 1,
      upgrade: () => {
        asked++;
      },
    });
    const first = await opened(version, server.port);
    const second = await (await answer(version, server.port)).finished();
    expect([second.status, second.headers['retry-after'], asked]).toEqual([503, '5', 1]);
    second.end();
    await endInOrder(first);
    await until(() => server.size === 0);
    await endInOrder(await opened(version, server.port));
  });

  test('handshakeTimeout: 503, the signal is aborted, and what upgrade decides then is nothing', async () => {
    const gate = deferred<object>();
    const { handlers, log } = recording();
    let signal: AbortSignal | null = null;
    const warnings = await warningsDuring(async () => {
      const server = await secure({
        ...handlers,
        handshakeTimeout: 150,
        upgrade: (request) => {
          signal = request.signal;
          return gate.promise;
        },
      });
      const client = await (await answer(version, server.port)).finished();
      expect(client.status).toBe(503);
      await until(() => signal?.aborted === true);
      expect((signal as unknown as AbortSignal).reason).toMatchObject({ name: 'TimeoutError' });
      gate.reject(new Error('too late'));
      client.end();
      await until(() => client.closed);
    });
    expect(warnings).toEqual([]);
    expect(log).toEqual([]);
  });

  test.for(['reset', 'end'] as const)('a client that goes away while upgrade is pending: %s', async (how) => {
    const gate = deferred<object>();
    const { handlers, log } = recording();
    let signal: AbortSignal | null = null;
    const server = await secure({
      ...handlers,
      upgrade: (request) => {
        signal = request.signal;
        return gate.promise;
      },
    });
    const client = await ask(version, server.port);
    await until(() => signal !== null);
    if (how === 'reset') client.reset();
    else client.end();
    await until(() => signal?.aborted === true, 'the signal');
    expect((signal as unknown as AbortSignal).reason).toMatchObject({ name: 'AbortError' });
    gate.resolve({});
    await until(() => server.stats().connections.opening === 0);
    await until(() => client.closed || client.ended);
    expect([client.status > 0, log]).toEqual([false, []]);
  });

  test('a header block over maxHeaderSize, or with more than maxHeaderFields: 431', async () => {
    const server = await secure({ maxHeaderSize: 1000, maxHeaderFields: 14 });
    const ofSize = await answer(version, server.port, { headers: { 'x-long': 'x'.repeat(1000) } });
    const many = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`x-${i}`, '1']));
    const ofFields = await answer(version, server.port, { headers: many });
    expect([ofSize.status, ofFields.status]).toEqual([431, 431]);
    for (const client of [ofSize, ofFields]) (await client.finished()).end();
    await endInOrder(await opened(version, server.port));
  });
});

describe.for(VERSIONS)('the connection, over HTTP/%s', (version) => {
  test('messages of every size, both ways', async () => {
    const received: Buffer[] = [];
    const { server, client, peer } = await pair(version, {
      message: (ws, data) => {
        received.push(Buffer.from(data));
        ws.send(data);
      },
    });
    const payloads = [0, 1, 125, 126, 65_535, 65_536, 3_000_000].map((size) => noise(size));
    for (const payload of payloads) client.write(frame(2, payload));
    client.write(frame(1, 'text'));
    const frames = await client.framesUpTo(payloads.length + 1);
    for (const [i, payload] of payloads.entries()) {
      expect(payload.equals(received[i]) && payload.equals(frames[i].payload), `${payload.length} bytes`).toBe(true);
    }
    expect(frames.map(({ opcode }) => opcode)).toEqual([...payloads.map(() => 2), 1]);
    expect([peer.messagesReceived, peer.messagesSent]).toEqual([8, 8]);
    await endInOrder(client);
    await until(() => server.size === 0);
    const total = payloads.reduce((sum, { length }) => sum + length, 4);
    const stats = server.stats();
    expect(stats).toMatchObject({ messagesReceived: 8, messagesSent: 8, bufferedAmount: 0, closes: { 1000: 1 } });
    expect(stats.bytesReceived).toBe(total + 7 * 4 + 4 + (2 + 2 + 2 + 4 + 4 + 10 + 10 + 2) + 8);
    expect(stats.bytesSent).toBe(total + (2 + 2 + 2 + 4 + 4 + 10 + 10 + 2) + 4);
  });

  test('permessage-deflate', async () => {
    const { server, client } = await (async () => {
      const started = await secure({ perMessageDeflate: { threshold: 0 }, message: (ws, data) => ws.send(data) });
      const headers = { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' };
      return { server: started, client: await opened(version, started.port, { headers }) };
    })();
    expect(client.headers['sec-websocket-extensions']).toContain('permessage-deflate');
    client.write(frame(1, 'the same words, '.repeat(1000)));
    const [answered] = await client.framesUpTo(1);
    expect(answered.payload.length).toBeLessThan(1000);
    await endInOrder(client);
    expect(server.stats().perMessageDeflate).toMatchObject({ bytesToCompress: 16_000 });
  });

  test('ping and pong', async () => {
    const { client, peer, log } = await pair(version);
    client.write(frame(9, 'are you there'));
    peer.ping(Buffer.from('and you'));
    const frames = await client.framesUpTo(2);
    expect(frames.map(({ opcode, payload }) => [opcode, `${payload}`]).sort()).toEqual([
      [10, 'are you there'],
      [9, 'and you'],
    ]);
    client.write(frame(10, 'and you'));
    await until(() => log.length === 2);
    expect(log).toEqual([
      ['ping', Buffer.from('are you there')],
      ['pong', Buffer.from('and you')],
    ]);
    await endInOrder(client);
  });

  test('a silent client is pinged, and then given up', async () => {
    const { client, log } = await pair(version, { pingInterval: 100, pingTimeout: 100, closeTimeout: 100 });
    const [ping] = await client.framesUpTo(1);
    expect(ping.opcode).toBe(9);
    expect(await client.closeCode()).toEqual([1011, 'keep-alive timeout']);
    await until(() => log.some(([name]) => name === 'close'));
    expect(log).toMatchObject([
      ['error', { code: 'PING_TIMEOUT' }],
      ['close', 1006, expect.stringContaining('pingTimeout')],
    ]);
    await client.finished();
  });

  test('idleTimeout', async () => {
    const { client, log } = await pair(version, { idleTimeout: 100 });
    expect(await client.closeCode()).toEqual([1001, 'idle']);
    client.write(closeFrame(1001));
    client.end();
    await client.finished();
    await until(() => log.length === 1);
    expect(log).toEqual([['close', 1001, '']]);
  });

  test('send returns false above sendHighWater, drain follows, and all of it arrives', async () => {
    const drained = deferred();
    const { client, peer } = await pair(version, { drain: () => drained.resolve() });
    const payload = noise(12_000_000);
    client.stream.pause();
    expect(peer.send(payload)).toBe(false);
    expect(peer.bufferedAmount).toBeGreaterThanOrEqual(payload.length);
    await turns(20);
    expect(peer.bufferedAmount).toBeGreaterThan(0);
    client.stream.resume();
    await within(drained.promise, 'a drain');
    const [received] = await client.framesUpTo(1);
    expect(payload.equals(received.payload)).toBe(true);
    await until(() => peer.bufferedAmount === 0);
    await endInOrder(client);
  });

  test('sendHardLimit', async () => {
    const { client, peer } = await pair(version, { sendHardLimit: 100_000 });
    client.stream.pause();
    expect(() => {
      for (let i = 0; i < 100; i++) peer.send(noise(30_000));
    }).toThrow(expect.objectContaining({ code: 'SEND_HARD_LIMIT' }));
    client.stream.resume();
    await until(() => peer.bufferedAmount === 0);
    peer.close();
    await client.closeCode();
    await endInOrder(client);
  });

  test('pause holds messages, and in the end the client; resume lets them come', async () => {
    const { client, peer, log } = await pair(version, { receiveHighWater: 10_000 });
    peer.pause();
    const payload = noise(64_000);
    let written = 0;
    let held = false;
    while (!held) {
      held = !client.stream.write(frame(2, payload)) && (await stalls(client));
      written++;
      if (written > 500) throw new Error('the client is not held');
    }
    expect(log).toEqual([]);
    expect(peer.messagesReceived).toBe(0);
    peer.resume();
    await until(() => log.length === written);
    expect(log.every(([, data]) => payload.equals(data as Buffer))).toBe(true);
    await endInOrder(client);
  });

  test('a handler that returns a promise holds what follows', async () => {
    const gate = deferred();
    const seen: unknown[] = [];
    const { client } = await pair(version, {
      message: (_ws, data) => {
        seen.push(data);
        return gate.promise;
      },
    });
    client.write(frame(1, 'a'), frame(1, 'b'));
    await until(() => seen.length === 1);
    await turns(20);
    expect(seen).toEqual(['a']);
    gate.resolve();
    await until(() => seen.length === 2);
    await endInOrder(client);
  });

  test('cork', async () => {
    const { client, peer } = await pair(version);
    const gate = deferred();
    const corked = peer.cork(async () => {
      peer.send('a');
      await gate.promise;
      peer.send('b');
    });
    await turns(20);
    expect(client.frames).toEqual([]);
    gate.resolve();
    await corked;
    await client.framesUpTo(2);
    expect(client.texts).toEqual(['a', 'b']);
    await endInOrder(client);
  });

  test('the client closes: its code and reason, the same code back, then the end', async () => {
    const { client, log, server } = await pair(version);
    client.write(closeFrame(4001, 'enough'));
    expect(await client.closeCode()).toEqual([4001, '']);
    await client.finished();
    client.end();
    await until(() => server.size === 0);
    expect(log).toEqual([['close', 4001, 'enough']]);
  });

  test('the server closes', async () => {
    const { client, log, peer, server } = await pair(version);
    peer.send('last words');
    peer.close(4002, 'tired');
    expect(await client.closeCode()).toEqual([4002, 'tired']);
    expect(client.texts).toEqual(['last words']);
    client.write(closeFrame(4002));
    await client.finished();
    client.end();
    await until(() => server.size === 0);
    expect(log).toEqual([['close', 4002, '']]);
  });

  test('a client that does not answer a Close is cut off after closeTimeout', async () => {
    const { client, log, peer } = await pair(version, { closeTimeout: 100 });
    peer.close();
    await client.closeCode();
    await until(() => log.length === 2 && client.closed);
    expect(log).toMatchObject([
      ['error', { code: 'CLOSE_TIMEOUT' }],
      ['close', 1006, expect.any(String)],
    ]);
  });

  test('so is one of which nothing is read: one error, that says so', async () => {
    const { client, log, peer } = await pair(version, { closeTimeout: 100 });
    peer.pause();
    peer.close();
    await client.closeCode();
    await until(() => log.length >= 2 && client.closed);
    await turns();
    expect(log).toMatchObject([
      ['error', { code: 'CLOSE_TIMEOUT' }],
      ['close', 1006, expect.any(String)],
    ]);
  });

  test('a violation: the Close that says so, and the end', async () => {
    const { client, log, server } = await pair(version);
    client.write(frame(1, 'fine'), frame(3), frame(1, 'too late'));
    expect(await client.closeCode()).toEqual([1002, expect.any(String)]);
    await client.finished();
    client.end();
    await until(() => server.size === 0);
    expect(log).toMatchObject([
      ['message', 'fine'],
      ['error', {}],
      ['close', 1002, expect.any(String)],
    ]);
  });

  test('a message over maxMessageSize: 1009', async () => {
    const { client } = await pair(version, { maxMessageSize: 1000 });
    client.write(frame(2, noise(2000)));
    expect((await client.closeCode())[0]).toBe(1009);
    await client.finished();
    client.end();
  });

  test('a handler that throws: 1011, this connection alone', async () => {
    const { client, log } = await pair(version, {
      message: () => {
        throw new Error('broken');
      },
    });
    client.write(frame(1, 'x'));
    expect(await client.closeCode()).toEqual([1011, '']);
    await endInOrder(client);
    expect(log).toMatchObject([
      ['error', { message: 'broken' }],
      ['close', 1000, ''],
    ]);
  });

  test('terminate: 1006, and the client sees a reset', async () => {
    const { client, log, peer, server } = await pair(version);
    peer.terminate();
    await until(() => server.size === 0 && client.closed);
    expect(log).toEqual([['close', 1006, '']]);
    expect(peer.isOpen).toBe(false);
    expect(peer.send('x')).toBe(false);
  });

  test('the client ends without a Close: 1006, and the server ends too', async () => {
    const { client, log, server } = await pair(version);
    client.write(frame(1, 'last'));
    client.end();
    await client.finished();
    await until(() => server.size === 0);
    expect(log).toEqual([
      ['message', 'last'],
      ['close', 1006, ''],
    ]);
    expect(client.frames).toEqual([]);
  });

  test('textFormat bytes', async () => {
    const { client, log } = await pair(version, { textFormat: 'bytes' });
    client.write(frame(1, 'as bytes'));
    await until(() => log.length === 1);
    expect(last(log)).toEqual(['message', Buffer.from('as bytes')]);
    await endInOrder(client);
  });
});

/** Whether nothing that was written goes out any more. */
async function stalls({ stream }: WireClient): Promise<boolean> {
  for (let i = 0, before = -1; i < 30; i++) {
    if (stream.writableLength < 20_000) return false;
    if (stream.writableLength !== before) i = 0;
    before = stream.writableLength;
    await turns(1);
  }
  return true;
}
