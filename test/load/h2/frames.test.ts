/**
 * Frames that a client should not send, or not so many of: what becomes of the stream, of the session, and of the server,
 * which must lose nothing else. Most of it node:http2 and nghttp2 answer; what a peer sees is what counts.
 */

import { expect, test } from 'vitest';
import { within } from '../../node/support.js';
import * as f from './support/frames.js';
import type { PeerOptions, RawPeer } from './support/peer.js';
import { attack, closeFrame, concat, frame, KiB, sockets, type Target, type TargetOptions } from './support/target.js';

/** Short, so that what is only let go of by a deadline is let go of here. */
const LIMITS: TargetOptions = {
  handshakeTimeout: 1500,
  closeTimeout: 1500,
  pingInterval: 1500,
  pingTimeout: 1000,
  http2: { sessionTimeout: 1500 },
  upgradeDelay: 300,
};

function repeated(bytes: Uint8Array, count: number): Buffer {
  return Buffer.alloc(bytes.length * count, bytes);
}

interface Row {
  readonly name: string;
  readonly act: (peer: RawPeer) => unknown;
  readonly options?: PeerOptions;
}

/** Runs all of them at once, each on a session of its own, and holds each to what it must see. */
async function each(target: Target, rows: readonly Row[], check: (peer: RawPeer, name: string) => unknown) {
  const results = await Promise.allSettled(
    rows.map(async ({ name, act, options }) => {
      const peer = await target.connect(options);
      if (options?.greet !== false) await peer.until(() => peer.settings.size > 0, 'settings');
      await act(peer);
      await check(peer, name);
      peer.socket.destroy();
    }),
  );
  const failed = results.flatMap((result, i) =>
    result.status === 'rejected' ? [`${rows[i].name}: ${result.reason}`] : [],
  );
  expect(failed).toEqual([]);
}

/** The session is over: GOAWAY, or the end of the connection. */
const sessionEnds = (peer: RawPeer) => peer.until(() => peer.goAway !== null || peer.isOver, 'the end of the session');

const settled = async (peer: RawPeer) => {
  await peer.seen();
  expect(peer.goAway).toBeNull();
};

test('what ends the session', async () => {
  const rows: Row[] = [
    { name: 'half a preface', options: { greet: false }, act: (p) => p.write(f.PREFACE.subarray(0, 10)) },
    { name: 'another protocol', options: { greet: false }, act: (p) => p.write(Buffer.from('GET / HTTP/1.1\r\n\r\n')) },
    { name: 'silence', options: { greet: false }, act: () => {} },
    { name: 'nothing after the preface', act: () => {} },
    { name: 'HEADERS that never end', act: (p) => p.write(f.headers(1, f.connectBlock(), 0)) },
    {
      name: 'CONTINUATION without end',
      act: (p) => p.write(f.headers(1, f.connectBlock(), 0), repeated(f.continuation(1, Buffer.alloc(0), 0), 1000)),
    },
    {
      name: 'DATA within a header block',
      act: (p) => p.write(f.headers(1, f.connectBlock(), 0), f.data(1, 'x')),
    },
    { name: 'SETTINGS by thousands', act: (p) => flood(p, f.settings([[f.INITIAL_WINDOW_SIZE, 1000]])) },
    { name: 'PING by thousands', act: (p) => flood(p, f.ping()) },
    { name: 'empty DATA by thousands', act: async (p) => flood(p, f.data((await p.open()).id)) },
    { name: 'WINDOW_UPDATE of 0', act: (p) => p.write(f.windowUpdate(0, 0)) },
    { name: 'WINDOW_UPDATE of 0 on a stream', act: async (p) => p.write(f.windowUpdate((await p.open()).id, 0)) },
    { name: 'a session window too large', act: (p) => p.write(f.windowUpdate(0, 2 ** 31 - 1)) },
    // A stream error by RFC 9113 §6.9.1; node:http2 ends the session.
    { name: 'a stream window too large', act: async (p) => p.write(f.windowUpdate((await p.open()).id, 2 ** 31 - 1)) },
    { name: 'an initial window too large', act: (p) => p.write(f.settings([[f.INITIAL_WINDOW_SIZE, 2 ** 32 - 1]])) },
    { name: 'a setting that is no boolean', act: (p) => p.write(f.settings([[f.ENABLE_PUSH, 2]])) },
    { name: 'a stream that depends on itself', act: async (p) => p.write(f.priority((await p.open()).id, 1)) },
    { name: 'DATA on an idle stream', act: (p) => p.write(f.data(99, 'x')) },
    {
      name: 'DATA on an idle stream beside WebSockets',
      act: async (p) => {
        await p.openMany(5);
        p.write(f.data(99, 'x'));
      },
    },
    { name: 'RST_STREAM on an idle stream', act: (p) => p.write(f.rstStream(99, 8)) },
    { name: 'WINDOW_UPDATE on an idle stream', act: (p) => p.write(f.windowUpdate(99, 8)) },
    { name: 'DATA on the session', act: (p) => p.write(f.data(0, 'x')) },
    { name: 'a stream with an even number', act: (p) => p.write(f.headers(2, f.connectBlock())) },
    { name: 'a frame that is too large', act: (p) => p.write(f.data(1, Buffer.alloc(f.FRAME_SIZE + 1))) },
    { name: 'PUSH_PROMISE', act: (p) => p.write(f.h2Frame(f.PUSH_PROMISE, 4, 1, Buffer.of(0, 0, 0, 2))) },
    { name: 'an answer to no PING', act: (p) => p.write(f.ping(f.ACK)) },
    { name: 'answers to no SETTINGS', act: (p) => p.write(repeated(f.h2Frame(f.SETTINGS, f.ACK, 0), 5)) },
    { name: 'SETTINGS of five bytes', act: (p) => p.write(f.h2Frame(f.SETTINGS, 0, 0, Buffer.alloc(5))) },
    { name: 'RST_STREAM of three bytes', act: (p) => p.write(f.h2Frame(f.RST_STREAM, 0, 1, Buffer.alloc(3))) },
    {
      name: 'padding longer than its frame',
      act: async (p) => p.write(f.h2Frame(f.DATA, f.PADDED, (await p.open()).id, Buffer.of(255, 1))),
    },
    { name: 'HPACK that is none', act: (p) => p.write(f.headers(1, Buffer.alloc(6, 0xff))) },
    {
      name: 'DATA after END_STREAM',
      act: async (p) => {
        const { id } = await p.open();
        p.write(f.data(id, '', f.END_STREAM), f.data(id, 'x'));
      },
    },
    {
      name: 'HEADERS after END_STREAM',
      act: async (p) => {
        const { id } = await p.open();
        p.write(f.data(id, '', f.END_STREAM), f.headers(id, f.literals([['a', 'b']])));
      },
    },
  ];
  // Of some that break down, node:http2 keeps the session for good, in a handle of its own.
  await attack({ ...LIMITS, keeps: 'sessions' }, async (target) => {
    const before = sockets((await target.state()).resources);
    await each(target, rows, sessionEnds);
    await target.settled(({ resources }) => sockets(resources) <= before, 'their connections to be closed');
  });
});

/** As fast as the connection takes it, until it is over. */
async function flood(peer: RawPeer, one: Buffer): Promise<void> {
  const many = repeated(one, 1000);
  for (let i = 0; i < 200 && !peer.isOver && peer.goAway === null; i++) await peer.flush(many);
}

test('what ends a stream, and nothing else', async () => {
  /** What was asked for gets an answer, or a reset, and beside it a WebSocket lives on. */
  const rows: (Row & { readonly seen: readonly (readonly [status: number, resetCode: number | null])[] })[] = [
    {
      name: 'END_STREAM with the request',
      act: (p) => p.ask('/', { flags: f.END_STREAM }),
      seen: [
        [400, null],
        [400, 0],
      ],
    },
    {
      name: 'END_STREAM before the answer',
      act: (p) => p.write(f.data(p.ask('/never').id, '', f.END_STREAM)),
      seen: [[0, f.Code.CANCEL]],
    },
    {
      name: 'DATA and END_STREAM before the answer',
      act: (p) => p.write(f.data(p.ask('/slow').id, frame(1, 'early'), f.END_STREAM)),
      seen: [[200, null]],
    },
    {
      name: 'more than a window before the answer',
      act: (p) => p.ask('/slow').send(Buffer.alloc(f.WINDOW + 1)),
      seen: [[0, f.Code.FLOW_CONTROL_ERROR]],
    },
    {
      name: 'DATA on a refused stream',
      act: async (p) => (await p.answered(p.ask('/no/10'))).send(Buffer.alloc(60_000)),
      seen: [[403, 0]],
    },
    {
      name: 'trailers',
      act: async (p) => p.write(f.headers((await p.open()).id, f.literals([['a', 'b']]), f.END_HEADERS | f.END_STREAM)),
      seen: [[200, null]],
    },
    {
      name: 'a second header block',
      act: async (p) => p.write(f.headers((await p.open()).id, f.literals([['a', 'b']]))),
      seen: [[200, f.Code.PROTOCOL_ERROR]],
    },
    {
      name: 'a refusal whose body has no window',
      options: { settings: [[f.INITIAL_WINDOW_SIZE, 0]] },
      act: (p) => p.ask('/no/10000'),
      // Not its end: without a length it would look whole.
      seen: [[403, f.Code.CANCEL]],
    },
  ];
  await attack(LIMITS, (target) =>
    each(target, rows, async (peer, name) => {
      const stream = peer.stream(1);
      const { seen } = rows.find((row) => row.name === name) as (typeof rows)[number];
      await peer.until(() => stream.isOver, 'the end of the stream');
      await peer.seen();
      const told = [stream.status, stream.resetCode];
      expect(seen.map((one) => [...one])).toContainEqual(told);
      if (name.includes('no window')) expect(stream.ended, 'a whole body').toBe(false);
      // The session takes the next.
      const next = await peer.answered(peer.ask());
      expect([next.status, peer.goAway]).toEqual([200, null]);
    }),
  );
});

test('what does no harm', async () => {
  const rows: Row[] = [
    { name: 'unknown frames', act: (p) => p.write(repeated(f.h2Frame(0xbb, 0xff, 1, Buffer.alloc(8)), 20_000)) },
    { name: 'PRIORITY of a stream', act: async (p) => p.write(repeated(f.priority((await p.open()).id, 0), 20_000)) },
    {
      name: 'PRIORITY of streams that are idle',
      act: (p) => p.write(...Array.from({ length: 20_000 }, (_, i) => f.priority(2 * i + 1, 0))),
    },
    {
      name: 'WINDOW_UPDATE by thousands',
      act: async (p) => p.write(repeated(f.windowUpdate((await p.open()).id, 1), 20_000)),
    },
    {
      name: 'DATA of a window before the answer',
      act: async (p) => {
        const one = frame(2, Buffer.alloc(1000));
        const stream = p.ask('/slow');
        stream.send(repeated(one, 64));
        await p.until(() => stream.frames.length === 64, '64 echoes');
      },
    },
  ];
  const { cpu } = await attack(LIMITS, (target) => each(target, rows, settled));
  expect(cpu).toBeLessThan(15_000);
});

test('a session that is over does not keep its connection', async () => {
  await attack({ ...LIMITS, patience: 5000 }, async (target) => {
    const before = sockets((await target.state()).resources);
    const peers = await target.connectMany(6);
    const [goAway, withWebSockets, idle, reset, deaf, deafer] = peers;
    goAway.write(f.goAway(f.Code.NO_ERROR));
    await withWebSockets.openMany(3);
    withWebSockets.write(f.goAway(f.Code.NO_ERROR));
    await idle.seen();
    reset.write(f.rstStream((await reset.open()).id, f.Code.CANCEL));
    // Whoever reads nothing: what is to be written before the end waits for ever.
    for (const peer of [deaf, deafer]) {
      await peer.seen();
      peer.socket.pause();
    }
    for (let i = 0; i < 5000 && deaf.socket.writableLength < KiB * 64; i++) {
      deaf.write(repeated(f.ping(), 500));
      await target.state();
    }
    deafer.write(f.goAway(f.Code.NO_ERROR));
    // All of them are still open on this side.
    await target.settled(({ resources }) => sockets(resources) <= before, 'their connections to be closed');
    for (const { socket } of peers) socket.destroy();
    await within(Promise.all(peers.map(({ closed }) => closed)), 'the end');
  });
});

test('a WebSocket that has broken the protocol ends alone', async () => {
  const { closeCodes } = await attack(LIMITS, async (target) => {
    const peer = await target.connect();
    const streams = await peer.openMany(100);
    for (const [i, stream] of streams.entries()) if (i % 2 === 0) stream.send(frame(3));
    for (const [i, stream] of streams.entries()) {
      if (i % 2 === 0) {
        expect(await stream.closeCode()).toBe(1002);
        peer.write(f.data(stream.id, '', f.END_STREAM));
      } else {
        stream.send(concat(frame(1, `hello ${i}`), closeFrame(1000)));
        expect(await stream.closeCode()).toBe(1000);
        expect(stream.texts()).toEqual([`hello ${i}`]);
        peer.write(f.data(stream.id, '', f.END_STREAM));
      }
    }
    await peer.until(() => streams.every(({ isOver }) => isOver), 'the end of every stream');
    await peer.seen();
    expect(peer.goAway).toBeNull();
    peer.socket.destroy();
  });
  expect(closeCodes).toEqual({ 1000: 51, 1002: 50 });
});
