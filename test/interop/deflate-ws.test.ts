/** permessage-deflate with `ws`, in both roles: every combination of parameters that it can do. */

import { describe, expect, test } from 'vitest';
import type WebSocket from 'ws';
import type { PerMessageDeflateOptions } from 'ws';
import { open, refusal, wsServer } from '../node/client/support.js';
import { atEnd, connectWs, deferred, start, until, within } from '../node/support.js';
import { clients } from './support-clients.js';
import {
  type Combination,
  combinations,
  largest,
  type Message,
  MiB,
  messagesOf,
  nameOf,
  probes,
  random,
  SIZES,
  same,
  textOf,
} from './support-deflate.js';
import { Tap } from './support-tap.js';

const OURS = { threshold: 0, windowBits: 15 } as const;
async function tapped(port: number): Promise<Tap> {
  const tap = await Tap.to(port);
  atEnd(() => tap.close());
  return tap;
}

const LIMITS = { sendHardLimit: 64 * MiB } as const;

const ourServer = (perMessageDeflate: object = OURS) =>
  start({ perMessageDeflate, ...LIMITS, message: (ws, data) => ws.send(data) });

/** A client of `ws`, what it receives, and the answer to its offer. */
async function wsClient(port: number, options: PerMessageDeflateOptions) {
  const ws = await connectWs(port, { perMessageDeflate: { threshold: 0, ...options } });
  const got: Message[] = [];
  ws.on('message', (data, isBinary) => got.push(isBinary ? (data as Buffer) : `${data}`));
  return { ws, got };
}

/** A server of `ws` that echoes. */
function echoOfWs(options: PerMessageDeflateOptions = {}) {
  return wsServer((socket) => socket.on('message', (data, binary) => socket.send(data, { binary })), {
    perMessageDeflate: { threshold: 0, ...options },
    maxPayload: 0,
  });
}

async function checkEchoes(got: readonly unknown[], sent: readonly Message[], name = ''): Promise<void> {
  await until(() => got.length >= sent.length, `${sent.length} echoes ${name}`);
  for (const [i, message] of sent.entries()) {
    expect(same(got[i], message), `${name}: message ${i} of ${message.length}`).toBe(true);
  }
}

describe('ws as the client', () => {
  test('all combinations: windows as agreed, and taken over or not', async () => {
    const server = await ourServer();
    const all = combinations(9, 8);
    let count = 0;
    for (let i = 0; i < all.length; i += 16) {
      await Promise.all(
        all.slice(i, i + 16).map(async (combination) => {
          const tap = await tapped(server.port);
          const { ws, got } = await wsClient(tap.port, combination);
          const sent = probes(combination);
          count += sent.length;
          for (const message of sent) ws.send(message);
          await checkEchoes(got, sent, nameOf(combination));
          expect(tap.tookOver('fromServer')).toBe(!combination.serverNoContextTakeover);
          expect(tap.tookOver('fromClient')).toBe(!combination.clientNoContextTakeover);
          ws.terminate();
        }),
      );
    }
    expect(server.stats().perMessageDeflate).toMatchObject({
      messagesCompressed: count,
      messagesDecompressed: count,
    });
  });

  test('it asks for a window of 256 bytes of ours: declined, and nothing is compressed', async () => {
    const server = await ourServer();
    const { ws, got } = await wsClient(server.port, { serverMaxWindowBits: 8 });
    expect(ws.extensions).toBe('');
    ws.send(textOf(5000));
    await checkEchoes(got, [textOf(5000)]);
    expect(server.stats().perMessageDeflate).toMatchObject({ messagesCompressed: 0, messagesDecompressed: 0 });
  });

  test('it cannot be told of a smaller window: declined', async () => {
    const server = await ourServer({ ...OURS, clientMaxWindowBits: 10 });
    const { ws } = await wsClient(server.port, { clientMaxWindowBits: false as unknown as number });
    expect(ws.extensions).toBe('');
  });

  test('all sizes', async () => {
    const server = await ourServer();
    const { ws, got } = await wsClient(server.port, {});
    const sent = [...messagesOf(...SIZES), ...largest()];
    for (const message of sent) ws.send(message);
    await checkEchoes(got, sent);
    expect(server.stats().perMessageDeflate?.messagesDecompressed).toBe(sent.length);
  });

  test('its fragments, cut anywhere, with Pings in between', async () => {
    const server = await ourServer();
    const { ws, got } = await wsClient(server.port, {});
    const sent: Message[] = [];
    const pongs: string[] = [];
    ws.on('pong', (payload) => pongs.push(`${payload}`));
    for (const [i, message] of messagesOf(0, 1, 126, 1024, 65_536, MiB).entries()) {
      const bytes = Buffer.from(message as string);
      const binary = typeof message !== 'string';
      let from = 0;
      for (const step of random(5, i + 1)) {
        const to = Math.min(bytes.length, from + Math.floor((step * bytes.length) / 512));
        ws.send(bytes.subarray(from, to), { fin: false, binary });
        ws.ping(`${i}`);
        from = to;
      }
      ws.send(bytes.subarray(from), { fin: true, binary });
      sent.push(message);
    }
    await checkEchoes(got, sent);
    await until(() => pongs.at(-1) === `${sent.length - 1}`, 'the last Pong');
  });

  test('does it send an empty payload with RSV1? No: an empty message is a byte', async () => {
    const server = await ourServer();
    for (const takeover of [true, false]) {
      const tap = await tapped(server.port);
      const { ws, got } = await wsClient(tap.port, { clientNoContextTakeover: !takeover });
      for (const message of ['', '', 'x', '', Buffer.alloc(0)]) ws.send(message);
      ws.send('', { fin: false, binary: false });
      ws.send('', { fin: false, binary: false });
      ws.send('', { fin: true, binary: false });
      await checkEchoes(got, ['', '', 'x', '', Buffer.alloc(0), '']);
      const frames = tap.data('fromClient');
      expect(frames).toHaveLength(8);
      expect(frames.filter(({ length }) => length === 0)).toEqual([]);
      expect(frames.slice(0, 2).map(({ rsv, start }) => [rsv, ...start])).toEqual([
        [0x40, 0],
        [0x40, 0],
      ]);
    }
  });
});

describe('ws as the server', () => {
  test('all combinations that we offer', async () => {
    const { port } = await echoOfWs();
    const all = combinations(8, 9);
    for (let i = 0; i < all.length; i += 16) {
      await Promise.all(all.slice(i, i + 16).map((combination) => exchange(port, combination, combination)));
    }
  });

  test('all combinations that it answers to what we offer by default', async () => {
    const all = combinations(9, 9);
    for (let i = 0; i < all.length; i += 16) {
      await Promise.all(
        all.slice(i, i + 16).map(async (combination) => {
          const { port } = await echoOfWs(combination);
          await exchange(port, {}, combination);
        }),
      );
    }
  });

  /** Echoes, and what was agreed on. */
  async function exchange(port: number, options: object, combination: Combination): Promise<void> {
    const tap = await tapped(port);
    const got: Message[] = [];
    const client = await open(`ws://127.0.0.1:${tap.port}/`, {
      perMessageDeflate: { ...OURS, ...options },
      message: (_ws, data) => got.push(typeof data === 'string' ? data : Buffer.from(data)),
    });
    const sent = probes(combination);
    for (const message of sent) client.send(message);
    await checkEchoes(got, sent, nameOf(combination));
    expect(tap.tookOver('fromServer'), nameOf(combination)).toBe(!combination.serverNoContextTakeover);
    expect(tap.tookOver('fromClient'), nameOf(combination)).toBe(!combination.clientNoContextTakeover);
    client.terminate();
  }

  test('it wants a window of 256 bytes of us: the handshake fails', async () => {
    const { port } = await echoOfWs({ clientMaxWindowBits: 8 });
    const error = await refusal(`ws://127.0.0.1:${port}/`, { perMessageDeflate: true });
    expect(error.code).toBe('INVALID_EXTENSION');
    expect(error.message).toMatch(/client_max_window_bits is less than this client can do/);
  });

  test.each(clients)('all sizes, pipelined: %s', async (name, openClient) => {
    const { port } = await echoOfWs();
    const tap = await tapped(port);
    const client = await openClient(`ws://127.0.0.1:${tap.port}/`, { perMessageDeflate: OURS, ...LIMITS });
    const sent = [...messagesOf(...SIZES), ...(name === 'connect' ? largest() : largest().slice(0, 1))];
    for (const message of sent) client.send(message);
    await checkEchoes(client.got, sent);
    const compressed = tap.messages('fromClient').filter(({ rsv }) => rsv === 0x40);
    expect(compressed.length).toBeGreaterThanOrEqual((2 / 3) * sent.length);
    expect(tap.messages('fromServer').every(({ rsv }) => rsv === 0x40)).toBe(true);
    client.close(1000, 'done');
    // It repeats the reason too.
    expect(await within(client.ended, 'the end')).toEqual([1000, 'done']);
  });

  test('its fragments, and Pings in between', async () => {
    const socket = deferred<WebSocket>();
    const { port } = await wsServer(socket.resolve, { perMessageDeflate: { threshold: 0 } });
    const got: unknown[] = [];
    const pings: string[] = [];
    await open(`ws://127.0.0.1:${port}/`, {
      perMessageDeflate: true,
      message: (_ws, data) => got.push(typeof data === 'string' ? data : Buffer.from(data)),
      ping: (_ws, payload) => pings.push(`${payload}`),
    });
    const ws = await socket.promise;
    const sent = messagesOf(5, 3000, 200_000);
    for (const [i, message] of sent.entries()) {
      const bytes = Buffer.from(message as string);
      const binary = typeof message !== 'string';
      for (let part = 0; part < 5; part++) {
        const at = (n: number) => Math.floor((n * bytes.length) / 5);
        ws.send(bytes.subarray(at(part), at(part + 1)), { fin: part === 4, binary });
        ws.ping(`${i}.${part}`);
      }
    }
    await checkEchoes(got, sent);
    await until(() => pings.length === sent.length * 5);
    expect(pings).toEqual(sent.flatMap((_, i) => [0, 1, 2, 3, 4].map((part) => `${i}.${part}`)));
  });
});
