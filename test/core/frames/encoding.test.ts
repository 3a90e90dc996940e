/** What extensions do to outgoing messages, where they take their time; the extensions here are made for the test. */

import { describe, expect, test } from 'vitest';
import { Connection } from '../../../src/core/connection.js';
import { CloseConnection, Ping } from '../../../src/core/events.js';
import { type EncodedPayload, type Extension, RSV1, RSV2 } from '../../../src/core/extensions/extension.js';
import { ConnectionConfig } from '../../../src/core/options.js';
import { BIN, CLOSE, CONT, drain, latin1, PING, parseFrames, TEXT, utf8 } from '../../conformance/support.js';
import { elsewhere } from '../extensions/deflate/support.js';
import { CLIENT, connected, ROLES, roleName, SERVER } from '../support.js';

/** Adds to each byte, when it is told to go on. */
function slow(number: number, rsv: number, over: Partial<Extension> = {}) {
  const calls: string[] = [];
  let go: (() => void) | null = null;
  let made: EncodedPayload | null = null;
  const extension: Extension = {
    name: `slow-${number}`,
    rsv,
    decode: (data) => data,
    encode(payload, first, finished, whenReady) {
      calls.push(`${payload.length}${first ? ' first' : ''}${finished ? ' last' : ''}`);
      const found = { payload: payload.map((byte) => byte + number), rsv: first ? rsv : 0 };
      if (whenReady === null) return found;
      if (go !== null) throw new Error('it was not done with the last');
      made = found;
      go = whenReady;
      return null;
    },
    encoded() {
      if (made === null) throw new Error('there is nothing');
      const found = made;
      made = null;
      return found;
    },
    ...over,
  };
  return {
    extension,
    calls,
    get isBusy() {
      return go !== null;
    },
    goOn() {
      const call = go;
      go = null;
      call?.();
    },
  };
}

describe.each(ROLES.map((type) => [roleName(type), type] as const))('a %s', (_, type) => {
  test('sends in order what is encoded elsewhere, through several extensions', () => {
    const [one, other] = [slow(1, RSV1), slow(2, RSV2)];
    const { connection, written } = connected(type, {}, [one.extension, other.extension]);
    const { told } = elsewhere(connection);
    connection.queueText('a');
    connection.queueText('b', false);
    connection.queue(new Ping(utf8('p')));
    connection.queueText('c');
    connection.queueBytes(utf8('d'));
    connection.queue(new CloseConnection(1000));
    const found: [number, number, string][] = [];
    const take = () =>
      found.push(...written().map((each) => [each.opcode, each.rsv, latin1(each.payload)] as [number, number, string]));
    take();
    expect(found).toEqual([[PING, 0, 'p']]);
    let before = connection.queuedBytes;
    for (let i = 0; i < 4; i++) {
      one.goOn();
      // The other has it now, and nothing else has moved.
      expect([one.isBusy, other.isBusy]).toEqual([false, true]);
      expect(connection.queuedBytes).toBe(before);
      other.goOn();
      take();
      expect(connection.queuedBytes).toBeLessThan(before);
      before = connection.queuedBytes;
    }
    expect(found.slice(1)).toEqual([
      [TEXT, RSV1 | RSV2, 'd'],
      [TEXT, RSV1 | RSV2, 'e'],
      [CONT, 0, 'f'],
      [BIN, RSV1 | RSV2, 'g'],
      [CLOSE, 0, '\x03\xe8'],
    ]);
    expect(told.count).toBe(8);
    expect(one.calls).toEqual(['1 first last', '1 first', '1 last', '1 first last']);
    expect(connection.queuedBytes).toBe(0);
  });

  test('does everything at once where nobody is to be told', () => {
    const one = slow(1, RSV1);
    const { connection, written } = connected(type, {}, [one.extension]);
    connection.queueText('a');
    expect(written()).toMatchObject([{ opcode: TEXT, rsv: RSV1, payload: utf8('b') }]);
  });

  test('asks each time who encodes a message, when its turn comes', () => {
    const asked: unknown[][] = [];
    const one = slow(1, RSV1, {
      encodes(...args) {
        asked.push(args);
        return args[2];
      },
    });
    const { connection, written } = connected(type, {}, [one.extension]);
    elsewhere(connection);
    connection.queueText('aa', false);
    connection.queueText('€', true, false);
    connection.queueText('€€', true, false);
    connection.queueBytes(utf8('b'));
    expect(asked).toEqual([[2, false, true]]);
    one.goOn();
    one.goOn();
    expect(asked).toEqual([
      [2, false, true],
      [6, true, false],
      [1, true, true],
    ]);
    one.goOn();
    expect(written().map(({ rsv, payload }) => [rsv, latin1(payload)])).toEqual([
      [RSV1, 'bb'],
      [0, latin1(utf8('€').map((byte) => byte + 1))],
      [0, latin1(utf8('€€'))],
      [RSV1, 'c'],
    ]);
  });

  test('copies what waits and is small, and what is only lent', () => {
    for (const size of [10, 16_384, 40_000]) {
      const memory = new Uint8Array(size);
      let go: (() => void) | null = null;
      const lending: Extension = {
        name: 'lending',
        rsv: RSV1,
        decode: (data) => data,
        encode: (payload, _first, _finished, whenReady) => {
          memory.set(payload);
          if (whenReady === null) return { payload: memory, rsv: RSV1, lent: true };
          go = whenReady;
          return null;
        },
        encoded: () => ({ payload: memory, rsv: RSV1, lent: true }),
      };
      const { connection, written } = connected(type, {}, [lending]);
      const data = new Uint8Array(size).fill(7);
      connection.queueBytes(data);
      memory.fill(0xff);
      expect(Buffer.from(data).equals(written()[0].payload)).toBe(true);
      elsewhere(connection);
      connection.queueBytes(data);
      (go as (() => void) | null)?.();
      memory.fill(0xff);
      expect(Buffer.from(data).equals(written()[0].payload)).toBe(true);
    }
    const one = slow(0, RSV1);
    const { connection, written } = connected(type, {}, [one.extension]);
    elsewhere(connection);
    const small = utf8('small');
    connection.queueText('first');
    connection.queueBytes(small);
    small.fill(0);
    one.goOn();
    one.goOn();
    expect(written().map(({ payload }) => latin1(payload))).toEqual(['first', 'small']);
  });

  test.each([
    [
      'it says so',
      () => {
        throw new Error('cannot');
      },
      /cannot/,
    ],
    ['it has nothing', undefined, /nothing/],
  ] as const)('ends by itself when an extension fails elsewhere: %s', (_name, encoded, message) => {
    const one = slow(1, RSV1, { encoded: encoded as () => EncodedPayload });
    const { connection, written } = connected(type, {}, [one.extension]);
    const { told } = elsewhere(connection);
    connection.queueText('a');
    connection.queueText('b');
    connection.queue(new CloseConnection(1000));
    one.goOn();
    expect(told.count).toBe(1);
    const event = connection.nextEvent();
    expect(event).toMatchObject({ type: 'close', code: 1006, origin: 'local', error: { code: 'EXTENSION_FAILED' } });
    expect(event).toMatchObject({ error: { message: expect.stringMatching(message) } });
    expect([written(), connection.queuedBytes, connection.transport]).toEqual([[], 0, 'destroy']);
  });

  test('is told nothing of what is done after it was given up', () => {
    const one = slow(1, RSV1);
    const { connection, written } = connected(type, {}, [one.extension]);
    const { told } = elsewhere(connection);
    connection.queueText('a');
    connection.queueText('b');
    connection.abort();
    one.goOn();
    expect([told.count, one.isBusy, one.calls.length]).toEqual([0, false, 1]);
    expect([written(), connection.queuedBytes]).toEqual([[], 0]);
  });

  test('shares nothing with the next connection while something of it is under way', () => {
    const config = new ConnectionConfig();
    const one = slow(1, RSV1);
    const given = new Connection(type, [one.extension], config);
    given.onReady = () => {};
    given.queue(new Ping());
    given.queueText('a');
    given.abort();
    // Everything that there is was written.
    drain(given);
    expect(given.queuedBytes).toBe(0);
    const next = slow(2, RSV2);
    const other = new Connection(type, [next.extension], config);
    let told = 0;
    other.onReady = () => void told++;
    other.queueText('a');
    one.goOn();
    expect([told, other.hasOutput]).toEqual([0, false]);
    next.goOn();
    expect(told).toBe(1);
    expect(parseFrames(drain(other))).toMatchObject([{ rsv: RSV2, payload: utf8('c') }]);
  });
});

test('what waits counts with its header, as its role writes it', () => {
  for (const [type, header] of [
    [SERVER, 2],
    [CLIENT, 6],
  ] as const) {
    const one = slow(0, RSV1);
    const { connection } = connected(type, {}, [one.extension]);
    elsewhere(connection);
    connection.queueText('abc');
    connection.queueText('defg');
    expect(connection.queuedBytes).toBe(2 * header + 7);
    one.goOn();
    one.goOn();
    expect(connection.queuedBytes).toBe(2 * header + 7);
  }
});

/** What is encoded comes to one byte. */
function shrinking() {
  return slow(0, RSV1, { encoded: () => ({ payload: new Uint8Array(1), rsv: RSV1 }) });
}

test('a drain that is owed stays owed when a message is dropped after what was queued has shrunk', () => {
  const one = shrinking();
  const limits = { sendHighWater: 100, sendLowWater: 50, sendHardLimit: 1000, overflow: 'drop' } as const;
  const { connection, written } = connected(SERVER, limits, [one.extension]);
  elsewhere(connection);
  expect(connection.queueBytes(new Uint8Array(500))).toBe(false);
  one.goOn();
  expect([connection.queuedBytes, connection.needsDrain]).toEqual([3, true]);
  expect(connection.queueBytes(new Uint8Array(2000))).toBe(false);
  expect(connection.needsDrain).toBe(true);
  written();
  expect(connection.needsDrain).toBe(false);
});

test('a peer is not blamed for its silence while all that is queued is still being encoded', () => {
  const one = shrinking();
  const limits = { sendHighWater: 100, sendLowWater: 50, pingInterval: 1000, pingTimeout: 1000 };
  const { connection, written } = connected(SERVER, limits, [one.extension]);
  elsewhere(connection);
  connection.handleTimeout(0);
  connection.queueBytes(new Uint8Array(500));
  // As a server does that reads no more than it can answer.
  connection.pause();
  for (let now = 0; now <= 10_000; now += 500) connection.handleTimeout(now);
  expect([connection.transport, connection.hasOutput]).toEqual(['open', false]);
  one.goOn();
  // From here on it is the peer that does not read.
  for (let now = 10_500; now <= 20_000; now += 500) connection.handleTimeout(now);
  expect(connection.transport).toBe('destroy');
  expect(written().map(({ opcode }) => opcode)).toEqual([PING, BIN, CLOSE]);
});
