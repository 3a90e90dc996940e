/** Texts that are sent as bytes: whole, in fragments cut anywhere, and mixed with strings. */

import { describe, expect, test } from 'vitest';
import { BytesMessage, TextMessage } from '../../src/core/events.js';
import { RSV1 } from '../../src/core/extensions/extension.js';
import { SendLimitError } from '../../src/core/index.js';
import { tiers } from '../../src/kernels/index.js';
import { CONT, type Parsed, TEXT, utf8 } from '../conformance/support.js';
import { extension } from '../differential/extensions.js';
import { CLIENT, connected, expectLocalError, ROLES, roleName, SERVER } from './support.js';

const WIDE = 'aé水🎉z';
const joined = (frames: readonly Parsed[]): string =>
  Buffer.concat(frames.map(({ payload }) => payload)).toString('utf8');

describe.each(
  tiers.flatMap((kernels) => ROLES.map((type) => [`${roleName(type)}, ${kernels.tier}`, type, kernels] as const)),
)('bytes as text, %s', (_, type, kernels) => {
  test.for(['', 'a', WIDE, '水'.repeat(100), 'x'.repeat(70_000), `${'x'.repeat(65_535)}é`])('whole: %.10s', (text) => {
    const { connection, written } = connected(type, { kernels });
    connection.queueText(utf8(text));
    const frames = written();
    expect(frames).toMatchObject([{ opcode: TEXT, fin: true, rsv: 0 }]);
    expect(joined(frames)).toBe(text);
  });

  test('in two fragments cut at every byte', () => {
    const bytes = utf8(WIDE);
    for (let at = 0; at <= bytes.length; at++) {
      const { connection, written } = connected(type, { kernels });
      connection.queueText(bytes.subarray(0, at), false);
      connection.queueText(bytes.subarray(at));
      const frames = written();
      expect(frames.map(({ opcode, fin, payload }) => [opcode, fin, payload.length])).toEqual([
        [TEXT, false, at],
        [CONT, true, bytes.length - at],
      ]);
      expect(joined(frames)).toBe(WIDE);
    }
  });

  test('in fragments of a byte and of none', () => {
    const bytes = utf8(WIDE);
    const { connection, written } = connected(type, { kernels });
    for (let at = 0; at < bytes.length; at++) {
      connection.queueText(bytes.subarray(at, at + 1), false);
      connection.queueText(new Uint8Array(0), false);
    }
    connection.queueText(new Uint8Array(0));
    const frames = written();
    expect(frames).toHaveLength(2 * bytes.length + 1);
    expect(joined(frames)).toBe(WIDE);
    // The next message begins anew.
    connection.queueText(utf8('next'));
    expect(written()).toMatchObject([{ opcode: TEXT, fin: true }]);
  });

  test('what is not UTF-8 is refused where it is, and the message may go on', () => {
    const bytes = utf8('é水');
    for (const wrong of [[0xff], [0x80, 0x61], [0xc3], [0xa9, 0xc3]]) {
      const { connection, written } = connected(type, { kernels });
      connection.queueText(bytes.subarray(0, 3), false);
      const { queuedBytes } = connection;
      expectLocalError(() => connection.queueText(Uint8Array.from(wrong)), 'INVALID_UTF8');
      expect(connection.queuedBytes).toBe(queuedBytes);
      connection.queueText(bytes.subarray(3));
      expect(joined(written())).toBe('é水');
    }
  });

  test('the last fragment may not end inside a character, the one before it may', () => {
    const { connection, written } = connected(type, { kernels });
    const bytes = utf8('🎉');
    connection.queueText(bytes.subarray(0, 2), false);
    expectLocalError(() => connection.queueText(bytes.subarray(2, 3)), 'INVALID_UTF8');
    expectLocalError(() => connection.queueText(new Uint8Array(0)), 'INVALID_UTF8');
    connection.queueText(bytes.subarray(2, 3), false);
    connection.queueText(bytes.subarray(3));
    expect(joined(written())).toBe('🎉');
  });

  test('strings and bytes in turns, where whole characters meet', () => {
    const { connection, written } = connected(type, { kernels });
    connection.queueText('eins é', false);
    connection.queueText(utf8(' zwei 水'), false);
    connection.queueText('\ud83d', false);
    connection.queueText('\ude00', false);
    connection.queueText(utf8('drei'), false);
    connection.queueText('', false);
    connection.queueText(utf8('🎉'));
    const frames = written();
    expect(joined(frames)).toBe('eins é zwei 水😀drei🎉');
    expect(frames.map(({ opcode }) => opcode)).toEqual([TEXT, ...Array(6).fill(CONT)]);
  });

  test('a string cannot continue half a character of bytes, nor bytes that of a string', () => {
    const { connection, written } = connected(type, { kernels });
    connection.queueText(utf8('é').subarray(0, 1), false);
    for (const text of ['x', '']) {
      expectLocalError(() => connection.queueText(text, false), 'MESSAGE_UNFINISHED');
      expectLocalError(() => connection.queueText(text), 'MESSAGE_UNFINISHED');
    }
    expectLocalError(() => connection.queueBytes(utf8('x')), 'MESSAGE_UNFINISHED');
    connection.queueText(utf8('é').subarray(1), false);
    connection.queueText('\ud83d', false);
    for (const text of [utf8('x'), new Uint8Array(0), utf8('😀').subarray(2)]) {
      expectLocalError(() => connection.queueText(text, false), 'MESSAGE_UNFINISHED');
      expectLocalError(() => connection.queueText(text), 'MESSAGE_UNFINISHED');
    }
    connection.queueText('\ude00');
    expect(joined(written())).toBe('é😀');
  });

  test('not inside of a binary message, nor binary inside of it', () => {
    const { connection } = connected(type, { kernels });
    connection.queueBytes(utf8('x'), false);
    expectLocalError(() => connection.queueText(utf8('x')), 'MESSAGE_UNFINISHED');
    connection.queueBytes(utf8('x'));
    connection.queueText(utf8('x'), false);
    expectLocalError(() => connection.queueBytes(utf8('x')), 'MESSAGE_UNFINISHED');
    connection.queueText(utf8('x'));
  });

  test('half a character survives that everything before it is written', () => {
    const { connection, written } = connected(type, { kernels });
    const other = connected(type, { kernels });
    connection.queueText(utf8('é').subarray(0, 1), false);
    expect(written()).toMatchObject([{ opcode: TEXT, fin: false }]);
    // Another connection must not find what this one has left.
    other.connection.queueText(utf8('x'));
    expect(other.written()).toMatchObject([{ opcode: TEXT, fin: true }]);
    connection.queueText(utf8('é').subarray(1));
    expect(written()).toMatchObject([{ opcode: CONT, fin: true }]);
  });

  test('goes through extensions as strings do', () => {
    const both = [utf8(WIDE), WIDE].map((text) => {
      const { connection, written } = connected(type, { kernels }, [extension('xor', RSV1)]);
      connection.queueText(text, false);
      connection.queueText(text);
      return written().map(({ opcode, fin, rsv, payload }) => ({ opcode, fin, rsv, payload }));
    });
    expect(both[0]).toEqual(both[1]);
    expect(both[0].map(({ rsv }) => rsv)).toEqual([RSV1, 0]);
  });
});

describe('limits', () => {
  const big = utf8('é'.repeat(200));

  test('refuse: the bytes come back as they are, for fragments too', () => {
    const { connection, written } = connected(SERVER, { sendHardLimit: 300 });
    for (const finished of [true, false]) {
      const error = expectLocalError(() => connection.queueText(big, finished), 'SEND_HARD_LIMIT');
      expect(error).toBeInstanceOf(SendLimitError);
      expect((error as SendLimitError).event).toEqual(new BytesMessage(big, finished));
      expect((error as SendLimitError).event?.data).toBe(big);
    }
    connection.queueText(utf8('y'));
    expect(joined(written())).toBe('y');
  });

  test('what is refused leaves no half of a character behind', () => {
    const { connection, written } = connected(SERVER, { sendHardLimit: 300 });
    connection.queueText(utf8('a'), false);
    expectLocalError(() => connection.queueText(big.subarray(0, 399), false), 'SEND_HARD_LIMIT');
    connection.queueText('b');
    expect(joined(written())).toBe('ab');
  });

  test('drop: false; a fragment is refused', () => {
    const { connection, written } = connected(SERVER, { sendHardLimit: 300, overflow: 'drop' });
    expect([connection.queueText(big), connection.queuedBytes]).toEqual([false, 0]);
    connection.queueText(utf8('a'), false);
    expectLocalError(() => connection.queueText(big), 'SEND_HARD_LIMIT');
    connection.queueText(utf8('b'));
    expect(joined(written())).toBe('ab');
  });

  test('close: 1013', () => {
    const { connection, written } = connected(SERVER, { sendHardLimit: 300, overflow: 'close' });
    expect(connection.queueText(big)).toBe(false);
    expect(written()).toMatchObject([{ opcode: 8, payload: { 0: 0x03, 1: 0xf5 } }]);
  });

  test('what is not UTF-8 is refused as that, also where it is too much', () => {
    const { connection } = connected(SERVER, { sendHardLimit: 300, overflow: 'drop' });
    expectLocalError(() => connection.queueText(new Uint8Array(400).fill(0xff)), 'INVALID_UTF8');
  });

  test('sendHighWater: false above it, and a drain is owed', () => {
    const { connection, written } = connected(SERVER, { sendHighWater: 100 });
    expect([connection.queueText(utf8('x'.repeat(98))), connection.needsDrain]).toEqual([true, false]);
    expect([connection.queueText(utf8('')), connection.needsDrain]).toEqual([false, true]);
    written();
  });
});

test('small bytes are copied; large ones of a client are, too', () => {
  for (const [type, size] of [
    [SERVER, 100],
    [CLIENT, 100],
    [CLIENT, 100_000],
  ] as const) {
    const { connection, written } = connected(type);
    const bytes = new Uint8Array(size).fill(0x61);
    connection.queueText(bytes);
    bytes.fill(0x62);
    expect(joined(written())).toBe('a'.repeat(size));
  }
});

test('a TextMessage of bytes is no event that types allow, but is treated as one', () => {
  const { connection, written } = connected(SERVER);
  connection.queue(new TextMessage(utf8('é') as unknown as string));
  expect(written()).toMatchObject([{ opcode: TEXT, payload: utf8('é') }]);
});
