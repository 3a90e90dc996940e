/** permessage-deflate with a peer made by hand out of node:zlib and a bare socket, in both roles. */

import { constants, deflateRawSync, type ZlibOptions } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { wholeMessages } from '../../src/core/extensions/deflate/whole.js';
import { PerMessageDeflate } from '../../src/node/index.js';
import { answering, open, rawServer } from '../node/client/support.js';
import { deferred, start, until } from '../node/support.js';
import {
  type Combination,
  combinations,
  FIRST_REPEATED,
  fieldOf,
  hex,
  largest,
  MiB,
  messagesOf,
  nameOf,
  probes,
  random,
  SIZES,
  same,
  textOf,
} from './support-deflate.js';
import { cutsOf, NOTHING_SPECIAL, ZlibPeer } from './support-zlib.js';

/** What our compressors may use, so that windows are as large as was agreed. */
const OURS = { threshold: 0, windowBits: 15 } as const;
const LIMITS = { sendHardLimit: 64 * MiB } as const;
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

async function ourServer(perMessageDeflate: object = OURS) {
  return start({ perMessageDeflate, ...LIMITS, message: (ws, data) => ws.send(data) });
}

/** A client of ours that echoes, of a server that is made by hand. */
async function ourClient(agreed: Combination, perMessageDeflate: object = OURS) {
  const accepted = deferred<{ peer: ZlibPeer; asked: string }>();
  const port = await rawServer(
    answering((socket, asked) => accepted.resolve({ peer: ZlibPeer.accept(socket, asked, agreed), asked })),
  );
  const client = await open(`ws://127.0.0.1:${port}/`, {
    perMessageDeflate,
    ...LIMITS,
    message: (ws, data) => ws.send(data),
  });
  return { client, ...(await accepted.promise) };
}

type Make = (agreed: Combination, zlib?: ZlibOptions) => Promise<ZlibPeer>;

const clientOfOurs: Make = async (agreed, zlib = { level: 1 }) => {
  const server = await ourServer();
  const { peer, answer } = await ZlibPeer.connect(server.port, fieldOf(agreed), agreed, zlib);
  expect(answer).not.toBe('');
  return peer;
};
const serverOfOurs: Make = async (agreed) => (await ourClient(agreed)).peer;

async function echoes(
  peer: ZlibPeer,
  messages: readonly (string | Buffer)[],
  cuts?: (size: number) => readonly number[],
  ping?: string,
): Promise<void> {
  const before = peer.received.length;
  for (const message of messages) await peer.send(message, cuts, ping);
  await peer.count(before + messages.length);
  for (const [i, message] of messages.entries()) {
    const { data } = peer.received[before + i];
    expect(same(data, message), `message ${i} of ${message.length}`).toBe(true);
  }
}

/** Whether the second of two equal messages was sent with reference to the first. */
function tookOver({ received }: ZlibPeer): boolean {
  expect(received[0].compressed && received[FIRST_REPEATED].compressed).toBe(true);
  return received[FIRST_REPEATED].size < received[0].size / 2;
}

describe('all combinations', () => {
  // Of a window of 256 bytes we could not have a compressor: neither is our server's agreed to, nor our client's.
  test('as a client: windows as agreed, and taken over or not', async () => {
    const server = await ourServer();
    const all = combinations(9, 8);
    let count = 0;
    for (let i = 0; i < all.length; i += 16) {
      await Promise.all(
        all.slice(i, i + 16).map(async (agreed) => {
          const { peer, answer } = await ZlibPeer.connect(server.port, fieldOf(agreed), agreed);
          const told =
            agreed.clientMaxWindowBits < 15 ? fieldOf(agreed) : fieldOf(agreed).replace(/; client_max.*/, '');
          expect(answer).toBe(told);
          const messages = probes(agreed);
          await echoes(peer, messages);
          count += messages.length;
          expect(tookOver(peer), nameOf(agreed)).toBe(!agreed.serverNoContextTakeover);
          peer.socket.destroy();
        }),
      );
    }
    const { messagesCompressed = 0, messagesDecompressed } = server.stats().perMessageDeflate ?? {};
    expect(messagesDecompressed).toBe(count);
    expect(messagesCompressed).toBe(count);
    await until(() => server.size === 0);
    expect(server.stats().perMessageDeflate).toMatchObject({ compressors: 0, decompressors: 0 });
  });

  test('as a server: windows as agreed, and taken over or not', async () => {
    const all = combinations(8, 9);
    for (let i = 0; i < all.length; i += 16) {
      await Promise.all(
        all.slice(i, i + 16).map(async (agreed) => {
          const { peer, asked, client } = await ourClient(agreed, { ...OURS, ...agreed });
          expect(asked).toMatch(/\r\nSec-WebSocket-Extensions: permessage-deflate;/);
          await echoes(peer, probes(agreed));
          expect(tookOver(peer), nameOf(agreed)).toBe(!agreed.clientNoContextTakeover);
          client.terminate();
        }),
      );
    }
  });

  test('a window of 256 bytes for our server’s compressor is declined', async () => {
    const server = await ourServer();
    const offer = 'permessage-deflate; server_max_window_bits=8';
    expect((await ZlibPeer.connect(server.port, offer, NOTHING_SPECIAL)).answer).toBe('');
    const both = await ZlibPeer.connect(server.port, `${offer}, permessage-deflate`, NOTHING_SPECIAL);
    expect(both.answer).toBe('permessage-deflate');
  });
});

describe.each<[string, Make]>([
  ['as a client of our server', clientOfOurs],
  ['as a server of our client', serverOfOurs],
])('%s', (_name, make) => {
  test('all sizes', async () => {
    const peer = await make(NOTHING_SPECIAL);
    for (const size of SIZES) await echoes(peer, messagesOf(size));
    await echoes(peer, largest());
    expect(peer.received.splice(-2).map(({ compressed }) => compressed)).toEqual([true, false]);
    // Of what does not shrink, the small is compressed all the same, so that others may refer to it.
    const large = 3 * SIZES.findIndex((size) => size >= 1024);
    const isText = (i: number) => i % 3 !== 1;
    const left = peer.received.flatMap(({ compressed }, i) => (compressed ? [] : [i]));
    expect(left.filter((i) => i >= large)).toEqual(
      peer.received.flatMap((_, i) => (i < large || isText(i) ? [] : [i])),
    );
    expect(left.filter((i) => i < large && isText(i) && i > 8)).toEqual([]);
  });

  test('all sizes, in fragments cut anywhere, with Pings in between', async () => {
    const peer = await make(NOTHING_SPECIAL);
    let seed = 0;
    for (const size of SIZES) {
      for (const fragments of [2, 7, 40]) {
        await echoes(
          peer,
          messagesOf(size).slice(0, 2),
          (length) => cutsOf(length, fragments, ++seed % 250),
          `p${size}.`,
        );
      }
    }
    await echoes(peer, largest(), (length) => cutsOf(length, 40), 'p.');
    // Of Pings that come together only the last need be answered (RFC 6455 §5.5.3).
    await until(() => peer.pongs.at(-1) === 'p.38', 'the last Pong');
  });

  test('many at once, one a byte at a time', async () => {
    const peer = await make(NOTHING_SPECIAL);
    const messages = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? random(i, 1) : textOf(i * 7, i % 5)));
    await echoes(peer, messages);
    const payload = await peer.compress('a byte at a time, again a byte at a time');
    peer.sendCompressed(
      1,
      payload,
      Array.from({ length: payload.length - 1 }, (_, i) => i + 1),
    );
    const { data } = (await peer.count(301))[300];
    expect(data).toBe('a byte at a time, again a byte at a time');
  });

  test('fragments that are flushed each for itself, by any means', async () => {
    const peer = await make(NOTHING_SPECIAL);
    const parts = [textOf(1000, 1), '', textOf(70_000, 2), textOf(10, 3)].map((part) => Buffer.from(part));
    const compressed = [
      await peer.compress(parts[0]),
      TAIL,
      // Nothing, flushed.
      Buffer.concat([Buffer.of(0), TAIL]),
      await peer.compress(parts[2]),
      TAIL,
      await peer.compress(parts[3]),
    ];
    const payload = Buffer.concat(compressed);
    const cuts = compressed
      .slice(0, -1)
      .map((_part, i) => compressed.slice(0, i + 1).reduce((n, { length }) => n + length, 0));
    peer.sendCompressed(2, payload, cuts);
    const [{ data }] = await peer.count(1);
    expect(same(data, Buffer.concat(parts))).toBe(true);
  });

  test('blocks that are marked as the last, and what follows them', async () => {
    const peer = await make(NOTHING_SPECIAL);
    await echoes(peer, [hex(5000)]);
    // RFC 7692 §7.2.3.4: a byte 00 follows a final block, and begins the empty one that the tail completes.
    const final = Buffer.concat([deflateRawSync('ended '), Buffer.of(0)]);
    peer.sendCompressed(1, final, [1, final.length - 1]);
    const two = Buffer.concat([deflateRawSync('one, '), deflateRawSync(textOf(100_000)), Buffer.of(0)]);
    peer.sendCompressed(1, two);
    const [, first, second] = await peer.count(3);
    expect(first.data).toBe('ended ');
    expect(second.data).toBe(`one, ${textOf(100_000)}`);
  });

  test('messages that are not compressed in between', async () => {
    const peer = await make(NOTHING_SPECIAL);
    await echoes(peer, [hex(1000)]);
    peer.sendFrame(1, 'left as it is');
    await echoes(peer, []);
    await peer.count(2);
    peer.sendFrame(1, 'also ', 0, false);
    peer.sendFrame(9, 'ping');
    peer.sendFrame(0, 'in pieces');
    await peer.send(hex(1000));
    const [, one, two, three] = await peer.count(4);
    expect([one.data, two.data, three.data]).toEqual(['left as it is', 'also in pieces', hex(1000)]);
    expect(peer.pongs).toEqual(['ping']);
  });

  test.each<[string, number, Buffer]>([
    ['garbage', 1007, Buffer.from([0xff, 0xff, 0xff, 0xff])],
    [
      'what refers to what never was',
      1007,
      deflateRawSync(hex(200), { dictionary: Buffer.from(hex(200)) }).subarray(0, -1),
    ],
    ['half a block', 1007, deflateRawSync(hex(2000)).subarray(0, 500)],
    ['what is no UTF-8', 1007, Buffer.concat([deflateRawSync(Buffer.of(0xff)), Buffer.of(0)])],
    ['no byte at all', 1007, Buffer.alloc(0)],
    ['a bomb', 1009, Buffer.concat([deflateRawSync(Buffer.alloc(16 * MiB + 1)), Buffer.of(0)])],
  ])('%s: %i', async (_what, code, payload) => {
    const peer = await make(NOTHING_SPECIAL);
    peer.sendCompressed(1, payload);
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(code);
    expect(peer.received).toEqual([]);
  });

  test.each<[string, (peer: ZlibPeer) => void]>([
    ['RSV1 on a continuation', (peer) => [peer.sendFrame(1, '', 0x40, false), peer.sendFrame(0, '\0', 0x40)]],
    ['RSV1 on a Ping', (peer) => peer.sendFrame(9, '', 0x40)],
    ['RSV2', (peer) => peer.sendFrame(1, 'x', 0x20)],
    ['RSV3', (peer) => peer.sendFrame(1, 'x', 0x10)],
  ])('%s: 1002', async (_what, send) => {
    const peer = await make(NOTHING_SPECIAL);
    send(peer);
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(1002);
  });
});

test.each<[string, ZlibOptions]>([
  ...Array.from({ length: 10 }, (_, level): [string, ZlibOptions] => [`level ${level}`, { level }]),
  ['fixed codes', { strategy: constants.Z_FIXED }],
  ['no references', { strategy: constants.Z_HUFFMAN_ONLY }],
  ['runs only', { strategy: constants.Z_RLE }],
  ['little memory', { memLevel: 1 }],
])('whatever compresses: %s', async (_name, zlib) => {
  const peer = await clientOfOurs(NOTHING_SPECIAL, zlib);
  await echoes(peer, [...probes(NOTHING_SPECIAL), textOf(MiB), textOf(MiB, 3), random(100_000)]);
});

describe('where zlib has no persistent contexts', () => {
  test('windows as agreed, and taken over by the peer', async () => {
    const server = await ourServer(new PerMessageDeflate(OURS, wholeMessages));
    for (const agreed of combinations(9, 8).filter((each) => each.serverMaxWindowBits === each.clientMaxWindowBits)) {
      const { peer } = await ZlibPeer.connect(server.port, fieldOf(agreed), agreed);
      await echoes(peer, [...probes(agreed), textOf(200_000)], (size) => cutsOf(size, 3));
      expect(tookOver(peer)).toBe(false);
      peer.socket.destroy();
    }
  });

  test.each<[string, number, Buffer]>([
    ['garbage', 1007, Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['half a block', 1007, deflateRawSync(hex(2000)).subarray(0, 500)],
    ['no byte at all', 1007, Buffer.alloc(0)],
    ['a bomb', 1009, Buffer.concat([deflateRawSync(Buffer.alloc(16 * MiB + 1)), Buffer.of(0)])],
  ])('%s: %i', async (_what, code, payload) => {
    const server = await ourServer(new PerMessageDeflate(OURS, wholeMessages));
    const { peer } = await ZlibPeer.connect(server.port, fieldOf(NOTHING_SPECIAL), NOTHING_SPECIAL);
    peer.sendCompressed(1, payload);
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(code);
    await until(() => server.size === 0);
  });

  test('a block that is marked as the last, and what follows it', async () => {
    const server = await ourServer(new PerMessageDeflate(OURS, wholeMessages));
    const { peer } = await ZlibPeer.connect(server.port, fieldOf(NOTHING_SPECIAL), NOTHING_SPECIAL);
    peer.sendCompressed(1, Buffer.concat([deflateRawSync('one, '), deflateRawSync(textOf(100_000)), Buffer.of(0)]));
    await echoes(peer, []);
    expect((await peer.count(1))[0].data).toBe(`one, ${textOf(100_000)}`);
  });
});
