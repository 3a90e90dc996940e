/**
 * Frames at random, right ones and wrong ones, on one session after the other. The server must not crash, hang or keep
 * anything, and a WebSocket of somebody else's answers all the time.
 *
 * `MILLRACE_SEED` repeats a run, `MILLRACE_MINUTES` makes it a long one.
 */

import { expect, test } from 'vitest';
import * as f from './support/frames.js';
import type { RawPeer } from './support/peer.js';
import { type AttackOptions, attack, closeFrame, frame, MiB, noise, sockets, type Target } from './support/target.js';

const SECONDS = Number(process.env['MILLRACE_MINUTES'] ?? 0.3) * 60;
const SEED = Number(process.env['MILLRACE_SEED'] ?? 1);
const AT_ONCE = 4;
const LIMITS: AttackOptions = {
  handshakeTimeout: 3000,
  closeTimeout: 1000,
  pingInterval: 2000,
  pingTimeout: 1000,
  sendHardLimit: MiB,
  upgradeDelay: 20,
  rss: 256 * MiB,
  // Of some that break down, node:http2 keeps the session for good, in a handle of its own.
  keeps: 'sessions',
  /** The longest that the other one may wait. */
  witnessPatience: 5000,
};

/** A generator of numbers that are the same in every run with a seed (xorshift32). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  }

  /** From 0 up to, and without, a limit. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }
}

const PATHS = ['/', '/', '/', '/slow', '/never', '/no', '/no/70000'];
const SIZES = [0, 1, 3, 5, 100, 5000, f.FRAME_SIZE, f.FRAME_SIZE + 1];
const ORDERS = ['!stall', '!pause', '!send 100000', '!close 4000', '!terminate', '!go', 'hello', '!fill 5000'];
const NUMBERS = [0, 1, 1000, f.WINDOW, 2 ** 31 - 1, 2 ** 32 - 1];

/** What a server must be spared, since Node.js itself would end its process. */
interface Faults {
  /** node:http2 destroys the session within a callback of nghttp2's, and what comes behind finds its stream gone. */
  readonly goAway: boolean;
  /**
   * With TLS, node:http2 stops within a DATA frame while a write is under way, and reads on when that has ended. If a
   * callback sends meanwhile, which node:http2 does by itself where more than 4096 bytes are queued on the stream, and the
   * client is gone, so that the write fails at once, that ends a write too: the same bytes are read again, within the call
   * that reads them, and their memory is given back under it. Nothing that a server does, or does not do, prevents it.
   */
  readonly leaving: boolean;
}

/** Known to be mended in 24.21 and 26.10; Node.js 20 and 22 stay as they are. */
function faultsOf({ node: [major, minor], secure }: Target): Faults {
  const isMended = major > 26 || (major === 26 && minor >= 10) || (major === 24 && minor >= 21);
  return { goAway: !secure || (major > 20 && !isMended), leaving: secure && !isMended };
}

/** One step; most are such as a client may take. */
function step(dice: Dice, peer: RawPeer, ids: number[], faults: Faults): Buffer | Uint8Array {
  const id = ids.length === 0 || dice.below(50) === 0 ? dice.below(100) : dice.of(ids);
  const ask = (flags = 0) => {
    const next = peer.nextId();
    ids.push(next);
    return f.headerFrames(next, f.connectBlock(dice.of(PATHS)), flags);
  };
  switch (dice.below(30)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return ask(dice.below(10) === 0 ? f.END_STREAM : 0);
    case 5:
    case 6:
    case 7:
    case 8:
      return f.data(id, frame(1, dice.of(ORDERS)));
    case 9:
      return f.data(id, frame(dice.below(16), noise(dice.below(300), dice.below(99)), { fin: dice.below(4) > 0 }));
    case 10:
      return f.data(id, noise(dice.of(SIZES)).subarray(0, f.FRAME_SIZE), dice.below(8) === 0 ? f.END_STREAM : 0);
    case 11:
      return f.data(id, closeFrame(dice.of([1000, 1005, 4000])));
    case 12:
    case 13:
      return f.rstStream(id, dice.below(15));
    case 14:
      return f.windowUpdate(dice.below(2) === 0 ? 0 : id, dice.of(NUMBERS.slice(1, 4)));
    case 15:
      return f.ping();
    case 16:
      return f.settings([[f.INITIAL_WINDOW_SIZE, dice.of([0, 1, 1000, f.WINDOW])]]);
    case 17:
      return f.priority(id, 0);
    case 18:
      return f.h2Frame(0x20 + dice.below(200), dice.below(256), id, noise(dice.below(50)));
    case 19:
      return Buffer.alloc(0);
    default:
      return dice.below(4) === 0 ? wrong(dice, peer, id, faults) : f.data(id, frame(2, noise(dice.below(2000))));
  }
}

/** One that a client may not take, not in most states. */
function wrong(dice: Dice, peer: RawPeer, id: number, faults: Faults): Buffer {
  switch (dice.below(10)) {
    case 0:
      return f.h2Frame(dice.below(10), dice.below(256), id, noise(dice.of(SIZES), dice.below(99)));
    case 1:
      return f.h2Frame(dice.below(10), dice.below(256), 0, noise(dice.below(20), dice.below(99)));
    case 2:
      return f.headers(peer.nextId(), noise(dice.below(60), dice.below(999)));
    case 3:
      return f.headers(peer.nextId(), f.connectBlock(), 0);
    case 4:
      return faults.goAway ? f.ping() : f.goAway(dice.of([0, 1, 11]));
    case 5:
      return f.windowUpdate(id, dice.of(NUMBERS));
    case 6:
      return f.settings([[dice.below(9), dice.of(NUMBERS)]]);
    case 7:
      return f.headers(peer.nextId(), f.literals([[dice.of([':path', 'X', '', 'x y']), 'z'], ...f.connectFields()]));
    case 8:
      return f.headers(id, f.literals([['a', 'b']]), f.END_HEADERS | dice.below(2));
    default:
      return noise(dice.below(100), dice.below(99));
  }
}

/** Goes away, in the middle of everything where the server bears it. */
async function leave(dice: Dice, peer: RawPeer, faults: Faults): Promise<void> {
  if (faults.leaving) {
    // Then no DATA is left to be read: of a session with an error nghttp2 looks at nothing any more.
    const hasFailed = () => peer.goAway !== null && peer.goAway !== f.Code.NO_ERROR;
    await Promise.race([peer.seen(), peer.until(hasFailed, 'GOAWAY')]).catch(() => {});
  }
  if (dice.below(3) === 0) peer.socket.end();
  peer.socket.destroy();
}

test.for([
  ['with TLS', false],
  ['without', true],
] as const)('%s', { timeout: SECONDS * 1000 + 180_000 }, async ([, h2c]) => {
  // Without TLS sessions are the server's own affair, and what nghttp2 has ended is found out in a minute.
  const limits: AttackOptions = { ...LIMITS, ...(h2c ? { h2c, keeps: 'all' } : { http2: { sessionTimeout: 1000 } }) };
  let seed = SEED * 1_000_000;
  let steps = 0;
  const started = performance.now();
  const { calls } = await attack(limits, async (target) => {
    const faults = faultsOf(target);
    const one = async () => {
      while (performance.now() - started < SECONDS * 1000) {
        const dice = new Dice(seed++);
        const peer = await target.connect({ generous: dice.below(4) > 0 });
        const ids: number[] = [];
        const length = 10 + dice.below(200);
        for (let i = 0; i < length && !peer.isOver; i++) {
          peer.write(step(dice, peer, ids, faults));
          steps++;
          // Sometimes together, sometimes apart.
          if (dice.below(10) === 0) await peer.flush(f.ping());
        }
        if (dice.below(2) === 0 && !peer.isOver) {
          await Promise.race([peer.seen().catch(() => {}), target.state()]);
        }
        await leave(dice, peer, faults);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    if (h2c) return;
    // Handlers that have not settled hold the end of their connections, and what waits behind them may do so again.
    const last = await target.connect();
    const go = await last.open();
    const end = performance.now() + 60_000;
    for (let left = Number.POSITIVE_INFINITY; left > 2; left = (await target.state()).open) {
      expect(performance.now(), 'the end of every WebSocket').toBeLessThan(end);
      go.send(frame(1, '!go'));
      await last.seen();
    }
    last.socket.destroy();
    await target.settled(({ resources }) => sockets(resources) <= 2, 'every connection to be closed');
  });
  if (process.env['MILLRACE_FIGURES'] !== undefined)
    console.log(`${seed - SEED * 1_000_000} sessions, ${steps} frames`);
  expect(calls['open'], 'WebSockets that were opened').toBeGreaterThan(100);
});
