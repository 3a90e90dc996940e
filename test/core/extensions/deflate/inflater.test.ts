/** What comes compressed: every way to read it, and everything that can be wrong with it (RFC 7692 §6.2, §7.2.2). */

import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CloseConnection } from '../../../../src/core/events.js';
import type { Codec, Decompressor } from '../../../../src/core/extensions/deflate/codec.js';
import { Contexts } from '../../../../src/core/extensions/deflate/contexts.js';
import { Inflater } from '../../../../src/core/extensions/deflate/inflater.js';
import { Traffic } from '../../../../src/core/extensions/deflate/traffic.js';
import { RSV1, RSV2, RSV3 } from '../../../../src/core/extensions/extension.js';
import type { PerMessageDeflateOptions } from '../../../../src/core/extensions/permessage-deflate.js';
import type { Delivery } from '../../../../src/core/frames/reader.js';
import type { ConnectionOptions } from '../../../../src/core/options.js';
import { type Kernels, tiers } from '../../../../src/kernels/index.js';
import {
  BIN,
  binary,
  CLOSED,
  close,
  cont,
  type FrameSpec,
  hex,
  PING,
  ping,
  pong,
  TEXT,
  text,
} from '../../../conformance/support.js';
import { CLIENT, connected, ROLES, roleName, SERVER } from '../../support.js';
import {
  CODECS,
  compressing,
  deflated,
  END,
  elsewhere,
  eventually,
  gathered,
  Peer,
  prose,
  random,
  squeezed,
} from './support.js';

/** One way to read. */
interface Way {
  readonly codec: Codec;
  readonly isWhole: boolean;
  readonly type: (typeof ROLES)[number];
  readonly kernels: Kernels;
  readonly delivery: Delivery;
  /** Whether work leaves the thread. */
  readonly leaves: boolean;
}

const WAYS = CODECS.flatMap(([name, codec], index) =>
  ROLES.flatMap((type) =>
    [tiers[type === SERVER ? 0 : tiers.length - 1]].flatMap((kernels) =>
      (['messages', 'frames', 'chunks'] as const).flatMap((delivery) =>
        [false, true].map((leaves) => {
          const title = [name, roleName(type), kernels.tier, delivery, leaves ? 'elsewhere' : 'at once'].join(', ');
          return [title, { codec, isWhole: index === 1, type, kernels, delivery, leaves } as Way] as const;
        }),
      ),
    ),
  ),
);
/** Where the tier and the role make no difference. */
const FEW = WAYS.filter(([, { type, kernels }]) => type === SERVER && kernels === tiers[0]);

/** Opens a connection that reads in that way. */
function open(way: Way, options: ConnectionOptions = {}, deflate: PerMessageDeflateOptions = {}) {
  const { type, kernels, delivery, codec, leaves } = way;
  const one = compressing(type, { offThreadFrom: 0, ...deflate }, { kernels, delivery, ...options }, codec);
  const reading = gathered();
  const off = leaves ? elsewhere(one.connection) : null;
  const take = () => reading.take(one.connection.events());
  return {
    ...one,
    take,
    found: reading.found,
    reading,
    /** Reads until so many messages and other events have come. */
    async read(count: number) {
      const enough = () => {
        take();
        return reading.found.length >= count;
      };
      if (off !== null) await off.until(enough, `event ${count} of ${JSON.stringify(reading.found).slice(0, 200)}`);
      else if (!enough()) throw new Error(`${count} events expected, found ${JSON.stringify(reading.found)}`);
      return reading.found;
    },
  };
}

/** Messages of every size, sent twice. */
const SAMPLES = [0, 1, 1023, 65_535, 65_536, 131_072, 1_500_000].map((size) => {
  const samples = [Buffer.from(prose(size)), random(size), Buffer.alloc(size)].map((data) => {
    const peer = new Peer();
    return { data: data.toString('latin1'), payloads: [peer.compress(data), peer.compress(data)] };
  });
  return [size, size < 1e6 ? samples : samples.slice(0, 2)] as const;
});

const BOMB = deflated(Buffer.alloc(16 * 1024 * 1024));
const HELLO = hex('f2 48 cd c9 c9 07 00');
/** The examples of §7.2.3. */
const EXAMPLES: readonly (readonly [name: string, frames: readonly FrameSpec[], texts: readonly string[]])[] = [
  ['one block', [squeezed(TEXT, HELLO)], ['Hello']],
  ['in fragments', [squeezed(TEXT, HELLO.slice(0, 3), false), cont(HELLO.slice(3))], ['Hello']],
  ['sharing the window', [squeezed(TEXT, HELLO), squeezed(TEXT, hex('f2 00 11 00 00'))], ['Hello', 'Hello']],
  ['a block without compression', [squeezed(TEXT, hex('00 05 00 fa ff 48 65 6c 6c 6f 00'))], ['Hello']],
  ['a block with BFINAL', [squeezed(TEXT, hex('f3 48 cd c9 c9 07 00 00'))], ['Hello']],
  ['two blocks', [squeezed(TEXT, hex('f2 48 05 00 00 00 ff ff ca c9 c9 07 00'))], ['Hello']],
  ['an empty one', [squeezed(TEXT, hex('00')), squeezed(TEXT, hex('02 00'))], ['', '']],
  [
    'behind a block with BFINAL',
    [squeezed(TEXT, hex('f3 48 cd c9 c9 07 00 00')), squeezed(TEXT, HELLO), squeezed(TEXT, hex('f2 00 11 00 00'))],
    ['Hello', 'Hello', 'Hello'],
  ],
  [
    'two streams in one message',
    [
      squeezed(TEXT, hex('f3 48 cd c9 c9 07 00 f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00')),
      squeezed(TEXT, hex('f2 00 11 00 00')),
    ],
    ['HelloHelloHello', 'Hello'],
  ],
  [
    'fragments without data',
    [squeezed(TEXT, hex(''), false), cont('', false), cont(HELLO, false), cont('')],
    ['Hello'],
  ],
  [
    'control frames and messages without it in between',
    [
      squeezed(TEXT, HELLO.slice(0, 1), false),
      ping('a'),
      cont(HELLO.slice(1)),
      text('plain'),
      squeezed(TEXT, hex('f2 00 11 00 00')),
    ],
    ['Hello', 'plain', 'Hello'],
  ],
];

describe.each(WAYS)('%s', (_, way) => {
  test.each(EXAMPLES)('%s, cut anywhere', async (_name, frames, texts) => {
    const { bytes } = open(way);
    const input = bytes(...frames);
    const pings = frames.filter(({ opcode }) => opcode === PING).length;
    for (let at = 0; at <= input.length; at++) {
      const one = open(way);
      one.connection.receiveData(input.slice(0, at));
      one.take();
      one.connection.receiveData(input.slice(at));
      const found = await one.read(texts.length + pings);
      expect(found.filter(([type]) => type === 'text').map(([, data]) => data)).toEqual(texts);
      expect(found).toHaveLength(texts.length + pings);
    }
    const bytewise = open(way);
    for (const byte of input) {
      bytewise.connection.receiveData(Uint8Array.of(byte));
      bytewise.take();
    }
    const found = await bytewise.read(texts.length + pings);
    expect(found.filter(([type]) => type === 'text').map(([, data]) => data)).toEqual(texts);
  });

  test('a message in fragments of every size', async () => {
    const data = prose(700);
    const payload = deflated(data);
    for (const size of [1, 2, 3, 50, payload.length - 1, payload.length]) {
      const one = open(way);
      const frames: FrameSpec[] = [];
      for (let at = 0; at < payload.length; at += size) {
        const [part, fin] = [payload.subarray(at, at + size), at + size >= payload.length];
        frames.push(at === 0 ? squeezed(TEXT, part, fin) : cont(part, fin));
      }
      one.receive(...frames, text('next'));
      expect(await one.read(2)).toEqual([
        ['text', data],
        ['text', 'next'],
      ]);
    }
  });

  test('any messages, with reference to each other or not, come as they were sent', async () => {
    const message = fc.record({
      data: fc.oneof(
        fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.nat()).map(([size, seed]) => Buffer.from(prose(size, seed))),
        fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
        fc.constantFrom(0, 1, 1000, 70_000).map((size) => Buffer.alloc(size, 0x61)),
      ),
      plain: fc.boolean(),
      cuts: fc.array(fc.nat(300), { maxLength: 3 }),
    });
    const chunk = fc.constantFrom(1, 7, 100, 5000, 1e6);
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 6 }),
        fc.boolean(),
        fc.constantFrom(9, 12, 15),
        chunk,
        fc.constantFrom(0, 1000),
        fc.constantFrom(...tiers),
        async (messages, takesOver, bits, size, offThreadFrom, kernels) => {
          const own = { serverNoContextTakeover: !takesOver, clientNoContextTakeover: !takesOver };
          const windows = { serverMaxWindowBits: bits, clientMaxWindowBits: bits };
          const one = open(way, { kernels }, { ...own, ...windows, offThreadFrom });
          const peer = new Peer(bits, takesOver);
          const frames = messages.flatMap(({ data, plain, cuts }) => {
            const payload = plain ? data : peer.compress(data);
            const places = [0, ...cuts.filter((at) => at < payload.length).sort((a, b) => a - b), payload.length];
            return places.slice(1).map((end, i): FrameSpec => {
              const part = payload.subarray(places[i], end);
              const fin = i === places.length - 2;
              return i > 0 ? cont(part, fin) : plain ? binary(part, fin) : squeezed(BIN, part, fin);
            });
          });
          const input = one.bytes(...frames);
          for (let at = 0; at < input.length; at += size) {
            one.connection.receiveData(input.slice(at, at + size));
            one.take();
          }
          const found = await one.read(messages.length);
          if (found.length !== messages.length) throw new Error('too much has come');
          messages.forEach(({ data }, i) => {
            if (found[i][1] !== data.toString('latin1')) throw new Error(`message ${i} is another`);
          });
          const stats = one.deflate.stats();
          const compressed = messages.filter(({ plain }) => !plain);
          expect(stats.messagesDecompressed).toBe(compressed.length);
          expect(stats.bytesDecompressed).toBe(compressed.reduce((sum, { data }) => sum + data.length, 0));
          expect(stats.decompressors).toBeLessThanOrEqual(takesOver ? 1 : 0);
          one.connection.abort();
          expect(one.deflate.stats().decompressors).toBe(0);
        },
      ),
      { numRuns: 6 },
    );
  });
});

describe.each(FEW)('%s', (_, way) => {
  test.each(SAMPLES)('messages of %i bytes', async (_size, samples) => {
    for (const { data, payloads } of samples) {
      const one = open(way, {}, { offThreadFrom: 32 * 1024 });
      one.receive(...payloads.map((payload) => squeezed(BIN, payload)), text('next'));
      const found = await one.read(3);
      if (found[0][1] !== data || found[1][1] !== data) throw new Error('it is another');
      expect(found[2]).toEqual(['text', 'next']);
    }
  });

  test('exactly maxMessageSize passes, whole and in fragments, and one byte more is 1009', async () => {
    for (const size of [0, 1, 1000, 131_072, 300_000]) {
      for (const over of [0, 1]) {
        const data = Buffer.alloc(size + over, 'x');
        const payload = deflated(data);
        const half = payload.length >> 1;
        for (const frames of [
          [squeezed(BIN, payload)],
          [squeezed(BIN, payload.subarray(0, half), false), cont(payload.subarray(half))],
          [squeezed(BIN, Buffer.concat([payload, END]), false), cont(hex('00'))],
        ]) {
          const one = open(way, { maxMessageSize: size, maxFrameSize: 1e6 });
          one.receive(...frames);
          const [[type, what]] = await one.read(1);
          if (over === 0) expect([type, (what as string).length]).toEqual(['bytes', size]);
          else expect([type, what]).toEqual(['close', 1009]);
          // What is over it is neither shown nor kept.
          expect(one.reading.unfinished).toBeLessThanOrEqual(size);
          expect(one.deflate.stats().bytesDecompressed).toBeLessThanOrEqual(size);
          if (over === 1) expect(one.reading.ending).toMatchObject({ error: { code: 'MAX_MESSAGE_SIZE' } });
        }
      }
    }
  });

  test('fragments that are within the limit each are not so together', async () => {
    const one = open(way, { maxMessageSize: 1000 });
    const peer = new Peer();
    const [first, second] = [peer.compress(Buffer.alloc(600)), peer.compress(Buffer.alloc(401))];
    one.receive(squeezed(BIN, Buffer.concat([first, END]), false), cont(second));
    expect((await one.read(1)).at(-1)).toEqual(['close', 1009]);
  });

  test('a message of a thousand times its size costs no more than the limit', async () => {
    const one = open(way, { maxMessageSize: 100_000 });
    one.receive(squeezed(BIN, BOMB));
    expect(await one.read(1)).toEqual([['close', 1009]]);
    expect(one.reading.unfinished).toBeLessThanOrEqual(100_000);
    expect(one.deflate.stats().bytesDecompressed).toBeLessThanOrEqual(100_000);
  });

  test('without a limit there is none', async () => {
    const one = open(way, { maxMessageSize: Number.POSITIVE_INFINITY, maxFrameSize: Number.POSITIVE_INFINITY });
    one.receive(squeezed(TEXT, HELLO), squeezed(BIN, deflated(Buffer.alloc(200_000))));
    const found = await one.read(2);
    expect([found[0], (found[1][1] as string).length]).toEqual([['text', 'Hello'], 200_000]);
  });

  const stored = (data: Uint8Array, length = data.length, final = 0): Uint8Array =>
    Buffer.concat([Uint8Array.of(final, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff), data]);
  const BROKEN: readonly (readonly [string, readonly FrameSpec[]])[] = [
    ...Array.from({ length: HELLO.length }, (_, i): [string, FrameSpec[]] => [
      `the first ${i} bytes of it`,
      [squeezed(TEXT, HELLO.slice(0, i))],
    ]),
    ['without data', [squeezed(TEXT, hex(''))]],
    ['without data, in two fragments', [squeezed(TEXT, hex(''), false), cont('')]],
    ['with its tail', [squeezed(TEXT, Buffer.concat([HELLO, END]))]],
    ['without its last block', [squeezed(TEXT, stored(Buffer.from('Hello')))]],
    ['garbage', [squeezed(TEXT, hex('ff ff ff'))]],
    ['a block of the reserved kind', [squeezed(TEXT, hex('06 00'))]],
    ['a length that is not that length', [squeezed(TEXT, hex('00 05 00 fa fe 48 65 6c 6c 6f 00'))]],
    ['garbage behind a whole block', [squeezed(TEXT, hex('f2 48 cd c9 c9 07 fe ff'))]],
    ['garbage behind a final block', [squeezed(TEXT, hex('f3 48 cd c9 c9 07 00 ff'))]],
    ['only a final block', [squeezed(TEXT, hex('f3 48 cd c9 c9 07 00'))]],
    ['a reference to what never was', [squeezed(TEXT, hex('f2 00 11 00 00'))]],
    [
      'a reference to what was before a final block',
      [squeezed(TEXT, hex('f3 48 cd c9 c9 07 00 00')), squeezed(TEXT, hex('f2 00 11 00 00'))],
    ],
  ];

  test.each(BROKEN)('%s fails with 1007, cut anywhere', async (_name, frames) => {
    const { bytes } = open(way);
    const input = bytes(...frames);
    for (let at = 0; at < input.length; at++) {
      const one = open(way);
      one.connection.receiveData(input.slice(0, at));
      one.take();
      one.connection.receiveData(input.slice(at));
      const wanted = frames.filter(({ opcode, fin }) => opcode === TEXT && fin !== false).length;
      const found = await one.read(Math.max(1, wanted));
      expect(found.at(-1)).toEqual(['close', 1007]);
      expect(one.reading.ending).toMatchObject({ origin: 'violation', error: { code: 'INVALID_PAYLOAD' } });
      expect([one.connection.state, one.connection.transport]).toEqual([CLOSED, 'destroy']);
      expect(one.deflate.stats().decompressors).toBe(0);
      expect(one.written().map(({ opcode, payload }) => [opcode, payload[0] * 256 + payload[1]])).toEqual([[8, 1007]]);
    }
  });

  test('who begins anew with every message may not refer to the last', async () => {
    const one = open(way, {}, { clientNoContextTakeover: true });
    one.receive(squeezed(TEXT, HELLO), squeezed(TEXT, hex('f2 00 11 00 00')));
    expect(await one.read(2)).toEqual([
      ['text', 'Hello'],
      ['close', 1007],
    ]);
  });

  test('a text may be split anywhere, also by the slices that it is decompressed in', async () => {
    for (const unit of ['é', '€', '😀', 'a€']) {
      const data = `x${unit.repeat(100_000)}`;
      const one = open(way);
      one.receive(squeezed(TEXT, deflated(data)));
      const [[type, found]] = await one.read(1);
      expect(type).toBe('text');
      if (found !== data) throw new Error('it is another');
    }
  });

  test.each([
    ['at the start', Buffer.concat([Buffer.of(0xff), Buffer.alloc(300_000, 'a')])],
    ['far in', Buffer.concat([Buffer.alloc(300_000, 'a'), Buffer.of(0xc0), Buffer.alloc(10)])],
    ['at the end', Buffer.concat([Buffer.alloc(300_000, 'a'), Buffer.from('€').subarray(0, 2)])],
    ['alone', Buffer.of(0x80)],
  ])('a text that is not UTF-8 %s fails with 1007', async (_name, data) => {
    const one = open(way);
    one.receive(squeezed(TEXT, deflated(data)));
    expect((await one.read(1)).at(-1)).toEqual(['close', 1007]);
    expect(one.reading.ending).toMatchObject({ error: { code: 'INVALID_UTF8' } });
  });

  test('and fails as soon as it can be known', async () => {
    if (way.isWhole) return;
    const one = open(way);
    const payload = Buffer.concat([deflated(Buffer.from('abc\xff', 'latin1')), END]);
    one.receive({ ...squeezed(TEXT, payload, false) });
    expect(await one.read(1)).toEqual([['close', 1007]]);
  });

  test('bits that mean nothing fail with 1002', async () => {
    const frames: FrameSpec[][] = [
      [squeezed(TEXT, HELLO.slice(0, 3), false), { ...cont(HELLO.slice(3)), rsv: RSV1 }],
      [text('a', false), { ...cont('b'), rsv: RSV1 }],
      [{ ...ping(), rsv: RSV1 }],
      [{ ...close(1000), rsv: RSV1 }],
      [{ ...text('a'), rsv: RSV2 }],
      [{ ...text('a'), rsv: RSV3 }],
      [{ ...squeezed(TEXT, HELLO), rsv: RSV1 | RSV2 }],
    ];
    for (const one of frames) {
      const { receive, read, reading } = open(way);
      receive(...one);
      expect((await read(1)).at(-1)).toEqual(['close', 1002]);
      expect(reading.ending).toMatchObject({ error: { code: 'RESERVED_BITS' } });
    }
    const without = connected(way.type, { kernels: way.kernels });
    without.receive(squeezed(TEXT, HELLO));
    expect(without.connection.nextEvent()).toMatchObject({ code: 1002, error: { code: 'RESERVED_BITS' } });
  });

  test('what was handed out does not change afterwards', async () => {
    const one = open(way);
    const peer = new Peer();
    const held: Buffer[] = [];
    const expected: string[] = [];
    for (let i = 0; i < 120; i++) {
      const data = random(1 + ((i * 137) % 2900));
      expected.push(data.toString('latin1'));
      one.receive(squeezed(BIN, peer.compress(data)));
      await eventually(() => {
        for (const event of one.connection.events()) if (event.type === 'bytes') held.push(event.data as Buffer);
        return (
          held.reduce((sum, { length }) => sum + length, 0) >= expected.reduce((sum, { length }) => sum + length, 0)
        );
      }, 'a message');
    }
    expect(Buffer.concat(held).toString('latin1')).toBe(expected.join(''));
  });

  test.each([4099, 1e6])(
    'memory that is lent may be used again as soon as it was given back, in %i bytes',
    async (size) => {
      const one = open(way);
      const peer = new Peer();
      // So much that it is decompressed in several slices.
      const messages = [prose(400_000, 2), prose(500), prose(3000, 3)];
      const input = one.bytes(...messages.flatMap((data) => [squeezed(TEXT, peer.compress(data)), ping('p')]));
      const memory = Buffer.alloc(input.length);
      for (let at = 0; at < input.length; at += size) {
        const part = input.subarray(at, at + size);
        memory.set(part);
        one.connection.receiveBorrowed(memory.subarray(0, part.length));
        one.take();
        one.connection.keep();
        memory.fill(0xff);
      }
      const found = await one.read(6);
      expect(found.filter(([type]) => type === 'text').map(([, data]) => data)).toEqual(messages);
    },
  );

  test('the window is that of the other side, and what is beyond it may not be referred to', async () => {
    const { type } = way;
    const [large, small] =
      type === SERVER ? ['clientMaxWindowBits', 'serverMaxWindowBits'] : ['serverMaxWindowBits', 'clientMaxWindowBits'];
    const noise = random(30_000);
    const [before, after] = [deflated(noise), deflated(noise.subarray(0, 300), { dictionary: noise })];
    const wide = open(way, {}, { [small]: 9 });
    wide.receive(squeezed(BIN, before), squeezed(BIN, after));
    expect((await wide.read(2)).map(([, data]) => (data as string).length)).toEqual([30_000, 300]);
    const narrow = open(way, {}, { [large]: 9 });
    narrow.receive(squeezed(BIN, before), squeezed(BIN, after));
    expect((await narrow.read(2))[1]).toEqual(['close', 1007]);
  });

  test('after a final block in mid-message, all that came after it may be referred to', async () => {
    const noise = random(50);
    const one = open(way);
    const message = Buffer.concat([zlib.deflateRawSync(random(20)), deflated(noise)]);
    one.receive(squeezed(BIN, message), squeezed(BIN, deflated(noise, { dictionary: noise })));
    expect((await one.read(2))[1]).toEqual(['bytes', noise.toString('latin1')]);
  });
});

/** Messages whose end no sender makes: a block takes the tail in. */
describe.each(CODECS)('a last block that swallows the tail (%s)', (_, codec) => {
  const few = Buffer.alloc(100, 'x');
  const many = Buffer.alloc(8192, 'x');
  const swallowing = (data: Uint8Array, final: number): Uint8Array => {
    const length = data.length + 4;
    return Buffer.concat([Uint8Array.of(final, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255), data]);
  };

  test.each([
    ['final, little to refer to', swallowing(few, 1), few],
    ['final, much to refer to', swallowing(many, 1), many],
    ['not final, little to refer to', swallowing(few, 0), few],
    ['not final, much to refer to', swallowing(many, 0), many],
  ])('%s', (_name, payload, data) => {
    const { receive, connection, deflate } = compressing(SERVER, {}, {}, codec);
    receive(squeezed(BIN, payload));
    const reading = gathered();
    reading.take(connection.events());
    expect(reading.found).toEqual([['bytes', `${data.toString()}\0\0ÿÿ`]]);
    deflate.handleTimeout(0);
    deflate.handleTimeout(100_000);
    expect(deflate.stats().decompressors).toBe(0);
    receive(squeezed(TEXT, HELLO), squeezed(TEXT, hex('f2 00 11 00 00')));
    reading.take(connection.events());
    expect(reading.found.slice(1)).toEqual([
      ['text', 'Hello'],
      ['text', 'Hello'],
    ]);
  });

  test('within a byte: its connection may fail, and no other does', () => {
    // A block whose code for the end of it is nine ones: of the tail, 16 zeros are literals, and 7 bits are left over.
    const bits: number[] = [];
    const write = (value: number, count: number): void => {
      for (let i = 0; i < count; i++) bits.push((value >> i) & 1);
    };
    const code = (value: number, count: number): void => {
      for (let i = count - 1; i >= 0; i--) bits.push((value >> i) & 1);
    };
    write(0b100, 3);
    write(0, 5);
    write(0, 5);
    write(15, 4);
    // Lengths of codes 1, 2, ... 9 for the literals 0 to 7 and 256, and another of 9 for the literal 8.
    const lengths = [1, 2, 3, 4, 5, 6, 7, 8, 9, ...Array<number>(247).fill(0), 9, 0];
    const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    // Every length from 0 to 9 has a code of 4 bits, and so have six that are not used.
    for (const symbol of order) write(symbol < 16 ? 4 : 0, 3);
    for (const length of lengths) code(length, 4);
    for (let i = 0; i < 8192; i++) code(0, 1);
    while (bits.length % 8 !== 0) code(0, 1);
    const payload = Uint8Array.from({ length: bits.length / 8 }, (_, i) =>
      bits.slice(i * 8, i * 8 + 8).reduce((sum, bit, at) => sum | (bit << at), 0),
    );
    const { receive, connection, deflate } = compressing(SERVER, {}, {}, codec);
    receive(squeezed(BIN, payload));
    const event = connection.nextEvent();
    expect(event).toMatchObject(codec === CODECS[0][1] ? { type: 'bytes' } : { type: 'close', code: 1007 });
    deflate.handleTimeout(0);
    deflate.handleTimeout(100_000);
    expect(deflate.stats().decompressors).toBe(0);
  });
});

test('very many streams within one message are read one by one', () => {
  const { receive, connection } = compressing(SERVER);
  receive(squeezed(BIN, Buffer.concat([Buffer.alloc(60_000, Buffer.from('0300', 'hex')), HELLO])));
  expect(connection.nextEvent()).toMatchObject({ type: 'bytes', data: Buffer.from('Hello') });
});

describe('while a message is decompressed elsewhere', () => {
  const data = prose(400_000);
  const codec = CODECS[0][1];
  const make = (options: ConnectionOptions = {}, type = SERVER) => {
    const one = compressing(type, { offThreadFrom: 1024 }, options, codec);
    const [off, reading] = [elsewhere(one.connection), gathered()];
    const take = () => reading.take(one.connection.events());
    return {
      ...one,
      ...off,
      found: reading.found,
      take,
      /** Reads until so many messages and other events have come. */
      arrived: (count: number) =>
        off.until(() => {
          take();
          return reading.found.length >= count;
        }, `event ${count}`),
    };
  };

  test.each(ROLES.map((type) => [roleName(type), type] as const))(
    'Pings and Pongs overtake it, nothing else: %s',
    async (_, type) => {
      const { receive, found, take, arrived, written } = make({ autoPong: true, autoClose: true }, type);
      receive(squeezed(TEXT, deflated(data)), ping('1'), pong('2'), text('behind'), ping('3'), close(1000), ping('4'));
      take();
      expect(found).toEqual([
        ['ping', '1'],
        ['pong', '2'],
      ]);
      expect(written()).toMatchObject([{ opcode: 10, payload: Uint8Array.of(0x31) }]);
      await arrived(6);
      expect(found.slice(2)).toEqual([
        ['text', data],
        ['text', 'behind'],
        ['ping', '3'],
        ['close', 1000],
      ]);
      expect(written().map(({ opcode }) => opcode)).toEqual([10, 8]);
    },
  );

  test('a Close does not overtake it, cut anywhere', async () => {
    const one = make();
    const head = one.bytes(squeezed(TEXT, deflated(data)));
    const tail = one.bytes(close(1000, 'bye'));
    for (let at = 0; at <= tail.length; at++) {
      const { connection, found, take, arrived } = make();
      for (const part of [head.slice(), tail.slice(0, at), tail.slice(at)]) {
        connection.receiveData(part);
        take();
      }
      expect(found).toEqual([]);
      await arrived(2);
      expect(found).toEqual([
        ['text', data],
        ['close', 1000],
      ]);
    }
  });

  test('a Ping between its fragments, cut anywhere, overtakes it', async () => {
    const payload = deflated(data);
    const one = make();
    const head = one.bytes(squeezed(TEXT, payload.subarray(0, 50_000), false));
    const tail = one.bytes(ping('abc'), cont(payload.subarray(50_000)));
    for (const at of [0, 1, 2, 5, 6, 7, 8, 9, 10]) {
      const { connection, found, take, arrived } = make();
      connection.receiveData(head.slice());
      take();
      connection.receiveData(tail.slice(0, at));
      take();
      connection.receiveData(tail.slice(at));
      take();
      await arrived(2);
      expect(found).toEqual([
        ['ping', 'abc'],
        ['text', data],
      ]);
    }
  });

  test('what waits counts as not read, and reading stops', async () => {
    const { bytes, connection, arrived } = make({ receiveHighWater: 1000 });
    const first = bytes(squeezed(BIN, deflated(random(100_000))));
    expect(connection.receiveData(first)).toBe(false);
    connection.poll();
    expect(connection.bufferedBytes).toBeGreaterThan(1000);
    expect(connection.wantsData).toBe(false);
    await arrived(1);
    expect([connection.bufferedBytes, connection.wantsData]).toEqual([0, true]);
  });

  test('the end of the stream comes behind it', async () => {
    const { receive, connection, found, take, arrived } = make();
    receive(squeezed(TEXT, deflated(data)));
    connection.receiveData(null);
    take();
    expect(found).toEqual([]);
    await arrived(2);
    expect(found).toEqual([
      ['text', data],
      ['close', 1006],
    ]);
  });

  test('so does a violation', async () => {
    const { receive, found, arrived } = make();
    receive(squeezed(TEXT, deflated(data)), ping('p'), { ...text('a'), rsv: RSV3 });
    await arrived(3);
    expect(found).toEqual([
      ['ping', 'p'],
      ['text', data],
      ['close', 1002],
    ]);
  });

  test('and one of its own ends it', async () => {
    const { receive, found, arrived, deflate } = make();
    receive(squeezed(TEXT, Buffer.concat([deflated(data).subarray(0, -20), Buffer.alloc(30, 0xff)])), text('never'));
    await arrived(1);
    expect(found).toEqual([['close', 1007]]);
    expect(deflate.stats().decompressors).toBe(0);
  });

  test('whoever is given up hears nothing more, and its context is given back', async () => {
    const given = make();
    const { deflate, told, connection } = given;
    const peer = new Peer();
    // One that has a decompressor of its own.
    given.receive(squeezed(BIN, peer.compress(random(8000))));
    await given.arrived(1);
    expect(deflate.stats().decompressors).toBe(1);
    const before = told.count;
    given.receive(squeezed(TEXT, peer.compress(data)));
    expect(connection.poll()).toBe(0);
    connection.abort();
    expect(deflate.stats().decompressors).toBe(0);
    given.take();
    expect(given.found.slice(1)).toEqual([['close', 1006]]);
    // Another, begun later, is done later.
    const other = make();
    other.receive(squeezed(TEXT, deflated(data)));
    await other.arrived(1);
    given.take();
    expect([told.count, given.found.length]).toEqual([before, 2]);
  });

  test('a pause holds it back, and a deadline ends it', async () => {
    const { receive, connection, found, take, until, told, deflate } = make();
    receive(squeezed(TEXT, deflated(data)));
    connection.poll();
    connection.pause();
    await until(() => told.count > 0, 'the first slice');
    take();
    expect(found).toEqual([]);
    connection.resume();
    connection.queue(new CloseConnection(1000));
    connection.poll();
    connection.handleTimeout(0);
    connection.handleTimeout(1e9);
    take();
    expect(found).toEqual([['close', 1006]]);
    expect(deflate.stats().decompressors).toBe(0);
  });
});

test('however many are given up while they wait, the pool goes on', async () => {
  // A codec that is done when it is told.
  const begun: ((error: Error | null) => void)[] = [];
  const decompressor: Decompressor = {
    limit: 0,
    inputLeft: 0,
    roomLeft: 1,
    run: () => {},
    start: (...args) => void begun.push(args[7]),
    reset: () => {},
    close: () => {},
    window: () => Buffer.alloc(0),
    prime: () => {},
  };
  const codec: Codec = { compressor: () => decompressor, decompressor: () => decompressor };
  const limits = { level: 1, memLevel: 1, maxContexts: 10, contextIdleTimeout: 1000 };
  const contexts = new Contexts(codec, limits);
  const make = () => new Inflater(contexts, new Traffic(), 15, true, 0);
  const told: number[] = [];
  const all = Array.from({ length: 20_000 }, (_, i) => {
    const inflater = make();
    if (inflater.decode(HELLO, true, 100, () => told.push(i)) !== null) throw new Error('it does not wait');
    return inflater;
  });
  // What was given up in other tests may still be under way.
  while (begun.length === 0) await new Promise(setImmediate);
  const running = begun.length;
  expect(running).toBeLessThan(all.length);
  for (const inflater of all.slice(0, -1)) inflater.close();
  for (const done of begun.splice(0, running)) done(null);
  // The one that was not given up is what is left.
  expect(begun).toHaveLength(1);
  begun[0](null);
  expect(told).toEqual([all.length - 1]);
});

test('a client reads what its server sends, and the other way round', () => {
  const [here, there] = [compressing(CLIENT, { threshold: 0 }), compressing(SERVER, { threshold: 0 })];
  const reading = gathered();
  for (let i = 0; i < 20; i++) here.connection.queueText(prose(300, i));
  for (const { opcode, rsv, payload } of here.written()) there.receive({ opcode, rsv, payload });
  reading.take(there.connection.events());
  expect(reading.found.map(([, data]) => data)).toEqual(Array.from({ length: 20 }, (_, i) => prose(300, i)));
});

test('the reference refuses what is wrong, too', () => {
  expect(() => zlib.inflateRawSync(hex('f2 00 11 00 00'), { finishFlush: zlib.constants.Z_SYNC_FLUSH })).toThrow();
});
