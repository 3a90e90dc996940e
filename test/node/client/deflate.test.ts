/** The option `perMessageDeflate` of the clients, and what it changes for those who send and receive. */

import { describe, expect, test } from 'vitest';
import {
  HandshakeError,
  LocalProtocolError,
  PerMessageDeflate,
  type PerMessageDeflateOptions,
  SendLimitError,
  WebSocket,
  type WebSocketError,
  WebSocketStream,
} from '../../../src/node/index.js';
import { hex, MiB, random, same, textOf } from '../../interop/support-deflate.js';
import { NOTHING_SPECIAL, ZlibPeer } from '../../interop/support-zlib.js';
import { atEnd, deferred, recording, start, turns, until, warningsDuring, within } from '../support.js';
import { accepting, answering, open, rawServer, refusal } from './support.js';

type Option = boolean | PerMessageDeflateOptions | PerMessageDeflate;

const url = (port: number) => `ws://127.0.0.1:${port}/`;
const LARGE = textOf(16 * MiB);

/** A server that answers every request with this field. */
const answeringWith = (extensions: string) =>
  rawServer(answering((socket, asked) => socket.write(accepting(asked, { 'Sec-WebSocket-Extensions': extensions }))));

/** What a client offers. */
async function offerOf(perMessageDeflate?: Option): Promise<string | undefined> {
  const asked = deferred<string>();
  const port = await rawServer(
    answering((socket, request) => {
      asked.resolve(request);
      socket.end(accepting(request));
    }),
  );
  await open(url(port), perMessageDeflate === undefined ? {} : { perMessageDeflate });
  return /^Sec-WebSocket-Extensions: (.*)$/im.exec(await asked.promise)?.[1].trim();
}

/** A server of node:zlib, as it was met by a client. */
async function zlibServer(): Promise<{ port: number; peer: Promise<ZlibPeer> }> {
  const met = deferred<ZlibPeer>();
  const port = await rawServer(
    answering((socket, asked) => met.resolve(ZlibPeer.accept(socket, asked, NOTHING_SPECIAL, 'permessage-deflate'))),
  );
  return { port, peer: met.promise };
}

describe('the offer', () => {
  test.each<[string | undefined, Option | undefined]>([
    [undefined, undefined],
    [undefined, false],
    ['permessage-deflate; client_max_window_bits', true],
    ['permessage-deflate; client_max_window_bits', {}],
    ['permessage-deflate; client_max_window_bits', new PerMessageDeflate()],
    ['permessage-deflate; server_no_context_takeover; client_max_window_bits', { serverNoContextTakeover: true }],
    [
      'permessage-deflate; server_max_window_bits=8; client_max_window_bits=9',
      { serverMaxWindowBits: 8, clientMaxWindowBits: 9 },
    ],
  ])('%s for %o', async (offer, option) => {
    expect(await offerOf(option)).toBe(offer);
  });

  test.each<[string, unknown]>([
    ['perMessageDeflate', null],
    ['perMessageDeflate', 'on'],
    ['perMessageDeflate', 15],
    ['level', { level: 11 }],
    ['windowBits', { windowBits: 8 }],
    ['threshold', { threshold: -1 }],
    ['serverMaxWindowBits', { serverMaxWindowBits: 7 }],
    ['clientMaxWindowBits', { clientMaxWindowBits: 8 }],
    ['clientMaxWindowBits', new PerMessageDeflate({ clientMaxWindowBits: 8 })],
  ])('%s: what is wrong is refused: %o', async (name, value) => {
    const options = { perMessageDeflate: value as boolean };
    for (const make of [
      () => open(url(1), options),
      async () => new WebSocket(url(1), [], options),
      async () => new WebSocket(url(1), options),
      async () => new WebSocketStream(url(1), options),
    ]) {
      const error = await make().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LocalProtocolError);
      expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
    }
  });

  test('that is declined: nothing is compressed', async () => {
    const server = await start({ message: (ws, data) => ws.send(data) });
    const ws = new WebSocket(url(server.port), [], { perMessageDeflate: true });
    atEnd(() => ws.close());
    const got = deferred<unknown>();
    ws.onopen = () => ws.send(textOf(10_000));
    ws.onmessage = ({ data }) => got.resolve(data);
    expect(await within(got.promise)).toBe(textOf(10_000));
    expect(ws.extensions).toBe('');
    expect(server.stats().bytesReceived).toBeGreaterThan(10_000);
  });
});

describe('wrong answers', () => {
  const wrong: [string, Option, string][] = [
    ['permessage-deflate', false, 'was not offered'],
    ['permessage-bzip2', true, 'was not offered'],
    ['permessage-deflate, permessage-bzip2', true, 'was not offered'],
    ['permessage-deflate, permessage-deflate', true, 'twice'],
    ['permessage-deflate; unknown', true, 'unknown'],
    ['permessage-deflate; unknown=1', true, 'unknown'],
    ['permessage-deflate; Server_No_Context_Takeover', true, 'Server_No_Context_Takeover'],
    ['permessage-deflate; server_no_context_takeover; server_no_context_takeover', true, 'twice'],
    ['permessage-deflate; server_no_context_takeover=1', true, 'has a value'],
    ['permessage-deflate; client_no_context_takeover=true', true, 'has a value'],
    ['permessage-deflate; client_no_context_takeover; client_no_context_takeover', true, 'twice'],
    ['permessage-deflate; server_max_window_bits', true, 'server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits=7', true, 'server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits=16', true, 'server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits=010', true, 'server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits=1e1', true, 'server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits=10; server_max_window_bits=10', true, 'twice'],
    ['permessage-deflate; client_max_window_bits', true, 'client_max_window_bits'],
    ['permessage-deflate; client_max_window_bits=8', true, 'client_max_window_bits'],
    ['permessage-deflate; client_max_window_bits=16', true, 'client_max_window_bits'],
    ['permessage-deflate; client_max_window_bits=09', true, 'client_max_window_bits'],
    ['permessage-deflate; client_max_window_bits=11', { clientMaxWindowBits: 10 }, 'more than was offered'],
    ['permessage-deflate; server_max_window_bits=11', { serverMaxWindowBits: 10 }, 'more than was offered'],
    ['permessage-deflate', { serverMaxWindowBits: 10 }, 'leaves out server_max_window_bits'],
    ['permessage-deflate', { serverNoContextTakeover: true }, 'leaves out server_no_context_takeover'],
    ['permessage-deflate;', true, 'malformed'],
    ['permessage-deflate; =1', true, 'malformed'],
    ['permessage-deflate; server_max_window_bits="10', true, 'malformed'],
    ['permessage-deflate; server_max_window_bits=', true, 'malformed'],
    ['permessage-deflate,', true, 'malformed'],
    ['permessage deflate', true, 'malformed'],
  ];

  test.each(wrong)('%s, for %o', async (answer, perMessageDeflate, message) => {
    const port = await answeringWith(answer);
    const { log, handlers } = recording();
    const error = await refusal(url(port), { perMessageDeflate, ...handlers });
    expect(error).toBeInstanceOf(HandshakeError);
    expect([error.code, error.message]).toEqual(['INVALID_EXTENSION', expect.stringContaining(message)]);
    await turns();
    expect(log).toEqual([]);
  });

  test('fail WebSocket and WebSocketStream as well', async () => {
    const port = await answeringWith('permessage-deflate; client_max_window_bits=8');
    const ws = new WebSocket(url(port), [], { perMessageDeflate: true });
    const failed = deferred<unknown>();
    const closed = deferred<[number, boolean]>();
    ws.onerror = ({ error }) => failed.resolve(error);
    ws.onclose = ({ code, wasClean }) => closed.resolve([code, wasClean]);
    expect(await within(failed.promise)).toMatchObject({ name: 'HandshakeError', code: 'INVALID_EXTENSION' });
    expect(await within(closed.promise)).toEqual([1006, false]);
    const stream = new WebSocketStream(url(port), { perMessageDeflate: true });
    const error = await within(stream.opened.catch((thrown: WebSocketError) => thrown));
    expect(error).toMatchObject({ name: 'WebSocketError', cause: { code: 'INVALID_EXTENSION' } });
  });

  test.each<[string, Option]>([
    ['permessage-deflate', true],
    ['permessage-deflate; server_max_window_bits="10"', true],
    ['permessage-deflate;server_no_context_takeover ;\tclient_max_window_bits=9', true],
    ['permessage-deflate; server_max_window_bits=8', { serverMaxWindowBits: 9 }],
    ['permessage-deflate', { clientMaxWindowBits: 10, clientNoContextTakeover: true }],
  ])('but not %s, for %o', async (answer, perMessageDeflate) => {
    const peer = await open(url(await answeringWith(answer)), { perMessageDeflate });
    expect(peer.isOpen).toBe(true);
  });
});

describe('connect', () => {
  test('compresses unless told not to, large and small in order, a Blob among them', async () => {
    const { port, peer } = await zlibServer();
    const client = await open(url(port), { perMessageDeflate: { threshold: 0 }, sendHardLimit: 64 * MiB });
    const server = await peer;
    const sent = [LARGE, 'a', new Blob([textOf(90_000)]), random(200_000), textOf(MiB, 2), 'the last'];
    for (const data of sent) client.send(data);
    client.send(textOf(5000), { compress: false });
    const got = await server.count(sent.length + 1);
    const expected = sent.map((data) => (data instanceof Blob ? Buffer.from(textOf(90_000)) : data));
    expect(got.slice(0, -1).map(({ data }, i) => same(data, expected[i]))).toEqual(sent.map(() => true));
    expect(got.map(({ compressed }) => compressed)).toEqual([true, true, true, false, true, true, false]);
  });

  test('a Ping right behind 16 MiB is answered before they are decompressed', async () => {
    const { port, peer } = await zlibServer();
    const { log, handlers } = recording();
    await open(url(port), { ...handlers, perMessageDeflate: true });
    const server = await peer;
    server.sendCompressed(1, await server.compress(LARGE));
    server.sendFrame(9, 'behind it');
    await until(() => server.pongs.length === 1 && log.length === 3);
    expect(log.map(([name]) => name)).toEqual(['open', 'ping', 'message']);
    expect(log[2][1] === LARGE).toBe(true);
  });

  test('close right behind a large message: it arrives whole, and then the Close', async () => {
    const { port, peer } = await zlibServer();
    const { log, handlers } = recording();
    const client = await open(url(port), { ...handlers, perMessageDeflate: true, sendHardLimit: 64 * MiB });
    const server = await peer;
    client.send(LARGE);
    client.close(4000, 'done');
    const got = await server.count(1);
    expect(got[0].data === LARGE).toBe(true);
    await until(() => server.closeCode !== null);
    expect([server.closeCode, server.opcodes]).toEqual([4000, [1, 8]]);
    server.sendFrame(8, Buffer.from([4000 >> 8, 4000 & 255]));
    server.socket.end();
    await until(() => log.some(([name]) => name === 'close'));
    expect(log.filter(([name]) => name === 'close')).toEqual([['close', 4000, '']]);
  });

  test.each<[string, (client: { terminate(): void }, server: ZlibPeer) => unknown]>([
    ['terminate', (client) => client.terminate()],
    ['a reset', (_client, server) => server.socket.resetAndDestroy()],
  ])('%s while work is off the thread: close is called once, and nothing is left', async (_name, end) => {
    const deflate = new PerMessageDeflate({ threshold: 0 });
    const warnings = await warningsDuring(async () => {
      const { port, peer } = await zlibServer();
      const { log, handlers } = recording();
      const client = await open(url(port), { ...handlers, perMessageDeflate: deflate, sendHardLimit: 64 * MiB });
      const server = await peer;
      for (let i = 0; i < 3; i++) {
        client.send(hex(8000));
        await server.send(hex(8000));
      }
      await until(() => log.length === 4 && server.received.length === 3);
      expect(deflate.stats()).toMatchObject({ compressors: 1, decompressors: 1 });
      const payload = await server.compress(LARGE);
      client.send(LARGE);
      server.sendCompressed(1, payload);
      server.sendFrame(9, 'it is here');
      await until(() => log.some(([name]) => name === 'ping'));
      await end(client, server);
      await until(() => log.some(([name]) => name === 'close'));
      await turns(30);
      expect(log.filter(([name]) => name === 'close')).toEqual([['close', 1006, expect.any(String)]]);
      expect(deflate.stats()).toMatchObject({ compressors: 0, decompressors: 0 });
    });
    expect(warnings).toEqual([]);
  });

  test('drain, bufferedAmount and sendHardLimit', async () => {
    const { port, peer } = await zlibServer();
    const { log, handlers } = recording();
    const client = await open(url(port), { ...handlers, perMessageDeflate: true, sendHardLimit: MiB });
    const server = await peer;
    expect(client.send(textOf(600_000))).toBe(false);
    expect(client.bufferedAmount).toBeGreaterThan(600_000);
    expect(() => client.send(textOf(600_000))).toThrow(SendLimitError);
    await until(() => log.length === 2);
    expect(log).toEqual([['open'], ['drain']]);
    expect(client.bufferedAmount).toBe(0);
    client.send(textOf(600_000));
    expect((await server.count(2)).map(({ data }) => data === textOf(600_000))).toEqual([true, true]);
  });

  test.each([5000, MiB])('maxMessageSize of %i: just so much, and a byte more is 1009', async (maxMessageSize) => {
    const { port, peer } = await zlibServer();
    const { log, handlers } = recording();
    await open(url(port), { ...handlers, perMessageDeflate: true, maxMessageSize });
    const server = await peer;
    await server.send(textOf(maxMessageSize));
    await until(() => log.length === 2);
    await server.send(textOf(maxMessageSize + 1));
    await until(() => server.closeCode !== null);
    expect(server.closeCode).toBe(1009);
    server.socket.end();
    await until(() => log.length === 4);
    expect(log.slice(2).map(([name, what]) => [name, what])).toEqual([
      ['error', expect.objectContaining({ code: 'MAX_MESSAGE_SIZE' })],
      ['close', 1009],
    ]);
  });
});

describe('WebSocket', () => {
  test('says what is in use, compresses, and closes behind large messages', async () => {
    const { port, peer } = await zlibServer();
    const ws = new WebSocket(url(port), { perMessageDeflate: { threshold: 0 } });
    const opened = deferred();
    const closed = deferred<[number, boolean]>();
    ws.onopen = () => opened.resolve();
    ws.onclose = ({ code, wasClean }) => closed.resolve([code, wasClean]);
    const server = await peer;
    await within(opened.promise, 'open');
    expect(ws.extensions).toBe('permessage-deflate');
    ws.send(LARGE);
    expect(ws.bufferedAmount).toBe(16 * MiB);
    ws.send(new Blob(['a Blob']));
    ws.send('behind it');
    ws.close(4000);
    const got = await server.count(3);
    expect(got.map(({ data }) => data === LARGE || `${data}`)).toEqual([true, 'a Blob', 'behind it']);
    await until(() => server.closeCode !== null);
    server.sendFrame(8, Buffer.from([4000 >> 8, 4000 & 255]));
    server.socket.end();
    expect(await within(closed.promise, 'the end')).toEqual([4000, true]);
    expect(ws.bufferedAmount).toBe(0);
  });

  test.each(['refuse', 'drop', 'close'] as const)('past sendHardLimit: %s', async (overflow) => {
    const { port, peer } = await zlibServer();
    const ws = new WebSocket(url(port), { perMessageDeflate: true, sendHardLimit: MiB, overflow });
    const opened = deferred();
    const closed = deferred<number>();
    const errors: unknown[] = [];
    ws.onopen = () => opened.resolve();
    ws.onerror = ({ error }) => errors.push(error);
    ws.onclose = ({ code }) => closed.resolve(code);
    const server = await peer;
    await within(opened.promise, 'open');
    const large = textOf(600_000);
    ws.send(large);
    if (overflow === 'refuse') {
      expect(() => ws.send(large)).toThrow(expect.objectContaining({ code: 'SEND_HARD_LIMIT' }));
    } else {
      ws.send(large);
    }
    expect((await server.count(1))[0].data === large).toBe(true);
    if (overflow === 'close') {
      await until(() => server.closeCode !== null);
      expect(server.closeCode).toBe(1013);
    } else {
      await until(() => ws.bufferedAmount === 0);
      ws.send('goes on');
      expect((await server.count(2))[1].data).toBe('goes on');
      ws.close();
      await until(() => server.closeCode !== null);
    }
    server.sendFrame(8, Buffer.from([1000 >> 8, 1000 & 255]));
    server.socket.end();
    await within(closed.promise, 'the end');
    expect(errors).toEqual(overflow === 'close' ? [expect.objectContaining({ code: 'SEND_HARD_LIMIT' })] : []);
  });
});

describe('WebSocketStream', () => {
  test('who does not read holds the server', async () => {
    const total = 60;
    let sent = 0;
    const more = (ws: { send(data: string): boolean }) => {
      while (sent < total && ws.send(hex(MiB, (sent++ % 200) + 1)));
    };
    const server = await start({
      perMessageDeflate: true,
      open: more,
      drain: more,
    });
    const stream = new WebSocketStream(url(server.port), { perMessageDeflate: true });
    atEnd(() => stream.close());
    const { readable, extensions } = await within(stream.opened, 'opened');
    expect(extensions).toBe('permessage-deflate');
    // Until nothing moves any more.
    let before = -1;
    let unchanged = 0;
    await until(() => {
      unchanged = sent === before && server.stats().bufferedAmount > 0 ? unchanged + 1 : 0;
      before = sent;
      return unchanged === 50;
    }, 'the server to be held');
    expect(sent).toBeLessThan(total / 2);
    const reader = readable.getReader();
    for (let i = 0; i < total; i++) {
      const { value } = await within(reader.read(), 'a message');
      expect(value === hex(MiB, i + 1)).toBe(true);
    }
    expect(server.stats().perMessageDeflate?.messagesCompressed).toBe(total);
  });

  test('a server that does not read holds the writer', async () => {
    const gate = deferred();
    const got: unknown[] = [];
    const server = await start({
      perMessageDeflate: true,
      message: (_ws, data) => {
        got.push(data);
        return gate.promise;
      },
    });
    const stream = new WebSocketStream(url(server.port), { perMessageDeflate: { threshold: 0 } });
    atEnd(() => stream.close());
    const { writable } = await within(stream.opened, 'opened');
    const writer = writable.getWriter();
    const total = 60;
    let written = 0;
    const writing = (async () => {
      for (; written < total; written++) await writer.write(hex(MiB, written + 1));
      await writer.close();
    })();
    let before = -1;
    let unchanged = 0;
    await until(() => {
      unchanged = written === before && got.length === 1 ? unchanged + 1 : 0;
      before = written;
      return unchanged === 50;
    }, 'the writer to be held');
    expect(written).toBeLessThan(total / 2);
    gate.resolve();
    await within(writing, 'the rest');
    expect(got.map((data, i) => data === hex(MiB, i + 1))).toEqual(Array(total).fill(true));
  });
});
