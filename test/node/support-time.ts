/** Sessions on a stream that is none, whose time goes on as the test says. */

import { afterEach, vi } from 'vitest';
import { Connection, type ConnectionOptions, ConnectionType } from '../../src/core/index.js';
import { type Handlers, Session, type SessionSettings } from '../../src/node/handlers.js';
import type { Peer } from '../../src/node/peer.js';
import { wheel } from '../../src/node/wheel.js';
import { FakeStream, recording, turns } from './support.js';

/** The wheel's. */
const TICK = 500;
const open: Peer[] = [];

afterEach(async () => {
  if (open.length === 0) return;
  // The wheel must not be left with a timer that is none.
  for (const peer of open.splice(0)) peer.terminate();
  await turns(2);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A session, once a test, and its time. */
export function timed({
  options = {},
  settings = {},
  handlers = {},
}: {
  readonly options?: ConnectionOptions;
  readonly settings?: SessionSettings;
  readonly handlers?: Handlers<unknown>;
} = {}) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  // The same distance from a tick in every run, and none of the best.
  let now = Math.ceil(wheel.now() / TICK) * TICK + 130;
  vi.spyOn(wheel, 'now').mockImplementation(() => now);
  const recorded = recording();
  const stream = new FakeStream();
  const connection = new Connection(ConnectionType.SERVER, [], { autoPong: true, autoClose: true, ...options });
  const init = { data: null, protocol: '', remoteAddress: '' };
  const all = { ...recorded.handlers, ...handlers };
  const session = new Session<unknown>(stream, connection, all, init, () => {}, settings);
  session.start(Buffer.alloc(0));
  open.push(session.peer);
  return {
    ...recorded,
    stream,
    peer: session.peer,
    /** Lets time pass within one turn. */
    passAtOnce(milliseconds: number): void {
      now += milliseconds;
      vi.advanceTimersByTime(milliseconds);
    },
    /** Lets time pass, a little at a time. */
    async pass(milliseconds: number): Promise<void> {
      for (const end = now + milliseconds; now < end; ) {
        const step = Math.min(250, end - now);
        now += step;
        vi.advanceTimersByTime(step);
        await turns(2);
      }
    },
  };
}
