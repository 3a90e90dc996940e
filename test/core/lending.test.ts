/**
 * Readers and senders are lent to the connections that need one. Nobody must see it: many connections of both roles,
 * with configurations and extensions of their own, whose lives are mixed at random, see and send what each of them does
 * with a reader and a sender of its own.
 */

import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { type FrameEvent, NEED_DATA, PAUSED } from '../../src/core/events.js';
import { FrameReader } from '../../src/core/frames/reader.js';
import { MessageSender } from '../../src/core/frames/sender.js';
import { BytesMessage, CloseConnection, Ping, TextMessage } from '../../src/core/index.js';
import { ConnectionConfig } from '../../src/core/options.js';
import { ConnectionType } from '../../src/core/state.js';
import { binary, cont, frame, ping, text, utf8 } from '../conformance/support.js';
import { outcome } from '../differential/alike.js';
import { extension } from '../differential/extensions.js';
import { outgoing, session } from '../differential/sessions.js';
import { CLIENT, connected, ROLES, SERVER } from './support.js';

afterEach(() => {
  vi.restoreAllMocks();
});

type Rig = ReturnType<typeof connected>;

/** Keys that do not depend on who else sends. */
const maskingKeys = () => 0x1234_5678;

/** Configurations that connections have in common. */
const shared = (['messages', 'frames', 'chunks'] as const).flatMap((delivery) =>
  [{}, { maxMessageSize: 1000, sendHighWater: 500, overflow: 'drop' } as const].map(
    (limits) => new ConnectionConfig({ delivery, autoPong: true, autoClose: true, maskingKeys, ...limits }),
  ),
);

/** A message that breaks no rule: whole, or in two fragments with a Ping between them. */
const message = fc.record({
  isText: fc.boolean(),
  size: fc.oneof(fc.nat(40), fc.nat(400)),
  encoded: fc.boolean(),
  fragmentAt: fc.option(fc.nat(400)),
  /** Where what is sent of it ends a chunk, beside its end. */
  cut: fc.option(fc.nat(400)),
});

/** What a connection goes through: some messages, and then anything. */
const lives = fc.record({
  messages: fc.array(message, { maxLength: 12 }),
  session,
  /** Of `shared`, or one of its own. */
  config: fc.option(fc.nat(shared.length - 1)),
  borrowed: fc.boolean(),
  sends: fc.array(fc.record({ what: fc.nat(6), amount: fc.nat(3000), take: fc.nat(9000) }), { maxLength: 12 }),
});
type Life = typeof lives extends fc.Arbitrary<infer Value> ? Value : never;

function plain(event: FrameEvent | typeof NEED_DATA | typeof PAUSED): unknown {
  if (event === NEED_DATA || event === PAUSED) return String(event);
  if (event.type === 'bytes') return { ...event, data: Buffer.from(event.data).toString('latin1') };
  if (event.type === 'ping' || event.type === 'pong')
    return [event.type, Buffer.from(event.payload).toString('latin1')];
  return event.type === 'close' ? { ...event, error: event.error?.code } : { ...event };
}

/** The bytes of a message that breaks no rule. */
function bytesOf({ isText, size, encoded, fragmentAt }: Life['messages'][number], mask: boolean, rsv: number): Buffer {
  const payload = isText ? utf8('aé水🎉'.repeat(size / 4).slice(0, -1)) : Buffer.alloc(size, size);
  const first = { opcode: isText ? 1 : 2, mask, rsv: encoded && !isText ? rsv : 0 };
  if (fragmentAt === null) return Buffer.from(frame({ ...first, payload }));
  return Buffer.concat([
    frame({ ...first, payload: payload.subarray(0, fragmentAt), fin: false }),
    frame({ ...ping('between'), mask }),
    frame({ ...cont(payload.subarray(fragmentAt)), mask }),
  ]);
}

/** The chunks that a connection gets. */
function chunksOf({ messages, session: { wire, cuts, extensions } }: Life): Buffer[] {
  const legal = messages.flatMap((planned) => {
    const bytes = bytesOf(planned, wire.isServer, extensions[0]?.rsv ?? 0);
    const at = planned.cut === null ? 0 : planned.cut % bytes.length;
    return at === 0 ? [bytes] : [bytes.subarray(0, at), bytes.subarray(at)];
  });
  const bytes = Buffer.from(wire.bytes);
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length || 1)), bytes.length])].sort((a, b) => a - b);
  return [...legal, ...ends.map((to, i) => bytes.subarray(ends[i - 1] ?? 0, to))].map((chunk) => Buffer.from(chunk));
}

/** Lives it a step at a time, and writes down what is seen. */
function* live(life: Life, seen: unknown[]) {
  const {
    session: { wire, options, limits, extensions },
    config,
    borrowed,
    sends,
  } = life;
  const connection = new Connection(
    wire.isServer ? ConnectionType.SERVER : ConnectionType.CLIENT,
    extensions.map(({ kind, rsv }) => extension(kind, rsv)),
    config === null ? { ...options, ...limits, maskingKeys } : shared[config],
  );
  const note = (...what: unknown[]) => {
    const { state, bufferedBytes, queuedBytes, needsDrain, hasOutput, length, frameFinished, messageFinished } =
      connection;
    seen.push(what, [state, bufferedBytes, queuedBytes, needsDrain, hasOutput, length, frameFinished, messageFinished]);
  };
  const read = (most: number) => {
    for (let i = 0; i < most; i++) {
      const event = connection.nextEvent();
      note(plain(event));
      if (event === NEED_DATA || event === PAUSED) return;
    }
  };
  const take = (most: number) => {
    const out: Uint8Array[] = [];
    const size = connection.takeOutput(out, most);
    note(Buffer.concat(out).toString('latin1'));
    connection.acknowledge(size);
  };
  const send = (what: number, amount: number) => {
    const { text, bytes } = outgoing(amount);
    const finished = amount % 3 !== 0;
    switch (what) {
      case 0:
        return connection.queue(new TextMessage(text, finished));
      case 1:
        return connection.queue(new BytesMessage(bytes, finished));
      case 2:
        // Cut anywhere, so that a character may be left unfinished.
        return connection.queueText(Buffer.from(text).subarray(0, amount), finished);
      case 3:
        return connection.queue(new Ping(bytes.subarray(0, 125)));
      case 4:
        return amount > 2800 ? connection.queue(new CloseConnection(1000)) : null;
      case 5:
        return connection.queueBytes(bytes.subarray(0, amount % 20));
      default:
        return connection.send(new TextMessage(text.slice(0, 50))).toString();
    }
  };
  let step = 0;
  for (const chunk of chunksOf(life)) {
    const planned = sends[step++ % (sends.length || 1)] ?? { what: 4, amount: 0, take: 0 };
    if (borrowed) {
      connection.receiveBorrowed(chunk);
      read(planned.amount % 5);
      connection.keep();
      chunk.fill(0xee);
    } else {
      connection.receiveData(chunk);
    }
    yield;
    read(planned.amount % 2 === 0 ? Number.POSITIVE_INFINITY : 2);
    yield;
    note(outcome(() => send(planned.what, planned.amount)));
    yield;
    take(planned.take);
    yield;
  }
  read(Number.POSITIVE_INFINITY);
  yield;
  for (const { what, amount, take: most } of sends) {
    note(outcome(() => send(what, amount)));
    yield;
    take(amount % 2 === 0 ? most : Number.POSITIVE_INFINITY);
    yield;
  }
  connection.receiveData(null);
  read(Number.POSITIVE_INFINITY);
  take(Number.POSITIVE_INFINITY);
}

/** Numbers that are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

describe('connections that share readers and senders', () => {
  test.for([1, 2])('see and send what those do that share none, drawn by %d', (seed) => {
    const planned = fc.sample(lives, { seed, numRuns: 160 });
    const alone = planned.map((life) => {
      const spies = [FrameReader, MessageSender].map((lent) => vi.spyOn(lent, 'giveBack').mockReturnValue(false));
      const seen: unknown[] = [];
      for (const _step of live(life, seen));
      for (const spy of spies) spy.mockRestore();
      return seen;
    });

    const readers = vi.spyOn(FrameReader, 'borrow');
    const senders = vi.spyOn(MessageSender, 'borrow');
    const random = numbers(seed);
    const together: unknown[][] = planned.map(() => []);
    const waiting = planned.map((life, i) => live(life, together[i]));
    // More than the pools take, now and then.
    const under: Generator[] = [];
    while (under.length + waiting.length > 0) {
      const most = random(2) === 0 ? 100 : 5;
      while (under.length < most && waiting.length > 0) under.push(waiting.pop() as Generator);
      const index = random(under.length);
      if (under[index].next().done) under.splice(index, 1);
    }
    for (const [i, seen] of together.entries()) expect(seen).toEqual(alone[i]);

    // That they did share.
    for (const { mock } of [readers, senders]) {
      const lent = mock.results.map(({ value }) => value);
      expect(lent.length).toBeGreaterThan(500);
      expect(new Set(lent).size).toBeLessThan(lent.length / 2);
    }
  });

  test('what is in the middle of something is not lent', () => {
    for (const type of ROLES) {
      const cases: readonly (readonly [typeof FrameReader | typeof MessageSender, (rig: Rig) => unknown])[] = [
        [FrameReader, ({ receive }) => receive(text('begun', false))],
        [FrameReader, ({ receive }) => receive(text('begun', false), ping('p'))],
        [FrameReader, ({ connection, bytes }) => connection.receiveData(bytes(binary('0123456789')).subarray(0, 9))],
        [FrameReader, ({ connection, bytes }) => connection.receiveData(bytes(binary('0123456789')).subarray(0, 1))],
        [FrameReader, ({ connection, bytes }) => connection.receiveData(bytes(ping('0123456789')).subarray(0, 9))],
        [MessageSender, ({ connection }) => connection.queueText('begun', false)],
        [MessageSender, ({ connection }) => connection.queueText('\ud83d', false)],
        [MessageSender, ({ connection }) => connection.queueText(Uint8Array.of(0xe6), false)],
      ];
      for (const [lent, begin] of cases) {
        const given = vi.spyOn(lent, 'giveBack');
        const rig = connected(type);
        begin(rig);
        for (const _event of rig.connection.events());
        rig.written();
        expect(given.mock.results.length).toBeGreaterThan(0);
        expect(given.mock.results.every(({ value }) => value === false)).toBe(true);
        given.mockRestore();
      }
    }
  });

  test('what was lent to another role, with other limits and another extension, is as new', () => {
    // One reader and one sender, which each connection leaves for the next.
    const plain = connected(SERVER);
    plain.receive(text('plain'));
    expect([...plain.connection.events()]).toMatchObject([{ data: 'plain' }]);
    const xor = connected(CLIENT, { delivery: 'chunks', maxMessageSize: 10 }, [extension('xor', 0x40)]);
    xor.receive({ ...text('PLAIN'), rsv: 0x40 }, { ...binary('x', false), rsv: 0x40 }, cont('y'));
    expect([...xor.connection.events()]).toMatchObject([
      { data: 'plain' },
      { data: Buffer.from('X') },
      { data: Buffer.from('Y') },
    ]);
    xor.connection.queueText('a');
    expect(xor.written()).toMatchObject([{ rsv: 0x40, masked: true }]);
    // Neither the limit nor the extension is left.
    plain.receive(text('longer than ten bytes'));
    expect([...plain.connection.events()]).toMatchObject([{ data: 'longer than ten bytes' }]);
    plain.connection.queueText('b');
    expect(plain.written()).toMatchObject([{ rsv: 0, masked: false }]);
    plain.receive({ ...text('x'), rsv: 0x40 });
    expect(plain.connection.nextEvent()).toMatchObject({ type: 'close', code: 1002 });
    xor.receive(text('longer than ten bytes'));
    expect([...xor.connection.events()].at(-1)).toMatchObject({ type: 'close', code: 1009 });
  });
});
