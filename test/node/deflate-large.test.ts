/** Messages that are compressed and decompressed off the thread: their order, and how connections end meanwhile. */

import { describe, expect, test } from 'vitest';
import type { Peer, ServeOptions, Server } from '../../src/node/index.js';
import { hex, MiB, random, same, textOf } from '../interop/support-deflate.js';
import { NOTHING_SPECIAL, ZlibPeer } from '../interop/support-zlib.js';
import { open } from './client/support.js';
import {
  closeFrame,
  deferred,
  frame,
  type Log,
  recording,
  start,
  turns,
  until,
  warningsDuring,
  within,
} from './support.js';

const OFFER = 'permessage-deflate; client_max_window_bits';
const LARGE = textOf(16 * MiB);
/** What makes both sides of the connection have contexts of their own. */
const WARM_UP = hex(8000);

interface Pair {
  readonly server: Server;
  readonly ws: Peer;
  readonly peer: ZlibPeer;
  readonly log: Log;
  readonly contexts: () => unknown[];
}

/** A connection whose server has a compressor and a decompressor for it. */
async function warmPair(options: ServeOptions = {}): Promise<Pair> {
  const opened = deferred<Peer>();
  const { log, handlers } = recording();
  const server = await start({
    perMessageDeflate: { threshold: 0 },
    sendHardLimit: 64 * MiB,
    ...handlers,
    ...options,
    open: (ws) => opened.resolve(ws),
  });
  const { peer } = await ZlibPeer.connect(server.port, OFFER, NOTHING_SPECIAL, { level: 1 });
  const ws = await opened.promise;
  const contexts = () => {
    const { compressors, decompressors } = server.stats().perMessageDeflate ?? {};
    return [compressors, decompressors];
  };
  for (let i = 0; i < 3; i++) {
    ws.send(WARM_UP);
    await peer.send(WARM_UP);
  }
  await peer.count(3);
  await until(() => ws.messagesReceived === 3);
  expect(contexts()).toEqual([1, 1]);
  await turns(2);
  log.length = 0;
  return { server, ws, peer, log, contexts };
}

const names = (log: Log) => log.map(([name]) => name);

describe('order', () => {
  test('of what is received: large, small, not compressed, in pieces', async () => {
    const { peer, log } = await warmPair();
    const sent = [LARGE, 'a', textOf(200_000, 2), '', random(300_000), textOf(100, 3), hex(100_000), 'the last'];
    for (const [i, message] of sent.entries()) {
      if (i === 3) peer.sendFrame(1, 'not compressed');
      await peer.send(message, (size) => (i % 3 === 2 ? [0, size >> 1, size - 1] : []));
    }
    await until(() => log.length === sent.length + 1);
    const got = log.map(([, data]) => data);
    expect(got.splice(3, 1)).toEqual(['not compressed']);
    expect(got.map((data, i) => same(data, sent[i]))).toEqual(sent.map(() => true));
  });

  test('a handler’s promise holds the next message, and reading', async () => {
    const gates: (() => void)[] = [];
    const started: number[] = [];
    const { peer } = await warmPair({
      message: (_ws, data) => {
        if (data === WARM_UP) return undefined;
        started.push(data.length);
        return new Promise<void>((resolve) => gates.push(resolve));
      },
    });
    const sizes = [300_000, 10, 2 * MiB, 20, 70_000];
    for (const size of sizes) await peer.send('x'.repeat(size));
    for (const [i, size] of sizes.entries()) {
      await until(() => started.length === i + 1);
      await turns(20);
      expect(started).toHaveLength(i + 1);
      expect(started[i]).toBe(size);
      gates[i]();
    }
  });

  test('a Ping right behind 16 MiB is answered before they are decompressed', async () => {
    const { peer, log } = await warmPair({ message: (ws, data) => ws.send(data) });
    const payload = await peer.compress(LARGE);
    const before = peer.opcodes.length;
    peer.sendCompressed(1, payload);
    peer.sendFrame(9, 'behind it');
    await peer.count(7);
    expect(peer.received[6].data === LARGE).toBe(true);
    expect(peer.pongs).toEqual(['behind it']);
    expect(peer.opcodes.slice(before).indexOf(10)).toBeLessThan(peer.opcodes.slice(before).indexOf(1));
    expect(names(log)[0]).toBe('ping');
  });

  test('the Ping is told of before the message', async () => {
    const { peer, log } = await warmPair();
    const payload = await peer.compress(LARGE);
    peer.sendCompressed(1, payload);
    peer.sendFrame(9, 'behind it');
    await until(() => log.length === 2);
    expect(names(log)).toEqual(['ping', 'message']);
  });

  test('but a Close is not', async () => {
    const { peer, log } = await warmPair();
    const payload = await peer.compress(LARGE);
    peer.sendCompressed(1, payload);
    peer.sendFrame(8, Buffer.from([4000 >> 8, 4000 & 255]));
    await until(() => log.length === 2);
    expect(log.map(([name, what]) => [name, what === LARGE || what])).toEqual([
      ['message', true],
      ['close', 4000],
    ]);
  });

  test('our own Ping overtakes what is being compressed', async () => {
    const { ws, peer } = await warmPair();
    const before = peer.opcodes.length;
    ws.send(LARGE);
    ws.ping(Buffer.from('ours'));
    await peer.count(4);
    expect(peer.opcodes.slice(before)).toEqual([9, 1]);
  });
});

describe('the end', () => {
  test('close right behind a large message: it arrives whole, and then the Close', async () => {
    const { ws, peer, log, contexts, server } = await warmPair();
    const before = peer.opcodes.length;
    ws.send(LARGE);
    ws.send('and this');
    ws.close(4001, 'done');
    expect(ws.isOpen).toBe(false);
    expect(ws.send('too late')).toBe(false);
    const got = await peer.count(5);
    expect([got[3].data === LARGE, got[4].data]).toEqual([true, 'and this']);
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(4001);
    expect(peer.opcodes.slice(before)).toEqual([1, 1, 8]);
    peer.sendFrame(8, Buffer.from([4001 >> 8, 4001 & 255]));
    await until(() => server.size === 0);
    expect(log.filter(([name]) => name === 'close')).toEqual([['close', 4001, '']]);
    expect(contexts()).toEqual([0, 0]);
  });

  test('the peer closes while a large message is being compressed: it is sent, and our Close behind it', async () => {
    const { ws, peer, server, log } = await warmPair();
    const before = peer.opcodes.length;
    ws.send(LARGE);
    peer.sendFrame(8, Buffer.from([4002 >> 8, 4002 & 255]));
    await until(() => peer.closeCode !== null);
    expect((await peer.count(4))[3].data === LARGE).toBe(true);
    expect(peer.opcodes.slice(before)).toEqual([1, 8]);
    await until(() => server.size === 0);
    expect(log.filter(([name]) => name === 'close')).toEqual([['close', 4002, '']]);
  });

  test.each<[string, number, Uint8Array]>([
    ['a Close', 4003, closeFrame(4003)],
    ['a violation', 1002, frame(3)],
  ])(
    '%s right behind what is answered: the answer is sent first, however long it takes',
    async (_what, code, bytes) => {
      // Not so large that a server would read no further.
      const answer = textOf(50_000);
      const { peer, server, log } = await warmPair({ message: (ws, data) => data === 'go' && ws.send(answer) });
      const before = peer.opcodes.length;
      peer.socket.write(Buffer.concat([frame(1, 'go'), bytes]));
      await until(() => peer.closeCode !== null || peer.socket.destroyed);
      expect(peer.closeCode).toBe(code);
      expect((await peer.count(4))[3].data === answer).toBe(true);
      expect(peer.opcodes.slice(before)).toEqual([1, 8]);
      peer.socket.end();
      await until(() => server.size === 0);
      expect(log.filter(([name]) => name === 'close')).toEqual([['close', code, expect.any(String)]]);
    },
  );

  const endings: [string, (pair: Pair) => Promise<void>][] = [
    [
      'terminate while compressing',
      async ({ ws }) => {
        ws.send(LARGE);
        ws.terminate();
      },
    ],
    [
      'terminate a little later while compressing',
      async ({ ws }) => {
        for (let i = 0; i < 3; i++) ws.send(LARGE);
        await turns(3);
        ws.terminate();
      },
    ],
    [
      'terminate while decompressing',
      async ({ ws, peer, log }) => {
        const payload = await peer.compress(LARGE);
        peer.sendCompressed(1, payload);
        peer.sendFrame(9, 'it is here');
        await until(() => names(log).includes('ping'));
        ws.terminate();
      },
    ],
    [
      'a reset while compressing',
      async ({ ws, peer }) => {
        for (let i = 0; i < 3; i++) ws.send(LARGE);
        peer.socket.resetAndDestroy();
      },
    ],
    [
      'a reset while decompressing',
      async ({ peer, log }) => {
        const payload = await peer.compress(LARGE);
        peer.sendCompressed(1, payload);
        peer.sendFrame(9, 'it is here');
        await until(() => names(log).includes('ping'));
        peer.socket.resetAndDestroy();
      },
    ],
    [
      'both at once',
      async ({ ws, peer, log }) => {
        const payload = await peer.compress(LARGE);
        ws.send(LARGE);
        peer.sendCompressed(1, payload);
        peer.sendFrame(9, 'it is here');
        await until(() => names(log).includes('ping'));
        ws.terminate();
        peer.socket.destroy();
      },
    ],
  ];

  test.each(endings)('%s: close is called once, and nothing is left', async (_name, end) => {
    let left: Pair | null = null;
    const warnings = await warningsDuring(async () => {
      left = await warmPair();
      const { server, log, contexts } = left;
      await end(left);
      await until(() => server.size === 0, 'the connection to be gone');
      expect(contexts()).toEqual([0, 0]);
      expect(log.filter(([name]) => name === 'close')).toEqual([['close', 1006, expect.any(String)]]);
      expect(names(log).at(-1)).toBe('close');
      // Work that was under way ends later, and must do no harm: it is behind the work of others.
      const other = await open(`ws://127.0.0.1:${server.port}/`, { perMessageDeflate: true });
      const before = log.length;
      other.send(textOf(MiB));
      await until(() => log.length > before);
      expect(log.slice(before)).toEqual([['message', textOf(MiB)]]);
      other.terminate();
      await until(() => server.size === 0);
      expect(contexts()).toEqual([0, 0]);
    });
    expect(warnings).toEqual([]);
  });

  test('server.close() sends what is being compressed, and then 1001', async () => {
    const { ws, peer, server, log, contexts } = await warmPair();
    ws.send(LARGE);
    ws.send(textOf(300_000));
    const closing = server.close();
    const got = await peer.count(5);
    expect([got[3].data === LARGE, got[4].data === textOf(300_000)]).toEqual([true, true]);
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(1001);
    peer.sendFrame(8, Buffer.from([1001 >> 8, 1001 & 255]));
    await within(closing, 'close');
    expect(log.filter(([name]) => name === 'close')).toEqual([['close', 1001, '']]);
    expect(contexts()).toEqual([0, 0]);
  });

  test('server.close() cuts off what takes longer than it may', async () => {
    const { ws, server, log, contexts } = await warmPair();
    for (let i = 0; i < 3; i++) ws.send(LARGE);
    await within(server.close({ timeout: 0 }), 'close');
    expect(log.filter(([name]) => name === 'close')).toEqual([['close', 1006, '']]);
    expect(contexts()).toEqual([0, 0]);
  });

  test('a violation behind a message that is being compressed: the message, and then the Close', async () => {
    const { ws, peer, server } = await warmPair();
    ws.send(LARGE);
    peer.sendFrame(3);
    await until(() => peer.closeCode !== null);
    expect(peer.closeCode).toBe(1002);
    expect((await peer.count(4))[3].data === LARGE).toBe(true);
    peer.socket.end();
    await until(() => server.size === 0);
  });
});
