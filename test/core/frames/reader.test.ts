/** How messages are handed out: whole, by frames, or in chunks. What is a violation is in `test/conformance`. */

import { describe, expect, test } from 'vitest';
import { type FrameEvent, TextMessage } from '../../../src/core/events.js';
import { Kind } from '../../../src/core/frames/kind.js';
import { type Kernels, kernels } from '../../../src/kernels/index.js';
import { binary, close, cont, type FrameSpec, ping, text, utf8 } from '../../conformance/support.js';
import { connected, kept, ROLES, roleName, SERVER } from '../support.js';

type Piece = readonly [data: string, messageFinished: boolean, frameFinished: boolean];

/** Text pieces as they came. */
const piecesOf = (events: readonly FrameEvent[]): Piece[] =>
  events
    .filter((event) => event.type === 'text' || event.type === 'bytes')
    .map(({ data, messageFinished, frameFinished }) => [
      typeof data === 'string' ? data : Buffer.from(data).toString('latin1'),
      messageFinished,
      frameFinished,
    ]);

const WIDE = 'a\u00e9\u20ac\u{1f600}z';

describe.each(ROLES.map((type) => [roleName(type), type] as const))('delivery to a %s', (_, type) => {
  /** Events of an input given in `chunks` of bytes each. */
  function events(delivery: 'messages' | 'frames' | 'chunks', size: number, ...frames: readonly FrameSpec[]) {
    const { connection, bytes } = connected(type, { delivery });
    const input = bytes(...frames);
    const found: FrameEvent[] = [];
    for (let at = 0; at < input.length; at += size) {
      connection.receiveData(input.slice(at, at + size));
      for (const event of connection.events()) found.push(kept(event));
    }
    return found;
  }

  const fragmented = [text('one', false), ping('p'), cont('', false), cont('two')];

  test('as messages', () => {
    for (const size of [1, 2, 3, 5, 100]) {
      const found = events('messages', size, ...fragmented);
      expect(found.map((event) => event.type)).toEqual(['ping', 'text']);
      expect(piecesOf(found)).toEqual([['onetwo', true, true]]);
    }
  });

  test('as frames', () => {
    for (const size of [1, 2, 3, 5, 100]) {
      const found = events('frames', size, ...fragmented, text('three'));
      expect(found.map((event) => event.type)).toEqual(['text', 'ping', 'text', 'text', 'text']);
      expect(piecesOf(found)).toEqual([
        ['one', false, true],
        ['', false, true],
        ['two', true, true],
        ['three', true, true],
      ]);
    }
  });

  test('as chunks, one byte at a time', () => {
    const found = events('chunks', 1, ...fragmented);
    expect(piecesOf(found)).toEqual([
      ['o', false, false],
      ['n', false, false],
      ['e', false, true],
      ['', false, true],
      ['t', false, false],
      ['w', false, false],
      ['o', true, true],
    ]);
    expect(found.map((event) => event.type)[3]).toBe('ping');
  });

  test('as chunks, where they are whole', () => {
    expect(piecesOf(events('chunks', 1000, ...fragmented, binary('\xff')))).toEqual([
      ['one', false, true],
      ['', false, true],
      ['two', true, true],
      ['\xc3\xbf', true, true],
    ]);
  });

  test.each(['frames', 'chunks'] as const)('characters are never torn in %s, wherever the text is cut', (delivery) => {
    const bytes = utf8(WIDE.repeat(2));
    for (let size = 1; size < 20; size++) {
      for (let at = 0; at <= bytes.length; at++) {
        const found = events(
          delivery,
          size,
          text(bytes.subarray(0, at), false),
          ping('between'),
          cont('', false),
          cont(bytes.subarray(at)),
        );
        const pieces = piecesOf(found);
        const data = pieces.map(([piece]) => piece);
        if (data.join('') !== WIDE.repeat(2) || data.some((piece) => piece.includes('\ufffd'))) {
          expect(data, `${size} bytes a chunk, ${at} in the first frame`).toEqual([WIDE.repeat(2)]);
        }
        expect(pieces.filter(([, , frameFinished]) => frameFinished)).toHaveLength(3);
        expect(pieces.filter(([, messageFinished]) => messageFinished)).toEqual([pieces.at(-1)]);
        // Nothing is told that is neither a character nor the end of a frame.
        expect(pieces.filter(([piece, , frameFinished]) => piece === '' && !frameFinished)).toEqual([]);
        expect(found.filter((event) => event.type === 'ping')).toHaveLength(1);
      }
    }
  });

  test('bytes in chunks are the bytes', () => {
    const payload = Uint8Array.from({ length: 700 }, (_, i) => i * 7);
    for (const size of [1, 3, 64, 333]) {
      const found = events('chunks', size, binary(payload.subarray(0, 301), false), cont(payload.subarray(301)));
      const data = found.map((event) => (event.type === 'bytes' ? event.data : new Uint8Array(0)));
      expect(Buffer.concat(data)).toEqual(Buffer.from(payload));
    }
  });

  test('a chunk of a text ends in a violation at its first wrong byte, after what was right', () => {
    for (const [delivery, before] of [
      ['chunks', ['a', '\u00e9']],
      ['frames', []],
      ['messages', []],
    ] as const) {
      const found = events(delivery, 1, text(Uint8Array.of(0x61, 0xc3, 0xa9, 0xe2, 0x28, 0x61)));
      expect(piecesOf(found).map(([piece]) => piece)).toEqual(before);
      expect(found.at(-1)).toMatchObject({ type: 'close', code: 1007 });
    }
  });

  test.each(['frames', 'chunks'] as const)('text that ends inside a character is a violation in %s', (delivery) => {
    for (const size of [1, 100]) {
      const found = events(delivery, size, text(Uint8Array.of(0x61, 0xc3), false), cont(''));
      expect(found.at(-1)).toMatchObject({ type: 'close', code: 1007, error: { code: 'INVALID_UTF8' } });
    }
  });

  test.each(['frames', 'chunks'] as const)('what one message held back is not found in the next, in %s', (delivery) => {
    const found = events(delivery, 1, text('\u00e9', false), cont('\u20ac'), text('next'), binary('\xe9'));
    expect(
      piecesOf(found)
        .map(([piece]) => piece)
        .join('|')
        .replaceAll(/\|+/g, ''),
    ).toBe('\u00e9\u20acnext\xc3\xa9');
  });

  test('limits hold for every delivery', () => {
    for (const delivery of ['messages', 'frames', 'chunks'] as const) {
      for (const [options, code] of [
        [{ maxMessageSize: 5 }, 'MAX_MESSAGE_SIZE'],
        [{ maxFragments: 2 }, 'MAX_FRAGMENTS'],
      ] as const) {
        const { connection, receive } = connected(type, { delivery, ...options });
        receive(text('abc', false), cont('de', false), cont('f'));
        expect([...connection.events()].at(-1)).toMatchObject({ type: 'close', error: { code } });
      }
    }
  });
});

describe('a message in pieces', () => {
  test('does not share its memory with the next one', () => {
    const { connection, bytes } = connected(SERVER);
    const input = bytes(
      binary('a'.repeat(2000), false),
      cont('b'.repeat(2000)),
      binary('c', false),
      cont('d'.repeat(3999)),
    );
    const found: Uint8Array[] = [];
    for (let at = 0; at < input.length; at += 100) {
      connection.receiveData(input.slice(at, at + 100));
      while (connection.poll() === Kind.BYTES) found.push(connection.bytes());
    }
    expect(found.map((data) => Buffer.from(data).toString())).toEqual([
      'a'.repeat(2000) + 'b'.repeat(2000),
      `c${'d'.repeat(3999)}`,
    ]);
  });

  test('leaves the last chunk masked where nothing lies that is shown', () => {
    const { connection, bytes } = connected(SERVER);
    const chunk = bytes({ opcode: 2, claim: 1000n, payload: 'x'.repeat(500) });
    const before = chunk.slice();
    connection.receiveData(chunk);
    connection.poll();
    expect(chunk).toEqual(before);
  });

  test('a single piece that completes a frame is shown where it lies', () => {
    const { connection, bytes } = connected(SERVER);
    const [header, payload] = [bytes(binary('payload')).slice(0, 6), bytes(binary('payload')).slice(6)];
    connection.receiveData(header);
    expect(connection.poll()).toBe(Kind.NEED_DATA);
    connection.receiveData(payload);
    expect(connection.poll()).toBe(Kind.BYTES);
    expect(connection.bytes().buffer).toBe(payload.buffer);
  });

  test('of many tiny chunks is unmasked once, checked once, and its header scanned once', () => {
    const work = { masked: 0, checked: 0, scans: 0 };
    const counting: Kernels = {
      tier: 'portable',
      scan: (...args) => {
        work.scans++;
        return kernels.scan(...args);
      },
      mask: (...args) => {
        work.masked += args[4];
        kernels.mask(...args);
      },
      utf8: (data, start, end, state) => {
        work.checked += end - start;
        return kernels.utf8(data, start, end, state);
      },
    };
    const { connection, bytes } = connected(SERVER, { kernels: counting });
    const size = 100_000;
    for (const byte of bytes(text('x'.repeat(size)))) connection.receiveData(Uint8Array.of(byte));
    expect(connection.poll()).toBe(Kind.TEXT);
    expect(work).toEqual({ masked: size, checked: size, scans: 14 });
  });

  test('the short way and the long way meet in any order', () => {
    for (const type of ROLES) {
      const { connection, bytes } = connected(type);
      const frames = [
        text('a'),
        text('b', false),
        ping('p'),
        cont('c'),
        text('\u00e9'),
        ping('q'),
        binary('d'),
        binary('', false),
        cont(''),
        text('e'),
        close(1000),
      ];
      const whole = bytes(...frames);
      for (let at = 0; at <= whole.length; at++) {
        const { connection: one } = connected(type);
        const found: unknown[] = [];
        for (const chunk of [whole.slice(0, at), whole.slice(at)]) {
          one.receiveData(chunk);
          for (const event of one.events()) {
            const flags = [one.frameFinished, one.messageFinished];
            found.push(event.type === 'text' ? event.data : event.type === 'bytes' ? event.data.length : event.type);
            expect(flags).toEqual([true, true]);
          }
        }
        expect(found).toEqual(['a', 'ping', 'bc', '\u00e9', 'ping', 1, 0, 'e', 'close']);
      }
      expect(connection.nextEvent()).not.toBeInstanceOf(TextMessage);
    }
  });
});
