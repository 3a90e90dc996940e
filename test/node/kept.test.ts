/**
 * What messages are handed out as, and that they may be kept: all sockets of a thread are read into one buffer, which
 * must never show through.
 */

import { describe, expect, test } from 'vitest';
import { LocalProtocolError, type ServeOptions, serve } from '../../src/node/index.js';
import { deferred, frame, noise, RawClient, request, start, turns, until } from './support.js';
import { pair } from './support-peer.js';

const KiB = 1024;
/** Around every size at which a header, a pool, a read or a way of copying changes. */
const SIZES = [0, 1, 2, 124, 125, 126, 127, 4 * KiB - 9, 4 * KiB, 4 * KiB + 1, 8 * KiB, 16 * KiB + 1].concat([
  64 * KiB - 15,
  64 * KiB - 14,
  64 * KiB - 8,
  64 * KiB - 1,
  64 * KiB,
  64 * KiB + 1,
  200_000,
]);

interface Kept {
  readonly data: string | Buffer;
  readonly isBinary: boolean;
}

/** A payload that is like no other: text of characters of one to four bytes, or any bytes. */
function payload(size: number, seed: number, isText: boolean): Buffer {
  if (!isText) return noise(size, seed);
  const start = `${seed};`.slice(0, size);
  const pattern = ['x', 'é', '水', '🎉'][seed % 4];
  const room = size - start.length;
  const whole = pattern.repeat(Math.floor(room / Buffer.byteLength(pattern)));
  return Buffer.from(start + whole + 'y'.repeat(room - Buffer.byteLength(whole)));
}

/** Numbers that are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

describe('textFormat', () => {
  test("'bytes': Buffers that are the UTF-8, and isBinary tells them apart", async () => {
    const got: Kept[] = [];
    const { client } = await pair({
      textFormat: 'bytes',
      message: (_ws, data, isBinary) => got.push({ data, isBinary }),
    });
    client.write(frame(1, 'grüße'), frame(2, 'grüße'), frame(1), frame(1, '水', { fin: false }), frame(0, '!'));
    await until(() => got.length === 4);
    expect(got.every(({ data }) => Buffer.isBuffer(data))).toBe(true);
    expect(got.map(({ data, isBinary }) => [`${data}`, isBinary])).toEqual([
      ['grüße', false],
      ['grüße', true],
      ['', false],
      ['水!', false],
    ]);
  });

  test("'string', and nothing said: strings", async () => {
    for (const options of [{}, { textFormat: 'string' }] as const) {
      const got: unknown[] = [];
      const { client } = await pair({ ...options, message: (_ws, data, isBinary) => got.push([data, isBinary]) });
      client.write(frame(1, 'text'), frame(2, 'bytes'));
      await until(() => got.length === 2);
      expect(got).toEqual([
        ['text', false],
        [Buffer.from('bytes'), true],
      ]);
    }
  });

  test("'bytes': what is not UTF-8 is a violation, however it comes", async () => {
    const wrong = Buffer.from([0x61, 0xe6, 0xb0]);
    for (const frames of [
      [frame(1, wrong)],
      [frame(1, wrong, { fin: false }), frame(0, 'x')],
      [frame(1, Buffer.concat([noise(70_000).fill(0x61), wrong]))],
    ]) {
      const { client, log } = await pair({ textFormat: 'bytes' });
      client.write(...frames);
      expect((await client.closeCode())[0]).toBe(1007);
      expect(log.filter(([name]) => name === 'message')).toEqual([]);
    }
  });

  test('bytes sent back as text are the same text', async () => {
    const { client } = await pair({
      textFormat: 'bytes',
      message: (ws, data, isBinary) => ws.send(data, { binary: isBinary }),
    });
    client.write(frame(1, 'grüße'), frame(2, 'x'));
    await client.frameAt(1);
    expect(client.frames.map(({ opcode, payload }) => [opcode, `${payload}`])).toEqual([
      [1, 'grüße'],
      [2, 'x'],
    ]);
  });

  test.for(['buffer', '', 5, null])('%o is refused by name', async (textFormat) => {
    const wrong = await serve({ textFormat } as unknown as ServeOptions).catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(LocalProtocolError);
    expect(wrong).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('textFormat') });
  });
});

describe.each(['string', 'bytes'] as const)('what was handed out stays as it was, texts as %s', (textFormat) => {
  test.each(['at once', 'held'] as const)(
    'many connections, every size, cut anywhere, handlers that go on %s',
    async (how) => {
      const kept = new Map<string, Kept[]>();
      const server = await start<string>({
        textFormat,
        upgrade: ({ path }) => ({ data: path }),
        open: (ws) => {
          kept.set(ws.data, []);
        },
        async message(ws, data, isBinary) {
          kept.get(ws.data)?.push({ data, isBinary });
          if (how === 'held') await turns(1 + ((kept.get(ws.data)?.length ?? 0) % 3));
        },
      });
      const expected = new Map<string, Kept[]>();
      const all = Array.from({ length: 3 }, async (_, c) => {
        const random = numbers(c + 1);
        const path = `/${c}`;
        const client = await RawClient.open(server.port, undefined, request({}, `GET ${path} HTTP/1.1`));
        const mine: Kept[] = [];
        expected.set(path, mine);
        const frames: Uint8Array[] = [];
        for (const [i, size] of SIZES.entries()) {
          for (const isText of [true, false]) {
            const bytes = payload(size, 1000 * c + i, isText);
            mine.push({ data: isText && textFormat === 'string' ? `${bytes}` : Buffer.from(bytes), isBinary: !isText });
            const opcode = isText ? 1 : 2;
            if (random(3) > 0) {
              frames.push(frame(opcode, bytes));
            } else {
              const at = random(size + 1);
              frames.push(frame(opcode, bytes.subarray(0, at), { fin: false }), frame(9, 'between'));
              frames.push(frame(0, bytes.subarray(at)));
            }
          }
        }
        const wire = Buffer.concat(frames);
        for (let at = 0; at < wire.length; ) {
          const size = random(4) === 0 ? 1 + random(100) : 1 + random(100_000);
          client.socket.write(wire.subarray(at, at + size));
          at += size;
          if (random(2) === 0) await turns(1);
        }
        return client;
      });
      await Promise.all(all);
      await until(() => server.stats().messagesReceived === 3 * 2 * SIZES.length);
      await turns();
      // More of something else through the buffer that all reads share.
      const last = await RawClient.open(server.port, undefined, request({}, 'GET /last HTTP/1.1'));
      last.write(frame(2, Buffer.alloc(300_000, 0xee)));
      await until(() => kept.get('/last')?.length === 1);
      for (const [path, messages] of expected) {
        const got = kept.get(path) ?? [];
        expect(got.length).toBe(messages.length);
        for (const [i, { data, isBinary }] of messages.entries()) {
          expect(got[i].isBinary).toBe(isBinary);
          expect(typeof got[i].data).toBe(typeof data);
          const same = typeof data === 'string' ? got[i].data === data : data.equals(got[i].data as Buffer);
          expect(same, `message ${i} of ${path}, ${data.length} long`).toBe(true);
        }
      }
    },
  );
});

test('a message that a handler holds while further data of its connection, and of others, arrives', async () => {
  const gate = deferred();
  const held: Buffer[] = [];
  const { server, client } = await pair({
    textFormat: 'bytes',
    message: async (_ws, data) => {
      held.push(data as Buffer);
      if (held.length === 1) await gate.promise;
    },
  });
  client.write(frame(1, 'the first'), frame(2, 'the second'), frame(1, 'the third').subarray(0, 8));
  await until(() => held.length === 1);
  const other = await RawClient.open(server.port);
  for (let i = 0; i < 20; i++) {
    other.write(frame(2, noise(5000, i + 1)));
    await turns(1);
  }
  client.write(frame(1, 'the third').subarray(8));
  await turns();
  expect(`${held[0]}`).toBe('the first');
  gate.resolve();
  await until(() => held.length >= 23);
  const texts = held.filter(({ length }) => length < 100).map(String);
  expect(texts).toEqual(['the first', 'the second', 'the third']);
});

test('a message that a handler changes changes no other', async () => {
  const got: string[] = [];
  const { client } = await pair({
    textFormat: 'bytes',
    message: (_ws, data) => {
      got.push(`${data}`);
      (data as Buffer).fill(0xff);
    },
  });
  client.write(frame(1, 'one'), frame(2, 'two'), frame(1, 'three'), frame(2, 'four').subarray(0, 7));
  await until(() => got.length === 3);
  client.write(frame(2, 'four').subarray(7));
  await until(() => got.length === 4);
  expect(got).toEqual(['one', 'two', 'three', 'four']);
});
