import { describe, expect, test } from 'vitest';
import type { Connection } from '../../src/core/connection.js';
import { Deadline, KeepAlive } from '../../src/core/deadlines.js';
import { CloseConnection } from '../../src/core/events.js';
import { Kind } from '../../src/core/frames/kind.js';
import type { ConnectionOptions } from '../../src/core/options.js';
import { CLOSE, CLOSED, close, LOCAL_CLOSING, OPEN, PING, pong, text } from '../conformance/support.js';
import { CLIENT, connected, ROLES, roleName, SERVER } from './support.js';

const { POSITIVE_INFINITY } = Number;
const SILENT = { pingInterval: POSITIVE_INFINITY };

describe('a deadline', () => {
  test('is due at once until its owner tells the time, and then at its end', () => {
    const deadline = new Deadline(100);
    expect([deadline.next(7), deadline.tick(7)]).toEqual([null, false]);
    deadline.arm();
    expect([deadline.armed, deadline.next(7)]).toEqual([true, 7]);
    expect(deadline.tick(5000)).toBe(false);
    expect(deadline.next(5000)).toBe(5100);
    expect([deadline.tick(5099.9), deadline.tick(5100), deadline.tick(5101)]).toEqual([false, true, false]);
    expect([deadline.armed, deadline.next(5101)]).toEqual([false, null]);
  });

  test('may be given its place when it is armed, starts anew, and may be disarmed', () => {
    const deadline = new Deadline(100);
    deadline.arm(50);
    expect(deadline.next(0)).toBe(150);
    deadline.arm(60);
    expect(deadline.next(0)).toBe(160);
    deadline.disarm();
    expect([deadline.next(0), deadline.tick(1e9)]).toEqual([null, false]);
  });

  test('of Infinity never comes', () => {
    const deadline = new Deadline(POSITIVE_INFINITY);
    deadline.arm();
    expect([deadline.armed, deadline.next(0), deadline.tick(1e300)]).toEqual([false, null, false]);
  });
});

describe('a keep-alive', () => {
  const ticks = (keepAlive: KeepAlive, ...times: number[]) => times.map((now) => keepAlive.tick(now));

  test('pings after silence and finds the peer lost without an answer', () => {
    const keepAlive = new KeepAlive(30, 20);
    expect(ticks(keepAlive, 0, 29, 30, 49, 50)).toEqual(['none', 'none', 'ping', 'none', 'lost']);
  });

  test('anything heard is an answer, and silence begins anew', () => {
    const keepAlive = new KeepAlive(30, 20);
    expect(ticks(keepAlive, 0, 30)).toEqual(['none', 'ping']);
    keepAlive.heard();
    expect(ticks(keepAlive, 50, 79, 80)).toEqual(['none', 'none', 'ping']);
    expect(keepAlive.next(0)).toBe(100);
  });

  test('a peer that is heard is never pinged', () => {
    const keepAlive = new KeepAlive(30, 20);
    for (let now = 0; now < 1000; now += 10) {
      keepAlive.heard();
      expect(keepAlive.tick(now)).toBe('none');
    }
  });

  test('goes on asking where an answer may take for ever', () => {
    const keepAlive = new KeepAlive(30, POSITIVE_INFINITY);
    expect(ticks(keepAlive, 0, 30, 59, 60, 90)).toEqual(['none', 'ping', 'none', 'ping', 'ping']);
    keepAlive.heard();
    expect(ticks(keepAlive, 120, 149, 150)).toEqual(['none', 'none', 'ping']);
    expect(keepAlive.next(0)).toBe(180);
  });

  test('that waits for no time at all loses the peer at the next tick', () => {
    const keepAlive = new KeepAlive(30, 0);
    expect(ticks(keepAlive, 0, 30, 30)).toEqual(['none', 'ping', 'lost']);
  });

  test('may be switched off, and stopped', () => {
    const never = new KeepAlive(POSITIVE_INFINITY, 20);
    expect([never.next(0), ...ticks(never, 0, 1e9)]).toEqual([null, 'none', 'none']);
    const stopped = new KeepAlive(30, 20);
    stopped.tick(0);
    stopped.stop();
    expect([stopped.next(0), ...ticks(stopped, 30, 60)]).toEqual([null, 'none', 'none']);
  });
});

/** Calls `handleTimeout` whenever it is asked for, up to `until`, as an owner does whose clock starts at `start`. */
function elapse(connection: Connection, start: number, until: number): number[] {
  const times: number[] = [];
  let now = start;
  for (;;) {
    const next = connection.nextDeadline();
    if (next === null || Math.max(next, now) > until) return times;
    now = Math.max(next, now);
    if (times.length > 50) throw new Error('asks for the time over and over');
    times.push(now);
    connection.handleTimeout(now);
  }
}

describe.each(ROLES.map((type) => [roleName(type), type] as const))('time of a %s', (_, type) => {
  const timed = (options: ConnectionOptions = {}) => connected(type, options);

  test('close timeout: the peer did not answer our Close', () => {
    const { connection, receive } = timed({ closeTimeout: 100 });
    elapse(connection, 1000, 1000);
    connection.send(new CloseConnection(1000));
    receive(text('unread'));
    expect(elapse(connection, 1500, 1599)).toEqual([1500]);
    expect([connection.state, connection.transport]).toEqual([LOCAL_CLOSING, 'open']);
    expect(elapse(connection, 1600, 1600)).toEqual([1600]);
    // The transport may go at once; the state follows its event.
    expect([connection.state, connection.transport]).toEqual([LOCAL_CLOSING, 'destroy']);
    expect([connection.wantsData, connection.bufferedBytes, receive(text('x'))]).toEqual([false, 0, false]);
    expect(connection.nextEvent()).toMatchObject({
      code: 1006,
      origin: 'timeout',
      error: { code: 'CLOSE_TIMEOUT', name: 'LocalProtocolError' },
    });
    expect([connection.state, connection.transport, connection.nextDeadline()]).toEqual([CLOSED, 'destroy', null]);
    expect(connection.poll()).toBe(Kind.NEED_DATA);
  });

  test('close timeout: the peer does not end the stream', () => {
    const { connection, receive } = timed({ closeTimeout: 100, autoClose: true });
    receive(close(1000));
    expect(connection.poll()).toBe(Kind.CLOSE);
    expect(connection.state).toBe(CLOSED);
    elapse(connection, 5, 104);
    expect(connection.transport).toBe(type === SERVER ? 'half-close' : 'await-peer-close');
    elapse(connection, 105, 105);
    expect([connection.transport, connection.nextDeadline()]).toEqual(['destroy', null]);
    expect(connection.poll()).toBe(Kind.NEED_DATA);
  });

  test('close timeout: a violation leaves the peer that long to see our Close', () => {
    const { connection, receive } = timed({ closeTimeout: 100 });
    receive({ opcode: 3 });
    connection.poll();
    expect([connection.transport, connection.nextDeadline()]).toEqual(['destroy', 0]);
    elapse(connection, 5, 104);
    expect(connection.nextDeadline()).toBe(105);
    elapse(connection, 105, 105);
    expect([connection.transport, connection.nextDeadline()]).toEqual(['destroy', null]);
    expect(connection.poll()).toBe(Kind.NEED_DATA);
  });

  test('after the end of the stream only what is still to be written has a deadline', () => {
    for (const frames of [[{ opcode: 3 }], [close(1000)], [text('echoed')]]) {
      const { connection, receive } = timed({ autoClose: true, closeTimeout: 100 });
      elapse(connection, 1000, 1000);
      receive(...frames);
      if (connection.poll() === Kind.TEXT) connection.queueText(connection.text());
      connection.receiveData(null);
      connection.poll();
      expect([connection.state, connection.transport]).toEqual([CLOSED, 'destroy']);
      elapse(connection, 1000, 1000);
      expect(connection.nextDeadline()).toBe(1100);
      connection.acknowledge(connection.takeOutput([]));
      expect([connection.transport, connection.nextDeadline()]).toEqual(['destroy', null]);
    }
  });

  test('what cannot be written after the end of the stream is given up at its deadline', () => {
    const { connection } = timed({ closeTimeout: 100 });
    elapse(connection, 1000, 1000);
    connection.queueText('stuck');
    connection.receiveData(null);
    connection.poll();
    expect(elapse(connection, 1000, 1100)).toEqual([1000, 1100]);
    expect([connection.transport, connection.nextDeadline()]).toEqual(['destroy', null]);
  });

  test('keep-alive: a Ping after silence, and the connection is lost without an answer', () => {
    const { connection, written } = timed({ pingInterval: 30, pingTimeout: 20 });
    expect(elapse(connection, 1_000_000, 1_000_029)).toEqual([1_000_000]);
    expect(connection.hasOutput).toBe(false);
    elapse(connection, 1_000_030, 1_000_049);
    expect(written()).toMatchObject([{ opcode: PING, payload: new Uint8Array(0) }]);
    elapse(connection, 1_000_050, 1_000_050);
    expect([connection.state, connection.transport]).toEqual([OPEN, 'destroy']);
    expect(written()).toMatchObject([{ opcode: CLOSE }]);
    expect(connection.nextEvent()).toMatchObject({ code: 1006, origin: 'timeout', error: { code: 'PING_TIMEOUT' } });
    expect([connection.state, connection.nextDeadline()]).toEqual([CLOSED, null]);
  });

  test('keep-alive: says 1011', () => {
    const { connection, written } = timed({ pingInterval: 30, pingTimeout: 20 });
    elapse(connection, 0, 50);
    const closes = written().filter(({ opcode }) => opcode === CLOSE);
    expect(closes.map(({ payload }) => [...payload.slice(0, 2)])).toEqual([[1011 >> 8, 1011 & 255]]);
  });

  test.each([
    ['a Pong', pong()],
    ['a message', text('a')],
    ['a single byte', Uint8Array.of(0x82)],
  ])('keep-alive: %s is an answer', (_, answer) => {
    const { connection, receive, written } = timed({ pingInterval: 30, pingTimeout: 20 });
    for (let now = 0; now < 500; now += 30) {
      elapse(connection, now, now + 29);
      receive(answer);
    }
    expect(connection.transport).toBe('open');
    expect(written().every(({ opcode }) => opcode === PING)).toBe(true);
  });

  test('keep-alive: silence is not the peer’s while we do not read', () => {
    for (const stop of ['pause', 'fill'] as const) {
      const { connection, receive } = timed({ pingInterval: 30, pingTimeout: 20, receiveHighWater: 10 });
      if (stop === 'pause') connection.pause();
      else receive(text('more than ten bytes'));
      elapse(connection, 0, 1000);
      expect([connection.transport, connection.hasOutput]).toEqual(['open', false]);
    }
  });

  test('keep-alive: but it is while the peer does not read, and room for more is a sign of life', () => {
    const options = { pingInterval: 30, pingTimeout: 20, sendHighWater: 10, sendLowWater: 0 };
    const stuck = timed(options).connection;
    stuck.pause();
    stuck.queueText('more than ten bytes');
    elapse(stuck, 0, 100);
    expect(stuck.transport).toBe('destroy');
    const slow = timed(options).connection;
    slow.queueText('x'.repeat(100));
    for (let now = 0; now < 1000; now += 10) {
      elapse(slow, now, now + 9);
      slow.takeOutput([], 1);
      slow.acknowledge(1);
    }
    expect(slow.transport).toBe('open');
  });

  test('keep-alive: no Ping once closing has begun', () => {
    const { connection, written, receive } = timed({ pingInterval: 30, pingTimeout: 20, closeTimeout: 1000 });
    connection.queue(new CloseConnection(1000));
    elapse(connection, 0, 900);
    expect(written().map(({ opcode }) => opcode)).toEqual([CLOSE]);
    const theirs = timed({ pingInterval: 30, pingTimeout: 20 });
    theirs.receive(close(1000));
    theirs.connection.poll();
    expect(theirs.connection.nextDeadline()).toBe(null);
    receive(close(1000));
    connection.poll();
    elapse(connection, 900, 5000);
    expect(connection.hasOutput).toBe(false);
  });

  test('Infinity switches each off', () => {
    const { connection } = timed({ ...SILENT, closeTimeout: POSITIVE_INFINITY });
    expect(connection.nextDeadline()).toBe(null);
    connection.send(new CloseConnection(1000));
    expect(connection.nextDeadline()).toBe(null);
    connection.handleTimeout(1e300);
    expect([connection.state, connection.transport]).toEqual([LOCAL_CLOSING, 'open']);
  });

  test('a timeout comes ahead of what waits unread, and pause holds it back', () => {
    const { connection, receive } = timed({ pingInterval: 30, pingTimeout: 20 });
    elapse(connection, 0, 30);
    elapse(connection, 50, 50);
    receive(text('too late'));
    connection.pause();
    expect(connection.poll()).toBe(Kind.PAUSED);
    connection.resume();
    expect(connection.nextEvent()).toMatchObject({ type: 'close', origin: 'timeout' });
    expect(connection.poll()).toBe(Kind.NEED_DATA);
  });

  test('the clock may start anywhere, and a late owner loses nothing but time', () => {
    for (const start of [0, 0.5, 1e15]) {
      const { connection, written } = timed({ pingInterval: 30, pingTimeout: 20 });
      elapse(connection, start, start + 30);
      expect(written()).toHaveLength(1);
      connection.handleTimeout(start + 1000);
      expect(connection.transport).toBe('destroy');
    }
  });
});

test('the earliest of several deadlines is the next', () => {
  const { connection } = connected(CLIENT, { closeTimeout: 100, pingInterval: 30 });
  connection.handleTimeout(0);
  expect(connection.nextDeadline()).toBe(30);
  connection.send(new CloseConnection(1000));
  connection.handleTimeout(10);
  expect(connection.nextDeadline()).toBe(110);
});
