/**
 * Streams that are given up as fast as they are asked for (CVE-2023-44487), or that the server is made to give up
 * (CVE-2025-8671). After a number of them that a read or two can hold the session is over, and nothing is left of them; who
 * closes many WebSockets at once, because they were many, is not taken for an attacker.
 *
 * nghttp2 has a limit of its own, of RST_STREAM frames that come: 1000, and 33 more a second.
 */

import { expect, test } from 'vitest';
import * as f from './support/frames.js';
import { attack, closeFrame, concat, frame, sockets, type Target, tally } from './support/target.js';

const STREAMS = 20_000;
/** The limits, 1000 of nghttp2's at most, and what is read together with the last. */
const MOST_ASKED = 2500;
const CALM = { handshakeTimeout: 3000, http2: { sessionTimeout: 2000 } };

interface Way {
  readonly name: string;
  /** The frames for one stream. */
  readonly frames: (id: number) => Uint8Array;
}

function asking(path: string, flags = 0): (id: number) => Buffer {
  const block = f.connectBlock(path);
  return (id) => f.headers(id, block, f.END_HEADERS | flags);
}

const [plain, slow, never] = ['/', '/slow', '/never'].map((path) => asking(path));
const NOTHING = Buffer.alloc(0);
/** What comes so many streams later. */
const LATER = 50;
const later = (id: number, make: (id: number) => Buffer) => (id > 2 * LATER ? make(id - 2 * LATER) : NOTHING);

const WAYS: readonly Way[] = [
  { name: 'CONNECT and RST_STREAM', frames: (id) => concat(plain(id), f.rstStream(id, f.Code.CANCEL)) },
  { name: 'CONNECT and RST_STREAM(NO_ERROR)', frames: (id) => concat(plain(id), f.rstStream(id, f.Code.NO_ERROR)) },
  {
    name: 'CONNECT and RST_STREAM(INTERNAL_ERROR)',
    frames: (id) => concat(plain(id), f.rstStream(id, f.Code.INTERNAL_ERROR)),
  },
  { name: 'RST_STREAM while upgrade is pending', frames: (id) => concat(slow(id), f.rstStream(id, f.Code.CANCEL)) },
  {
    name: 'RST_STREAM a little later',
    frames: (id) =>
      concat(
        never(id),
        later(id, (old) => f.rstStream(old, f.Code.CANCEL)),
      ),
  },
  {
    name: 'RST_STREAM(NO_ERROR) a little later',
    frames: (id) =>
      concat(
        never(id),
        later(id, (old) => f.rstStream(old, f.Code.NO_ERROR)),
      ),
  },
  { name: 'END_STREAM while upgrade is pending', frames: (id) => concat(slow(id), f.data(id, '', f.END_STREAM)) },
  {
    name: 'END_STREAM a little later',
    frames: (id) =>
      concat(
        never(id),
        later(id, (old) => f.data(old, '', f.END_STREAM)),
      ),
  },
  {
    name: 'made to reset: a window too large',
    frames: (id) => concat(never(id), f.windowUpdate(id, 2 ** 31 - 1)),
  },
  {
    name: 'made to reset: a second header block',
    frames: (id) => concat(never(id), f.headers(id, f.literals([['a', 'b']]))),
  },
  {
    name: 'made to reset: more than a window',
    frames: (id) => concat(never(id), ...Array.from({ length: 5 }, () => f.data(id, Buffer.alloc(f.FRAME_SIZE)))),
  },
  {
    name: 'made to reset: a pseudo-header that is none',
    frames: (id) => f.headers(id, f.literals([...f.connectFields(), [':x', 'y']])),
  },
];

/** Sends streams until the session is over. */
async function pour(target: Target, { frames }: Way): Promise<void> {
  const peer = await target.connect();
  for (let sent = 0; sent < STREAMS && !peer.isOver && peer.goAway === null; sent += LATER) {
    await peer.flush(...Array.from({ length: LATER }, () => frames(peer.nextId())));
  }
  await peer.until(() => peer.isOver || peer.goAway !== null, 'the end of the session');
  peer.socket.destroy();
}

test.for([
  ['with TLS', false],
  ['without', true],
] as const)('%s: the session ends, and nothing is left', async ([, h2c]) => {
  const { cpu } = await attack({ ...(h2c ? {} : CALM), h2c, upgradeDelay: 200 }, async (target) => {
    for (const way of WAYS) {
      const before = await target.state();
      await pour(target, way);
      const { calls } = await target.settled(
        ({ open, opening }) => open === 1 && opening === 0,
        `all to be gone after ${way.name}`,
      );
      const since = (name: string) => (calls[name] ?? 0) - (before.calls[name] ?? 0);
      expect(since('upgrade'), `calls of upgrade for ${way.name}`).toBeLessThan(MOST_ASKED);
      // Those that were waiting are told.
      expect(since('open') + since('abort'), way.name).toBe(since('upgrade'));
    }
  });
  expect(cpu, 'milliseconds of CPU time').toBeLessThan(1000 * WAYS.length);
});

test('more streams than there may be', async () => {
  const report = await attack(
    { ...CALM, http2: { maxConcurrentStreams: 50, sessionTimeout: 2000 } },
    async (target) => {
      await pour(target, { name: '', frames: never });
      // Before the limit was acknowledged, what is above it is refused one by one.
      const early = await target.connect({ greet: false });
      early.write(f.PREFACE, f.settings([[f.HEADER_TABLE_SIZE, 0]]));
      const streams = Array.from({ length: 100 }, () => early.ask());
      for (const stream of streams) await early.until(() => stream.status > 0 || stream.isOver, 'an answer');
      const answers = tally(streams.map(({ status, resetCode }) => (status > 0 ? status : `reset ${resetCode}`)));
      expect(answers[200]).toBeLessThanOrEqual(50);
      expect(Object.keys(answers).sort()).toEqual(['200', 'reset 7']);
      early.socket.destroy();
    },
  );
  expect(report.calls['upgrade']).toBeLessThanOrEqual(102);
});

test('a client that ends all of its WebSockets at once is not punished', async () => {
  await attack({ http2: { maxResetRate: 100 } }, async (target) => {
    const peer = await target.connect();
    const ends: ((id: number) => Uint8Array)[] = [
      (id) => f.rstStream(id, f.Code.CANCEL),
      (id) => f.data(id, '', f.END_STREAM),
      (id) => concat(f.data(id, closeFrame(1000)), f.rstStream(id, f.Code.CANCEL)),
      (id) => f.rstStream(id, f.Code.NO_ERROR),
    ];
    for (const end of ends) {
      const streams = await peer.openMany(200);
      const before = await target.state();
      peer.write(...streams.map(({ id }) => end(id)));
      await peer.seen();
      await target.settled(({ open }) => open === 1, 'all of them to be closed');
      expect(peer.goAway).toBeNull();
      expect(before.open).toBe(201);
      // The second round is not at once with the first.
      if (end !== ends.at(-1)) await allowed(200);
    }
    const ws = await peer.open();
    ws.send(frame(1, 'still here'));
    await peer.until(() => ws.frames.length === 1, 'an echo');
    peer.socket.destroy();
  });
});

/** Waits until so many resets more are allowed: what is waited for is the clock. */
async function allowed(resets: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, (resets / 100) * 1000));
}

test('on many sessions at once', async () => {
  const report = await attack(CALM, async (target) => {
    const before = sockets((await target.state()).resources);
    await Promise.all(WAYS.slice(0, 8).flatMap((way) => [pour(target, way), pour(target, way)]));
    await target.settled(({ resources }) => sockets(resources) <= before, 'their connections to be closed');
  });
  expect(report.calls['upgrade']).toBeLessThan(16 * MOST_ASKED);
});
