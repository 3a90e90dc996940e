/** Messages that are prepared once and sent by many. */

import { describe, expect, test, vi } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { CloseConnection, Ping } from '../../src/core/events.js';
import type { EncodedPayload, SharedEncoder } from '../../src/core/extensions/extension.js';
import { RSV1, RSV2, RSV3 } from '../../src/core/extensions/extension.js';
import { AgreedDeflate, PerMessageDeflate } from '../../src/core/extensions/permessage-deflate.js';
import { type PreparedMessage as Prepared, PreparedMessage } from '../../src/core/prepared.js';
import { BIN, CLOSE, drain, latin1, PING, parseFrames, TEXT, utf8 } from '../conformance/support.js';
import { elsewhere, Peer } from './extensions/deflate/support.js';
import { CLIENT, connected, expectLocalError, SERVER } from './support.js';
import {
  agree,
  deliver,
  flipping,
  flippingEncoder,
  flow,
  lines,
  type Message,
  messageOf,
  payloadOf,
  sharing,
} from './support-shared.js';
import { expectSlabsFree } from './support-slabs.js';

vi.mock('../../src/core/frames/slab.js', async (load) => (await import('./support-slabs.js')).watched(await load()));

const KiB = 1024;
const repeated = 'what is said twice is said once; ';
const long = repeated.repeat(100);

function prepare([type, data]: Message, compress = true): Prepared {
  return new PreparedMessage(payloadOf([type, data]), { binary: type === 'bytes', compress });
}

describe('a prepared message', () => {
  test('is a text or bytes, as it is told', () => {
    const kinds = [
      new PreparedMessage('grüße'),
      new PreparedMessage(Buffer.from('grüße')),
      new PreparedMessage(Buffer.from('grüße'), { binary: false }),
      new PreparedMessage(''),
      new PreparedMessage(new Uint8Array(0)),
    ];
    expect(kinds.map(({ isText, payload }) => [isText, `${payload}`])).toEqual([
      [true, 'grüße'],
      [false, 'grüße'],
      [true, 'grüße'],
      [true, ''],
      [false, ''],
    ]);
    const { connection, written } = connected(SERVER);
    for (const message of kinds) connection.queuePrepared(message);
    expect(written().map(({ opcode, payload }) => [opcode, Buffer.from(payload).toString()])).toEqual([
      [TEXT, 'grüße'],
      [BIN, 'grüße'],
      [TEXT, 'grüße'],
      [TEXT, ''],
      [BIN, ''],
    ]);
  });

  test('is refused where it is no message', () => {
    for (const wrong of [undefined, null, 5, {}, [1], new ArrayBuffer(1), new Blob([])]) {
      expectLocalError(() => new PreparedMessage(wrong as unknown as string), 'INVALID_PAYLOAD');
    }
    expectLocalError(() => new PreparedMessage('text', { binary: true }), 'INVALID_PAYLOAD');
    expectLocalError(() => new PreparedMessage(Uint8Array.of(0xff), { binary: false }), 'INVALID_UTF8');
  });

  test('is a copy of its bytes', () => {
    for (const size of [10, 100 * KiB]) {
      const data = Buffer.alloc(size, 'a');
      const message = new PreparedMessage(data);
      data.fill('x');
      const { connection, written } = connected(SERVER);
      connection.queuePrepared(message);
      expect(written()[0].payload.every((byte) => byte === 97)).toBe(true);
    }
  });

  test('is framed once for all servers without extensions', () => {
    const message = new PreparedMessage(Buffer.alloc(20_000, 'x'));
    const memory = new Set<unknown>();
    for (let i = 0; i < 10; i++) {
      const { connection } = connected(SERVER);
      connection.queuePrepared(message);
      const out: Uint8Array[] = [];
      connection.takeOutput(out);
      expect(out).toHaveLength(1);
      memory.add(out[0].buffer);
      connection.acknowledge(connection.queuedBytes);
    }
    expect(memory.size).toBe(1);
    expectSlabsFree();
  });

  test('small ones leave as one piece', () => {
    const { connection } = connected(SERVER);
    for (let i = 0; i < 20; i++) connection.queuePrepared(new PreparedMessage(`message ${i}`));
    const out: Uint8Array[] = [];
    connection.takeOutput(out);
    expect(out).toHaveLength(1);
    connection.acknowledge(connection.queuedBytes);
    expectSlabsFree();
  });

  test('is masked by each client with keys of its own', () => {
    const message = new PreparedMessage(long);
    const keys = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const { connection, written } = connected(CLIENT);
      connection.queuePrepared(message);
      const [frame] = written();
      expect([frame.masked, latin1(frame.payload)]).toEqual([true, long]);
      keys.add(frame.key);
    }
    expect(keys.size).toBe(5);
  });

  test.each([0, 1024])('comes to every kind of peer among messages of its own: threshold %i', (threshold) => {
    for (const line of lines({ threshold })) {
      const found: Message[] = [];
      const expected: Message[] = [];
      for (let i = 0; i < 12; i++) {
        const size = [0, 100, 1500, 30_000][i % 4];
        const own: Message = ['text', messageOf(i, size, true)];
        const shared: Message = [i % 2 ? 'text' : 'bytes', messageOf(i, size, i % 2 > 0)];
        line.sender.queueText(own[1]);
        line.sender.queuePrepared(prepare(shared));
        line.sender.queuePrepared(prepare(own, false));
        expected.push(own, shared, own);
        if (i % 3 === 0) flow(line, found);
      }
      flow(line, found);
      expect(found, line.name).toEqual(expected);
    }
    expectSlabsFree();
  });
});

describe('permessage-deflate', () => {
  test('compresses it once for each window, however many send it', () => {
    const deflate = new PerMessageDeflate();
    const message = new PreparedMessage(long);
    for (const windowBits of [15, 15, 9, 9, 10, 15, 12]) {
      const agreed = agree(deflate, { serverMaxWindowBits: windowBits });
      const { connection, written } = connected(SERVER, {}, agreed.server);
      connection.queuePrepared(message);
      const [frame] = written();
      expect(frame).toMatchObject({ rsv: RSV1, opcode: TEXT });
      expect(`${new Peer(windowBits).decompress(frame.payload)}`).toBe(long);
    }
    // Windows of 12 and 15 are one: ours has 12.
    expect(deflate.stats().messagesCompressed).toBe(3);
  });

  test('leaves it as it is below the threshold, with `compress: false`, and where it does not shrink', () => {
    const deflate = new PerMessageDeflate({ threshold: 100 });
    const { connection, written } = connected(SERVER, {}, agree(deflate, {}).server);
    const noise = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * i * 7919 + (i >> 2) * 31) & 0xff));
    connection.queuePrepared(new PreparedMessage('x'.repeat(99)));
    connection.queuePrepared(new PreparedMessage('x'.repeat(100)));
    connection.queuePrepared(new PreparedMessage(long, { compress: false }));
    connection.queuePrepared(new PreparedMessage(noise));
    expect(written().map(({ rsv }) => rsv)).toEqual([0, RSV1, 0, 0]);
    expect(deflate.stats().messagesCompressed).toBe(1);
  });

  test('our own messages behind it do not refer to what went before it', () => {
    // A window of 512 bytes, which the message fills: what is referred to from behind it would be another thing there.
    const deflate = new PerMessageDeflate({ threshold: 0 });
    const agreed = agree(deflate, { serverMaxWindowBits: 9 });
    const { connection, written } = connected(SERVER, {}, agreed.server);
    const peer = new Peer(9);
    const read = () => written().map(({ payload }) => `${peer.decompress(payload)}`);
    const own = repeated;
    connection.queueText(own);
    connection.queueText(own);
    expect(read()).toEqual([own, own]);
    expect(deflate.stats().compressors, 'it has a window of its own').toBe(1);
    const between = 'quite another thing is what this says, '.repeat(30);
    connection.queuePrepared(new PreparedMessage(between));
    connection.queueText(own);
    expect(read()).toEqual([between, own]);
    // What is not compressed changes no window, and costs none.
    connection.queuePrepared(new PreparedMessage(between, { compress: false }));
    connection.queueText(own);
    const frames = written();
    expect(frames.map(({ rsv }) => rsv)).toEqual([0, RSV1]);
    expect(frames[1].payload.length).toBeLessThan(20);
    expect(`${peer.decompress(frames[1].payload)}`).toBe(own);
  });

  test('no context is kept for those who send prepared messages alone', () => {
    const deflate = new PerMessageDeflate();
    for (let i = 0; i < 20; i++) {
      const { connection, written } = connected(SERVER, {}, agree(deflate, {}).server);
      for (let j = 0; j < 3; j++) connection.queuePrepared(new PreparedMessage(long));
      expect(written()).toHaveLength(3);
    }
    expect(deflate.stats()).toMatchObject({ compressors: 0, messagesCompressed: 60 });
  });

  test('connections of two configurations share nothing', () => {
    const both = [new PerMessageDeflate(), new PerMessageDeflate()];
    const message = new PreparedMessage(long);
    for (const deflate of both) {
      const { connection } = connected(SERVER, {}, agree(deflate, {}).server);
      connection.queuePrepared(message);
      drain(connection);
    }
    expect(both.map((deflate) => deflate.stats().messagesCompressed)).toEqual([1, 1]);
  });
});

describe('other extensions', () => {
  test('one that shares nothing encodes for itself', () => {
    const { connection, written } = connected(SERVER, {}, [flipping(1, RSV3)]);
    connection.queuePrepared(new PreparedMessage('abc'));
    connection.queuePrepared(new PreparedMessage('abc', { compress: false }));
    expect(connection.sharedEncoder).toBeUndefined();
    expect(written().map(({ rsv, payload }) => [rsv, latin1(payload)])).toEqual([
      [RSV3, '`cb'],
      [RSV3, '`cb'],
    ]);
  });

  test('two encode one after the other, though one could share', () => {
    const { encoder, counts } = flippingEncoder(1, RSV3);
    const extensions = [sharing(1, RSV3, encoder), flipping(2, RSV2)];
    const { connection, written } = connected(SERVER, {}, extensions);
    connection.queuePrepared(new PreparedMessage('abc'));
    expect(connection.sharedEncoder).toBeUndefined();
    expect(written().map(({ rsv, payload }) => [rsv, latin1(payload)])).toEqual([[RSV2 | RSV3, 'ba`']]);
    expect(counts.messages).toBe(0);
  });

  test('one that shares is asked once, and told each time', () => {
    const { encoder, counts } = flippingEncoder(1, RSV3);
    const extension = sharing(1, RSV3, encoder);
    const message = new PreparedMessage('abc');
    for (let i = 1; i < 5; i++) {
      const { connection, written } = connected(SERVER, {}, [extension]);
      connection.queuePrepared(message);
      expect(written()).toMatchObject([{ rsv: RSV3, payload: utf8('`cb') }]);
      expect([counts.messages, extension.interpositions]).toEqual([1, i]);
    }
  });

  test('what one throws goes to the caller, and nothing has changed', () => {
    const encoder: SharedEncoder = {
      forMessage: () => ({
        encode() {
          throw new Error('as asked');
        },
        encoded() {
          throw new Error('never');
        },
      }),
      takesLong: () => false,
    };
    const { connection, written } = connected(SERVER, {}, [sharing(1, RSV3, encoder)]);
    expect(() => connection.queuePrepared(new PreparedMessage('abc'))).toThrow('as asked');
    connection.queuePrepared(new PreparedMessage('abc', { compress: false }));
    expect(written()).toMatchObject([{ rsv: 0 }]);
  });
});

describe('limits and states', () => {
  test('is refused in the middle of a message, and the message goes on', () => {
    const message = new PreparedMessage('x');
    for (const { sender, receiver, name } of lines()) {
      const found: Message[] = [];
      sender.queueText('a', false);
      expectLocalError(() => sender.queuePrepared(message), 'MESSAGE_UNFINISHED');
      sender.queueText('b');
      sender.queuePrepared(message);
      deliver(drain(sender), receiver, found);
      expect(found, name).toEqual([
        ['text', 'ab'],
        ['text', 'x'],
      ]);
    }
    expectSlabsFree();
  });

  test('is refused once nothing can be sent any more', () => {
    for (const { sender } of lines()) {
      sender.queue(new CloseConnection(1000));
      expectLocalError(() => sender.queuePrepared(new PreparedMessage('x')), 'NOT_OPEN');
      drain(sender);
    }
  });

  test.each(['refuse', 'drop', 'close'] as const)('sendHardLimit: %s', (overflow) => {
    const limits = { sendHardLimit: 1000, sendHighWater: 500, sendLowWater: 100, overflow };
    for (const { sender, receiver, name } of lines({}, limits)) {
      const [small, large]: Message[] = [
        ['text', 'a'.repeat(700)],
        ['bytes', 'b'.repeat(400)],
      ];
      expect(sender.queuePrepared(prepare(small)), name).toBe(false);
      const over = () => sender.queuePrepared(prepare(large));
      if (overflow === 'refuse') {
        const error = expectLocalError(over, 'SEND_HARD_LIMIT') as unknown as { event: { data: Uint8Array } };
        expect(latin1(error.event.data)).toBe(large[1]);
      } else {
        expect(over(), name).toBe(false);
      }
      expect(sender.canSend, name).toBe(overflow !== 'close');
      expect(sender.needsDrain, name).toBe(true);
      const found: Message[] = [];
      let close: unknown = null;
      receiver.receiveData(Uint8Array.from(drain(sender)));
      for (const event of receiver.events()) {
        if (event.type === 'text') found.push(['text', event.data as string]);
        else if (event.type === 'close') close = event.code;
      }
      expect([found, close], name).toEqual([[small], overflow === 'close' ? 1013 : null]);
      expect(sender.needsDrain, name).toBe(false);
    }
    expectSlabsFree();
  });
});

/** An encoder that takes its time until it is told to go on. */
function slowEncoder(encoded: (payload: Uint8Array) => EncodedPayload) {
  const calls: { go: () => void }[] = [];
  const encoder: SharedEncoder = {
    forMessage: () => {
      let given: Uint8Array;
      return {
        encode(payload, _first, _finished, whenReady) {
          given = payload;
          if (whenReady === null) return encoded(payload);
          calls.push({ go: whenReady });
          return null;
        },
        encoded: () => encoded(given),
      };
    },
    takesLong: () => true,
  };
  return { encoder, calls };
}

const microtasks = () => new Promise((resolve) => setImmediate(resolve));

describe('what is encoded elsewhere', () => {
  const reversed = (payload: Uint8Array) => ({ payload: Uint8Array.from(payload).reverse(), rsv: RSV3 });

  test('is encoded once for all who wait for it, and for those who come later', async () => {
    const { encoder, calls } = slowEncoder(reversed);
    const message = new PreparedMessage('abc');
    const all = Array.from({ length: 3 }, () => connected(SERVER, {}, [sharing(1, RSV3, encoder)]));
    const told = all.map(({ connection }) => elsewhere(connection).told);
    for (const { connection } of all) {
      expect(connection.queuePrepared(message)).toBe(true);
      connection.queueText('own');
      connection.queue(new Ping());
      expect(connection.queuedBytes).toBe(5 + 5 + 2);
    }
    expect(calls).toHaveLength(1);
    // A Ping does not wait for it.
    for (const { written } of all) expect(written()).toMatchObject([{ opcode: PING }]);
    calls[0].go();
    expect(told.map(({ count }) => count)).toEqual([0, 0, 0]);
    await microtasks();
    expect(told.map(({ count }) => count)).toEqual([1, 1, 1]);
    const later = connected(SERVER, {}, [sharing(1, RSV3, encoder)]);
    elsewhere(later.connection);
    later.connection.queuePrepared(message);
    expect(later.written()).toMatchObject([{ rsv: RSV3, payload: utf8('cba') }]);
    // Their own are encoded by themselves.
    expect(calls).toHaveLength(1);
    for (const { written, connection } of all) {
      expect(written().map(({ payload }) => latin1(payload))).toEqual(['cba', 'nvo']);
      expect(connection.queuedBytes).toBe(0);
    }
    expectSlabsFree();
  });

  test('is not waited for by who cannot wait, and is encoded for it at once', async () => {
    const { encoder, calls } = slowEncoder(reversed);
    const message = new PreparedMessage('abc');
    const waits = connected(SERVER, {}, [sharing(1, RSV3, encoder)]);
    elsewhere(waits.connection);
    waits.connection.queuePrepared(message);
    const cannot = connected(SERVER, {}, [sharing(1, RSV3, encoder)]);
    cannot.connection.queuePrepared(message);
    expect(cannot.written()).toMatchObject([{ payload: utf8('cba') }]);
    expect(waits.written()).toEqual([]);
    calls[0].go();
    await microtasks();
    expect(waits.written()).toMatchObject([{ payload: utf8('cba') }]);
  });

  test('fails for each of those who wait for it, and leaves the rest alone', async () => {
    const { encoder, calls } = slowEncoder(() => {
      throw new Error('as asked');
    });
    const message = new PreparedMessage('abc');
    const all = Array.from({ length: 3 }, () => connected(SERVER, {}, [sharing(1, RSV3, encoder)]));
    for (const { connection } of all) {
      elsewhere(connection);
      connection.queueText('before');
      connection.queuePrepared(message);
      connection.queueText('behind');
    }
    calls[0].go();
    await microtasks();
    for (const { connection, written } of all) {
      expect(connection.nextEvent()).toMatchObject({
        type: 'close',
        code: 1006,
        origin: 'local',
        error: { code: 'EXTENSION_FAILED' },
      });
      expect([written().length, connection.queuedBytes, connection.transport]).toEqual([1, 0, 'destroy']);
    }
    const other = connected(SERVER);
    other.connection.queuePrepared(message);
    expect(other.written()).toHaveLength(1);
    expect(() => connected(SERVER, {}, [sharing(1, RSV3, encoder)]).connection.queuePrepared(message)).toThrow(
      'as asked',
    );
    expectSlabsFree();
  });

  test('is waited for no more by a connection that is given up, and by the others as before', async () => {
    const { encoder, calls } = slowEncoder(reversed);
    const message = new PreparedMessage('abc');
    const [gone, stays] = Array.from({ length: 2 }, () => connected(SERVER, {}, [sharing(1, RSV3, encoder)]));
    const { told } = elsewhere(gone.connection);
    elsewhere(stays.connection);
    for (const { connection } of [gone, stays]) {
      connection.queuePrepared(message);
      connection.queuePrepared(message);
    }
    gone.connection.abort();
    expect(gone.connection.queuedBytes).toBe(0);
    calls[0].go();
    await microtasks();
    expect([told.count, gone.written().length]).toEqual([0, 0]);
    expect(stays.written()).toHaveLength(2);
    expectSlabsFree();
  });

  test('a Close waits for it', async () => {
    const { encoder, calls } = slowEncoder(reversed);
    const { connection, written } = connected(SERVER, {}, [sharing(1, RSV3, encoder)]);
    elsewhere(connection);
    connection.queuePrepared(new PreparedMessage('abc'));
    connection.queue(new CloseConnection(1000));
    expect(written()).toEqual([]);
    calls[0].go();
    await microtasks();
    expect(written().map(({ opcode }) => opcode)).toEqual([TEXT, CLOSE]);
  });

  test('counts as it is against the limits meanwhile', async () => {
    const { encoder, calls } = slowEncoder(() => ({ payload: Uint8Array.of(1), rsv: RSV3 }));
    const limits = { sendHardLimit: 1000, sendHighWater: 500, sendLowWater: 100, overflow: 'drop' } as const;
    const { connection, written } = connected(SERVER, limits, [sharing(1, RSV3, encoder)]);
    elsewhere(connection);
    const message = new PreparedMessage('x'.repeat(400));
    expect([connection.queuePrepared(message), connection.queuedBytes]).toEqual([true, 404]);
    expect([connection.queuePrepared(message), connection.queuedBytes]).toEqual([false, 808]);
    expect([connection.queuePrepared(message), connection.queuedBytes]).toEqual([false, 808]);
    calls[0].go();
    await microtasks();
    expect([connection.queuedBytes, written().length, connection.needsDrain]).toEqual([6, 2, false]);
  });
});

describe('large ones on the thread pool', () => {
  test('leave in order with what is before and behind, on every kind of connection', async () => {
    const all = lines({ offThreadFrom: 64 * KiB }).map((line) => ({
      line,
      wait: elsewhere(line.sender),
      found: [] as Message[],
    }));
    const large = Array.from({ length: 4 }, (_, i): Message => ['bytes', messageOf(i, 300 * KiB + i, false)]);
    const small: Message = ['text', long];
    const shared = large.map((message) => prepare(message));
    const expected: Message[] = [];
    for (const { line } of all) {
      for (const message of shared) {
        line.sender.queueText(long);
        line.sender.queuePrepared(message);
        line.sender.queuePrepared(prepare(small));
      }
    }
    for (const message of large) expected.push(small, message, small);
    for (const { line, wait, found } of all) {
      await wait.until(() => {
        flow(line, found);
        return line.sender.queuedBytes === 0;
      }, line.name);
      expect(found.length, line.name).toBe(expected.length);
      for (const [i, message] of found.entries()) {
        expect(message[0] === expected[i][0] && message[1] === expected[i][1], `${line.name}, message ${i}`).toBe(true);
      }
    }
    expectSlabsFree();
  });

  test('are compressed once, the event loop goes on meanwhile, and those that are given up cost nothing', async () => {
    const deflate = new PerMessageDeflate();
    const message = new PreparedMessage(Buffer.from(messageOf(1, 3 * 1024 * KiB, false), 'latin1'));
    const connections = Array.from({ length: 20 }, () => new Connection(SERVER, agree(deflate, {}).server));
    const waits = connections.map((connection) => elsewhere(connection));
    for (const connection of connections) connection.queuePrepared(message);
    expect(connections.every(({ hasOutput }) => !hasOutput)).toBe(true);
    for (const connection of connections.slice(10)) connection.abort();
    for (const [i, { until }] of waits.slice(0, 10).entries()) await until(() => connections[i].hasOutput, 'output');
    expect(deflate.stats().messagesCompressed).toBe(1);
    for (const connection of connections.slice(0, 10)) {
      const [frame] = parseFrames(drain(connection));
      expect([frame.rsv, new Peer().decompress(frame.payload).equals(message.payload)]).toEqual([RSV1, true]);
    }
    for (const connection of connections.slice(10)) expect(connection.queuedBytes).toBe(0);
    expect(connections[0].extensions[0]).toBeInstanceOf(AgreedDeflate);
    expectSlabsFree();
  });
});
