import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CloseConnection, Ping, Pong, TextMessage } from '../../../src/core/events.js';
import { OutputQueue } from '../../../src/core/frames/output.js';
import { SLAB_SIZE, Slab } from '../../../src/core/frames/slab.js';
import { CLOSE, cont, latin1, PING, PONG, parseFrames, ping, TEXT } from '../../conformance/support.js';
import { CLIENT, connected, ROLES, roleName, SERVER } from '../support.js';

const wait = { pingInterval: 10, pingTimeout: 1000 } as const;

describe('what is queued, taken and acknowledged', () => {
  test('is true at each step', () => {
    const { connection } = connected(SERVER);
    const state = () => [connection.queuedBytes, connection.hasOutput];
    const out: Uint8Array[] = [];
    expect(state()).toEqual([0, false]);
    expect(connection.takeOutput(out)).toBe(0);
    connection.queueText('hello');
    expect(state()).toEqual([7, true]);
    connection.queue(new Pong(Buffer.from('p')));
    expect(state()).toEqual([10, true]);
    connection.queue(new Pong(Buffer.from('qqq')));
    expect(state()).toEqual([12, true]);
    connection.queue(new Pong());
    expect(state()).toEqual([9, true]);
    expect(connection.takeOutput(out, 4)).toBe(4);
    expect(state()).toEqual([9, true]);
    connection.acknowledge(3);
    expect(state()).toEqual([6, true]);
    expect(connection.takeOutput(out)).toBe(5);
    expect(state()).toEqual([6, false]);
    connection.acknowledge(6);
    expect(state()).toEqual([0, false]);
    expect(out.reduce((sum, { length }) => sum + length, 0)).toBe(9);
  });

  test('asks to slow down above the high water, and to go on at the low one', () => {
    const { connection } = connected(SERVER, { sendHighWater: 100, sendLowWater: 50 });
    expect(connection.queueBytes(new Uint8Array(98))).toBe(true);
    expect(connection.needsDrain).toBe(false);
    expect(connection.queue(new Ping())).toBe(false);
    expect(connection.needsDrain).toBe(true);
    expect(connection.takeOutput([])).toBe(102);
    expect(connection.needsDrain).toBe(true);
    connection.acknowledge(51);
    expect([connection.needsDrain, connection.queuedBytes]).toEqual([true, 51]);
    connection.acknowledge(1);
    expect([connection.needsDrain, connection.queuedBytes]).toEqual([false, 50]);
  });

  test('send is drained at once', () => {
    const { connection } = connected(SERVER, { sendHighWater: 10, sendLowWater: 5 });
    connection.send(new TextMessage('more than ten bytes'));
    expect([connection.needsDrain, connection.queuedBytes]).toEqual([false, 0]);
  });

  test('takeOutput gives no more than it is asked for, and nothing for nothing', () => {
    const { connection } = connected(SERVER);
    for (let i = 0; i < 20; i++) connection.queueText(`${i}`.repeat(i));
    connection.queueBytes(new Uint8Array(18000));
    const whole: Uint8Array[] = [];
    expect(connection.takeOutput(whole, 0)).toBe(0);
    expect(connection.takeOutput(whole, -5)).toBe(0);
    for (let i = 0; connection.hasOutput; i++) {
      const out: Uint8Array[] = [];
      const size = connection.takeOutput(out, 1 + (i % 13));
      expect(out.reduce((sum, { length }) => sum + length, 0)).toBe(size);
      expect(size).toBeLessThanOrEqual(1 + (i % 13));
      whole.push(...out.map((bytes) => Uint8Array.from(bytes)));
      connection.acknowledge(size);
    }
    expect(parseFrames(Buffer.concat(whole))).toHaveLength(21);
  });
});

describe.each(ROLES.map((type) => [roleName(type), type] as const))('control frames of a %s', (_, type) => {
  /** What leaves, when `first` bytes are taken, then `act` happens, and then the rest is taken. */
  function order(first: number, act: (connection: ReturnType<typeof connected>['connection']) => void): string[] {
    const { connection, bytes } = connected(type, { autoPong: true, ...wait });
    connection.queueText('one');
    connection.queueBytes(new Uint8Array(18000));
    connection.queueText('two');
    const out: Uint8Array[] = [];
    connection.takeOutput(out, first);
    connection.receiveData(bytes(ping('p')));
    connection.poll();
    act(connection);
    connection.takeOutput(out);
    return parseFrames(Buffer.concat(out)).map(({ opcode, payload }) =>
      opcode === PONG ? 'pong' : opcode === PING ? 'ping' : opcode === CLOSE ? 'close' : String(payload.length),
    );
  }

  test('overtake at the next frame boundary, and never inside a frame', () => {
    const header = type === CLIENT ? 4 : 0;
    const one = 2 + header + 3;
    expect(order(0, () => {})).toEqual(['pong', '3', '18000', '3']);
    for (let first = 1; first <= one; first++) expect(order(first, () => {})).toEqual(['3', 'pong', '18000', '3']);
    for (const more of [1, 3, 4 + header, 5 + header, 18000, 18003 + header]) {
      expect(
        order(one + more, () => {}),
        `${more} bytes of the large frame`,
      ).toEqual(['3', '18000', 'pong', '3']);
    }
    expect(order(one + 18004 + header, () => {})).toEqual(['3', '18000', 'pong', '3']);
  });

  test('a Close never overtakes, and nothing comes behind it', () => {
    const end = (connection: ReturnType<typeof connected>['connection']) => connection.queue(new CloseConnection(1000));
    expect(order(0, end)).toEqual(['pong', '3', '18000', '3', 'close']);
    expect(order(2, end)).toEqual(['3', 'pong', '18000', '3', 'close']);
    expect(order(9100, end)).toContain('pong');
    expect(order(9100, end).at(-1)).toBe('close');
    expect(order(Number.POSITIVE_INFINITY, end)).toEqual(['3', '18000', '3', 'pong', 'close']);
  });

  test('a keep-alive Ping overtakes as well', () => {
    const { connection, written } = connected(type, wait);
    connection.handleTimeout(0);
    connection.queueText('a');
    connection.handleTimeout(10);
    expect(written().map(({ opcode }) => opcode)).toEqual([PING, TEXT]);
  });

  test('a Ping of the caller waits its turn', () => {
    const { connection, written } = connected(type);
    connection.queueText('a');
    connection.queue(new Ping());
    connection.queueText('b');
    expect(written().map(({ opcode }) => opcode)).toEqual([TEXT, PING, TEXT]);
  });

  test('one of each waits at most, however output is taken', () => {
    for (let maxBytes = 0; maxBytes < 30; maxBytes++) {
      const { connection, receive } = connected(type, { autoPong: true });
      connection.queueBytes(new Uint8Array(18000));
      for (let i = 0; i < 200; i++) {
        receive(ping('abcd'));
        connection.poll();
        connection.acknowledge(connection.takeOutput([], maxBytes));
        expect(connection.queuedBytes).toBeLessThanOrEqual(18004 + 2 * 10 + 4);
      }
    }
  });
});

test('the first of two Pongs is not sent behind the second', () => {
  const queue = new OutputQueue();
  const out: Uint8Array[] = [];
  queue.append(Uint8Array.of(1, 1));
  queue.take(out, 1);
  queue.setControl('pong', Uint8Array.of(2));
  queue.take(out, 1);
  queue.setControl('pong', Uint8Array.of(3));
  queue.take(out, 10);
  expect(out.map((view) => [...view])).toEqual([[1], [1], [3]]);
  expect([queue.queuedBytes, queue.hasOutput]).toEqual([3, false]);
});

describe('slab memory', () => {
  test('is not used again before it is acknowledged, with several connections sharing it', () => {
    const command = fc.record({
      who: fc.nat(3),
      what: fc.constantFrom('queue', 'queue', 'large', 'pong', 'take', 'take', 'acknowledge', 'send'),
      size: fc.oneof(fc.nat(40), fc.nat(18000)),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 250, size: 'max' }), (commands) => {
        const parties = [SERVER, CLIENT, SERVER, CLIENT].map((type) => ({
          connection: connected(type, { sendHardLimit: Number.POSITIVE_INFINITY }).connection,
          taken: [] as { view: Uint8Array; copy: Uint8Array }[],
          wire: [] as Uint8Array[],
          acknowledged: 0,
          frames: 0,
        }));
        const check = (): void => {
          for (const { taken } of parties) {
            for (const { view, copy } of taken) if (Buffer.compare(view, copy) !== 0) throw new Error('written over');
          }
        };
        let fill = 0;
        for (const { who, what, size } of [
          ...commands,
          ...[0, 1, 2, 3].map((one) => ({ who: one, what: 'take', size: 1e9 })),
        ]) {
          const party = parties[who];
          const { connection, taken } = party;
          if (what === 'queue' || what === 'large') {
            connection.queueBytes(Buffer.alloc(what === 'large' ? 8193 + size : size, ++fill));
            party.frames++;
          } else if (what === 'pong') {
            connection.queue(new Pong(Buffer.alloc(size % 126, ++fill)));
          } else if (what === 'take') {
            const out: Uint8Array[] = [];
            connection.takeOutput(out, size);
            taken.push(...out.map((view) => ({ view, copy: Uint8Array.from(view) })));
            party.wire.push(...out.map((view) => Uint8Array.from(view)));
          } else if (what === 'send') {
            party.wire.push(connection.send(new TextMessage('x'.repeat(size))));
            party.frames++;
          } else {
            const waiting = taken.reduce((sum, { view }) => sum + view.length, 0) - party.acknowledged;
            const bytes = Math.min(size, waiting);
            connection.acknowledge(bytes);
            party.acknowledged += bytes;
            while (taken.length > 0 && taken[0].view.length <= party.acknowledged) {
              party.acknowledged -= (taken.shift() as { view: Uint8Array }).view.length;
            }
          }
          check();
        }
        for (const { connection, taken, acknowledged, wire, frames } of parties) {
          connection.acknowledge(taken.reduce((sum, { view }) => sum + view.length, 0) - acknowledged);
          expect([connection.queuedBytes, connection.hasOutput]).toEqual([0, false]);
          const data = parseFrames(Buffer.concat(wire)).filter(({ opcode }) => opcode !== PONG);
          expect(data).toHaveLength(frames);
          for (const { payload } of data) {
            if (payload.some((byte) => byte !== payload[0])) throw new Error(`mixed: ${latin1(payload.slice(0, 50))}`);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('is not kept by a connection that is behind, but for a little', () => {
    for (const behind of ['taken', 'untaken'] as const) {
      const slow = connected(SERVER).connection;
      const fast = connected(SERVER).connection;
      const wire: Uint8Array[] = [];
      for (let i = 0; i < 3000; i++) {
        slow.queueText(`message ${i}`);
        if (behind === 'taken') slow.takeOutput(wire);
        fast.queueBytes(new Uint8Array(8000));
        fast.acknowledge(fast.takeOutput([]));
      }
      slow.takeOutput(wire);
      // 3000 messages lie in 24 MB of what the other has sent.
      const buffers = [...new Set(wire.map(({ buffer }) => buffer))];
      expect(buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(2.5 * 1024 * 1024);
      expect(parseFrames(Buffer.concat(wire)).map(({ payload }) => latin1(payload))).toEqual(
        Array.from({ length: 3000 }, (_, i) => `message ${i}`),
      );
      slow.acknowledge(slow.queuedBytes);
      expect(slow.queuedBytes).toBe(0);
    }
  });

  test('is used again once it is acknowledged', () => {
    const { connection } = connected(SERVER);
    const buffers = new Set<unknown>();
    for (let i = 0; i < 2000; i++) {
      const out: Uint8Array[] = [];
      connection.queueBytes(new Uint8Array(4000));
      connection.acknowledge(connection.takeOutput(out));
      for (const { buffer } of out) buffers.add(buffer);
    }
    expect(buffers.size).toBeLessThanOrEqual(3);
  });
});

test('a Ping that arrives inside a message that is being sent in fragments is answered between them', () => {
  const { connection, receive, written } = connected(SERVER, { autoPong: true });
  connection.queueText('a', false);
  const first = written();
  receive(ping('x'));
  connection.poll();
  connection.queueText('b');
  expect([...first, ...written()].map(({ opcode, fin }) => [opcode, fin])).toEqual([
    [TEXT, false],
    [PONG, true],
    [cont('').opcode, true],
  ]);
});

describe('frames shared with others', () => {
  /** A slab that is full of numbers, with one piece that keeps it. */
  const numbers = Uint8Array.from({ length: SLAB_SIZE }, (_, i) => i * 7);
  function filled(): Slab {
    const slab = new Slab();
    slab.memory.set(numbers);
    slab.used = SLAB_SIZE;
    slab.pieces = 1;
    return slab;
  }

  const taken = (queue: OutputQueue): Uint8Array[] => {
    const out: Uint8Array[] = [];
    queue.take(out, Number.POSITIVE_INFINITY);
    return out;
  };

  test('are referred to, and merged where one goes on where the other ends', () => {
    const slab = filled();
    const queue = new OutputQueue();
    queue.share(slab, 100, 200, true);
    queue.share(slab, 200, 250, true);
    queue.share(slab, 260, 300, true);
    // The payload of a large frame follows its header.
    queue.share(slab, 300, 304, false);
    queue.share(slab, 304, 310, true);
    expect([queue.queuedBytes, slab.pieces]).toEqual([200, 5]);
    const out = taken(queue);
    expect(out.map(({ buffer, byteOffset, length }) => [buffer === slab.arrayBuffer, byteOffset, length])).toEqual([
      [true, 100, 150],
      [true, 260, 40],
      [true, 300, 4],
      [true, 304, 6],
    ]);
    // What was taken does not grow.
    queue.share(slab, 310, 320, true);
    expect(taken(queue).map(({ length }) => length)).toEqual([10]);
    queue.acknowledge(210);
    expect([queue.queuedBytes, slab.pieces]).toEqual([0, 1]);
  });

  test('are never merged with what the connection has written itself', () => {
    const slab = filled();
    const queue = new OutputQueue();
    const own = queue.reserve(10);
    own.memory.fill(1, own.used, own.used + 10);
    queue.commit(own, 10);
    queue.share(slab, 0, 10, true);
    const next = queue.reserve(10);
    next.memory.fill(2, next.used, next.used + 10);
    queue.commit(next, 10);
    const bytes = Buffer.concat(taken(queue));
    expect(bytes).toEqual(Buffer.concat([Buffer.alloc(10, 1), slab.memory.subarray(0, 10), Buffer.alloc(10, 2)]));
    queue.acknowledge(30);
    expect(slab.pieces).toBe(1);
  });

  test('come back however they are taken and acknowledged', () => {
    for (let step = 1; step < 60; step++) {
      const slab = filled();
      const queue = new OutputQueue();
      const wire: Buffer[] = [];
      for (let i = 0; i < 50; i++) {
        queue.share(slab, i * 40, i * 40 + 39, true);
        const out: Uint8Array[] = [];
        queue.take(out, step);
        wire.push(...out.map((view) => Buffer.from(view)));
        queue.acknowledge(queue.queuedBytes > 300 ? out.reduce((sum, { length }) => sum + length, 0) : 0);
      }
      wire.push(...taken(queue).map((view) => Buffer.from(view)));
      queue.acknowledge(queue.queuedBytes);
      const sent = Array.from({ length: 50 }, (_, i) => slab.memory.subarray(i * 40, i * 40 + 39));
      expect(Buffer.concat(wire).equals(Buffer.concat(sent)), `steps of ${step}`).toBe(true);
      expect(slab.pieces).toBe(1);
    }
  });

  test('come back when everything is copied out', () => {
    const slab = filled();
    const queue = new OutputQueue();
    queue.share(slab, 0, 10, true);
    queue.share(slab, 20, 30, true);
    expect(queue.takeCopy()).toEqual(Buffer.concat([slab.memory.subarray(0, 10), slab.memory.subarray(20, 30)]));
    expect([queue.queuedBytes, slab.pieces]).toEqual([0, 1]);
  });

  test.each(['taken', 'untaken'] as const)('are copied where a connection is behind: what is small, %s', (how) => {
    const queue = new OutputQueue();
    const slabs: Slab[] = [];
    const out: Uint8Array[] = [];
    for (let i = 0; i < 1000; i++) {
      const slab = filled();
      slabs.push(slab);
      queue.share(slab, i, i + 50, true);
      if (how === 'taken') queue.take(out, Number.POSITIVE_INFINITY);
    }
    expect(slabs.filter(({ pieces }) => pieces > 1).length).toBeLessThanOrEqual(32);
    queue.take(out, Number.POSITIVE_INFINITY);
    expect(Buffer.concat(out).equals(Buffer.concat(slabs.map(({ memory }, i) => memory.subarray(i, i + 50))))).toBe(
      true,
    );
    // 50,000 bytes lie in little more.
    const buffers = [...new Set(out.map(({ buffer }) => buffer))].filter(
      (buffer) => !slabs.some(({ arrayBuffer }) => arrayBuffer === buffer),
    );
    expect(buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(2 * 50_000);
    queue.acknowledge(queue.queuedBytes);
    expect(slabs.every(({ pieces }) => pieces === 1)).toBe(true);
  });

  test.each([1024, 2000, 10_000, 40_000])('keep no more than twice of what is queued: pieces of %i bytes', (size) => {
    const queue = new OutputQueue();
    const slabs: Slab[] = [];
    for (let i = 0; i < 2000; i++) {
      const slab = new Slab();
      slabs.push(slab);
      slab.pieces = 1;
      slab.used = size;
      queue.share(slab, 0, size, true);
      if (i % 7 === 0) queue.take([], Number.POSITIVE_INFINITY);
      const kept = slabs.filter(({ pieces }) => pieces > 1).length * SLAB_SIZE;
      if (i % 50 === 49) expect(kept).toBeLessThanOrEqual(Math.max(32 * SLAB_SIZE, 2 * queue.queuedBytes));
    }
    queue.take([], Number.POSITIVE_INFINITY);
    queue.acknowledge(queue.queuedBytes);
    expect(slabs.every(({ pieces }) => pieces === 1)).toBe(true);
    // Nothing is counted any more: it may refer to as much as in the beginning, where that keeps little in vain.
    const again = slabs.slice(0, size > SLAB_SIZE / 2 ? 200 : 31);
    for (const slab of again) queue.share(slab, 0, size, true);
    expect(again.every(({ pieces }) => pieces === 2)).toBe(true);
  });

  test('are copied where many small ones would be as many pieces', () => {
    const slab = filled();
    const queue = new OutputQueue();
    // So much that a slab more would not matter.
    queue.append(new Uint8Array(200_000));
    for (let i = 0; i < 1000; i++) queue.share(slab, i * 60, i * 60 + 50, true);
    const [, ...out] = taken(queue);
    expect(out.length).toBeLessThan(50);
    const sent = Array.from({ length: 1000 }, (_, i) => slab.memory.subarray(i * 60, i * 60 + 50));
    expect(Buffer.concat(out).equals(Buffer.concat(sent))).toBe(true);
    queue.acknowledge(250_000);
    expect(slab.pieces).toBe(1);
  });

  test('several of one slab are counted once', () => {
    const slab = filled();
    const queue = new OutputQueue();
    for (let i = 0; i < 40; i++) {
      queue.share(slab, i * 1200, i * 1200 + 1100, true);
      queue.take([], Number.POSITIVE_INFINITY);
    }
    // Behind as it is, it copies none of them: they keep but one slab.
    expect(slab.pieces).toBe(41);
    queue.acknowledge(queue.queuedBytes);
    expect(slab.pieces).toBe(1);
  });
});
