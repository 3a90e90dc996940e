/**
 * Streams of one session that stall, either way: what each can make the server keep is bounded, its client's window is
 * really withheld, and the others exchange their messages to the end meanwhile.
 */

import { expect, test } from 'vitest';
import * as f from './support/frames.js';
import type { RawPeer, RawStream } from './support/peer.js';
import { attack, frame, KiB, MiB, noise, type Target, until } from './support/target.js';

const STREAMS = 100;
const HIGH_WATER = 64 * KiB;
/** What a chunk, and node:http2's own record of it, may add. */
const SLACK = 64 * KiB;
const LIMITS = { handshakeTimeout: 30_000, http2: { sessionTimeout: 2000 } };

/** Messages that each stream has echoed. */
async function echoes(peer: RawPeer, streams: readonly RawStream[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const message = frame(2, noise(1000, round));
    for (const stream of streams) stream.send(message);
    for (const stream of streams) {
      await peer.until(() => stream.frames.length > 0 || stream.isOver, `echo ${round} on stream ${stream.id}`);
      const [echo] = stream.frames.splice(0);
      expect(echo?.payload.length).toBe(1000);
    }
  }
}

/**
 * Sends a window, whatever the size of the frames that it takes, and no more: the rest would be an error.
 *
 * @param used what of it was sent before
 */
async function fillWindow(peer: RawPeer, stream: RawStream, size: number, used: number): Promise<number> {
  const bytes = frame(2, noise(1000));
  const many = Buffer.alloc(4 * f.WINDOW, bytes);
  let sent = 0;
  // As much as there is a window for; what is granted meanwhile is used.
  const room = () => f.WINDOW + stream.granted - used - sent;
  while (room() > 0 && sent < many.length - size) {
    const frames: Buffer[] = [];
    for (let at = 0; at < 16 * KiB && at < room(); at += size) {
      const piece = Math.min(size, room() - at);
      frames.push(f.data(stream.id, many.subarray(sent + at, sent + at + piece)));
    }
    await peer.flush(...frames);
    sent += frames.reduce((sum, { length }) => sum + length - 9, 0);
    if (room() <= 0) await peer.seen();
  }
  return sent;
}

const STALLS = ['!stall', '!pause'] as const;

test.for([
  ['!stall', 1, 16 * KiB],
  ['!pause', 1, 16 * KiB],
  ['!stall', 50, 1000],
  ['!pause', 50, 1000],
  // A byte in each frame: bounded in bytes is not bounded in memory.
  ['!stall', 20, 1],
] as const)('%s: %i of a hundred, flooded in frames of %i bytes', async ([order, count, size]) => {
  expect(STALLS).toContain(order);
  const report = await attack(LIMITS, async (target) => {
    const peer = await target.connect();
    const streams = await peer.openMany(STREAMS);
    const stalled = streams.slice(0, count);
    for (const stream of stalled) stream.send(frame(1, order));
    await peer.seen();
    const used = new Map(stalled.map((stream) => [stream, stream.granted]));
    const before = await target.report();
    let flooding = true;
    const others = streams.slice(count);
    const flooded = Promise.all(
      stalled.map((stream) => fillWindow(peer, stream, size, frame(1, order).length)),
    ).finally(() => {
      flooding = false;
    });
    let rounds = 0;
    while (flooding || rounds < 20) {
      await echoes(peer, others, 1);
      rounds++;
    }
    const sent = await flooded;
    await peer.seen();
    for (const [i, stream] of stalled.entries()) {
      const granted = stream.granted - (used.get(stream) ?? 0);
      // What came before it was paused is in the connection, what came after is under the window.
      expect(sent[i]).toBeLessThanOrEqual(f.WINDOW + HIGH_WATER + SLACK);
      expect(granted, 'window given back').toBeLessThanOrEqual(HIGH_WATER + SLACK);
    }
    const { memory } = await target.report();
    const each = (memory.held - before.memory.held) / count;
    if (process.env['MILLRACE_FIGURES'] !== undefined) {
      console.log(`${order} ${count} ${size}: sent ${sent[0]}, held ${Math.round(each)} a stream, ${rounds} rounds`);
    }
    expect(each, 'bytes held for a stalled stream').toBeLessThan(f.WINDOW + HIGH_WATER + SLACK + (MiB / count) * 2);
    for (const { isOver } of stalled) expect(isOver).toBe(false);
    if (order === '!stall') {
      others[0].send(frame(1, '!go'));
      for (const [i, stream] of stalled.entries()) {
        const whole = Math.floor(sent[i] / frame(2, noise(1000)).length);
        await peer.until(() => stream.frames.length >= whole, `what had waited on stream ${stream.id}`);
      }
    }
    peer.socket.destroy();
  });
  expect(report.mostUnread).toBeLessThanOrEqual(f.WINDOW);
});

test('all of a hundred stalled, with 1 MiB each that the server would send', async () => {
  const limits = { ...LIMITS, sendHardLimit: 2 * MiB };
  const report = await attack({ ...limits, rss: 350 * MiB }, async (target) => {
    const peer = await target.connect();
    const streams = await peer.openMany(STREAMS);
    // From here on no window is given back.
    peer.generous = false;
    const before = await target.report();
    for (const stream of streams) stream.send(frame(1, `!send ${MiB}`));
    await peer.seen();
    await target.settled(({ calls }) => (calls['message'] ?? 0) >= before.calls['message'] + STREAMS, 'the orders');
    const { memory } = await target.report();
    const each = (memory.held - before.memory.held) / STREAMS;
    expect(each, 'bytes held for each').toBeLessThan(1.1 * MiB);
    // They wait for windows, and get them all.
    peer.generous = true;
    for (const stream of streams) peer.write(f.windowUpdate(stream.id, 2 * MiB));
    peer.write(f.windowUpdate(0, 2 ** 30));
    for (const stream of streams) {
      await peer.until(() => stream.frames.length > 0 || stream.isOver, `the message on stream ${stream.id}`);
      expect(stream.frames[0].payload.length).toBe(MiB);
      stream.frames.length = 0;
    }
    peer.socket.destroy();
  });
  expect(report.mostQueued).toBeLessThanOrEqual(2 * MiB);
});

test('a window of nothing, and a server that sends without end', async () => {
  const limit = MiB;
  const report = await attack({ ...LIMITS, sendHardLimit: limit, rss: 350 * MiB }, async (target) => {
    const peer = await target.connect({ settings: [[f.INITIAL_WINDOW_SIZE, 0]] });
    const streams = await peer.openMany(STREAMS);
    for (const stream of streams.slice(0, 10)) stream.send(frame(1, '!pour 65536'));
    await target.settled(({ errorCodes }) => (errorCodes['SEND_HARD_LIMIT'] ?? 0) > 1000, 'messages to be refused');
    // A window for one of the others is for that one alone.
    const other = streams[STREAMS - 1];
    peer.write(f.windowUpdate(other.id, 10_000));
    other.send(frame(1, 'hello'));
    await peer.until(() => other.frames.length === 1, 'an echo');
    for (const stream of streams.slice(0, 10)) expect(stream.received).toBe(0);
    peer.socket.destroy();
  });
  expect(report.mostQueued).toBeGreaterThan(limit - 65_536 * 2);
  expect(report.mostQueued).toBeLessThanOrEqual(limit);
});

test('a client that reads one stream only of fifty that are filled', async () => {
  await attack(LIMITS, async (target: Target) => {
    const peer = await target.connect();
    const streams = await peer.openMany(STREAMS);
    peer.generous = false;
    const filled = streams.slice(0, 50);
    for (const stream of filled) stream.send(frame(1, '!fill 16384'));
    await until(
      () => filled.every(({ received }) => received >= f.WINDOW) || peer.isOver || sessionIsFull(filled),
      'windows',
    );
    // The session's own window, which they have used up, is for all; it is given back whoever reads.
    peer.write(f.windowUpdate(0, 2 ** 30));
    await peer.until(() => filled.every(({ received }) => received === f.WINDOW), 'every window to be used up');
    peer.generous = true;
    await echoes(peer, streams.slice(50), 20);
    for (const { received } of filled) expect(received).toBe(f.WINDOW);
    peer.socket.destroy();
  });
});

function sessionIsFull(streams: readonly RawStream[]): boolean {
  return streams.reduce((sum, { received }) => sum + received, 0) >= f.WINDOW;
}
