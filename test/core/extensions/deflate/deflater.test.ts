/** What is sent compressed: when, in which bytes, in which order, and what becomes of it elsewhere (RFC 7692 §6.1, §7.2.1). */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CloseConnection, Ping, Pong } from '../../../../src/core/events.js';
import { RSV1 } from '../../../../src/core/extensions/extension.js';
import {
  PerMessageDeflate,
  type PerMessageDeflateOptions,
} from '../../../../src/core/extensions/permessage-deflate.js';
import { SendLimitError } from '../../../../src/core/frames/sender.js';
import type { ConnectionOptions } from '../../../../src/core/options.js';
import { tiers } from '../../../../src/kernels/index.js';
import { BIN, CLOSE, CONT, close, latin1, type Parsed, PING, PONG, TEXT } from '../../../conformance/support.js';
import { CLIENT, expectLocalError, ROLES, roleName, SERVER } from '../../support.js';
import { CODECS, compressing, END, elsewhere, inflated, Peer, prose, random } from './support.js';

const WAYS = CODECS.flatMap(([name, codec]) =>
  ROLES.map((type) => {
    const kernels = tiers[type === SERVER ? 0 : tiers.length - 1];
    return [
      `${name}, ${roleName(type)}, ${kernels.tier}`,
      { codec, type, kernels, lasts: codec === CODECS[0][1] },
    ] as const;
  }),
);

const hexOf = (payload: Uint8Array): string => Buffer.from(payload).toString('hex');

/** What a peer makes of frames, in order: messages with whether they were compressed, and control frames. */
function reading(windowBits = 15, takesOver = true) {
  const peer = new Peer(windowBits, takesOver);
  let parts: Uint8Array[] = [];
  let first: Parsed | null = null;
  return (frames: readonly Parsed[]): [number, string, boolean][] => {
    const found: [number, string, boolean][] = [];
    for (const frame of frames) {
      if (frame.opcode >= CLOSE) {
        found.push([frame.opcode, latin1(frame.payload), false]);
        continue;
      }
      if ((frame.opcode === CONT) !== (first !== null)) throw new Error('frames of two messages are mixed');
      if (frame.rsv !== 0 && first !== null) throw new Error('a continuation is marked');
      first ??= frame;
      parts.push(frame.payload);
      if (!frame.fin) continue;
      const whole = Buffer.concat(parts);
      const data = first.rsv === RSV1 ? peer.decompress(whole) : whole;
      found.push([first.opcode, data.toString('latin1'), first.rsv === RSV1]);
      parts = [];
      first = null;
    }
    return found;
  };
}

describe.each(WAYS)('%s', (_, { codec, type, kernels, lasts }) => {
  const open = (deflate: PerMessageDeflate | PerMessageDeflateOptions = {}, options: ConnectionOptions = {}) =>
    compressing(type, deflate, { kernels, ...options }, codec);

  test('the examples of §7.2.3, byte for byte', () => {
    const { connection, written } = open({ threshold: 0 });
    for (let i = 0; i < 3; i++) connection.queueText('Hello');
    connection.queueText('');
    expect(written().map(({ opcode, rsv, payload }) => [opcode, rsv, hexOf(payload)])).toEqual([
      // 5 bytes that come to 7 are sent as they are; once there is something to refer to they are fewer.
      [TEXT, 0, hexOf(Buffer.from('Hello'))],
      ...(lasts
        ? [
            [TEXT, RSV1, 'f248cdc9c90700'],
            [TEXT, RSV1, 'f200110000'],
          ]
        : [
            [TEXT, RSV1, 'f248cdc9c90700'],
            [TEXT, RSV1, 'f248cdc9c90700'],
          ]),
      [TEXT, RSV1, '00'],
    ]);
  });

  test('fragments end where a flush does, and only the last without its tail', () => {
    const { connection, written } = open();
    connection.queueText('Hel', false);
    connection.queueText('', false);
    connection.queueText('lo', false);
    connection.queueText('');
    const frames = written();
    expect(frames.map(({ opcode, fin, rsv }) => [opcode, fin, rsv])).toEqual([
      [TEXT, false, RSV1],
      [CONT, false, 0],
      [CONT, false, 0],
      [CONT, true, 0],
    ]);
    const [first, second, third, last] = frames.map(({ payload }) => payload);
    expect(Buffer.from(first).subarray(-4).equals(END)).toBe(true);
    expect([second.length, hexOf(last)]).toEqual([0, '00']);
    // Each can be read as soon as it is there.
    expect(inflated(first.subarray(0, -4)).toString()).toBe('Hel');
    expect(inflated(Buffer.concat([first, third]).subarray(0, -4)).toString()).toBe('Hello');
    expect(inflated(Buffer.concat([first, second, third, last])).toString()).toBe('Hello');
  });

  test('an empty message, whole and in fragments', () => {
    const { connection, written } = open({ threshold: 0 });
    connection.queueBytes(new Uint8Array(0));
    connection.queueBytes(new Uint8Array(0), false);
    connection.queueBytes(new Uint8Array(0));
    const read = reading();
    expect(read(written())).toEqual([
      [BIN, '', true],
      [BIN, '', true],
    ]);
  });

  test.each([
    ['below the threshold', 99, true, true, false],
    ['at the threshold', 100, true, true, true],
    ['above it', 101, true, true, true],
    ['above it, by request not', 101, true, false, false],
    ['below it in fragments', 99, false, true, true],
    ['in fragments, by request not', 101, false, false, false],
  ])('%s', (_name, size, whole, compress, expected) => {
    const { connection, written } = open({ threshold: 100 });
    const data = 'x'.repeat(size);
    const half = whole ? 0 : size >> 1;
    if (!whole) connection.queueText(data.slice(0, half), false, compress);
    connection.queueText(data.slice(half), true, compress);
    // Bytes count, not characters.
    connection.queueText('€'.repeat(34), true, compress);
    const read = reading();
    const [message, next] = read(written());
    expect(message).toEqual([TEXT, data, expected]);
    expect(next[2]).toBe(compress);
  });

  test('the wish for a fragment that is not the first does not count', () => {
    const { connection, written } = open({ threshold: 0 });
    connection.queueText('a'.repeat(100), false);
    connection.queueText('b'.repeat(100), true, false);
    connection.queueBytes(new Uint8Array(100), false, false);
    connection.queueBytes(new Uint8Array(100), true, true);
    expect(reading()(written()).map(([, , compressed]) => compressed)).toEqual([true, false]);
  });

  test('what does not shrink goes as it is, and is not referred to', () => {
    const { connection, written, deflate } = open({ threshold: 0 });
    const read = reading();
    const noise = [random(100), random(1024), random(5000), random(40_000), random(300)];
    // The same again could refer to what was not sent compressed, if that were forgotten.
    for (const data of [...noise, ...noise]) {
      connection.queueBytes(data);
      connection.queueText(prose(400));
    }
    const found = read(written());
    expect(found.filter((_one, i) => i % 2 === 0).map(([, data]) => data)).toEqual(
      [...noise, ...noise].map((data) => data.toString('latin1')),
    );
    expect(found.filter((_one, i) => i % 2 === 1).every(([, data]) => data === prose(400))).toBe(true);
    expect(found.filter(([, data, compressed]) => data.length >= 1024 && compressed)).toEqual([]);
    expect(deflate.stats().messagesCompressed).toBe(found.filter(([, , compressed]) => compressed).length);
  });

  test('any messages, whole and in fragments, at once and elsewhere, can be read by who begins from nothing', async () => {
    const data = fc.oneof(
      fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.nat()).map(([size, seed]) => Buffer.from(prose(size, seed))),
      fc
        .tuple(fc.constantFrom(100, 40_000, 70_000, 200_000), fc.boolean())
        .map(([size, noise]) => (noise ? random(size) : Buffer.from(prose(size)))),
      fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
    );
    const message = fc.record({
      pieces: fc.array(data, { minLength: 1, maxLength: 3 }),
      compress: fc.constantFrom(true, true, true, false),
      idle: fc.constantFrom(false, false, false, true),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 8 }),
        fc.record({
          serverNoContextTakeover: fc.boolean(),
          clientNoContextTakeover: fc.boolean(),
          serverMaxWindowBits: fc.constantFrom(9, 11, 15),
          clientMaxWindowBits: fc.constantFrom(9, 11, 15),
          windowBits: fc.constantFrom(9, 12, 15),
          level: fc.constantFrom(1, 6, 9),
          memLevel: fc.constantFrom(1, 5, 9),
          threshold: fc.constantFrom(0, 1000),
          offThreadFrom: fc.constantFrom(0, 1000, 32_768, Number.POSITIVE_INFINITY),
          maxContexts: fc.constantFrom(0, 1, 10),
          beyondMaxContexts: fc.constantFrom('no-takeover' as const, 'uncompressed' as const),
        }),
        fc.boolean(),
        async (messages, options, leaves) => {
          const { connection, written, deflate } = open(options, { sendHardLimit: Number.POSITIVE_INFINITY });
          const off = leaves ? elsewhere(connection) : null;
          const takesOver = !(type === SERVER ? options.serverNoContextTakeover : options.clientNoContextTakeover);
          const bits = type === SERVER ? options.serverMaxWindowBits : options.clientMaxWindowBits;
          const read = reading(bits, takesOver);
          const found: [number, string, boolean][] = [];
          let now = 0;
          for (const { pieces, compress, idle } of messages) {
            for (const [i, piece] of pieces.entries()) connection.queueBytes(piece, i === pieces.length - 1, compress);
            if (idle) for (let i = 0; i < 3; i++) deflate.handleTimeout(++now * 1e6);
            if (connection.hasOutput) found.push(...read(written()));
          }
          if (off !== null) {
            const finished = () => {
              found.push(...read(written()));
              return connection.queuedBytes === 0;
            };
            await off.until(finished, 'everything');
          }
          const expected = messages.map(({ pieces }) => Buffer.concat(pieces).toString('latin1'));
          if (found.length !== expected.length) throw new Error(`${found.length} of ${expected.length} messages`);
          expected.forEach((one, i) => {
            if (found[i][1] !== one) throw new Error(`message ${i} is another`);
          });
          const compressed = found.filter(([, , isCompressed]) => isCompressed);
          const stats = deflate.stats();
          expect(stats.messagesCompressed).toBe(compressed.length);
          expect(stats.bytesToCompress).toBe(compressed.reduce((sum, [, one]) => sum + one.length, 0));
          expect(stats.compressors).toBeLessThanOrEqual(Math.min(takesOver ? 1 : 0, options.maxContexts));
          connection.abort();
          expect(deflate.stats().compressors).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('texts with characters of every size', () => {
    const { connection, written } = open({ threshold: 0 });
    const texts = ['é'.repeat(3000), '€'.repeat(6000), '😀'.repeat(20_000), `a\ud83d`, 'b'];
    connection.queueText(texts[0]);
    connection.queueText(texts[1]);
    connection.queueText(texts[2]);
    connection.queueText(texts[3], false);
    connection.queueText('\ude00', true);
    const found = reading()(written());
    expect(found.map(([, data]) => Buffer.from(data, 'latin1').toString())).toEqual([...texts.slice(0, 3), 'a😀']);
    expect(found.every(([, , compressed]) => compressed)).toBe(true);
  });

  test('several MiB at once, compressible and not', () => {
    const { connection, written } = open({ threshold: 0 });
    const read = reading();
    for (const data of [Buffer.alloc(4 * 1024 * 1024, 'abc'), random(2 * 1024 * 1024), Buffer.from(prose(300_000))]) {
      connection.queueBytes(data);
      const [[, found]] = read(written());
      if (found !== data.toString('latin1')) throw new Error('it is another');
    }
  });

  test('memory that others share may be sent, and is read only while it is queued', async () => {
    for (const leaves of [false, true]) {
      const { connection, written } = open({ threshold: 0, offThreadFrom: 0 });
      const off = leaves ? elsewhere(connection) : null;
      const shared = new Uint8Array(new SharedArrayBuffer(10_000));
      shared.set(Buffer.from(prose(10_000)));
      connection.queueBytes(shared);
      // What is small was copied.
      shared.fill(0);
      const found: [number, string, boolean][] = [];
      const read = reading();
      const enough = () => found.push(...read(written())) > 0;
      if (off === null) enough();
      else await off.until(enough, 'it');
      expect(found).toEqual([[BIN, prose(10_000), true]]);
    }
  });
});

describe('the first message', () => {
  test('goes through a compressor that goes around, the second gets one of its own', () => {
    const deflate = new PerMessageDeflate({ threshold: 0 });
    const [one, other] = [compressing(SERVER, deflate), compressing(SERVER, deflate)];
    one.connection.queueText(prose(200));
    other.connection.queueText(prose(200));
    expect(deflate.stats().compressors).toBe(0);
    const sizes: number[] = [];
    for (let i = 0; i < 3; i++) {
      one.connection.queueText(prose(200));
      sizes.push(...one.written().map(({ payload }) => payload.length));
    }
    expect(deflate.stats().compressors).toBe(1);
    // What went around carries nothing from one connection to the other, nor from the first message to the second.
    expect(other.written()[0].payload.length).toBe(sizes[0]);
    expect(sizes[1]).toBe(sizes[0]);
    expect(sizes[2]).toBeLessThan(sizes[0] / 4);
  });

  test.each([
    ['no-takeover', [true, true, true]],
    ['uncompressed', [true, false, false]],
  ] as const)('beyond maxContexts the others are sent with %s', (beyondMaxContexts, compressed) => {
    const deflate = new PerMessageDeflate({ threshold: 0, maxContexts: 1, beyondMaxContexts });
    const [one, other] = [compressing(SERVER, deflate), compressing(SERVER, deflate)];
    for (let i = 0; i < 3; i++) one.connection.queueText(prose(200));
    for (let i = 0; i < 3; i++) other.connection.queueText(prose(200));
    expect(deflate.stats().compressors).toBe(1);
    expect(reading()(one.written()).map((found) => found[2])).toEqual([true, true, true]);
    const frames = other.written();
    expect(reading(15, false)(frames).map((found) => found[2])).toEqual(compressed);
    // One that is given up makes room.
    one.connection.abort();
    other.connection.queueText(prose(200));
    other.connection.queueText(prose(200));
    expect(deflate.stats().compressors).toBe(1);
    const [, last] = other.written();
    expect(last.payload.length).toBeLessThan(frames[0].payload.length / 4);
  });

  test('with no context at all nothing is kept', () => {
    const { connection, deflate, receive } = compressing(SERVER, { threshold: 0, maxContexts: 0 });
    for (let i = 0; i < 5; i++) connection.queueText(prose(200));
    const peer = new Peer();
    for (let i = 0; i < 5; i++) {
      receive({ opcode: BIN, rsv: RSV1, payload: peer.compress(Buffer.from(prose(9000))) });
      expect(connection.nextEvent()).toMatchObject({ type: 'bytes' });
      expect(connection.length).toBe(9000);
    }
    expect(deflate.stats()).toMatchObject({ compressors: 0, decompressors: 0, messagesDecompressed: 5 });
  });
});

describe.each(WAYS)('while a message is compressed elsewhere: %s', (_, { codec, type, kernels }) => {
  const open = (options: ConnectionOptions = {}, deflate: PerMessageDeflateOptions = {}) => {
    const one = compressing(type, { offThreadFrom: 50_000, ...deflate }, { kernels, ...options }, codec);
    const read = reading();
    const found: [number, string, boolean][] = [];
    const off = elsewhere(one.connection);
    const take = () => found.push(...read(one.written()));
    return {
      ...one,
      ...off,
      found,
      take,
      arrived: (count: number) =>
        off.until(() => {
          take();
          return found.length >= count;
        }, `frame ${count}`),
    };
  };
  const big = Buffer.from(prose(300_000));
  const bigger = Buffer.from(prose(500_000, 7));

  test('what is sent behind it stays behind it, but for Pings and Pongs', async () => {
    const { connection, found, take, arrived } = open();
    connection.queueText('before');
    connection.queueBytes(big);
    connection.queueBytes(Buffer.from('between'));
    connection.queueBytes(bigger);
    connection.queueText('in ', false);
    connection.queueText('fragments');
    connection.queue(new Ping(Uint8Array.of(0x31)));
    connection.queueBytes(random(60_000));
    connection.queueText('last', true, false);
    connection.queue(new Pong(Uint8Array.of(0x32)));
    connection.queue(new CloseConnection(1000));
    take();
    expect(found.map(([opcode]) => opcode)).toEqual([PONG, TEXT, PING]);
    await arrived(9);
    expect(found.slice(3).map(([opcode]) => opcode)).toEqual([BIN, BIN, BIN, TEXT, BIN, TEXT, CLOSE]);
    expect(found[3][1] === big.toString() && found[5][1] === bigger.toString()).toBe(true);
    expect([found[4][1], found[6], found[7][2], found[8][1]]).toEqual([
      'between',
      [TEXT, 'in fragments', true],
      false,
      'last',
    ]);
  });

  test('nobody is called within a call, and once for each that is done', async () => {
    const { connection, told, arrived, take, found } = open();
    connection.queueBytes(big);
    expect([told.count, connection.hasOutput]).toEqual([0, false]);
    await arrived(1);
    expect(told.count).toBe(1);
    connection.queueText('small');
    take();
    expect([told.count, found.length]).toEqual([1, 2]);
  });

  test('it counts as what it is, and then as what it was made into', async () => {
    const { connection, arrived, deflate } = open({ sendHighWater: 1000, sendLowWater: 500 });
    expect(connection.queueBytes(big)).toBe(false);
    const header = type === SERVER ? 10 : 14;
    expect(connection.queuedBytes).toBe(big.length + header);
    connection.queueText('x'.repeat(50));
    expect(connection.queuedBytes).toBe(big.length + header + 50 + (type === SERVER ? 2 : 6));
    expect(connection.needsDrain).toBe(true);
    await arrived(2);
    expect([connection.queuedBytes, connection.needsDrain]).toEqual([0, false]);
    expect(deflate.stats()).toMatchObject({ messagesCompressed: 1, bytesToCompress: big.length });
  });

  test('sendHardLimit counts it, and refuses what would pass it', async () => {
    const { connection, found, arrived } = open({ sendHardLimit: 400_000 });
    connection.queueBytes(big);
    const before = connection.queuedBytes;
    expect(() => connection.queueBytes(big)).toThrow(SendLimitError);
    expectLocalError(() => connection.queueText('x'.repeat(100_000)), 'SEND_HARD_LIMIT');
    expect(connection.queuedBytes).toBe(before);
    connection.queueText('fits');
    await arrived(2);
    expect(found.map(([opcode]) => opcode)).toEqual([BIN, TEXT]);
    connection.queueBytes(big);
    await arrived(3);
  });

  test('overflow "close" puts its Close behind it', async () => {
    const { connection, found, arrived } = open({ sendHardLimit: 400_000, overflow: 'close' });
    connection.queueBytes(big);
    expect(connection.queueBytes(big)).toBe(false);
    await arrived(2);
    expect(found.map(([opcode]) => opcode)).toEqual([BIN, CLOSE]);
  });

  test("a Close of the peer's is answered behind it", async () => {
    const { connection, receive, found, arrived, deflate } = open({ autoClose: true });
    connection.queueBytes(big);
    connection.queueBytes(bigger);
    receive(close(1000));
    expect(connection.nextEvent()).toMatchObject({ type: 'close', code: 1000 });
    expectLocalError(() => connection.queueText('late'), 'NOT_OPEN');
    await arrived(3);
    expect(found.map(([opcode]) => opcode)).toEqual([BIN, BIN, CLOSE]);
    expect(found[1][1] === bigger.toString()).toBe(true);
    expect(deflate.stats().compressors).toBe(0);
  });

  test("so is a violation of the peer's", async () => {
    const { connection, receive, found, arrived, deflate } = open();
    connection.queueBytes(big);
    receive({ opcode: 3 });
    expect(connection.nextEvent()).toMatchObject({ type: 'close', code: 1002 });
    await arrived(2);
    expect(found.map(([opcode]) => opcode)).toEqual([BIN, CLOSE]);
    expect(deflate.stats()).toMatchObject({ compressors: 0, decompressors: 0 });
  });

  test('whoever is given up is told nothing more, and nothing more is written', async () => {
    const one = open({}, { threshold: 0 });
    const { connection, deflate, told } = one;
    // One with a compressor of its own.
    for (let i = 0; i < 3; i++) connection.queueText(prose(300));
    one.take();
    expect(deflate.stats().compressors).toBe(1);
    connection.queueBytes(big);
    connection.queueBytes(bigger);
    connection.abort();
    expect(deflate.stats().compressors).toBe(0);
    expectLocalError(() => connection.queueText('late'), 'NOT_OPEN');
    expect(connection.nextEvent()).toMatchObject({ type: 'close', origin: 'local' });
    const other = compressing(type, deflate, {}, codec);
    const off = elsewhere(other.connection);
    other.connection.queueBytes(bigger);
    await off.until(() => other.connection.hasOutput, 'another');
    expect([told.count, connection.hasOutput]).toEqual([0, false]);
    expect(deflate.stats().compressors).toBe(0);
  });

  test('a sender of one that was given up is nobody else’s', async () => {
    for (let i = 0; i < 3; i++) {
      const one = open();
      one.connection.queueText('x');
      one.connection.queueBytes(big);
      one.connection.abort();
      // What had been queued before is taken and written after all.
      one.take();
      expect(one.connection.queuedBytes).toBe(0);
      const next = open();
      next.connection.queueText('plain');
      next.take();
      next.connection.queueBytes(bigger);
      await next.arrived(2);
      expect(next.found.map(([, data]) => data.length)).toEqual([5, 500_000]);
    }
  });

  test('memory that is given away meanwhile is an error of its own connection', async () => {
    const give = (data: Uint8Array) => structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
    const shrink = (data: Uint8Array) => (data.buffer as ArrayBuffer & { resize(size: number): void }).resize(10);
    const resizable = (size: number) =>
      new Uint8Array(
        new (ArrayBuffer as unknown as new (size: number, how: object) => ArrayBuffer)(size, { maxByteLength: size }),
      );
    for (const [make, lose] of [
      [(size: number) => new Uint8Array(size), give],
      [resizable, give],
      [resizable, shrink],
    ] as const) {
      for (const finished of [true, false]) {
        // At work: there is more than one slice of it.
        const one = open({}, { threshold: 0 });
        const data = make(1_000_000);
        one.connection.queueBytes(data, finished);
        if (finished) one.connection.queueText('behind');
        lose(data);
        await one.until(() => one.told.count > 0, 'the error');
        expect(one.connection.nextEvent()).toMatchObject({ type: 'close', error: { code: 'EXTENSION_FAILED' } });
        expect(one.connection.transport).toBe('destroy');
        expect(one.deflate.stats().compressors).toBe(0);
      }
      // Waiting behind another.
      for (const size of [20_000, 100_000]) {
        const one = open({}, { threshold: 0 });
        const data = make(size);
        one.connection.queueBytes(big);
        one.connection.queueBytes(data);
        one.connection.queueText('behind');
        lose(data);
        await one.until(() => one.told.count > 0, 'the error');
        one.take();
        expect(one.found).toHaveLength(1);
        expect(one.connection.nextEvent()).toMatchObject({ type: 'close', error: { code: 'EXTENSION_FAILED' } });
      }
    }
  });

  test('what was given away after it was read is sent all the same', async () => {
    const one = open({}, { threshold: 0, offThreadFrom: 0 });
    const noise = random(20_000);
    const data = Uint8Array.from(noise);
    one.connection.queueBytes(data);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    await one.arrived(1);
    expect(one.found[0][1] === noise.toString('latin1')).toBe(true);
    expect(one.deflate.stats()).toMatchObject({ messagesCompressed: 1, bytesToCompress: 20_000 });
  });
});

test('both sides talk, through one configuration, at once and elsewhere', async () => {
  const deflate = new PerMessageDeflate({ threshold: 10 });
  const [here, there] = [compressing(CLIENT, deflate), compressing(SERVER, deflate)];
  const off = [elsewhere(here.connection), elsewhere(there.connection)];
  const said: string[] = [];
  const texts = Array.from({ length: 30 }, (_, i) => prose(i % 7 === 0 ? 90_000 : 20 * i, i));
  for (const data of texts) here.connection.queueText(data);
  const step = () => {
    for (const { opcode, fin, rsv, payload } of here.written()) there.receive({ opcode, fin, rsv, payload });
    for (const event of there.connection.events()) if (event.type === 'text') said.push(event.data);
    return said.length === texts.length;
  };
  await Promise.race(off.map(({ until }) => until(step, 'everything')));
  expect(said).toEqual(texts);
  const stats = deflate.stats();
  expect(stats.messagesCompressed).toBe(stats.messagesDecompressed);
  expect(stats.bytesToCompress).toBe(stats.bytesDecompressed);
  expect(stats.bytesCompressed).toBe(stats.bytesToDecompress);
  expect(stats).toMatchObject({ compressors: 1, decompressors: 1 });
  here.connection.abort();
  there.connection.abort();
  expect(deflate.stats()).toMatchObject({ compressors: 0, decompressors: 0 });
});
