/**
 * WebSockets and sessions that come and go by thousands, over every way that they may end: nothing of them may stay, on
 * either side.
 */

import { expect, test } from 'vitest';
import * as f from './support/frames.js';
import type { RawPeer } from './support/peer.js';
import { attack, Child, closeFrame, frame, KiB, sockets, Target } from './support/target.js';

const WEBSOCKETS = 20_000;
/** At once, of which a quarter is reset: so many a second are allowed lastingly. */
const WAVE = 200;
const SESSIONS = 2000;
/** The pings are for sessions that nghttp2 has ended, of which node:http2 tells nobody. */
const RATE = { http2: { maxResetRate: 1e9, sessionTimeout: 2000 }, pingInterval: 3000, pingTimeout: 2000 };

/** From the request to the end, on the server's side too. */
type Life = (peer: RawPeer) => Promise<unknown>;

const over = async (peer: RawPeer, id: number) => peer.until(() => peer.stream(id).isOver, `the end of stream ${id}`);

const LIVES: readonly Life[] = [
  async (peer) => {
    const { id } = await peer.open();
    peer.write(f.rstStream(id, f.Code.CANCEL));
    peer.streams.delete(id);
  },
  async (peer) => {
    const { id } = await peer.open();
    peer.write(f.data(id, '', f.END_STREAM));
    await over(peer, id);
    peer.streams.delete(id);
  },
  async (peer) => {
    const stream = await peer.open();
    stream.send(closeFrame(1000));
    await over(peer, stream.id);
    peer.write(f.data(stream.id, '', f.END_STREAM));
    peer.streams.delete(stream.id);
  },
  async (peer) => {
    const stream = await peer.open();
    stream.send(frame(1, '!terminate'));
    await over(peer, stream.id);
    peer.streams.delete(stream.id);
  },
  async (peer) => {
    const stream = await peer.open();
    stream.send(frame(1, '!close 4000'));
    await stream.closeCode();
    stream.send(closeFrame(4000));
    await over(peer, stream.id);
    peer.write(f.data(stream.id, '', f.END_STREAM));
    peer.streams.delete(stream.id);
  },
  async (peer) => {
    const stream = await peer.answered(peer.ask('/no/100'));
    await over(peer, stream.id);
    peer.write(f.data(stream.id, '', f.END_STREAM));
    peer.streams.delete(stream.id);
  },
  async (peer) => {
    const stream = peer.ask('/', { flags: f.END_STREAM });
    await over(peer, stream.id);
    peer.streams.delete(stream.id);
  },
];

/** What is still allowed of nghttp2's own limit on resets: 1000, and 33 more a second. */
const MOST_RESETS = 900;

test('twenty thousand WebSockets on one session', async () => {
  const { calls, mostListeners, total } = await attack({ ...RATE, rss: 192 * 1024 * KiB }, async (target) => {
    const peer = await target.connect();
    let resets = 0;
    const next = (i: number): Life => {
      const life = LIVES[i % LIVES.length];
      return life === LIVES[0] && ++resets > MOST_RESETS ? LIVES[1] : life;
    };
    const lives = async (from: number, count: number) => {
      for (let i = from; i < from + count; i += WAVE) {
        await Promise.all(Array.from({ length: WAVE }, (_, j) => next(i + j)(peer)));
      }
      await target.settled(({ open, opening }) => open + opening === 1, 'all of them to be gone');
    };
    await lives(0, WEBSOCKETS / 4);
    const early = await target.report();
    await lives(WEBSOCKETS / 4, (WEBSOCKETS * 3) / 4);
    const late = await target.report();
    expect(peer.goAway).toBeNull();
    // The session is still there, and so is whatever it would keep of its streams.
    expect(late.objects).toEqual(early.objects);
    // 70 B each: less than anything that could stay of one, more than code and caches come to.
    expect(late.memory.held - early.memory.held, 'bytes held').toBeLessThan(1024 * KiB);
    peer.socket.destroy();
  });
  expect(calls['open']).toBe(total);
  expect(mostListeners, 'listeners of any event of a session').toBeLessThanOrEqual(10);
});

test('two thousand sessions, each with a few WebSockets', async () => {
  await attack({ ...RATE, rss: 160 * 1024 * KiB }, async (target) => {
    const ends: ((peer: RawPeer) => unknown)[] = [
      (peer) => peer.socket.destroy(),
      (peer) => peer.socket.end(f.goAway(f.Code.NO_ERROR)),
      (peer) => peer.write(f.goAway(f.Code.PROTOCOL_ERROR)),
      (peer) => peer.write(f.h2Frame(f.DATA, 0, 0, Buffer.of(1))),
    ];
    const lasting = sockets((await target.state()).resources);
    for (let i = 0; i < SESSIONS; i += 50) {
      const peers = await target.connectMany(50);
      await Promise.all(
        peers.map(async (peer, j) => {
          await peer.openMany(3);
          ends[j % ends.length](peer);
          await peer.flush().catch(() => {});
          peer.socket.destroy();
        }),
      );
    }
    await target.settled(({ resources }) => sockets(resources) <= lasting, 'their connections to be closed');
  });
});

interface ClientReport {
  readonly held: number;
  readonly listeners: number;
  readonly warnings: readonly string[];
  readonly opened: number;
  readonly ended: number;
}

test("our client: as many on a session of the caller's, and on a shared one", async () => {
  const target = await Target.start(RATE);
  for (const shared of [false, true]) {
    const client = await Child.start('../h2/support/client.js');
    await client.ask('connect', { port: target.port, shared });
    await client.ask('lives', { count: WEBSOCKETS / 10 });
    const early = await client.ask<ClientReport>('report');
    await client.ask('lives', { count: WEBSOCKETS / 4 });
    const late = await client.ask<ClientReport>('report');
    if (process.env['MILLRACE_FIGURES'] !== undefined) console.log(shared, early, late);
    expect(late.ended).toBe(late.opened);
    expect(late.opened).toBe(WEBSOCKETS / 10 + WEBSOCKETS / 4);
    expect(late.warnings).toEqual([]);
    expect(late.listeners, 'listeners of the session').toBeLessThanOrEqual(early.listeners);
    expect(late.held - early.held, 'bytes held').toBeLessThan(1024 * KiB);
    await client.kill();
  }
  await target.quiet();
  await target.child.kill();
});
