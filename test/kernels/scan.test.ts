import { describe, expect, test } from 'vitest';
import {
  FrameBatch,
  META_FIN,
  META_PARTIAL,
  ScanStatus,
  TEXT_ASCII,
  TEXT_INVALID,
  TEXT_UTF8,
} from '../../src/kernels/index.js';
import {
  CLIENT,
  concat,
  encode,
  noise,
  outcome,
  placed,
  type ScanOptions,
  SERVER,
  scan,
  subjects,
  text,
  xor,
} from './support.js';

const KEY = 0xc4_93_5a_17;
const EMPTY = new Uint8Array(0);
const OK = { status: 'END', key: 0, total: 0 };

describe.each(subjects)('scan, %s', (_, subject) => {
  test('an empty range has no frames', () => {
    expect(scan(subject, EMPTY)).toEqual({ ...OK, rows: [], consumed: 0 });
    expect(scan(subject, noise(9), { from: 4, to: 4 })).toEqual({ ...OK, rows: [], consumed: 4 });
  });

  describe('whole frames', () => {
    const lengths = [0, 1, 2, 7, 125, 126, 127, 300, 65535, 65536, 70000];

    test.each(lengths)('of %i bytes, to a server and to a client', (length) => {
      const payload = noise(length);
      for (const [rules, key] of [
        [SERVER, KEY],
        [CLIENT, null],
      ] as const) {
        const chunk = encode({ opcode: 2, payload, key });
        const start = chunk.length - length;
        const rows = [{ meta: META_FIN | 2, start, length }];
        expect(scan(subject, chunk, { rules })).toEqual({ ...OK, rows, consumed: chunk.length });
        expect(Buffer.compare(chunk.subarray(start), payload)).toBe(0);
      }
    });

    test.each([
      ['a continuation', 0, true],
      ['a continuation that goes on', 0, false],
      ['a text that goes on', 1, false],
      ['binary', 2, true],
      ['binary that goes on', 2, false],
      ['a close', 8, true],
      ['a ping', 9, true],
      ['a pong', 10, true],
    ])('%s', (_name, opcode, fin) => {
      const payload = text('water');
      const chunk = encode({ opcode, payload, fin, key: KEY });
      const rows = [{ meta: (fin ? META_FIN : 0) | opcode, start: 6, length: 5 }];
      expect(scan(subject, chunk)).toEqual({ ...OK, rows, consumed: 11 });
      expect(chunk.subarray(6)).toEqual(payload);
    });

    test('one after the other, each with a key of its own', () => {
      const frames = Array.from({ length: 40 }, (_, i) => ({ opcode: 2, payload: noise(i * 7, i), key: KEY + i * 77 }));
      const chunk = concat(...frames.map(encode));
      const { rows, ...rest } = scan(subject, chunk);
      expect(rest).toEqual({ ...OK, consumed: chunk.length });
      expect(rows.map(({ start, length }) => chunk.slice(start, start + length))).toEqual(
        frames.map(({ payload }) => payload),
      );
    });
  });

  test('unmasks at every alignment and every length, and touches nothing else', () => {
    for (let offset = 0; offset < 8; offset++) {
      for (let length = 0; length <= 300; length++) {
        const payload = noise(length, length);
        const frame = encode({ opcode: 2, payload, key: KEY });
        const before = concat(noise(5), frame, noise(5));
        const chunk = placed(before, offset);
        const from = 5;
        const to = from + frame.length;
        const result = scan(subject, chunk, { from, to });
        const start = to - length;
        if (result.rows[0].start !== start || result.consumed !== to) expect.fail(`${offset}, ${length}`);
        before.set(payload, start);
        if (Buffer.compare(chunk, before) !== 0) expect.fail(`bytes differ: ${offset}, ${length}`);
        const around = [
          ...new Uint8Array(chunk.buffer, 0, offset),
          ...new Uint8Array(chunk.buffer, offset + chunk.length),
        ];
        if (around.some((byte) => byte !== 0xee)) expect.fail(`bytes around were changed: ${offset}, ${length}`);
      }
    }
  });

  describe('text', () => {
    const long = 'a'.repeat(290);
    test.each([
      ['nothing', '', TEXT_ASCII],
      ['ASCII', 'water', TEXT_ASCII],
      ['the last ASCII character', '\x7f', TEXT_ASCII],
      ['long ASCII', long, TEXT_ASCII],
      ['UTF-8', 'é', TEXT_UTF8],
      ['UTF-8 at the end', `${long}水`, TEXT_UTF8],
      ['UTF-8 at the beginning', `🎉${long}`, TEXT_UTF8],
      ['a wrong byte', [0xff], TEXT_INVALID],
      ['a wrong byte at the end', [...text(long), 0x80], TEXT_INVALID],
      ['a character that is not whole', [...text(long), 0xe6, 0xb0], TEXT_INVALID],
      ['a surrogate', [0xed, 0xa0, 0x80, ...text(long)], TEXT_INVALID],
    ])('%s', (_name, content, flag) => {
      const payload = typeof content === 'string' ? text(content) : Uint8Array.from(content);
      for (const [rules, key] of [
        [SERVER, KEY],
        [CLIENT, null],
      ] as const) {
        const chunk = encode({ opcode: 1, payload, key });
        expect(scan(subject, chunk, { rules }).rows[0].meta).toBe(META_FIN | 1 | flag);
        expect(chunk.subarray(chunk.length - payload.length)).toEqual(payload);
      }
    });

    test('one byte that is not ASCII is seen wherever it stands', () => {
      for (let length = 1; length < 170; length++) {
        for (let at = 0; at < length; at++) {
          for (const [rules, key] of [
            [SERVER, KEY],
            [CLIENT, null],
          ] as const) {
            const payload = new Uint8Array(length).fill(0x41);
            payload[at] = 0x80;
            const { rows } = scan(subject, encode({ opcode: 1, payload, key }), { rules });
            if (rows[0].meta !== (META_FIN | 1 | TEXT_INVALID)) expect.fail(`${length}, ${at}`);
          }
        }
      }
    });

    test('is classified only where it is whole, unfragmented and not transformed by an extension', () => {
      const payload = text('water');
      const classified = (frame: object) =>
        scan(subject, encode({ opcode: 1, payload, key: KEY, ...frame }), { rules: SERVER | 0x70 }).rows[0].meta &
        0x300;
      expect(classified({})).toBe(TEXT_ASCII);
      expect(classified({ fin: false })).toBe(0);
      expect(classified({ rsv: 0x40 })).toBe(0);
      expect(classified({ claim: 6n })).toBe(0);
      expect(classified({ opcode: 0 })).toBe(0);
      expect(classified({ opcode: 9 })).toBe(0);
    });
  });

  describe('violations', () => {
    const payload = text('abc');
    const server = { opcode: 2, payload, key: KEY };
    const none = { opcode: 2, payload: EMPTY, key: KEY };
    const cases: [name: string, frame: Uint8Array, status: keyof typeof ScanStatus, options?: ScanOptions][] = [
      ['RSV1', encode({ ...server, rsv: 0x40 }), 'RESERVED_BITS'],
      ['RSV2', encode({ ...server, rsv: 0x20 }), 'RESERVED_BITS'],
      ['RSV3', encode({ ...server, rsv: 0x10 }), 'RESERVED_BITS'],
      ['RSV2 with RSV1 allowed', encode({ ...server, rsv: 0x60 }), 'RESERVED_BITS', { rules: SERVER | 0x40 }],
      ['RSV1 on a control frame', encode({ ...server, opcode: 9, rsv: 0x40 }), 'RESERVED_BITS'],
      [
        'an allowed RSV1 on a control frame',
        encode({ ...server, opcode: 9, rsv: 0x40 }),
        'RESERVED_BITS',
        { rules: SERVER | 0x70 },
      ],
      ['RSV before an opcode', encode({ ...server, opcode: 3, rsv: 0x40 }), 'RESERVED_BITS'],
      [
        'RSV before FIN',
        encode({ ...server, opcode: 9, rsv: 0x40, fin: false }),
        'RESERVED_BITS',
        { rules: SERVER | 0x70 },
      ],
      ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
        (opcode) =>
          [`opcode ${opcode}`, encode({ ...server, opcode }), 'RESERVED_OPCODE'] as [
            string,
            Uint8Array,
            'RESERVED_OPCODE',
          ],
      ),
      [
        'an opcode with an allowed RSV1',
        encode({ ...server, opcode: 3, rsv: 0x40 }),
        'RESERVED_OPCODE',
        { rules: SERVER | 0x70 },
      ],
      ['a fragmented close', encode({ ...server, opcode: 8, fin: false }), 'FRAGMENTED_CONTROL'],
      ['a fragmented ping', encode({ ...server, opcode: 9, fin: false }), 'FRAGMENTED_CONTROL'],
      ['a fragmented pong', encode({ ...server, opcode: 10, fin: false }), 'FRAGMENTED_CONTROL'],
      ['no mask to a server', encode({ opcode: 2, payload }), 'MASK_REQUIRED'],
      ['a mask to a client', encode(server), 'MASK_FORBIDDEN', { rules: CLIENT }],
      ['a mask before a length', encode({ opcode: 9, payload: noise(126) }), 'MASK_REQUIRED'],
      ['a ping of 126 bytes', encode({ ...server, opcode: 9, payload: noise(126) }), 'CONTROL_TOO_LONG'],
      ['a pong of 65536 bytes', encode({ ...server, opcode: 10, claim: 65536n }), 'CONTROL_TOO_LONG'],
      ['a short close in two bytes', encode({ ...server, opcode: 8, lengthBytes: 2 }), 'CONTROL_TOO_LONG'],
      ['0 in two bytes', encode({ ...none, lengthBytes: 2 }), 'LENGTH_NOT_MINIMAL'],
      ['125 in two bytes', encode({ ...none, payload: noise(125), lengthBytes: 2 }), 'LENGTH_NOT_MINIMAL'],
      ['0 in eight bytes', encode({ ...none, lengthBytes: 8 }), 'LENGTH_NOT_MINIMAL'],
      ['126 in eight bytes', encode({ ...none, payload: noise(126), lengthBytes: 8 }), 'LENGTH_NOT_MINIMAL'],
      ['65535 in eight bytes', encode({ ...none, claim: 65535n, lengthBytes: 8 }), 'LENGTH_NOT_MINIMAL'],
      ['2⁶³', encode({ ...none, claim: 1n << 63n }), 'LENGTH_RESERVED_BIT'],
      ['2⁶⁴ − 1', encode({ ...none, claim: (1n << 64n) - 1n }), 'LENGTH_RESERVED_BIT'],
      ['2⁶³ + 5 over the limit', encode({ ...none, claim: (1n << 63n) + 5n }), 'LENGTH_RESERVED_BIT', { limit: 0 }],
      ['2⁵³', encode({ ...none, claim: 1n << 53n }), 'FRAME_TOO_LARGE'],
      ['2⁵³ + 1', encode({ ...none, claim: (1n << 53n) + 1n }), 'FRAME_TOO_LARGE'],
      ['2⁶³ − 1', encode({ ...none, claim: (1n << 63n) - 1n }), 'FRAME_TOO_LARGE'],
      ['over the limit', encode({ ...server, payload: noise(11) }), 'FRAME_TOO_LARGE', { limit: 10 }],
      ['over a limit of 0', encode({ ...server, payload: noise(1) }), 'FRAME_TOO_LARGE', { limit: 0 }],
      ['over a fraction', encode({ ...server, payload: noise(11) }), 'FRAME_TOO_LARGE', { limit: 10.9 }],
      [
        'a length over the limit without its payload',
        encode({ ...none, claim: 70_000n }),
        'FRAME_TOO_LARGE',
        { limit: 69_999 },
      ],
      [
        'not minimal before the limit',
        encode({ ...none, claim: 100n, lengthBytes: 2 }),
        'LENGTH_NOT_MINIMAL',
        { limit: 10 },
      ],
    ];

    test.each(cases)('%s', (_name, frame, status, options = {}) => {
      const good = encode({ opcode: 2, payload: EMPTY, key: options.rules === CLIENT ? null : KEY });
      // Alone, and behind frames whose rows stand.
      for (const count of [0, 1, 30]) {
        const chunk = concat(noise(3), ...new Array<Uint8Array>(count).fill(good), frame, noise(9));
        const tail = chunk.slice(3 + count * good.length);
        const { rows, ...rest } = scan(subject, chunk, { from: 3, ...options });
        expect(rest).toEqual({ status, consumed: 3 + count * good.length, key: 0, total: 0 });
        expect(rows).toHaveLength(count);
        expect(chunk.slice(3 + count * good.length)).toEqual(tail);
      }
    });

    test('a violation is told as soon as the bytes that hold it have come', () => {
      const needed: Record<string, number> = {
        RESERVED_BITS: 1,
        RESERVED_OPCODE: 1,
        FRAGMENTED_CONTROL: 1,
        MASK_REQUIRED: 2,
        MASK_FORBIDDEN: 2,
        CONTROL_TOO_LONG: 2,
      };
      for (const [name, frame, status, options] of cases) {
        const lengthBytes = (frame[1] & 0x7f) === 126 ? 2 : (frame[1] & 0x7f) === 127 ? 8 : 0;
        const enough = needed[status] ?? 2 + lengthBytes;
        for (let to = 0; to < frame.length && to < 14; to++) {
          const found = scan(subject, frame.slice(0, to), options).status;
          if (found !== (to < enough ? 'END' : status)) expect.fail(`${name}: ${found} after ${to} bytes`);
        }
      }
    });
  });

  test('RSV bits that extensions allow stay in the row', () => {
    for (const rsv of [0x10, 0x20, 0x40, 0x50, 0x70]) {
      const chunk = encode({ opcode: 2, payload: text('abc'), rsv, key: KEY });
      const { rows, status } = scan(subject, chunk, { rules: SERVER | rsv });
      expect([status, rows[0].meta]).toEqual(['END', META_FIN | rsv | 2]);
    }
  });

  describe('limit', () => {
    const length = 300;
    const chunk = () => encode({ opcode: 2, payload: noise(length), key: KEY });
    test.each([length, length + 0.5, length + 1, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e300, Number.POSITIVE_INFINITY])(
      '%d lets 300 pass',
      (limit) => expect(scan(subject, chunk(), { limit }).status).toBe('END'),
    );
    test.each([0, -0, Number.MIN_VALUE, length - 1, length - 0.5])('%d does not', (limit) =>
      expect(scan(subject, chunk(), { limit }).status).toBe('FRAME_TOO_LARGE'),
    );
    test('of 0 lets an empty frame pass', () => {
      expect(scan(subject, encode({ opcode: 2, payload: EMPTY, key: KEY }), { limit: 0 }).status).toBe('END');
    });
    test.each([
      [2n ** 32n, 2 ** 32, 'PARTIAL'],
      [2n ** 32n, 2 ** 32 - 1, 'FRAME_TOO_LARGE'],
      [2n ** 53n - 1n, 2 ** 53 - 1, 'PARTIAL'],
      [2n ** 53n - 1n, Number.POSITIVE_INFINITY, 'PARTIAL'],
      [2n ** 53n - 1n, 2 ** 53 - 2, 'FRAME_TOO_LARGE'],
    ])('a claim of %d under a limit of %d: %s', (claim, limit, status) => {
      const frame = encode({ opcode: 2, payload: EMPTY, key: KEY, claim });
      expect(scan(subject, frame, { limit }).status).toBe(status);
    });
  });

  describe('what is not whole', () => {
    test('a header of any length is left unread, and nothing is changed', () => {
      for (const [rules, key] of [
        [SERVER, KEY],
        [CLIENT, null],
      ] as const) {
        for (const length of [1, 200, 70_000]) {
          const frame = encode({ opcode: 2, payload: noise(length), key });
          const first = encode({ opcode: 9, payload: text('hi'), key });
          for (let cut = 1; cut < frame.length - length; cut++) {
            const chunk = concat(first, frame.subarray(0, cut));
            const tail = chunk.slice(first.length);
            const { rows, ...rest } = scan(subject, chunk, { rules });
            expect(rest).toEqual({ ...OK, consumed: first.length });
            expect(rows).toHaveLength(1);
            expect(chunk.slice(first.length)).toEqual(tail);
          }
        }
      }
    });

    test('a payload that is not whole makes a partial row, and stays masked', () => {
      for (const [rules, key] of [
        [SERVER, KEY],
        [CLIENT, null],
      ] as const) {
        const payload = noise(300);
        const frame = encode({ opcode: 1, payload, key });
        const start = frame.length - payload.length;
        for (const there of [0, 1, 2, 100, 299]) {
          const chunk = frame.slice(0, start + there);
          const rows = [{ meta: META_FIN | META_PARTIAL | 1, start, length: there }];
          const expected = { rows, status: 'PARTIAL', consumed: chunk.length, key: (key ?? 0) | 0, total: 300 };
          expect(scan(subject, chunk, { rules })).toEqual(expected);
          expect(Buffer.compare(chunk, frame.subarray(0, chunk.length))).toBe(0);
        }
      }
    });

    test.each([2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 5n, 2n ** 53n - 1n])(
      'a partial row tells a total of %d',
      (claim) => {
        const chunk = encode({ opcode: 2, payload: noise(3), key: KEY, claim });
        const { total, key, rows } = scan(subject, chunk);
        expect([total, key, rows]).toEqual([
          Number(claim),
          KEY | 0,
          [{ meta: META_FIN | META_PARTIAL | 2, start: 14, length: 3 }],
        ]);
      },
    );

    test('frames before a partial one are unmasked, and its flags stay as they came', () => {
      const whole = encode({ opcode: 1, payload: text('whole'), key: KEY });
      const chunk = concat(
        whole,
        encode({ opcode: 2, payload: text('abc'), key: 5, claim: 4n, fin: false, rsv: 0x40 }),
      );
      const { rows, key, total } = scan(subject, chunk, { rules: SERVER | 0x40 });
      expect(rows.map(({ meta }) => meta)).toEqual([META_FIN | 1 | TEXT_ASCII, 0x40 | 2 | META_PARTIAL]);
      expect([key, total]).toEqual([5, 4]);
      expect(chunk.subarray(6, 11)).toEqual(text('whole'));
      expect(chunk.subarray(17)).toEqual(xor(text('abc'), 5));
    });
  });

  describe('a full batch', () => {
    test('stops before the next frame, and the next call goes on there', () => {
      const payloads = Array.from({ length: 23 }, (_, i) => noise(i * 3, i + 1));
      for (const capacity of [1, 2, 7, 22, 23, 24]) {
        const chunk = concat(...payloads.map((payload) => encode({ opcode: 2, payload, key: KEY })));
        const batch = new FrameBatch(capacity);
        const found: Uint8Array[] = [];
        let from = 0;
        do {
          const count = subject.scan(chunk, from, chunk.length, batch, SERVER, Number.POSITIVE_INFINITY);
          const { rows, status, consumed } = outcome(batch, count);
          for (const { start, length } of rows) found.push(chunk.slice(start, start + length));
          expect(status).toBe(found.length < payloads.length ? 'FULL' : 'END');
          if (status === 'FULL') expect(count).toBe(capacity);
          from = consumed;
        } while (batch.status === ScanStatus.FULL);
        expect(found).toEqual(payloads);
      }
    });

    test('is not full when no byte is left, and is when one is, though it breaks a rule', () => {
      const chunk = encode({ opcode: 2, payload: text('a'), key: KEY });
      expect(scan(subject, chunk, { capacity: 1 }).status).toBe('END');
      const more = concat(encode({ opcode: 2, payload: text('a'), key: KEY }), Uint8Array.of(0xff));
      expect(scan(subject, more, { capacity: 1 })).toMatchObject({ status: 'FULL', consumed: 7 });
    });

    test('no row beyond the outcome is written', () => {
      const batch = new FrameBatch(4);
      batch.table.fill(-7);
      const chunk = encode({ opcode: 2, payload: text('a'), key: KEY });
      subject.scan(chunk, 0, 7, batch, SERVER, 100);
      expect([...batch.table]).toEqual([0, 7, 0, 0, 0, META_FIN | 2, 6, 1, ...new Array(9).fill(-7)]);
    });

    test('a table with part of a row more has no room for it', () => {
      const chunk = concat(...[1, 2, 3].map((n) => encode({ opcode: 2, payload: noise(n), key: KEY })));
      const table = new Int32Array(5 + 3 + 2);
      expect(subject.scan(chunk, 0, chunk.length, { table } as unknown as FrameBatch, SERVER, 100)).toBe(1);
      expect([...table.subarray(8)]).toEqual([0, 0]);
    });
  });

  test('a batch over the memory of the chunk is nonsense, but the same nonsense', () => {
    const make = () => {
      const memory = new Uint8Array(256);
      memory.set(concat(...[3, 9, 1, 40].map((n) => encode({ opcode: 2, payload: noise(n), key: KEY }))), 20);
      const table = new Int32Array(memory.buffer, 0, 32);
      return { memory, table };
    };
    const results = subjects.map(([, { scan: run }]) => {
      const { memory, table } = make();
      return [run(memory, 20, 180, { table } as unknown as FrameBatch, SERVER, 1000), ...memory];
    });
    for (const result of results) expect(result).toEqual(results[0]);
  });
});
