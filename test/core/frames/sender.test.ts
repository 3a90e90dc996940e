import { describe, expect, test } from 'vitest';
import { BytesMessage, CloseConnection, Ping, Pong, TextMessage } from '../../../src/core/events.js';
import { SendLimitError } from '../../../src/core/frames/sender.js';
import { BIN, CLOSE, CLOSED, CONT, LOCAL_CLOSING, OPEN, TEXT } from '../../conformance/support.js';
import { connected, expectLocalError, ROLES, roleName, SERVER } from '../support.js';

const decode = (payload: Uint8Array): string =>
  new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
const x = (count: number): string => 'x'.repeat(count);

describe.each(ROLES.map((type) => [roleName(type), type] as const))('a fragmented message of a %s', (_, type) => {
  test('is one of frames', () => {
    const { connection, written } = connected(type);
    connection.queueText('a', false);
    connection.queue(new TextMessage('b', false));
    connection.queue(new Ping());
    connection.queueText('', false);
    connection.queueText('c');
    connection.queueBytes(new Uint8Array(1), false);
    connection.queueBytes(new Uint8Array(0));
    connection.queueText('whole');
    expect(written().map(({ opcode, fin }) => [opcode, fin])).toEqual([
      [TEXT, false],
      [CONT, false],
      [9, true],
      [CONT, false],
      [CONT, true],
      [BIN, false],
      [CONT, true],
      [TEXT, true],
    ]);
  });

  test('may split surrogate pairs, wherever they are', () => {
    const string = '😀a😀😀€\ud83d!\ude00z\ud83d';
    const expected = Buffer.from(string).toString();
    for (let first = 0; first <= string.length; first++) {
      for (let second = first; second <= string.length; second++) {
        const { connection, written } = connected(type);
        connection.queueText(string.slice(0, first), false);
        connection.queueText(string.slice(first, second), false);
        connection.queueText(string.slice(second));
        connection.queueText('\ude00');
        const frames = written();
        expect(frames).toHaveLength(4);
        expect(decode(Buffer.concat(frames.slice(0, 3).map(({ payload }) => payload)))).toBe(expected);
        // Each fragment is text by itself, and nothing of this message is left to the next.
        for (const { payload } of frames) decode(payload);
        expect(decode(frames[3].payload)).toBe('\ufffd');
      }
    }
  });

  test('takes neither bytes into text nor text into bytes', () => {
    const { connection, written } = connected(type);
    connection.queueText('a', false);
    expectLocalError(() => connection.queueBytes(new Uint8Array(1)), 'MESSAGE_UNFINISHED');
    connection.queueText('b');
    connection.queueBytes(new Uint8Array(1), false);
    expectLocalError(() => connection.queueText('c'), 'MESSAGE_UNFINISHED');
    connection.queueBytes(new Uint8Array(1));
    expect(written().map(({ opcode }) => opcode)).toEqual([TEXT, CONT, BIN, CONT]);
  });

  test('may end in a Close', () => {
    const { connection, written } = connected(type);
    connection.queueText('a', false);
    connection.queue(new CloseConnection(1000));
    expect(written().map(({ opcode, fin }) => [opcode, fin])).toEqual([
      [TEXT, false],
      [CLOSE, true],
    ]);
  });
});

describe('sendHardLimit', () => {
  const limits = { sendHighWater: 10, sendLowWater: 5, sendHardLimit: 100 };

  test('refuse throws the message back, and nothing changes', () => {
    const { connection, written } = connected(SERVER, limits);
    connection.queueText(x(60));
    const before = connection.queuedBytes;
    const data = new Uint8Array(50);
    const messages = [new BytesMessage(data), new TextMessage(x(50)), new TextMessage('€'.repeat(13), false)];
    for (const message of messages) {
      const error = expectLocalError(() => connection.queue(message), 'SEND_HARD_LIMIT');
      expect(error).toBeInstanceOf(SendLimitError);
      expect((error as SendLimitError).event).toEqual(message);
    }
    expect([connection.queuedBytes, connection.state]).toEqual([before, OPEN]);
    connection.queueBytes(new Uint8Array(1));
    expect(written().map(({ opcode, fin }) => [opcode, fin])).toEqual([
      [TEXT, true],
      [BIN, true],
    ]);
  });

  test('is reached, not passed, and counts what is not acknowledged', () => {
    const { connection } = connected(SERVER, limits);
    connection.queueBytes(new Uint8Array(46));
    connection.queueText('€'.repeat(16) + x(2));
    expect(connection.queuedBytes).toBe(100);
    expectLocalError(() => connection.queueText(''), 'SEND_HARD_LIMIT');
    connection.takeOutput([]);
    expectLocalError(() => connection.queueText(''), 'SEND_HARD_LIMIT');
    connection.acknowledge(100);
    connection.queueBytes(new Uint8Array(98));
    expect(connection.queuedBytes).toBe(100);
  });

  test('Infinity is none', () => {
    const { connection } = connected(SERVER, { sendHardLimit: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 5; i++) connection.queueBytes(new Uint8Array(8 << 20));
    expect(connection.queuedBytes).toBeGreaterThan(40_000_000);
  });

  test('control frames and a Close pass it', () => {
    const { connection, written } = connected(SERVER, limits);
    connection.queueBytes(new Uint8Array(98));
    connection.queue(new Pong());
    expect(connection.queue(new CloseConnection(1000))).toBe(false);
    expect(written()).toHaveLength(3);
  });

  test('drop forgets the message', () => {
    const { connection, written } = connected(SERVER, { ...limits, overflow: 'drop' });
    connection.queueText(x(60));
    expect(connection.queueText(x(60))).toBe(false);
    expect(connection.queueBytes(new Uint8Array(60))).toBe(false);
    connection.queueText('last');
    expect(connection.state).toBe(OPEN);
    expect(written().map(({ payload }) => payload.length)).toEqual([60, 4]);
  });

  test('a drain follows the false of a dropped message', () => {
    const { connection, written } = connected(SERVER, { ...limits, sendLowWater: 10, overflow: 'drop' });
    connection.queueText(x(60));
    expect([connection.queueText(x(60)), connection.needsDrain]).toEqual([false, true]);
    written();
    expect(connection.needsDrain).toBe(false);
    // With nothing queued there is nothing to drain.
    expect([connection.queueText(x(200)), connection.needsDrain]).toEqual([false, false]);
  });

  test('a Ping of the caller is held to the limit too', () => {
    const { connection, written } = connected(SERVER, limits);
    connection.queueText(x(90));
    expectLocalError(() => connection.queue(new Ping(new Uint8Array(20))), 'SEND_HARD_LIMIT');
    expect(written()).toHaveLength(1);
  });

  test('drop does not take a fragment out of its message', () => {
    const { connection, written } = connected(SERVER, { ...limits, overflow: 'drop' });
    connection.queueText('a', false);
    expectLocalError(() => connection.queueText(x(100), false), 'SEND_HARD_LIMIT');
    expectLocalError(() => connection.queueText(x(100)), 'SEND_HARD_LIMIT');
    connection.queueText('b');
    expectLocalError(() => connection.queueBytes(new Uint8Array(100), false), 'SEND_HARD_LIMIT');
    connection.queueBytes(new Uint8Array(1));
    expect(written().map(({ opcode, fin }) => [opcode, fin])).toEqual([
      [TEXT, false],
      [CONT, true],
      [BIN, true],
    ]);
  });

  test('close forgets the message and closes with 1013', () => {
    const { connection, written, receive } = connected(SERVER, { ...limits, overflow: 'close' });
    connection.queueText(x(60));
    expect(connection.queueText(x(60))).toBe(false);
    expect([connection.state, connection.nextDeadline()]).toEqual([LOCAL_CLOSING, 0]);
    const frames = written();
    expect(frames.map(({ opcode }) => opcode)).toEqual([TEXT, CLOSE]);
    expect([...frames[1].payload.slice(0, 2)]).toEqual([1013 >> 8, 1013 & 255]);
    receive({ opcode: CLOSE });
    connection.poll();
    expect(connection.state).toBe(CLOSED);
  });

  test('a refused fragment leaves half a surrogate pair where it was', () => {
    const { connection, written } = connected(SERVER, limits);
    connection.queueText('\ud83d', false);
    expectLocalError(() => connection.queueText(x(200)), 'SEND_HARD_LIMIT');
    connection.queueText('\ude00');
    expect(decode(Buffer.concat(written().map(({ payload }) => payload)))).toBe('😀');
  });
});
