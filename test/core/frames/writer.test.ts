import { describe, expect, test } from 'vitest';
import { BytesMessage, Ping, TextMessage } from '../../../src/core/events.js';
import { kernels } from '../../../src/kernels/index.js';
import { latin1, parseFrames, utf8 } from '../../conformance/support.js';
import { CLIENT, connected, ROLES, roleName, SERVER } from '../support.js';

/** Every size at which a header or a way of writing changes, and its neighbours. */
const SIZES = [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 2730, 2731, 8191, 8192, 8193, 65535, 65536, 65537, 200_000];

const noise = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31) ^ (i >>> 8));

/** Strings whose UTF-8 is longer than they are, around the sizes at which a header grows. */
const STRINGS = [
  ...[41, 42, 43, 60, 61, 62, 63, 64, 124, 125, 126, 127].flatMap((length) => [
    'x'.repeat(length),
    'é'.repeat(length),
    '€'.repeat(length),
    '😀'.repeat(length >> 1),
    `${'x'.repeat(length - 1)}é`,
    `é${'x'.repeat(length - 1)}`,
    `${'x'.repeat(length - 1)}€`,
  ]),
  ...[2729, 2730, 2731, 2732, 21844, 21845, 21846, 32767, 32768, 65534, 65535, 65536].flatMap((length) => [
    'x'.repeat(length),
    '€'.repeat(length),
    `${'x'.repeat(length - 1)}é`,
  ]),
];

describe.each(ROLES.map((type) => [roleName(type), type] as const))('frames of a %s', (_, type) => {
  test.each(SIZES)('%i bytes', (size) => {
    const { connection, written } = connected(type);
    const data = noise(size);
    const before = data.slice();
    connection.queueBytes(data);
    const frames = written();
    expect(frames).toMatchObject([{ opcode: 2, fin: true, rsv: 0, masked: type === CLIENT }]);
    expect(Buffer.compare(frames[0].payload, before)).toBe(0);
    expect(Buffer.compare(data, before)).toBe(0);
  });

  test('text at every edge', () => {
    for (const string of STRINGS) {
      const { connection, written } = connected(type);
      connection.queueText('before');
      connection.queueText(string);
      connection.queueText('after');
      const frames = written();
      expect(frames.map(({ opcode }) => opcode)).toEqual([1, 1, 1]);
      expect(latin1(frames[0].payload) + latin1(frames[2].payload)).toBe('beforeafter');
      expect(Buffer.compare(frames[1].payload, utf8(string)), `${string.length} of ${string.at(-1)}`).toBe(0);
    }
  });

  test('a lone surrogate is sent as U+FFFD', () => {
    for (const string of ['\ud83d', '\ude00', 'a\ud83db', 'a\ude00', '\ude00\ud83d', '\ud83d'.repeat(3000)]) {
      const { connection, written } = connected(type);
      connection.queueText(string);
      expect(new TextDecoder('utf-8', { fatal: true }).decode(written()[0].payload)).toBe(
        Buffer.from(string).toString(),
      );
    }
  });

  test('send gives bytes that are the caller’s, behind what was queued before', () => {
    const { connection } = connected(type);
    connection.queueText('first');
    const bytes = connection.send(new TextMessage('second'));
    expect(connection.queuedBytes).toBe(0);
    const copy = Uint8Array.from(bytes);
    for (let i = 0; i < 3000; i++) connection.send(new BytesMessage(noise(100)));
    expect(Uint8Array.from(bytes)).toEqual(copy);
    expect(parseFrames(bytes).map(({ payload }) => latin1(payload))).toEqual(['first', 'second']);
  });

  test('send does not take for acknowledged what is still under way', () => {
    const { connection } = connected(type);
    connection.queueText('under way');
    const out: Uint8Array[] = [];
    const size = connection.takeOutput(out);
    const sent = connection.send(new TextMessage('aside'));
    expect(connection.queuedBytes).toBe(size);
    const other = connected(type).connection;
    for (let i = 0; i < 3000; i++) other.send(new BytesMessage(noise(100)));
    expect(parseFrames(Buffer.concat(out)).map(({ payload }) => latin1(payload))).toEqual(['under way']);
    expect(parseFrames(sent).map(({ payload }) => latin1(payload))).toEqual(['aside']);
    connection.acknowledge(size);
    expect(connection.queuedBytes).toBe(0);
  });
});

test('a large payload of a server is not copied, and is not touched', () => {
  const { connection } = connected(SERVER);
  const data = noise(100_000);
  connection.queueBytes(data);
  const out: Uint8Array[] = [];
  connection.takeOutput(out);
  expect(out).toHaveLength(2);
  expect([out[1].buffer, out[1].byteOffset, out[1].length]).toEqual([data.buffer, 0, 100_000]);
});

test('small frames in a row leave as one piece', () => {
  for (const type of ROLES) {
    const { connection } = connected(type);
    for (let i = 0; i < 100; i++) connection.queueText(`message ${i}`);
    connection.queue(new Ping());
    const out: Uint8Array[] = [];
    connection.takeOutput(out);
    // Two where the slab happens to end among them.
    expect(out.length).toBeLessThanOrEqual(2);
  }
});

describe('masking', () => {
  const sizes = [0, 5, 126, 3000, 8193, 70_000];

  test('takes a new key from its source for every frame', () => {
    let next = 0x1020_3040;
    const { connection, written } = connected(CLIENT, { maskingKeys: () => next++ });
    for (const size of sizes) connection.queueBytes(noise(size));
    connection.queueText('text');
    connection.queueText('€'.repeat(5000));
    connection.queue(new Ping());
    const frames = written();
    expect(frames.map(({ key }) => key)).toEqual(frames.map((_, i) => 0x1020_3040 + i));
    expect(frames.slice(0, sizes.length).map(({ payload }) => payload.length)).toEqual(sizes);
  });

  test('bears any number as a key', () => {
    for (const key of [0, -1, 0xffff_ffff, -0x8000_0000, 0x8000_0000, 1.5]) {
      const { connection, written } = connected(CLIENT, { maskingKeys: () => key });
      connection.queueText('hello');
      connection.queueBytes(noise(9000));
      const frames = written();
      expect(frames.map((frame) => frame.key)).toEqual([key | 0, key | 0]);
      expect(latin1(frames[0].payload)).toBe('hello');
    }
  });

  test('keys are random by default, and the payload on the wire is not the payload', () => {
    const { connection } = connected(CLIENT);
    const keys = new Set<number>();
    for (let i = 0; i < 3000; i++) for (const { key } of parseFrames(connection.send(new Ping()))) keys.add(key);
    expect(keys.size).toBeGreaterThan(2990);
    const bytes = connection.send(new TextMessage('secret'.repeat(20)));
    expect(latin1(bytes)).not.toContain('secret');
  });

  test('a server has no use for a source', () => {
    const { connection, written } = connected(SERVER, {
      maskingKeys: () => {
        throw new Error('asked for a key');
      },
    });
    for (const size of sizes) connection.queueBytes(noise(size));
    expect(written()).toHaveLength(sizes.length);
  });

  test('a client masks with the kernels it was given, once a byte', () => {
    let masked = 0;
    const counting = {
      ...kernels,
      mask: (...args: Parameters<typeof kernels.mask>) => {
        masked += args[4];
        kernels.mask(...args);
      },
    };
    const { connection } = connected(CLIENT, { kernels: counting });
    for (const size of sizes) connection.queueBytes(noise(size));
    expect(masked).toBe(sizes.reduce((sum, size) => sum + size));
  });
});
