/** Our server with the client of `ws`, our core as a client with the server of `ws`; with both tiers of kernels. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import WebSocket, { type ServerOptions, WebSocketServer } from 'ws';
import { BytesMessage, CloseConnection, type FrameEvent, Ping, Pong, TextMessage } from '../../src/core/index.js';
import { type Kernels, tiers } from '../../src/kernels/index.js';
import { encode } from '../kernels/support.js';
import { atEnd, connectWs, frame, next, noise, RawClient, start, until } from '../node/support.js';
import { CoreClient } from './support.js';

const MiB = 1024 * 1024;
const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, MiB + 1];
const MAX = 16 * MiB;

/** Texts of any size, of one, two, three and four bytes a character. */
function textsOf(size: number): string[] {
  return ['a', 'é', '語', '😀'].map((character) => character.repeat(Math.floor(size / Buffer.byteLength(character))));
}

/** A server of `ws` that echoes, and tells what it heard. */
async function wsServer(options: ServerOptions = {}): Promise<{
  port: number;
  sockets: WebSocket[];
  closes: [number, string][];
  errors: Error[];
  pongs: string[];
}> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false, ...options });
  const sockets: WebSocket[] = [];
  const closes: [number, string][] = [];
  const errors: Error[] = [];
  const pongs: string[] = [];
  server.on('connection', (ws) => {
    sockets.push(ws);
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
    ws.on('pong', (data) => pongs.push(`${data}`));
    ws.on('close', (code, reason) => closes.push([code, `${reason}`]));
    ws.on('error', (error) => errors.push(error));
  });
  atEnd(() => {
    for (const ws of sockets) ws.terminate();
    return new Promise((resolve) => server.close(resolve));
  });
  await next(server, 'listening');
  return { port: (server.address() as { port: number }).port, sockets, closes, errors, pongs };
}

/** What a client of `ws` receives. */
function collect(ws: WebSocket): (string | Buffer)[] {
  const got: (string | Buffer)[] = [];
  ws.on('message', (data, isBinary) => got.push(isBinary ? (data as Buffer) : `${data}`));
  return got;
}

function same(got: string | Buffer, sent: string | Uint8Array): boolean {
  return typeof got === 'string' || typeof sent === 'string' ? got === sent : got.equals(sent);
}

type Message = { readonly text: string } | { readonly size: number; readonly seed: number };

const messages = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ text: fc.string({ unit: 'grapheme', maxLength: 200 }) }) },
    { weight: 2, arbitrary: fc.record({ size: fc.nat(300), seed: fc.nat(1000) }) },
    { weight: 1, arbitrary: fc.record({ size: fc.constantFrom(65_535, 65_536, 100_000), seed: fc.nat(1000) }) },
  ),
  { minLength: 1, maxLength: 60 },
);

function dataOf(message: Message): string | Uint8Array {
  return 'text' in message ? message.text : noise(message.size, message.seed);
}

describe.each(tiers.map((kernels) => [kernels.tier, kernels] as const))('%s kernels', (_tier, kernels: Kernels) => {
  describe('our server, ws as the client', () => {
    const echo = (options = {}) => start({ kernels, message: (ws, data) => ws.send(data), ...options });

    test.each(SIZES)('%i bytes of text and binary come back', async (size) => {
      const server = await echo();
      const ws = await connectWs(server.port);
      const got = collect(ws);
      const sent: (string | Uint8Array)[] = [...textsOf(size), noise(size, size + 1)];
      for (const data of sent) ws.send(data);
      await until(() => got.length === sent.length);
      for (const [i, data] of sent.entries()) expect(same(got[i], data), `message ${i}`).toBe(true);
    });

    test('the largest message allowed comes back, one byte more is 1009', async () => {
      const server = await echo({ sendHardLimit: 2 * MAX });
      const ws = await connectWs(server.port);
      const got = collect(ws);
      const data = noise(MAX);
      ws.send(data);
      await until(() => got.length === 1);
      expect(same(got[0], data)).toBe(true);
      const closed = next(ws, 'close');
      ws.send(new Uint8Array(MAX + 1));
      expect((await closed)[0]).toBe(1009);
    });

    test('fragments of ws', async () => {
      const server = await echo();
      const ws = await connectWs(server.port);
      const got = collect(ws);
      const emoji = Buffer.from('😀'.repeat(50_000));
      const part = (from: number, to: number) =>
        ws.send(emoji.subarray(from, to), { binary: false, fin: to === emoji.length });
      // Cut inside of characters, with an empty fragment and a Ping in between.
      part(0, 1);
      part(1, 3);
      part(3, 3);
      ws.ping('between');
      part(3, 100_003);
      part(100_003, emoji.length);
      await until(() => got.length === 1);
      expect(got[0]).toBe('😀'.repeat(50_000));
    });

    test('random messages, pipelined', async () => {
      const server = await echo();
      await fc.assert(
        fc.asyncProperty(messages, async (sequence) => {
          const ws = await connectWs(server.port);
          const got = collect(ws);
          const sent = sequence.map(dataOf);
          for (const data of sent) ws.send(data);
          await until(() => got.length === sent.length);
          for (const [i, data] of sent.entries()) if (!same(got[i], data)) throw new Error(`message ${i} differs`);
          ws.terminate();
        }),
        { numRuns: 25 },
      );
    });

    test('pings and pongs, both ways, with payloads', async () => {
      const pongs: string[] = [];
      const pings: string[] = [];
      const server = await start({
        kernels,
        open: (ws) => ws.ping(Buffer.from('from us')),
        ping: (_ws, payload) => pings.push(`${payload}`),
        pong: (_ws, payload) => pongs.push(`${payload}`),
      });
      const ws = await connectWs(server.port);
      const answered = next(ws, 'pong');
      ws.ping('p'.repeat(125));
      expect(`${(await answered)[0]}`).toBe('p'.repeat(125));
      ws.pong('unasked');
      await until(() => pongs.length === 2);
      expect(pongs.sort()).toEqual(['from us', 'unasked']);
      expect(pings).toEqual(['p'.repeat(125)]);
    });

    test.each([
      [1000, ''],
      [1001, 'away'],
      [3000, 'é'.repeat(61)],
      [4999, 'x'.repeat(123)],
    ])('close %i, begun by either', async (code, reason) => {
      const closes: [number, string][] = [];
      const server = await start({
        kernels,
        message: (ws) => ws.close(code, reason),
        close: (_ws, code, reason) => closes.push([code, reason]),
      });
      const first = await connectWs(server.port);
      first.close(code, reason);
      expect((await next(first, 'close'))[0]).toBe(code);
      const second = await connectWs(server.port);
      const closed = next(second, 'close');
      second.send('close!');
      const [gotCode, gotReason] = await closed;
      expect([gotCode, `${gotReason}`]).toEqual([code, reason]);
      await until(() => server.size === 0);
      expect(closes[0]).toEqual([code, reason]);
      expect(closes[1][0]).toBe(code);
    });

    test('close without a code, and terminate', async () => {
      const closes: number[] = [];
      const server = await start({ kernels, close: (_ws, code) => closes.push(code) });
      const one = await connectWs(server.port);
      one.close();
      expect((await next(one, 'close'))[0]).toBe(1005);
      const two = await connectWs(server.port);
      two.terminate();
      await until(() => closes.length === 2);
      expect(closes).toEqual([1005, 1006]);
    });

    test('subprotocols; and the offer of compression is declined', async () => {
      const server = await start({
        kernels,
        upgrade: ({ subprotocols }) => ({ protocol: subprotocols[1] }),
      });
      const ws = await connectWs(server.port, { protocols: ['a', 'b', 'c'], perMessageDeflate: true });
      expect(ws.protocol).toBe('b');
      expect(ws.extensions).toBe('');
      ws.terminate();
    });

    test('what ws calls an error, we answer with the code of it', async () => {
      const server = await start({ kernels });
      const invalid: [Uint8Array, number][] = [
        [frame(1, new Uint8Array([0xed, 0xa0, 0x80])), 1007],
        [frame(2, 'x', { rsv: 0x40 }), 1002],
        [frame(2, '', { claim: BigInt(MAX + 1) }), 1009],
      ];
      for (const [bytes, code] of invalid) {
        const client = await RawClient.open(server.port, bytes);
        expect((await client.closeCode())[0]).toBe(code);
        client.socket.destroy();
      }
    });
  });

  describe('our core as the client, the server of ws', () => {
    const open = (port: number, request = {}) => CoreClient.open(port, { kernels }, request);

    test.each(SIZES)('%i bytes of text and binary come back', async (size) => {
      const { port } = await wsServer();
      const client = await open(port);
      const texts = textsOf(size);
      const bytes = noise(size, size + 1);
      client.send(...texts.map((text) => new TextMessage(text)), new BytesMessage(bytes));
      const got = await client.count(5);
      for (const [i, text] of texts.entries()) expect(got[i].data === text, `text ${i}`).toBe(true);
      expect(bytes.length === got[4].data.length && (got[4].data as Buffer).equals(bytes)).toBe(true);
    });

    test('the largest message that ws takes comes back, one byte more is its 1009', async () => {
      const server = await wsServer({ maxPayload: 4 * MiB });
      const client = await open(server.port);
      const data = noise(4 * MiB);
      client.send(new BytesMessage(data));
      const [got] = await client.count(1);
      expect((got.data as Buffer).equals(data)).toBe(true);
      client.send(new BytesMessage(new Uint8Array(4 * MiB + 1)));
      await until(() => client.closed !== null);
      expect(client.closed?.code).toBe(1009);
    });

    test('a message of ws over our own limit: 1009 to ws', async () => {
      const server = await wsServer();
      const client = await CoreClient.open(server.port, { kernels, maxMessageSize: 1000 });
      client.send(new BytesMessage(noise(1001)));
      expect((await client.end()).slice(0, 1)).toEqual([1009]);
      await until(() => server.closes.length === 1);
      expect(server.closes[0][0]).toBe(1009);
    });

    test('fragments, both ways', async () => {
      const server = await wsServer();
      const client = await open(server.port);
      client.send(
        new TextMessage('\ud83d', false),
        new TextMessage('', false),
        new Ping(Buffer.from('between')),
        new TextMessage('\ude00!', true),
        new BytesMessage(noise(70_000), false),
        new BytesMessage(noise(10), true),
      );
      await client.count(3);
      const [ws] = server.sockets;
      for (const fin of [false, false, true]) ws.send('語'.repeat(30_000), { fin });
      const got = await client.count(4);
      expect(got.map(({ type }) => type).sort()).toEqual(['bytes', 'pong', 'text', 'text']);
      const texts = got.filter(({ type }) => type === 'text').map(({ data }) => data);
      expect(texts).toEqual(['😀!', '語'.repeat(90_000)]);
    });

    test('random messages, pipelined', async () => {
      const { port } = await wsServer();
      await fc.assert(
        fc.asyncProperty(messages, async (sequence) => {
          const client = await open(port);
          const sent = sequence.map(dataOf);
          client.send(
            ...sent.map(
              (data): FrameEvent => (typeof data === 'string' ? new TextMessage(data) : new BytesMessage(data)),
            ),
          );
          const got = await client.count(sent.length);
          for (const [i, data] of sent.entries()) if (!same(got[i].data, data)) throw new Error(`message ${i} differs`);
          client.socket.destroy();
        }),
        { numRuns: 25 },
      );
    });

    test('pings and pongs, both ways, with payloads', async () => {
      const server = await wsServer();
      const client = await open(server.port);
      client.send(new Ping(Buffer.from('from us')), new Pong(Buffer.from('unasked')));
      await client.count(1);
      server.sockets[0].ping('from ws');
      await until(() => server.pongs.length === 2);
      expect(server.pongs).toEqual(['unasked', 'from ws']);
      expect(client.received.map(({ type, data }) => `${type} ${data}`)).toEqual(['pong from us', 'ping from ws']);
    });

    test.each([
      [1000, ''],
      [3000, 'é'.repeat(61)],
      [4999, 'x'.repeat(123)],
    ])('close %i, begun by either', async (code, reason) => {
      const server = await wsServer();
      const first = await open(server.port);
      first.send(new CloseConnection(code, reason));
      expect(await first.end()).toEqual([code, reason, 'peer']);
      const second = await open(server.port);
      server.sockets[1].close(code, reason);
      expect(await second.end()).toEqual([code, reason, 'peer']);
      await until(() => server.closes.length === 2);
      expect(server.closes[0]).toEqual([code, reason]);
      expect(server.closes[1][0]).toBe(code);
    });

    test('close without a code', async () => {
      const server = await wsServer();
      const client = await open(server.port);
      client.send(new CloseConnection());
      expect(await client.end()).toEqual([1005, '', 'peer']);
      await until(() => server.closes.length === 1);
      expect(server.closes).toEqual([[1005, '']]);
    });

    test('subprotocols', async () => {
      const { port } = await wsServer({ handleProtocols: (offered) => [...offered][1] ?? false });
      const client = await open(port, { subprotocols: ['a', 'b'] });
      expect(client.accepted?.subprotocol).toBe('b');
    });

    test.each<[string, Uint8Array, number]>([
      ['bad UTF-8', frame(1, new Uint8Array([0xff])), 1007],
      ['no mask', frame(1, 'x', { key: null }), 1002],
      ['a reserved opcode', frame(3, 'x'), 1002],
      ['reserved bits', frame(1, 'x', { rsv: 0x20 }), 1002],
      ['a ping too long', frame(9, noise(126)), 1002],
    ])('%s: the code of ws reaches us', async (_name, bytes, code) => {
      const server = await wsServer();
      const client = await open(server.port);
      client.sendRaw(bytes);
      await until(() => client.closed !== null);
      expect(client.closed).toMatchObject({ code, origin: 'peer' });
    });

    test('a masked frame from a server: our 1002 reaches ws', async () => {
      const server = await wsServer();
      const client = await open(server.port);
      const [ws] = server.sockets;
      const { _socket: socket } = ws as unknown as { _socket: { write(bytes: Uint8Array): void } };
      socket.write(encode({ opcode: 1, payload: new Uint8Array(3), key: 7 }));
      await until(() => server.closes.length === 1);
      expect(server.closes[0][0]).toBe(1002);
      expect(client.closed).toMatchObject({ code: 1002, origin: 'violation' });
    });
  });
});

test('a refusal of ours reaches ws with its status', async () => {
  const server = await start({ path: '/only' });
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}/other`);
  atEnd(() => ws.terminate());
  ws.on('error', () => {});
  const [, response] = await next(ws, 'unexpected-response');
  expect((response as { statusCode: number }).statusCode).toBe(404);
});
