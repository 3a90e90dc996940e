/** What extensions do to a connection; the extensions here are made for the test. */

import { describe, expect, test } from 'vitest';
import { TextMessage } from '../../src/core/events.js';
import { type Extension, RSV1, RSV2, RSV3 } from '../../src/core/extensions/extension.js';
import { binary, CLOSED, cont, type FrameSpec, ping, text, utf8 } from '../conformance/support.js';
import { CLIENT, connected, kept, ROLES, roleName, SERVER } from './support.js';

interface Call {
  readonly size: number;
  readonly rsv: number;
  readonly finished: boolean;
  readonly limit: number;
}

/** XORs payloads with a byte, and marks messages with an RSV bit. */
function xorWith(byte: number, rsv: number): Extension & { readonly decoded: Call[]; readonly encodings: boolean[][] } {
  const decoded: Call[] = [];
  const encodings: boolean[][] = [];
  return {
    name: `xor-${byte}`,
    rsv,
    decoded,
    encodings,
    decode(data, seen, finished, limit) {
      decoded.push({ size: data.length, rsv: seen, finished, limit });
      for (let i = 0; i < data.length; i++) data[i] ^= byte;
      return data;
    },
    encode(payload, first, finished) {
      encodings.push([first, finished]);
      return { payload: payload.map((value) => value ^ byte), rsv: first ? rsv : 0 };
    },
  };
}

/** Doubles every byte, so that sizes differ; undone, an odd one is an error. */
function doubling(rsv: number): Extension {
  return {
    name: 'doubling',
    rsv,
    decode(data, _rsv, _finished, limit) {
      if (data.length % 2 !== 0) throw new Error('odd');
      const half = data.filter((_, i) => i % 2 === 0);
      if (half.length > limit) throw new RangeError('too much');
      return half;
    },
    encode: (payload, first) => ({
      payload: Uint8Array.from({ length: payload.length * 2 }, (_, i) => payload[i >> 1]),
      rsv: first ? rsv : 0,
    }),
  };
}

/** Adds to every byte, which is something else before than after a XOR. */
function adding(number: number, rsv: number): Extension {
  return {
    name: 'adding',
    rsv,
    decode: (data) => data.map((byte) => byte - number),
    encode: (payload, first) => ({ payload: payload.map((byte) => byte + number), rsv: first ? rsv : 0 }),
  };
}

/** Turns each byte into as many as it says. */
const expanding: Extension = {
  name: 'expanding',
  rsv: RSV1,
  decode(data, _rsv, _finished, limit) {
    const size = data.reduce((sum, value) => sum + value, 0);
    if (size > limit) throw new RangeError('over the limit');
    return new Uint8Array(size).fill(0x78);
  },
  encode: (payload) => ({ payload, rsv: 0 }),
};

const xored = (payload: string, byte = 0x55): Uint8Array => utf8(payload).map((value) => value ^ byte);
const WIDE = 'a\u00e9\u20ac\u{1f600}z';

describe.each(ROLES.map((type) => [roleName(type), type] as const))('an extension of a %s', (_, type) => {
  test.each(['messages', 'frames', 'chunks'] as const)('decodes, delivered as %s', (delivery) => {
    const data = xored(WIDE);
    for (let size = 1; size <= 40; size++) {
      for (let at = 0; at <= data.length; at += 2) {
        const extension = xorWith(0x55, RSV2);
        const { connection, bytes } = connected(type, { delivery }, [extension]);
        const frames: FrameSpec[] = [
          { opcode: 1, fin: false, rsv: RSV2, payload: data.slice(0, at) },
          ping('p'),
          cont(data.slice(at)),
          text('plain'),
          { ...binary(xored('bin')), rsv: RSV2 },
        ];
        const input = bytes(...frames);
        let told = '';
        let whole = 0;
        for (let from = 0; from < input.length; from += size) {
          connection.receiveData(input.slice(from, from + size));
          for (const event of connection.events()) {
            kept(event);
            if (event.type === 'text') told += event.data;
            else if (event.type === 'bytes') told += Buffer.from(event.data).toString();
            else told += event.type === 'ping' ? '' : event.type;
            if (connection.messageFinished && event.type !== 'ping') whole++;
          }
        }
        if (told !== `${WIDE}plainbin` || whole !== 3) expect([told, whole]).toEqual([`${WIDE}plainbin`, 3]);
        // A message without the bit is left alone; each piece is decoded once, and the last says so.
        expect(extension.decoded.reduce((sum, call) => sum + call.size, 0)).toBe(data.length + 3);
        expect(extension.decoded.filter(({ finished }) => finished)).toHaveLength(2);
        expect(extension.decoded.every(({ rsv }) => rsv === RSV2)).toBe(true);
      }
    }
  });

  test('encodes, whole and in fragments', () => {
    const extension = xorWith(0x55, RSV2);
    const { connection, written } = connected(type, {}, [extension]);
    connection.queueText('whole');
    connection.queueText('fir\ud83d', false);
    connection.queueText('\ude00st');
    connection.queueBytes(new Uint8Array(20_000));
    connection.queueText('');
    const frames = written();
    expect(frames.map(({ opcode, fin, rsv }) => [opcode, fin, rsv])).toEqual([
      [1, true, RSV2],
      [1, false, RSV2],
      [0, true, 0],
      [2, true, RSV2],
      [1, true, RSV2],
    ]);
    expect(frames.slice(0, 3).map(({ payload }) => payload)).toEqual([xored('whole'), xored('fir'), xored('😀st')]);
    expect(extension.encodings.slice(0, 3)).toEqual([
      [true, true],
      [true, false],
      [false, true],
    ]);
  });

  test('control frames pass it by, and take no bit of its', () => {
    const extension = xorWith(0x55, RSV2);
    const { connection, written, receive } = connected(type, { autoPong: true }, [extension]);
    receive(ping('p'));
    connection.poll();
    expect(written()).toMatchObject([{ opcode: 10, rsv: 0, payload: utf8('p') }]);
    receive({ ...ping('p'), rsv: RSV2 });
    expect(connection.nextEvent()).toMatchObject({ code: 1002, error: { code: 'RESERVED_BITS' } });
  });

  test.each([
    ['another bit', [{ ...text('a'), rsv: RSV1 }]],
    ['another bit beside its own', [{ ...text('a'), rsv: RSV2 | RSV3 }]],
    ['its bit on a continuation', [text('a', false), { ...cont('b'), rsv: RSV2 }]],
    [
      'its bit on a continuation of its message',
      [
        { ...text('a', false), rsv: RSV2 },
        { ...cont('b'), rsv: RSV2 },
      ],
    ],
  ])('%s is refused', (_, frames) => {
    const { connection, bytes } = connected(type, {}, [xorWith(0x55, RSV2)]);
    for (const byte of bytes(...frames)) {
      connection.receiveData(Uint8Array.of(byte));
      if (connection.poll() !== 0) break;
    }
    expect(connection.event()).toMatchObject({ code: 1002, error: { code: 'RESERVED_BITS' } });
  });

  test('what it makes of a text must be UTF-8, wherever that fails', () => {
    for (const delivery of ['messages', 'frames', 'chunks'] as const) {
      const { connection, receive } = connected(type, { delivery }, [xorWith(0x55, RSV2)]);
      receive({ ...text(Uint8Array.of(0xff ^ 0x55), false), rsv: RSV2 });
      expect(connection.nextEvent()).toMatchObject({ code: 1007, error: { code: 'INVALID_UTF8' } });
    }
  });

  test('data that it cannot decode fails with 1007', () => {
    const { connection, receive, written } = connected(type, {}, [doubling(RSV1)]);
    receive({ ...binary('odd'), rsv: RSV1 }, text('never'));
    expect(connection.nextEvent()).toMatchObject({
      code: 1007,
      origin: 'violation',
      error: { code: 'INVALID_PAYLOAD' },
    });
    expect([connection.state, connection.transport]).toEqual([CLOSED, 'destroy']);
    expect(written()).toMatchObject([{ opcode: 8 }]);
  });

  test('more than maxMessageSize out of it fails with 1009, and it is told how much is left', () => {
    for (const delivery of ['messages', 'frames', 'chunks'] as const) {
      const make = () => connected(type, { maxMessageSize: 100, maxFrameSize: 1000, delivery }, [expanding]);
      const fits = make();
      fits.receive({ ...text(Uint8Array.of(60), false), rsv: RSV1 }, cont(Uint8Array.of(40)));
      const found = [...fits.connection.events()];
      expect(found.reduce((sum, event) => sum + (event.type === 'text' ? event.data.length : 1000), 0)).toBe(100);
      const over = make();
      over.receive({ ...text(Uint8Array.of(60), false), rsv: RSV1 }, cont(Uint8Array.of(41)));
      expect([...over.connection.events()].at(-1)).toMatchObject({ code: 1009, error: { code: 'MAX_MESSAGE_SIZE' } });
    }
  });

  test('what counts is what comes out of it, where less comes out than goes in', () => {
    const { connection, receive } = connected(type, { maxMessageSize: 100, maxFrameSize: 1000 }, [doubling(RSV1)]);
    receive({ ...text('x'.repeat(200)), rsv: RSV1 });
    expect(connection.nextEvent()).toEqual(new TextMessage('x'.repeat(100)));
    receive(text('y'.repeat(101)));
    expect(connection.nextEvent()).toMatchObject({ code: 1009, error: { code: 'MAX_MESSAGE_SIZE' } });
  });

  test('one that gives more than it may is not believed', () => {
    const liar: Extension = { ...expanding, decode: () => new Uint8Array(101) };
    const { connection, receive } = connected(type, { maxMessageSize: 100 }, [liar]);
    receive({ ...binary('x'), rsv: RSV1 });
    expect(connection.nextEvent()).toMatchObject({ code: 1009 });
  });

  test('one that cannot encode leaves the message as it was', () => {
    let fails = false;
    const failing: Extension = {
      ...xorWith(0, RSV1),
      encode(payload) {
        if (fails) throw new Error('cannot');
        return { payload, rsv: 0 };
      },
    };
    const { connection, written } = connected(type, {}, [failing]);
    connection.queueText('\ud83d', false);
    fails = true;
    expect(() => connection.queueText('a', false)).toThrow('cannot');
    fails = false;
    connection.queueText('\ude00');
    expect(Buffer.concat(written().map(({ payload }) => payload)).toString()).toBe('😀');
  });
});

test('two extensions: what one end encodes in order, the other undoes in reverse', () => {
  for (const delivery of ['messages', 'frames', 'chunks'] as const) {
    const make = () => [xorWith(0x0f, RSV2), adding(1, RSV3)];
    const here = connected(CLIENT, {}, make());
    const there = connected(SERVER, { delivery }, make());
    here.connection.queueText('hello', false);
    here.connection.queueText(' world');
    here.connection.queueBytes(Uint8Array.of(1, 2, 3));
    const frames = here.written();
    expect(frames.map(({ rsv }) => rsv)).toEqual([RSV2 | RSV3, 0, RSV2 | RSV3]);
    expect(frames[2].payload).toEqual(Uint8Array.of(15, 14, 13));
    there.receive(...frames.map(({ opcode, fin, rsv, payload }) => ({ opcode, fin, rsv, payload })));
    const data = [...there.connection.events()].map((event) =>
      event.type === 'text' ? event.data : event.type === 'bytes' ? [...event.data].join() : event.type,
    );
    expect(data.join('')).toBe('hello world1,2,3');
    // A message may carry the bit of one of them only.
    there.receive({ ...binary(xored('alone', 0x0f)), rsv: RSV2 }, { ...binary('bmpof'), rsv: RSV3 });
    expect([...there.connection.events()].map((event) => event.type === 'bytes' && event.data.toString())).toEqual([
      'alone',
      'alone',
    ]);
  }
});
