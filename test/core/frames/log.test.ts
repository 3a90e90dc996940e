/** Frames that are written once, as connections queue them. */

import { describe, expect, test, vi } from 'vitest';
import { Ping } from '../../../src/core/events.js';
import { RSV1, RSV2, RSV3 } from '../../../src/core/extensions/extension.js';
import { PerMessageDeflate } from '../../../src/core/extensions/permessage-deflate.js';
import { FrameLog, type SharedFrames } from '../../../src/core/frames/log.js';
import { BIN, drain, latin1, PING, parseFrames, TEXT } from '../../conformance/support.js';
import { noise } from '../../kernels/support.js';
import { Peer } from '../extensions/deflate/support.js';
import { CLIENT, connected, expectLocalError, SERVER } from '../support.js';
import { agree, flipping, flippingEncoder, sharing } from '../support-shared.js';
import { expectSlabsFree, seenSlabs } from '../support-slabs.js';

vi.mock('../../../src/core/frames/slab.js', async (load) =>
  (await import('../support-slabs.js')).watched(await load()),
);

/** What lies in some frames. */
function payloads(frames: SharedFrames): string[] {
  const { connection, written } = connected(SERVER, { sendHardLimit: Number.POSITIVE_INFINITY });
  connection.queueFrames(frames);
  return written().map(({ payload }) => latin1(payload));
}

function logOf(...texts: readonly string[]): FrameLog {
  const log = new FrameLog(null);
  for (const text of texts) log.write(text, true);
  return log;
}

describe('what is written', () => {
  test('is what a server sends: kinds, sizes, empty ones, bytes that are a text', () => {
    const log = new FrameLog(null);
    const sizes = [0, 1, 125, 126, 16_384, 16_385, 65_535, 65_536, 100_000];
    for (const size of sizes) {
      log.write('t'.repeat(size), true);
      log.write(Buffer.alloc(size, 'u'), true);
      log.write(Buffer.alloc(size, 'b'), false);
    }
    const { connection, written } = connected(SERVER);
    connection.queueFrames(log.frames());
    expect([log.size, connection.queuedBytes]).toEqual([log.frames().size, log.size]);
    const found = written();
    expect(found.map(({ opcode, fin, rsv, masked }) => [opcode, fin, rsv, masked])).toEqual(
      sizes.flatMap(() => [TEXT, TEXT, BIN].map((opcode) => [opcode, true, 0, false])),
    );
    expect(found.map(({ payload }) => latin1(payload))).toEqual(
      sizes.flatMap((size) => ['t', 'u', 'b'].map((letter) => letter.repeat(size))),
    );
    expect([log.messages, log.frames().messages]).toEqual([27, 27]);
    log.clear();
    expect([log.size, log.messages, log.generation, log.frames().size]).toEqual([0, 0, 1, 0]);
    expectSlabsFree();
  });

  test('is a copy: bytes may change afterwards, large ones too, whether they are compressed or not', () => {
    const { server } = agree(new PerMessageDeflate(), {});
    for (const encoder of [null, server[0].shared ?? null]) {
      const log = new FrameLog(encoder);
      for (const size of [10, 20_000]) {
        for (const compress of [true, false]) {
          const data = Buffer.alloc(size, 'a');
          log.write(data, false, compress);
          data.fill('x');
        }
      }
      // What does not shrink is sent as it is.
      const random = Buffer.from(noise(20_000));
      const before = Buffer.from(random);
      log.write(random, false);
      random.fill(0);
      const { connection, written } = connected(SERVER, {}, encoder === null ? [] : server);
      connection.queueFrames(log.frames());
      const peer = new Peer();
      const found = written().map(({ rsv, payload }) =>
        rsv === RSV1 ? peer.decompress(payload) : Buffer.from(payload),
      );
      expect(found.slice(0, 4).map(String)).toEqual([10, 10, 20_000, 20_000].map((size) => 'a'.repeat(size)));
      expect([found[4].equals(before), log.messages]).toEqual([true, 5]);
      log.clear();
    }
    expectSlabsFree();
  });

  test('with half a surrogate pair is what `queueText` makes of it', () => {
    const log = logOf('a\ud800', '\udc00b');
    const { connection } = connected(SERVER);
    connection.queueText('a\ud800');
    connection.queueText('\udc00b');
    const own = drain(connection);
    connection.queueFrames(log.frames());
    expect(drain(connection)).toEqual(own);
    log.clear();
  });

  test('is encoded once for all, and without reference to what went before', () => {
    const { encoder, counts } = flippingEncoder(1, RSV3);
    const log = new FrameLog(encoder);
    log.write('abc', true);
    log.write('not encoded', true, false);
    for (let i = 0; i < 5; i++) {
      const { connection, written } = connected(SERVER, {}, [sharing(1, RSV3, encoder)]);
      connection.queueFrames(log.frames());
      expect(written().map(({ rsv, payload }) => [rsv, latin1(payload)])).toEqual([
        [RSV3, '`cb'],
        [0, 'not encoded'],
      ]);
    }
    expect(counts.messages).toBe(1);
    log.clear();
    expectSlabsFree();
  });

  test('tells extensions that it comes between, where it has been encoded, and only there', () => {
    const { encoder } = flippingEncoder(1, RSV3);
    const log = new FrameLog(encoder);
    const extension = sharing(1, RSV3, encoder);
    const { connection } = connected(SERVER, {}, [extension]);
    log.write('as it is', true, false);
    connection.queueFrames(log.frames());
    expect(extension.interpositions).toBe(0);
    log.write('encoded', true);
    connection.queueFrames(log.frames());
    expect(extension.interpositions).toBe(1);
    log.clear();
    drain(connection);
    log.write('as it is again', true, false);
    connection.queueFrames(log.frames());
    expect(extension.interpositions).toBe(1);
    log.clear();
    drain(connection);
    expectSlabsFree();
  });
});

describe('the frames', () => {
  test('from each place on', () => {
    const texts = ['', 'one', 'x'.repeat(20_000), 'three', 'y'.repeat(300), 'z'.repeat(17_000)];
    const log = new FrameLog(null);
    const places = [{ size: 0, messages: 0 }];
    for (const text of texts) {
      log.write(text, true);
      places.push({ size: log.size, messages: log.messages });
    }
    for (const [i, { size, messages }] of places.entries()) {
      const frames = log.frames(size, messages);
      expect([frames.size, frames.messages]).toEqual([log.size - size, texts.length - i]);
      expect(payloads(frames)).toEqual(texts.slice(i));
    }
    log.clear();
    expectSlabsFree();
  });

  test('stay as they are while the log goes on, also those from a place on', () => {
    const log = logOf('one');
    const whole = log.frames();
    const { size, messages } = log;
    log.write('two', true);
    const part = log.frames(size, messages);
    log.write('three', true);
    expect([whole, part, log.frames()].map(payloads)).toEqual([['one'], ['two'], ['one', 'two', 'three']]);
    log.clear();
    expectSlabsFree();
  });

  test('that are kept outlive the log, and what is written into it next', () => {
    const log = logOf('one');
    const kept = log.frames().keep();
    log.write('two', true);
    log.clear();
    for (let i = 0; i < 100; i++) {
      log.write('n'.repeat(5000), true);
      if (i % 3 === 0) log.clear();
    }
    log.clear();
    expect(payloads(kept)).toEqual(['one']);
    kept.release();
    expectSlabsFree();
  });

  test('lie in a row, however many logs there are, once they are joined', () => {
    const logs = [new FrameLog(null), new FrameLog(null)];
    const texts = Array.from({ length: 50 }, (_, i) => `text ${i}`);
    for (const text of texts) for (const log of logs) log.write(text, true);
    for (const log of logs) {
      const { size } = log;
      log.join();
      expect(log.size).toBe(size);
      const { connection } = connected(SERVER);
      connection.queueFrames(log.frames());
      const out: Uint8Array[] = [];
      connection.takeOutput(out);
      expect(out).toHaveLength(1);
      expect(parseFrames(out[0]).map(({ payload }) => latin1(payload))).toEqual(texts);
      // A place in it is where it was.
      const { connection: other, written } = connected(SERVER);
      other.queueFrames(log.frames(8 + 2 * 8, 3));
      expect(written().map(({ payload }) => latin1(payload))).toEqual(texts.slice(3));
      connection.acknowledge(size);
    }
    for (const log of logs) log.clear();
    expectSlabsFree();
  });

  test('are one piece of memory for all who queue them', () => {
    const log = logOf(...Array.from({ length: 100 }, (_, i) => `text ${i}`));
    const buffers = new Set<ArrayBufferLike>();
    const offsets = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      const { connection } = connected(SERVER);
      connection.queueFrames(log.frames());
      const out: Uint8Array[] = [];
      connection.takeOutput(out);
      expect(out).toHaveLength(1);
      buffers.add(out[0].buffer);
      offsets.add(out[0].byteOffset);
      connection.acknowledge(connection.queuedBytes);
    }
    expect([buffers.size, offsets.size]).toEqual([1, 1]);
    log.clear();
    expectSlabsFree();
  });

  test('go back to slabs that are used again', () => {
    seenSlabs.clear();
    const log = new FrameLog(null);
    const { connection } = connected(SERVER);
    for (let i = 0; i < 2000; i++) {
      log.write('x'.repeat(4000), true);
      connection.queueFrames(log.frames());
      log.clear();
      drain(connection);
    }
    expect(seenSlabs.size).toBeLessThanOrEqual(3);
    expectSlabsFree();
  });
});

describe('queueFrames', () => {
  test('is refused in the middle of a message, and the message goes on', () => {
    const log = logOf('x');
    const { connection, written } = connected(SERVER);
    connection.queueText('a', false);
    expectLocalError(() => connection.queueFrames(log.frames()), 'MESSAGE_UNFINISHED');
    connection.queueText('b');
    connection.queueFrames(log.frames());
    expect(written().map(({ payload }) => latin1(payload))).toEqual(['a', 'b', 'x']);
    log.clear();
  });

  test('is refused on a client, whose frames are masked', () => {
    const log = logOf('x');
    const { connection } = connected(CLIENT);
    expectLocalError(() => connection.queueFrames(log.frames()), 'INVALID_FRAMES');
    expect(connection.queuedBytes).toBe(0);
    log.clear();
  });

  test('is refused where frames were encoded for another agreement, and only there', () => {
    const [one, other] = [flippingEncoder(1, RSV3), flippingEncoder(2, RSV2)];
    const log = new FrameLog(one.encoder);
    const connections = [
      connected(SERVER),
      connected(SERVER, {}, [flipping(1, RSV3)]),
      connected(SERVER, {}, [sharing(2, RSV2, other.encoder)]),
      connected(SERVER, {}, [sharing(1, RSV3, one.encoder), flipping(2, RSV2)]),
    ];
    log.write('as it is', true, false);
    for (const { connection } of connections) connection.queueFrames(log.frames());
    log.write('encoded', true);
    for (const { connection, written } of connections) {
      expectLocalError(() => connection.queueFrames(log.frames()), 'INVALID_FRAMES');
      expect(written()).toHaveLength(1);
    }
    log.clear();
    expectSlabsFree();
  });

  test('is refused once the connection is closing', () => {
    const log = logOf('x');
    const { connection } = connected(SERVER);
    connection.abort();
    expectLocalError(() => connection.queueFrames(log.frames()), 'NOT_OPEN');
    log.clear();
  });

  test.each(['refuse', 'drop', 'close'] as const)('takes all or none where there is a limit: %s', (overflow) => {
    const log = logOf('x'.repeat(98));
    const { connection, written } = connected(SERVER, { sendHardLimit: 250, sendHighWater: 200, overflow });
    expect(connection.queueFrames(log.frames())).toBe(true);
    expect(connection.queueFrames(log.frames())).toBe(true);
    const over = () => connection.queueFrames(log.frames());
    if (overflow === 'refuse') expect(expectLocalError(over, 'SEND_HARD_LIMIT')).toHaveProperty('event', null);
    else expect(over()).toBe(false);
    expect(connection.canSend).toBe(overflow !== 'close');
    expect(written().map(({ payload }) => payload.length)).toEqual(
      overflow === 'close' ? [98, 98, expect.any(Number)] : [98, 98],
    );
    log.clear();
    expectSlabsFree();
  });

  test('takes what comes to the limit exactly', () => {
    const log = logOf('x'.repeat(98));
    const { connection } = connected(SERVER, { sendHardLimit: 200, sendHighWater: 150, overflow: 'drop' });
    expect([connection.queueFrames(log.frames()), connection.queueFrames(log.frames())]).toEqual([true, false]);
    expect([connection.queuedBytes, connection.needsDrain]).toEqual([200, true]);
    drain(connection);
    log.clear();
  });

  test('is overtaken by a Pong between two writes, never inside of a frame', () => {
    const log = new FrameLog(null);
    log.write('x'.repeat(20_000), true);
    log.write('y', true);
    for (const first of [1, 4, 100, 20_003, 20_004, 20_005]) {
      const { connection, receive } = connected(SERVER, { autoPong: true });
      connection.queueFrames(log.frames());
      const out: Uint8Array[] = [];
      connection.takeOutput(out, first);
      receive({ opcode: PING });
      connection.poll();
      connection.takeOutput(out);
      const lengths = parseFrames(Buffer.concat(out)).map(({ payload }) => payload.length);
      expect(lengths, `${first}`).toEqual(first > 20_004 ? [20_000, 1, 0] : [20_000, 0, 1]);
      connection.acknowledge(connection.queuedBytes);
    }
    log.clear();
    expectSlabsFree();
  });

  test('goes behind a Ping that was queued before, and ahead of what is queued after', () => {
    const log = logOf('x');
    const { connection, written } = connected(SERVER);
    connection.queueText('a');
    connection.queue(new Ping());
    connection.queueFrames(log.frames());
    connection.queueText('b');
    expect(written().map(({ opcode, payload }) => [opcode, latin1(payload)])).toEqual([
      [TEXT, 'a'],
      [PING, ''],
      [TEXT, 'x'],
      [TEXT, 'b'],
    ]);
    log.clear();
    expectSlabsFree();
  });
});
