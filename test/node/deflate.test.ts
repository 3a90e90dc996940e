/** The option `perMessageDeflate` of servers, and what it changes for those who send and receive. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  accept,
  attach,
  Endpoint,
  LocalProtocolError,
  type Peer,
  PerMessageDeflate,
  type PerMessageDeflateOptions,
  SendLimitError,
  type ServeOptions,
  type Server,
  serve,
} from '../../src/node/index.js';
import { hex, KiB, MiB, random, same, textOf } from '../interop/support-deflate.js';
import { NOTHING_SPECIAL, ZlibPeer } from '../interop/support-zlib.js';
import { open } from './client/support.js';
import {
  atEnd,
  connectWs,
  deferred,
  type Log,
  next,
  RawClient,
  recording,
  request,
  start,
  until,
  within,
} from './support.js';
import { SlowBlob } from './support-peer.js';
import { ca, serverTls } from './support-streams.js';

const OFFER = 'permessage-deflate; client_max_window_bits';

/** The answer to an offer. */
async function answerOf(port: number, offer = OFFER): Promise<string | undefined> {
  const client = await RawClient.open(port, undefined, request({ 'Sec-WebSocket-Extensions': offer }));
  client.socket.destroy();
  return /^Sec-WebSocket-Extensions: (.*)$/im.exec(client.head)?.[1].trim();
}

interface Pair {
  readonly server: Server;
  readonly ws: Peer;
  readonly peer: ZlibPeer;
  readonly log: Log;
}

/** A server whose one connection is handed out, and its client, which compresses. */
async function pair({ perMessageDeflate = true, ...options }: ServeOptions = {}): Promise<Pair> {
  const opened = deferred<Peer>();
  const { log, handlers } = recording();
  const server = await start({ ...handlers, perMessageDeflate, ...options, open: (ws) => opened.resolve(ws) });
  const { peer, answer } = await ZlibPeer.connect(server.port, OFFER, NOTHING_SPECIAL);
  expect(answer).toBe('permessage-deflate');
  return { server, ws: await opened.promise, peer, log };
}

const contextsOf = (server: Server) => {
  const { compressors, decompressors } = server.stats().perMessageDeflate ?? {};
  return [compressors, decompressors];
};

describe('the option', () => {
  test.each<[string, ServeOptions]>([
    ['by default', {}],
    ['with false', { perMessageDeflate: false }],
    ['with undefined', { perMessageDeflate: undefined as unknown as boolean }],
  ])('%s nothing is agreed to', async (_name, options) => {
    const server = await start(options);
    expect(await answerOf(server.port)).toBeUndefined();
    expect(server.stats().perMessageDeflate).toBeNull();
  });

  const agreed: [string, boolean | PerMessageDeflateOptions | PerMessageDeflate, string][] = [
    ['true', true, 'permessage-deflate'],
    ['options', { serverNoContextTakeover: true }, 'permessage-deflate; server_no_context_takeover'],
    ['an instance', new PerMessageDeflate({ clientMaxWindowBits: 8 }), 'permessage-deflate; client_max_window_bits=8'],
  ];

  test.each(agreed)('serve with %s', async (_name, perMessageDeflate, answer) => {
    const server = await start({ perMessageDeflate });
    expect(await answerOf(server.port)).toBe(answer);
    expect(await answerOf(server.port, 'x-other, permessage-deflate; unknown=1')).toBeUndefined();
    expect(server.stats().perMessageDeflate).toMatchObject({ messagesCompressed: 0, compressors: 0 });
  });

  test.each(agreed)('attach and accept with %s', async (_name, perMessageDeflate, answer) => {
    const http = createServer();
    const attachment = attach(http, { path: '/', perMessageDeflate });
    const other = createServer();
    const options = { perMessageDeflate };
    other.on('upgrade', (...asked) => accept(...asked, options));
    for (const each of [http, other]) {
      each.listen(0, '127.0.0.1');
      atEnd(() => new Promise((resolve) => each.close(resolve)));
      await next(each, 'listening');
      expect(await answerOf((each.address() as AddressInfo).port)).toBe(answer);
    }
    atEnd(() => attachment.close({ timeout: 0 }));
  });

  test('an instance counts for all who share it', async () => {
    const perMessageDeflate = new PerMessageDeflate({ threshold: 0 });
    const servers = [await start({ perMessageDeflate }), await start({ perMessageDeflate })];
    for (const server of servers) {
      const client = await open(`ws://127.0.0.1:${server.port}/`, { perMessageDeflate });
      client.send('hello, hello, hello');
    }
    await until(() => perMessageDeflate.stats().messagesDecompressed === 2);
    expect(servers[0].stats().perMessageDeflate).toEqual(perMessageDeflate.stats());
    expect(perMessageDeflate.stats()).toMatchObject({
      messagesCompressed: 2,
      bytesToCompress: 38,
      bytesDecompressed: 38,
    });
  });

  test.each<[string, unknown]>([
    ['perMessageDeflate', null],
    ['perMessageDeflate', 1],
    ['perMessageDeflate', 'true'],
    ['perMessageDeflate', () => true],
    ['level', { level: 0 }],
    ['level', { level: 10 }],
    ['level', { level: 1.5 }],
    ['memLevel', { memLevel: 0 }],
    ['memLevel', { memLevel: '5' }],
    ['windowBits', { windowBits: 8 }],
    ['windowBits', { windowBits: 16 }],
    ['threshold', { threshold: -1 }],
    ['threshold', { threshold: Number.NaN }],
    ['threshold', { threshold: '1024' }],
    ['offThreadFrom', { offThreadFrom: -1 }],
    ['offThreadFrom', { offThreadFrom: '1' }],
    ['maxContexts', { maxContexts: -1 }],
    ['contextIdleTimeout', { contextIdleTimeout: -1 }],
    ['beyondMaxContexts', { beyondMaxContexts: 'refuse' }],
    ['serverNoContextTakeover', { serverNoContextTakeover: 1 }],
    ['clientNoContextTakeover', { clientNoContextTakeover: 'yes' }],
    ['serverMaxWindowBits', { serverMaxWindowBits: 7 }],
    ['serverMaxWindowBits', { serverMaxWindowBits: 8 }],
    ['serverMaxWindowBits', { serverMaxWindowBits: 16 }],
    ['serverMaxWindowBits', new PerMessageDeflate({ serverMaxWindowBits: 8 })],
    ['clientMaxWindowBits', { clientMaxWindowBits: 7 }],
    ['clientMaxWindowBits', { clientMaxWindowBits: true }],
  ])('%s: what is wrong is refused: %o', async (name, value) => {
    const options = { hostname: '127.0.0.1', perMessageDeflate: value as boolean };
    const refused = expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
    const outcomes = await Promise.all([
      start(options).catch((error: unknown) => error),
      accept(null as never, null as never, null as never, options).catch((error: unknown) => error),
      new Promise((resolve) => resolve(attach(createServer(), options))).catch((error: unknown) => error),
      new Promise((resolve) => resolve(new Endpoint(options))).catch((error: unknown) => error),
    ]);
    for (const outcome of outcomes) {
      expect(outcome).toBeInstanceOf(LocalProtocolError);
      expect(outcome).toEqual(refused);
    }
  });
});

describe('over other streams than TCP', () => {
  const sent = [textOf(100), textOf(50_000), random(50_000), textOf(MiB), hex(2000), hex(2000)];

  async function echoes(url: string, options: object): Promise<void> {
    const got: unknown[] = [];
    const client = await open(url, {
      perMessageDeflate: { threshold: 0 },
      ...options,
      message: (_ws, data) => got.push(typeof data === 'string' ? data : Buffer.from(data)),
    });
    for (const data of sent) client.send(data);
    await until(() => got.length === sent.length);
    expect(got.map((data, i) => same(data, sent[i]))).toEqual(sent.map(() => true));
  }

  test('TLS', async () => {
    const server = await start({ tls: serverTls, perMessageDeflate: true, message: (ws, data) => ws.send(data) });
    await echoes(`wss://127.0.0.1:${server.port}/`, { tls: { ca, servername: 'localhost' } });
    expect(server.stats().perMessageDeflate?.messagesCompressed).toBe(4);
  });

  test.skipIf(process.platform === 'win32')('Unix sockets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
    atEnd(() => rmSync(folder, { recursive: true }));
    const socketPath = join(folder, 's');
    const server = await serve({ socketPath, perMessageDeflate: true, message: (ws, data) => ws.send(data) });
    atEnd(() => server.close({ timeout: 0 }));
    await echoes('ws://localhost/', { socketPath });
    expect(server.stats().perMessageDeflate?.messagesCompressed).toBe(4);
  });
});

describe('sending', () => {
  test('what is compressed: from the threshold on, unless told not to', async () => {
    const { ws, peer, server } = await pair();
    const small = textOf(1023);
    const large = textOf(1024);
    ws.send(small);
    ws.send(large);
    ws.send(large, { compress: false });
    ws.send(textOf(MiB), { compress: false });
    ws.send(Buffer.from(large), { compress: true });
    ws.send(Buffer.from(large), { binary: false });
    const got = await peer.count(6);
    expect(got.map(({ compressed }) => compressed)).toEqual([false, true, false, false, true, true]);
    expect(got.map(({ data }) => typeof data)).toEqual(['string', 'string', 'string', 'string', 'object', 'string']);
    expect(server.stats().perMessageDeflate).toMatchObject({
      messagesCompressed: 3,
      bytesToCompress: 3 * 1024,
      bytesCompressed: got.reduce((sum, { compressed, size }) => sum + (compressed ? size : 0), 0),
      messagesDecompressed: 0,
    });
  });

  test('what is received is counted too', async () => {
    const { peer, log, server } = await pair();
    await peer.send(textOf(10));
    await peer.send(textOf(100_000));
    peer.sendFrame(1, 'left as it is');
    await until(() => log.length === 3);
    const { bytesToDecompress, ...stats } = server.stats().perMessageDeflate ?? { bytesToDecompress: 0 };
    expect(stats).toMatchObject({ messagesDecompressed: 2, bytesDecompressed: 100_010, messagesCompressed: 0 });
    expect(bytesToDecompress).toBeGreaterThan(10);
    expect(bytesToDecompress).toBeLessThan(10_000);
  });

  test('large and small messages, Blobs among them, keep their order', async () => {
    const { ws, peer } = await pair({ perMessageDeflate: { threshold: 0 }, sendHardLimit: 64 * MiB });
    const blob = new SlowBlob([textOf(300_000, 4)]);
    const sent = [
      textOf(10),
      textOf(MiB),
      'a',
      random(200_000),
      '',
      Buffer.from(textOf(40_000, 3)),
      blob,
      'behind the Blob',
      textOf(MiB, 5),
      Buffer.from('the last'),
    ];
    for (const data of sent) ws.send(data);
    await peer.count(6);
    blob.gate.resolve();
    const got = await peer.count(sent.length);
    const expected = sent.map((data) => (data instanceof Blob ? Buffer.from(textOf(300_000, 4)) : data));
    expect(got.map(({ data }, i) => same(data, expected[i]))).toEqual(expected.map(() => true));
  });

  test('memory of which small pieces may change at once, and large ones once they are written', async () => {
    const { ws, peer } = await pair({ perMessageDeflate: { threshold: 0 } });
    const [small, large] = [Buffer.from(textOf(5000)), Buffer.from(textOf(500_000))];
    ws.send(large);
    ws.send(small);
    const expected = [Buffer.from(large), Buffer.from(small)];
    small.fill(0);
    await until(() => ws.bufferedAmount === 0);
    large.fill(0);
    const got = await peer.count(2);
    expect(got.map(({ data }, i) => same(data, expected[i]))).toEqual([true, true]);
  });

  test('memory that is given away while it is compressed ends the connection, and nothing else', async () => {
    const { ws, server, log, peer } = await pair();
    const data = Buffer.from(new ArrayBuffer(MiB));
    ws.send('before');
    ws.send(data);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    await until(() => log.some(([name]) => name === 'close'));
    expect(log.map(([name, what]) => [name, what])).toEqual([
      ['drain', undefined],
      ['error', expect.objectContaining({ code: 'EXTENSION_FAILED' })],
      ['close', 1006],
    ]);
    await until(() => server.size === 0 && peer.socket.destroyed);
    expect(contextsOf(server)).toEqual([0, 0]);
  });
});

describe('limits of what is queued', () => {
  const large = textOf(600 * KiB);
  const limited = { sendHardLimit: MiB, perMessageDeflate: { threshold: 0 } } as const;

  test('what is being compressed counts with its size, and is drained', async () => {
    const { ws, peer, log } = await pair();
    expect(ws.send(large)).toBe(false);
    expect(ws.bufferedAmount).toBeGreaterThan(600 * KiB);
    expect(ws.send('next')).toBe(false);
    await until(() => log.length > 0);
    expect(log).toEqual([['drain']]);
    expect(ws.bufferedAmount).toBe(0);
    expect(ws.send(textOf(10_000))).toBe(true);
    expect((await peer.count(3)).map(({ data }) => data.length)).toEqual([large.length, 4, textOf(10_000).length]);
  });

  test('refuse: it is thrown, and what was queued before arrives', async () => {
    const { ws, peer, log } = await pair({ ...limited, overflow: 'refuse' });
    ws.send(large);
    expect(() => ws.send(large)).toThrow(SendLimitError);
    ws.send('small');
    await until(() => ws.bufferedAmount === 0);
    ws.send(large);
    const got = await peer.count(3);
    expect(got.map(({ data }) => data === large || data)).toEqual([true, 'small', true]);
    await until(() => log.length === 2);
    expect(log).toEqual([['drain'], ['drain']]);
  });

  test('drop: it is forgotten, and a drain follows', async () => {
    const { ws, peer, log } = await pair({ ...limited, overflow: 'drop' });
    ws.send(large);
    expect(ws.send(large)).toBe(false);
    await until(() => log.length === 1);
    ws.send('after');
    expect((await peer.count(2)).map(({ data }) => data === large || data)).toEqual([true, 'after']);
    expect(ws.messagesSent).toBe(2);
    expect(log).toEqual([['drain']]);
  });

  test('close: with 1013, behind what was queued before', async () => {
    const { ws, peer, log } = await pair({ ...limited, overflow: 'close' });
    ws.send(large);
    expect(ws.send(large)).toBe(false);
    expect(ws.isOpen).toBe(false);
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(1013);
    expect((await peer.count(1))[0].data === large).toBe(true);
    peer.sendFrame(8, Buffer.from([1013 >> 8, 1013 & 255]));
    await until(() => log.some(([name]) => name === 'close'));
    expect(log.at(-1)).toEqual(['close', 1013, '']);
  });

  test('a peer that does not read: what is compressed waits, and no more is read', async () => {
    const { ws, peer, log } = await pair({ perMessageDeflate: { threshold: 0 }, sendHardLimit: 64 * MiB });
    peer.socket.pause();
    let sent = 0;
    while (sent < 40 && (sent === 0 || ws.bufferedAmount < 8 * MiB)) ws.send(hex(MiB, ++sent));
    await peer.send('held back, for the server can answer nothing');
    // What is compressed is half as large; the system takes some of it.
    await until(() => ws.bytesSent > 0, 'the first bytes');
    await until(() => ws.bufferedAmount < 6 * MiB, 'all to be compressed');
    expect(ws.bufferedAmount).toBeGreaterThan(64 * KiB);
    expect(log).toEqual([]);
    peer.socket.resume();
    const got = await peer.count(sent);
    expect(got.every(({ data }, i) => data === hex(MiB, i + 1))).toBe(true);
    await until(() => log.length === 2);
    expect(log.map(([name]) => name)).toEqual(['drain', 'message']);
  });
});

describe('receiving', () => {
  test('textFormat: bytes', async () => {
    const { peer, log } = await pair({ textFormat: 'bytes' });
    const texts = ['grüße', textOf(5000), textOf(200_000)];
    for (const text of texts) await peer.send(text);
    await until(() => log.length === texts.length);
    expect(log.map(([, data], i) => Buffer.isBuffer(data) && `${data}` === texts[i])).toEqual([true, true, true]);
  });

  test('text that is no UTF-8, within a large message: 1007', async () => {
    const { peer, log } = await pair();
    const bad = Buffer.from(textOf(500_000));
    bad[499_000] = 0xff;
    peer.sendCompressed(1, await peer.compress(bad));
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(1007);
    expect(log.map(([name]) => name)).toEqual(['error', 'close']);
  });

  test.each([1000, 100_000, MiB])(
    'maxMessageSize of %i: just so much, and a byte more is 1009',
    async (maxMessageSize) => {
      const { peer, log, server } = await pair({ maxMessageSize });
      for (const pieces of [1, 3]) {
        const before = log.length;
        const cuts = (size: number) => (pieces === 1 ? [] : [size >> 2, size >> 1]);
        await peer.send(textOf(maxMessageSize), cuts);
        await peer.send(Buffer.from(textOf(maxMessageSize)), cuts);
        await until(() => log.length === before + 2);
        expect(log.slice(before).map(([, data]) => Buffer.byteLength(data as string))).toEqual([
          maxMessageSize,
          maxMessageSize,
        ]);
      }
      await peer.send(textOf(maxMessageSize + 1));
      await until(() => peer.closeCode !== null);
      expect(peer.closeCode).toBe(1009);
      await until(() => server.size === 0);
      expect(log.slice(4).map(([name, what]) => [name, what])).toEqual([
        ['error', expect.objectContaining({ code: 'MAX_MESSAGE_SIZE' })],
        ['close', 1009],
      ]);
      expect(contextsOf(server)).toEqual([0, 0]);
    },
  );

  test('a bomb of a GiB is stopped at the limit', async () => {
    const { peer, log } = await pair();
    const once = await peer.compress(Buffer.alloc(16 * MiB));
    const block = Buffer.concat([once, Buffer.from([0, 0, 0xff, 0xff])]);
    peer.sendCompressed(2, Buffer.concat([...Array(64).fill(block), Buffer.of(0)]));
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(1009);
    expect(log.map(([name]) => name)).toEqual(['error', 'close']);
  });
});

describe('contexts', () => {
  test('are given up when they are idle; what comes then is still right', async () => {
    const { ws, peer, server, log } = await pair({
      perMessageDeflate: { threshold: 0, windowBits: 15, contextIdleTimeout: 20 },
    });
    const message = hex(8000);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++) {
        ws.send(message);
        await peer.send(message);
      }
      const count = 3 * (round + 1);
      await until(() => log.length === count);
      const got = await peer.count(count);
      expect(got.every(({ data }) => data === message)).toBe(true);
      expect(log.every(([, data]) => data === message)).toBe(true);
      // With what it had sent before, the peer needs next to nothing.
      expect(server.stats().perMessageDeflate?.bytesToDecompress).toBeLessThan(5000 + count * 100);
      expect(got[count - 1].size).toBeLessThan(200);
      await until(() => `${contextsOf(server)}` === '0,0', 'contexts to be given up');
    }
  });

  test('no more than maxContexts; beyond, messages refer to nothing, or are left', async () => {
    for (const beyondMaxContexts of ['no-takeover', 'uncompressed'] as const) {
      const server = await start({
        perMessageDeflate: { threshold: 0, maxContexts: 1, beyondMaxContexts },
        message: (ws, data) => ws.send(data),
      });
      const peers: ZlibPeer[] = [];
      for (let i = 0; i < 3; i++) peers.push((await ZlibPeer.connect(server.port, OFFER, NOTHING_SPECIAL)).peer);
      for (let i = 1; i <= 4; i++) {
        for (const peer of peers) {
          await peer.send(hex(3000));
          expect((await peer.count(i))[i - 1].data).toBe(hex(3000));
        }
      }
      expect(contextsOf(server)).toEqual([1, 1]);
      const kinds = peers.map(({ received: [, , , { compressed, size }] }) => (compressed ? size < 200 : 'left'));
      const beyond = beyondMaxContexts === 'uncompressed' ? 'left' : false;
      expect(kinds).toEqual([true, beyond, beyond]);
    }
  });

  test('are given back by those who leave', async () => {
    const server = await start({ perMessageDeflate: { threshold: 0 }, message: (ws, data) => ws.send(data) });
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => connectWs(server.port, { perMessageDeflate: { threshold: 0 } })),
    );
    for (const client of clients) {
      for (let i = 0; i < 3; i++) {
        const answer = next(client, 'message');
        client.send(hex(6000));
        await answer;
      }
    }
    expect(contextsOf(server)).toEqual([4, 4]);
    clients[0].close(1000);
    clients[1].terminate();
    await until(() => server.size === 2);
    expect(contextsOf(server)).toEqual([2, 2]);
    const closing = server.close();
    for (const client of clients.slice(2)) client.close();
    await within(closing, 'close');
    expect(contextsOf(server)).toEqual([0, 0]);
  });

  test('a connection that has said little has none', async () => {
    const { server, peer, ws, log } = await pair({ perMessageDeflate: { threshold: 0 } });
    ws.send('hello');
    await peer.send('hello');
    await peer.send('hello');
    await until(() => log.length === 2);
    expect(contextsOf(server)).toEqual([0, 0]);
  });
});
