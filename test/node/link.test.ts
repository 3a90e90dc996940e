/** The link on a stream that records system calls, with an owner that does what a test wants. */

import { describe, expect, test } from 'vitest';
import { CloseConnection, Connection, type ConnectionOptions, ConnectionType, Kind } from '../../src/core/index.js';
import { Link, type LinkOwner } from '../../src/node/link.js';
import { closeFrame, concat, deferred, EMPTY, FakeStream, frame, noise, turns, until } from './support.js';

interface Rig {
  readonly stream: FakeStream;
  readonly connection: Connection;
  readonly link: Link;
  /** Kinds and payloads of events, and `drain`, `error`, `gone`. */
  readonly events: string[];
}

type Behaviour = Partial<LinkOwner> & { readonly event?: (kind: Kind, rig: Rig) => Promise<void> | undefined };

const NAMES = new Map<Kind, string>(Object.entries(Kind).map(([name, kind]) => [kind, name]));

function rig(behaviour: Behaviour = {}, options: ConnectionOptions = {}): Rig {
  const stream = new FakeStream();
  const connection = new Connection(ConnectionType.SERVER, [], { autoPong: true, autoClose: true, ...options });
  const events: string[] = [];
  const link = new Link(stream, connection, {
    onEvent(kind) {
      const close = kind === Kind.CLOSE ? (connection.event() as CloseConnection) : null;
      if (close === null) events.push(`${NAMES.get(kind)} ${connection.bytes()}`);
      else events.push(`CLOSE ${close.code}`);
      return behaviour.event?.(kind, made);
    },
    onDrain() {
      events.push('drain');
      return behaviour.onDrain?.();
    },
    onStreamError(error) {
      events.push(`error ${error.message}`);
    },
    onGone() {
      events.push('gone');
    },
  });
  const made: Rig = { stream, connection, link, events };
  return made;
}

const hello = () => Buffer.from(frame(1, 'hello'));

describe('one write a turn', () => {
  test('what the events of a chunk queue', async () => {
    const { stream, link, events } = rig({
      event: (kind, { connection }) => {
        if (kind !== Kind.TEXT) return undefined;
        connection.queueText('a');
        connection.queueBytes(noise(5000));
        connection.queueText('b');
        return undefined;
      },
    });
    link.start(EMPTY, undefined);
    stream.push(concat(hello(), hello(), hello()));
    await turns(2);
    expect(events).toHaveLength(3);
    expect(stream.writes).toHaveLength(1);
    expect(stream.frames).toHaveLength(9);
  });

  test('what handlers queue after promises of the same turn', async () => {
    const { stream, link, events } = rig({
      event: async (kind, { connection }) => {
        if (kind !== Kind.TEXT) return;
        await null;
        await null;
        connection.queueText('late');
      },
    });
    link.start(EMPTY, undefined);
    stream.push(concat(...Array.from({ length: 20 }, hello)));
    await turns(2);
    expect(events).toHaveLength(20);
    expect(stream.writes).toHaveLength(1);
    expect(stream.frames).toHaveLength(20);
  });

  test('what is queued from outside', async () => {
    const { stream, connection, link } = rig();
    link.start(EMPTY, undefined);
    for (let i = 0; i < 10; i++) {
      connection.queueText(`${i}`);
      link.wake();
      await null;
    }
    expect(stream.writes).toHaveLength(0);
    await turns(1);
    expect(stream.writes).toHaveLength(1);
    expect(stream.frames).toHaveLength(10);
  });

  test('what was queued while a write was under way follows in one', async () => {
    const { stream, connection, link } = rig();
    stream.stuck = true;
    link.start(EMPTY, undefined);
    for (let i = 0; i < 5; i++) {
      connection.queueText(`${i}`);
      link.wake();
      await turns(1);
    }
    expect(stream.writes).toHaveLength(1);
    expect(connection.queuedBytes, 'what the system has not called back for counts').toBe(15);
    stream.unstick();
    await turns(1);
    expect(stream.writes).toHaveLength(2);
    expect(connection.queuedBytes).toBe(0);
    expect(stream.frames.map(({ payload }) => `${payload}`)).toEqual(['0', '1', '2', '3', '4']);
  });

  test('a Pong overtakes what waits, after at most one write', async () => {
    const { stream, connection, link } = rig({}, { sendHighWater: Number.POSITIVE_INFINITY });
    stream.stuck = true;
    link.start(EMPTY, undefined);
    for (let i = 0; i < 40; i++) connection.queueBytes(new Uint8Array(100_000));
    link.wake();
    await turns(1);
    stream.push(frame(9, 'now'));
    await turns(1);
    stream.unstick();
    await until(() => connection.queuedBytes === 0);
    expect(stream.frames).toHaveLength(41);
    expect(stream.frames.findIndex(({ opcode }) => opcode === 10)).toBeLessThan(12);
    expect(stream.writes.every(({ length }) => length <= 1024 * 1024 + 10)).toBe(true);
  });
});

describe('holding events', () => {
  test('for a promise: the next event waits, and reading stops', async () => {
    const gates = [deferred(), deferred(), deferred()];
    let calls = 0;
    const { stream, link, events } = rig({ event: () => gates[calls++]?.promise });
    link.start(EMPTY, undefined);
    stream.push(concat(hello(), hello()));
    await turns(2);
    expect(events).toHaveLength(1);
    expect(stream.isPaused()).toBe(true);
    gates[0].resolve();
    await turns(2);
    expect(events).toHaveLength(2);
    expect(stream.isPaused()).toBe(true);
    gates[1].resolve();
    await turns(2);
    expect(stream.isPaused()).toBe(false);
  });

  test('a promise that settles within the turn does not stop reading', async () => {
    const { stream, link } = rig({ event: async () => {} });
    let pauses = 0;
    stream.on('pause', () => pauses++);
    link.start(EMPTY, undefined);
    for (let i = 0; i < 5; i++) {
      stream.push(concat(hello(), hello()));
      await turns(1);
    }
    expect(pauses).toBe(0);
  });

  test('for `opened`', async () => {
    const opened = deferred();
    const { stream, link, events } = rig();
    link.start(hello(), opened.promise);
    stream.push(hello());
    await turns(3);
    expect(events).toEqual([]);
    opened.resolve();
    await turns(1);
    expect(events).toEqual(['TEXT hello', 'TEXT hello']);
  });

  test('of several promises the last to settle lets go', async () => {
    const work = deferred();
    const drained = deferred();
    const { stream, connection, link, events } = rig(
      { event: (kind) => (kind === Kind.TEXT ? work.promise : undefined), onDrain: () => drained.promise },
      { sendHighWater: 1000 },
    );
    stream.stuck = true;
    link.start(EMPTY, undefined);
    stream.push(concat(hello(), frame(2, 'next')));
    await turns(1);
    connection.queueBytes(noise(5000));
    link.wake();
    await turns(1);
    stream.unstick();
    await turns(1);
    expect(events).toEqual(['TEXT hello', 'drain']);
    work.resolve();
    await turns(2);
    expect(events, 'the promise of onDrain holds on').toEqual(['TEXT hello', 'drain']);
    drained.resolve();
    await turns(1);
    expect(events).toEqual(['TEXT hello', 'drain', 'BYTES next']);
  });

  test('while a drain is owed: no event, not even one, and reading stops', async () => {
    const { stream, connection, link, events } = rig({}, { sendHighWater: 1000 });
    stream.stuck = true;
    link.start(EMPTY, undefined);
    expect(connection.queueBytes(noise(5000))).toBe(false);
    link.wake();
    await turns(1);
    stream.push(concat(hello(), hello()));
    await turns(2);
    expect(events).toEqual([]);
    expect(stream.isPaused()).toBe(true);
    stream.unstick();
    await turns(2);
    expect(events).toEqual(['drain', 'TEXT hello', 'TEXT hello']);
    expect(stream.isPaused()).toBe(false);
  });

  test('an event that brings the queue above its mark is the last before the drain', async () => {
    const { stream, link, events } = rig(
      {
        event: (kind, { connection }) => {
          if (kind === Kind.TEXT) connection.queueBytes(noise(5000));
          return undefined;
        },
      },
      { sendHighWater: 1000 },
    );
    stream.stuck = true;
    link.start(EMPTY, undefined);
    stream.push(concat(hello(), hello(), hello()));
    for (let i = 1; i <= 3; i++) {
      await turns(2);
      expect(events.filter((event) => event !== 'drain')).toHaveLength(i);
      stream.finish();
    }
    await turns(2);
    expect(events.filter((event) => event === 'drain')).toHaveLength(3);
    expect(stream.frames).toHaveLength(3);
  });

  test('raw bytes that pile up stop the reading at once', async () => {
    const gate = deferred();
    const { stream, link, connection } = rig({ event: () => gate.promise }, { receiveHighWater: 1000 });
    link.start(EMPTY, undefined);
    stream.push(concat(hello(), noise(2000)));
    await until(() => connection.bufferedBytes > 0);
    expect(stream.isPaused()).toBe(true);
    gate.resolve();
  });
});

describe('the end', () => {
  test('the peer closes first: Close is answered, our side ended, and the peer’s awaited', async () => {
    const { stream, link, events } = rig();
    link.start(EMPTY, undefined);
    stream.push(closeFrame(1000, 'bye'));
    await turns(3);
    expect(events).toEqual(['CLOSE 1000']);
    expect(stream.frames.map(({ opcode, payload }) => [opcode, payload.readUInt16BE(0)])).toEqual([[8, 1000]]);
    expect(stream.writableEnded).toBe(true);
    expect(stream.destroyed).toBe(false);
    stream.push(null);
    await turns(3);
    expect(stream.destroyed).toBe(true);
    expect(events).toEqual(['CLOSE 1000', 'gone']);
  });

  test('we close first: our side is ended only after the answer', async () => {
    const { stream, connection, link, events } = rig();
    link.start(EMPTY, undefined);
    connection.queue(new CloseConnection(4000));
    link.wake();
    await turns(2);
    expect(stream.frames).toHaveLength(1);
    expect(stream.writableEnded).toBe(false);
    stream.push(closeFrame(4000));
    await turns(2);
    expect(stream.writableEnded).toBe(true);
    stream.push(null);
    await turns(3);
    expect(events).toEqual(['CLOSE 4000', 'gone']);
  });

  test('a stream that ends without Close is 1006, and what was owed is still written', async () => {
    const gate = deferred();
    const { stream, link, events } = rig({
      event: async (kind, { connection }) => {
        if (kind !== Kind.TEXT) return;
        await gate.promise;
        connection.queueText('answer');
      },
    });
    link.start(EMPTY, undefined);
    stream.push(hello());
    stream.push(null);
    await turns(3);
    gate.resolve();
    await turns(5);
    expect(events).toEqual(['TEXT hello', 'CLOSE 1006', 'gone']);
    expect(stream.frames.map(({ payload }) => `${payload}`)).toEqual(['answer']);
  });

  test('a peer that ends its side together with its Close still gets what was owed, and ours', async () => {
    const gate = deferred();
    const { stream, link, events } = rig({
      event: async (kind, { connection }) => {
        await gate.promise;
        if (kind === Kind.TEXT) connection.queueText('answer');
      },
    });
    link.start(EMPTY, undefined);
    stream.push(concat(hello(), closeFrame(1000)));
    stream.push(null);
    await turns(3);
    gate.resolve();
    await turns(5);
    expect(events).toEqual(['TEXT hello', 'CLOSE 1000', 'gone']);
    expect(stream.frames.map(({ opcode }) => opcode)).toEqual([1, 8]);
    expect(stream.destroyed).toBe(true);
  });

  test('a peer that has ended its side and does not read is cut off', async () => {
    const { stream, link, events, connection } = rig({}, { closeTimeout: 50 });
    stream.stuck = true;
    link.start(EMPTY, undefined);
    connection.queueText('never read');
    link.wake();
    await turns(1);
    stream.push(null);
    await turns(3);
    expect(events).toEqual(['CLOSE 1006']);
    expect(stream.destroyed).toBe(false);
    await until(() => stream.destroyed);
    await turns(1);
    expect(events).toEqual(['CLOSE 1006', 'gone']);
  });

  test('a stream that ended before the start', async () => {
    const { stream, link, events } = rig();
    stream.resume();
    stream.push(null);
    await turns(2);
    expect(stream.readableEnded).toBe(true);
    link.start(hello(), undefined);
    await turns(3);
    expect(events).toEqual(['TEXT hello', 'CLOSE 1006', 'gone']);
  });

  test('a violation: the Close is written, the rest of the input read and forgotten', async () => {
    const { stream, link, events } = rig();
    link.start(EMPTY, undefined);
    stream.push(frame(3, 'x'));
    await turns(2);
    for (let i = 0; i < 20; i++) stream.push(noise(16_000));
    await turns(5);
    expect(events).toEqual(['CLOSE 1002']);
    expect(stream.readableLength).toBe(0);
    expect(stream.writableEnded).toBe(true);
    expect(stream.destroyed).toBe(false);
    stream.push(null);
    await turns(3);
    expect(events).toEqual(['CLOSE 1002', 'gone']);
  });

  test('destroy: no event but 1006, whatever waits', async () => {
    for (const waiting of [hello(), closeFrame(1000), frame(3, 'violation')]) {
      const gate = deferred();
      const { stream, link, events } = rig({ event: () => (events.length === 1 ? gate.promise : undefined) });
      link.start(EMPTY, undefined);
      stream.push(concat(hello(), hello(), waiting));
      await turns(2);
      link.destroy();
      await turns(2);
      expect(events).toEqual(['TEXT hello']);
      gate.resolve();
      await turns(2);
      expect(events).toEqual(['TEXT hello', 'CLOSE 1006', 'gone']);
    }
  });

  test('destroy within an event', async () => {
    const { stream, link, events } = rig({
      event: (_kind, rig) => {
        rig.link.destroy();
        return undefined;
      },
    });
    link.start(EMPTY, undefined);
    stream.push(concat(hello(), hello(), closeFrame(1000)));
    await turns(3);
    expect(events).toEqual(['TEXT hello', 'CLOSE 1006', 'gone']);
  });

  test('a failing stream: error, then 1006', async () => {
    const { stream, link, events } = rig();
    link.start(EMPTY, undefined);
    stream.destroy(new Error('broken'));
    await turns(2);
    expect(events).toEqual(['error broken', 'CLOSE 1006', 'gone']);
  });

  test('a stream that fails after the close event has nothing to tell', async () => {
    const { stream, link, events } = rig();
    link.start(EMPTY, undefined);
    stream.push(closeFrame(1000));
    await turns(2);
    stream.destroy(new Error('broken'));
    await turns(2);
    expect(events).toEqual(['CLOSE 1000', 'gone']);
  });

  test('a stream that fails while a promise is pending: the close event waits', async () => {
    const gate = deferred();
    const { stream, link, events } = rig({ event: (kind) => (kind === Kind.TEXT ? gate.promise : undefined) });
    link.start(EMPTY, undefined);
    stream.push(hello());
    await turns(2);
    stream.destroy(new Error('broken'));
    await turns(2);
    expect(events).toEqual(['TEXT hello', 'error broken']);
    gate.resolve();
    await turns(2);
    expect(events).toEqual(['TEXT hello', 'error broken', 'CLOSE 1006', 'gone']);
  });

  test('a drain that is owed comes when the stream is gone, so that nobody waits for ever', async () => {
    const drained = deferred();
    const { stream, link, events } = rig(
      {
        event: (kind, { connection }) => {
          if (kind !== Kind.TEXT) return undefined;
          connection.queueText('more than ten bytes');
          return drained.promise;
        },
        onDrain: () => {
          drained.resolve();
          return undefined;
        },
      },
      { sendHighWater: 10 },
    );
    stream.stuck = true;
    link.start(EMPTY, undefined);
    stream.push(hello());
    await turns(2);
    link.destroy();
    await turns(2);
    expect(events).toEqual(['TEXT hello', 'drain', 'CLOSE 1006', 'gone']);
  });

  test('no drain after the close event', async () => {
    const { stream, connection, link, events } = rig({}, { sendHighWater: 10, closeTimeout: 10_000 });
    stream.stuck = true;
    link.start(EMPTY, undefined);
    connection.queueText('more than ten bytes');
    link.wake();
    await turns(1);
    stream.push(closeFrame(1000));
    await turns(2);
    stream.unstick();
    await turns(5);
    expect(events).toEqual(['drain', 'CLOSE 1000']);
  });

  test('gone comes once and last, after the promise of the close event', async () => {
    const gate = deferred();
    const { stream, link, events } = rig({ event: () => gate.promise });
    link.start(EMPTY, undefined);
    stream.destroy();
    await turns(3);
    expect(events).toEqual(['CLOSE 1006']);
    gate.resolve();
    await turns(3);
    expect(events).toEqual(['CLOSE 1006', 'gone']);
  });
});
