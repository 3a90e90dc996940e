import { describe, expect, test } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { BytesMessage, CloseConnection, NEED_DATA, PAUSED, Ping, Pong, TextMessage } from '../../src/core/events.js';
import { Kind } from '../../src/core/frames/kind.js';
import { ConnectionConfig } from '../../src/core/options.js';
import {
  BIN,
  binary,
  CLOSE,
  CLOSED,
  close,
  cont,
  type FrameSpec,
  frame,
  hex,
  LOCAL_CLOSING,
  OPEN,
  PING,
  PONG,
  ping,
  pong,
  REMOTE_CLOSING,
  TEXT,
  text,
  utf8,
} from '../conformance/support.js';
import { CLIENT, connected, expectLocalError, ROLES, roleName, SERVER } from './support.js';

const x = (count: number): string => 'x'.repeat(count);

describe.each(ROLES.map((type) => [roleName(type), type] as const))('the cursor of a %s', (_, type) => {
  test('shows what poll found, as often as it is asked', () => {
    const { connection, receive } = connected(type);
    receive(text('hé'), binary('bin'), ping('pi'), pong('po'), text('ascii'));
    expect(connection.poll()).toBe(Kind.TEXT);
    for (let i = 0; i < 2; i++) {
      expect(connection.text()).toBe('hé');
      expect(connection.bytes()).toEqual(Buffer.from('hé'));
      expect(connection.length).toBe(3);
      expect(connection.event()).toEqual(new TextMessage('hé'));
    }
    expect(connection.poll()).toBe(Kind.BYTES);
    expect(connection.event()).toEqual(new BytesMessage(Buffer.from('bin')));
    expect(connection.text()).toBe('bin');
    expect(connection.poll()).toBe(Kind.PING);
    expect(connection.event()).toEqual(new Ping(Buffer.from('pi')));
    expect(connection.poll()).toBe(Kind.PONG);
    expect(connection.event()).toEqual(new Pong(Buffer.from('po')));
    expect(connection.poll()).toBe(Kind.TEXT);
    expect(connection.text()).toBe('ascii');
    expect([connection.frameFinished, connection.messageFinished]).toEqual([true, true]);
    expect(connection.poll()).toBe(Kind.NEED_DATA);
    expect(connection.event()).toBe(NEED_DATA);
    expect(connection.length).toBe(0);
    expect(connection.text()).toBe('');
  });

  test('is left by bytes as a view, by copy as memory of its own', () => {
    const { connection, bytes } = connected(type);
    const chunk = bytes(binary('abcdef'));
    connection.receiveData(chunk);
    connection.poll();
    const view = connection.bytes();
    const copy = connection.copy();
    expect(view.buffer).toBe(chunk.buffer);
    expect(copy.buffer).not.toBe(chunk.buffer);
    expect(copy.buffer.byteLength).toBe(6);
    chunk.fill(0);
    expect(view).toEqual(Buffer.alloc(6));
    expect(copy).toEqual(Buffer.from('abcdef'));
  });

  test('takes a plain Uint8Array that lies anywhere in its buffer', () => {
    const { connection, bytes } = connected(type);
    const input = bytes(text('hello'), binary('abc'));
    const memory = new Uint8Array(input.length + 20).fill(0xee);
    memory.set(input, 7);
    connection.receiveData(memory.subarray(7, 7 + input.length));
    expect(connection.nextEvent()).toEqual(new TextMessage('hello'));
    expect(connection.nextEvent()).toEqual(new BytesMessage(Buffer.from('abc')));
    expect([...memory.subarray(0, 7), ...memory.subarray(7 + input.length)]).toEqual(Array(20).fill(0xee));
  });

  test('stays readable while more arrives', () => {
    const { connection, receive } = connected(type);
    receive(text('one'));
    connection.poll();
    receive(text('two'), text('three'));
    expect(connection.text()).toBe('one');
    expect([...connection.events()]).toEqual([new TextMessage('two'), new TextMessage('three')]);
  });

  test('a Ping put together from pieces is not written over by the next one', () => {
    const { connection, bytes } = connected(type);
    const payloads: Uint8Array[] = [];
    for (const byte of bytes(ping('first'), ping('other'))) {
      connection.receiveData(Uint8Array.of(byte));
      if (connection.poll() === Kind.PING) payloads.push(connection.bytes());
    }
    expect(payloads).toEqual([Buffer.from('first'), Buffer.from('other')]);
  });

  test('is empty at a close that no Close made, whatever was there before', () => {
    const endings: ((connected: Connection) => void)[] = [
      (connection) => connection.receiveData(frame({ opcode: 3, mask: type === SERVER })),
      (connection) => connection.receiveData(null),
      (connection) => {
        for (const now of [0, 1e9, 2e9, 3e9]) connection.handleTimeout(now);
      },
    ];
    for (const end of endings) {
      const { connection, receive } = connected(type);
      receive(text('before'));
      connection.poll();
      end(connection);
      expect(connection.poll()).toBe(Kind.CLOSE);
      expect([connection.length, connection.text()]).toEqual([0, '']);
    }
  });

  test('events() stops where data is needed, and goes on from there', () => {
    const { connection, receive } = connected(type);
    receive(text('a'), text('b', false));
    expect([...connection.events()]).toEqual([new TextMessage('a')]);
    receive(cont('c'), close(1000));
    expect([...connection.events()]).toEqual([new TextMessage('bc'), new CloseConnection(1000, '', 'peer')]);
    expect([...connection.events()]).toEqual([]);
  });
});

describe('states', () => {
  test('change when an event is returned, not when its bytes arrive', () => {
    const { connection, receive } = connected(SERVER);
    receive(text('a'), close(1000));
    expect(connection.state).toBe(OPEN);
    connection.poll();
    expect(connection.state).toBe(OPEN);
    expect(connection.queueText('still possible')).toBe(true);
    connection.poll();
    expect(connection.state).toBe(REMOTE_CLOSING);
  });

  test('nor at a violation or at the end of the stream', () => {
    for (const last of [Uint8Array.of(0x83), null]) {
      const { connection, receive } = connected(SERVER);
      receive(text('a'));
      connection.receiveData(last);
      connection.poll();
      expect([connection.state, connection.transport, connection.hasOutput]).toEqual([OPEN, 'open', false]);
      expect(connection.poll()).toBe(Kind.CLOSE);
      expect([connection.state, connection.transport]).toEqual([CLOSED, 'destroy']);
    }
  });

  test('change at once with what is sent', () => {
    const { connection, receive } = connected(CLIENT);
    connection.queue(new CloseConnection(1000));
    expect(connection.state).toBe(LOCAL_CLOSING);
    receive(close(1000));
    connection.poll();
    expect(connection.state).toBe(CLOSED);
  });

  test.each([
    ['server', SERVER, 'half-close'],
    ['client', CLIENT, 'await-peer-close'],
  ] as const)('lead a %s to its transport', (_, type, afterClose) => {
    const { connection, receive } = connected(type);
    const seen = [connection.transport];
    receive(close(1000));
    connection.poll();
    seen.push(connection.transport);
    connection.send(new CloseConnection(1000));
    seen.push(connection.transport);
    connection.receiveData(null);
    seen.push(connection.transport);
    expect(seen).toEqual(['open', 'open', afterClose, 'destroy']);
    expect([connection.wantsData, connection.nextDeadline()]).toEqual([false, null]);
    expect(connection.poll()).toBe(Kind.NEED_DATA);
  });

  test('the end of the stream before our answer leaves nothing to wait for', () => {
    const { connection, receive } = connected(SERVER);
    receive(close(1000));
    connection.poll();
    connection.receiveData(null);
    expect([connection.state, connection.transport, connection.nextDeadline()]).toEqual([REMOTE_CLOSING, 'open', null]);
    connection.send(new CloseConnection(1000));
    expect([connection.state, connection.transport, connection.nextDeadline()]).toEqual([CLOSED, 'destroy', null]);
  });

  test('a Close read after the end of the stream is known leaves nothing to wait for', () => {
    const { connection, receive } = connected(SERVER);
    connection.send(new CloseConnection(1000));
    receive(close(1000));
    connection.receiveData(null);
    connection.poll();
    expect([connection.state, connection.transport, connection.nextDeadline()]).toEqual([CLOSED, 'destroy', null]);
  });
});

describe('abort', () => {
  test.each(ROLES)('gives up at once, for role %s', (type) => {
    const { connection, receive } = connected(type);
    connection.queueText('unsent');
    receive(text('unread'));
    connection.abort();
    expect([connection.state, connection.transport, connection.nextDeadline()]).toEqual([CLOSED, 'destroy', null]);
    expect([connection.bufferedBytes, connection.wantsData, receive(text('more'))]).toEqual([0, false, false]);
    expectLocalError(() => connection.queueText('x'), 'NOT_OPEN');
    expectLocalError(() => connection.queue(new CloseConnection(1000)), 'CLOSE_SENT');
    expect(connection.nextEvent()).toMatchObject({ type: 'close', code: 1006, origin: 'local', error: null });
    expect(connection.nextEvent()).toBe(NEED_DATA);
  });

  test('brings no second close event', () => {
    const { connection, receive } = connected(SERVER);
    receive(close(1000));
    expect(connection.nextEvent()).toMatchObject({ code: 1000 });
    connection.abort();
    expect([connection.state, connection.transport]).toEqual([CLOSED, 'destroy']);
    expect(connection.nextEvent()).toBe(NEED_DATA);
  });
});

describe('back-pressure on the way in', () => {
  test('receiveData asks to stop above receiveHighWater, and keeps what is given nevertheless', () => {
    const { connection, receive } = connected(SERVER, { receiveHighWater: 100 });
    expect(receive(binary(x(94)))).toBe(true);
    expect(connection.bufferedBytes).toBe(100);
    expect(receive(binary('a'))).toBe(false);
    expect([connection.wantsData, connection.bufferedBytes]).toEqual([false, 107]);
    expect(receive(binary('b'))).toBe(false);
    expect(connection.poll()).toBe(Kind.BYTES);
    expect([connection.wantsData, connection.bufferedBytes]).toEqual([true, 14]);
    expect([...connection.events()]).toHaveLength(2);
    expect(connection.bufferedBytes).toBe(0);
  });

  test('bytes of a message that is not whole do not count once they are polled', () => {
    const { connection, receive } = connected(CLIENT, { receiveHighWater: 10 });
    receive({ opcode: BIN, claim: 1_000_000n, payload: x(5000) });
    expect([connection.poll(), connection.bufferedBytes, connection.wantsData]).toEqual([Kind.NEED_DATA, 0, true]);
  });

  test.each(ROLES)('a high water of 0 still lets every message through, byte by byte', (type) => {
    const { connection, bytes } = connected(type, { receiveHighWater: 0 });
    const found: unknown[] = [];
    for (const byte of bytes(text(x(500)), ping('a'), text('b'))) {
      expect(connection.wantsData).toBe(true);
      expect(connection.receiveData(Uint8Array.of(byte))).toBe(false);
      found.push(...connection.events());
    }
    expect(found).toHaveLength(3);
  });

  test('of many frames in one chunk those that are read count no more', () => {
    const { connection, receive } = connected(CLIENT);
    receive(...Array.from({ length: 1000 }, () => binary('abc')));
    let before = connection.bufferedBytes;
    expect(before).toBe(5000);
    while (connection.poll() !== Kind.NEED_DATA) {
      expect(connection.bufferedBytes).toBeLessThan(before);
      before = connection.bufferedBytes;
    }
    expect(before).toBe(0);
  });

  test('pause stops events and reading, resume goes on', () => {
    const { connection, receive } = connected(SERVER);
    receive(text('a'), text('b'));
    expect(connection.poll()).toBe(Kind.TEXT);
    connection.pause();
    expect(connection.text()).toBe('a');
    expect([connection.poll(), connection.event(), connection.wantsData]).toEqual([Kind.PAUSED, PAUSED, false]);
    expect([...connection.events()]).toEqual([]);
    expect(receive(text('c'))).toBe(false);
    connection.pause();
    connection.resume();
    expect(connection.wantsData).toBe(true);
    expect([...connection.events()]).toEqual([new TextMessage('b'), new TextMessage('c')]);
  });

  test('pause holds back the end as well', () => {
    const { connection } = connected(SERVER);
    connection.pause();
    connection.receiveData(null);
    expect([connection.poll(), connection.state]).toEqual([Kind.PAUSED, OPEN]);
    connection.resume();
    expect(connection.nextEvent()).toEqual(new CloseConnection(1006, '', 'eof'));
  });

  test('trailing data comes first, and data of no bytes is none', () => {
    const trailingData = frame({ opcode: TEXT, payload: 'early', mask: true });
    const { connection, receive } = connected(SERVER, { trailingData });
    connection.receiveData(new Uint8Array(0));
    receive(text('later'));
    expect([...connection.events()]).toEqual([new TextMessage('early'), new TextMessage('later')]);
  });

  test('a shared configuration is used as it is', () => {
    const config = new ConnectionConfig({ maxMessageSize: 5 });
    expect(new Connection(SERVER, [], config).config).toBe(config);
  });
});

describe('automatic answers', () => {
  test('are off by default', () => {
    const { connection, receive } = connected(SERVER);
    receive(ping('a'), close(1000));
    expect([...connection.events()]).toHaveLength(2);
    expect(connection.hasOutput).toBe(false);
  });

  test('only the newest Pong waits, and goes ahead of whole frames that wait', () => {
    const { connection, receive, written } = connected(SERVER, { autoPong: true });
    connection.queueText('first');
    receive(ping('a'), ping('b'), ping('c'));
    expect([...connection.events()]).toHaveLength(3);
    expect(written().map(({ opcode, payload }) => [opcode, Buffer.from(payload).toString()])).toEqual([
      [PONG, 'c'],
      [TEXT, 'first'],
    ]);
  });

  test('a Pong is made when its Ping is returned, and keeps its bytes', () => {
    const { connection, bytes, written } = connected(SERVER, { autoPong: true });
    const chunk = bytes(ping('abc'));
    connection.receiveData(chunk);
    expect(connection.hasOutput).toBe(false);
    connection.poll();
    chunk.fill(0);
    expect(written()).toMatchObject([{ opcode: PONG, payload: utf8('abc') }]);
  });
});

describe('misuse throws before anything changes', () => {
  const big = new Uint8Array(126);
  const wrong = <T>(value: unknown): T => value as T;
  const cases: readonly (readonly [name: string, run: (connection: Connection) => unknown, code: string])[] = [
    ['a long Ping', (c) => c.queue(new Ping(big)), 'CONTROL_TOO_LONG'],
    ['a long Pong', (c) => c.queue(new Pong(big)), 'CONTROL_TOO_LONG'],
    ['a Ping of text', (c) => c.queue(new Ping(wrong('text'))), 'INVALID_PAYLOAD'],
    ['text that is none', (c) => c.queueText(wrong(5)), 'INVALID_PAYLOAD'],
    ['text that is bytes, and not UTF-8', (c) => c.queueText(Uint8Array.of(0x61, 0xff)), 'INVALID_UTF8'],
    ['text that is bytes, and ends early', (c) => c.queueText(Uint8Array.of(0xe2, 0x82)), 'INVALID_UTF8'],
    ['bytes that are text', (c) => c.queueBytes(wrong('text')), 'INVALID_PAYLOAD'],
    ['bytes that are an ArrayBuffer', (c) => c.queueBytes(wrong(new ArrayBuffer(4))), 'INVALID_PAYLOAD'],
    ['an unknown event', (c) => c.queue(wrong({ type: 'request' })), 'UNKNOWN_EVENT'],
    ['the other kind inside a message', (c) => c.queueBytes(big), 'MESSAGE_UNFINISHED'],
    ['too much acknowledged', (c) => c.acknowledge(1e9), 'INVALID_ACKNOWLEDGE'],
    ['what was not taken acknowledged', (c) => c.acknowledge(1), 'INVALID_ACKNOWLEDGE'],
    ['less than nothing acknowledged', (c) => c.acknowledge(-1), 'INVALID_ACKNOWLEDGE'],
    ['no number acknowledged', (c) => c.acknowledge(Number.NaN), 'INVALID_ACKNOWLEDGE'],
    ...[0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65536, 1000.5, Number.NaN].map(
      (code) =>
        [`close code ${code}`, (c: Connection) => c.queue(new CloseConnection(code)), 'INVALID_CLOSE_CODE'] as const,
    ),
    ['a long reason', (c) => c.queue(new CloseConnection(1000, x(124))), 'INVALID_CLOSE_REASON'],
    ['a reason long in UTF-8', (c) => c.queue(new CloseConnection(1000, '€'.repeat(42))), 'INVALID_CLOSE_REASON'],
    ['a reason without a code', (c) => c.queue(new CloseConnection(1005, 'x')), 'INVALID_CLOSE_REASON'],
    ['a reason that is no text', (c) => c.queue(new CloseConnection(1000, wrong(5))), 'INVALID_CLOSE_REASON'],
    ['a reason of bytes', (c) => c.queue(new CloseConnection(1000, wrong(big))), 'INVALID_CLOSE_REASON'],
  ];

  test.each(cases)('%s', (_, run, code) => {
    const { connection, written } = connected(SERVER);
    connection.queueText('begun', false);
    const before = [connection.state, connection.queuedBytes, connection.transport, connection.nextDeadline()];
    expectLocalError(() => run(connection), code);
    expect([connection.state, connection.queuedBytes, connection.transport, connection.nextDeadline()]).toEqual(before);
    connection.queueText('ended');
    expect(written().map(({ fin }) => fin)).toEqual([false, true]);
  });

  const sends: readonly (readonly [string, (connection: Connection) => unknown])[] = [
    ['text', (c) => c.queueText('a')],
    ['bytes', (c) => c.queueBytes(new Uint8Array(1))],
    ['a Ping', (c) => c.queue(new Ping())],
    ['a Pong', (c) => c.queue(new Pong())],
  ];
  const secondClose = (c: Connection): unknown => c.queue(new CloseConnection(1000));

  test.each(sends)('%s after a Close of either side, or the end', (_, run) => {
    const ours = connected(SERVER);
    ours.connection.send(new CloseConnection(1000));
    const theirs = connected(SERVER);
    theirs.receive(close(1000));
    const ended = connected(SERVER);
    ended.connection.receiveData(null);
    const wrong = connected(SERVER);
    wrong.receive({ opcode: 3 });
    for (const { connection } of [ours, theirs, ended, wrong]) {
      for (const _event of connection.events());
      const { queuedBytes } = connection;
      expectLocalError(() => run(connection), 'NOT_OPEN');
      expect(connection.queuedBytes).toBe(queuedBytes);
      if (connection !== theirs.connection) expectLocalError(() => secondClose(connection), 'CLOSE_SENT');
    }
  });

  test('nothing can follow the Close of a keep-alive that was not answered', () => {
    const { connection, written } = connected(SERVER, { pingInterval: 10, pingTimeout: 10 });
    for (const now of [0, 10, 20]) connection.handleTimeout(now);
    for (const [, run] of sends) expectLocalError(() => run(connection), 'NOT_OPEN');
    expectLocalError(() => secondClose(connection), 'CLOSE_SENT');
    expect(connection.nextEvent()).toMatchObject({ code: 1006, origin: 'timeout' });
    expect(written().map(({ opcode }) => opcode)).toEqual([PING, 8]);
  });

  test('an invalid Close does not keep a valid one from being sent', () => {
    const { connection, written } = connected(SERVER);
    expectLocalError(() => connection.send(new CloseConnection(1006)), 'INVALID_CLOSE_CODE');
    connection.queue(new CloseConnection(1000, x(123)));
    expect(written()).toMatchObject([{ opcode: 8, payload: Uint8Array.of(3, 232, ...utf8(x(123))) }]);
  });
});

test('bytes that are no frames at all end in a violation or wait, and never in an exception', () => {
  for (const digits of [
    'ff',
    '00',
    '7f7f7f',
    'c1ff',
    '81ff',
    '88',
    '88ff',
    '8980',
    '82feffff',
    '82ffffffffffffffffff',
  ]) {
    for (const type of ROLES) {
      const { connection } = connected(type);
      connection.receiveData(hex(digits));
      for (const _event of connection.events());
      expect([OPEN, CLOSED]).toContain(connection.state);
    }
  }
});

describe('what `beforeEnd` queues', () => {
  const ENDS: readonly (readonly [name: string, end: FrameSpec | null, opcodes: number[], code: number])[] = [
    ['a Close', close(4000), [TEXT, CLOSE], 4000],
    ['a violation', { opcode: 3 }, [TEXT, CLOSE], 1002],
    ['a Close that is a violation', close(999), [TEXT, CLOSE], 1002],
    ['the end of the stream', null, [TEXT], 1006],
  ];

  test.each(ENDS)('upon %s goes ahead of our Close, once', (_name, end, opcodes, code) => {
    const { connection, receive, written } = connected(SERVER, { autoClose: true });
    connection.beforeEnd = () => void connection.queueText('last');
    receive(text('first'));
    expect(connection.nextEvent()).toEqual(new TextMessage('first'));
    expect(written()).toEqual([]);
    if (end === null) connection.receiveData(null);
    else receive(end);
    expect(connection.nextEvent()).toMatchObject({ type: 'close', code });
    connection.receiveData(null);
    expect(connection.poll()).toBe(Kind.NEED_DATA);
    expect(written().map(({ opcode }) => opcode)).toEqual(opcodes);
  });

  test('is nothing where nothing can be queued any more', () => {
    const { connection, receive } = connected(SERVER);
    connection.beforeEnd = () => expect.unreachable();
    connection.queue(new CloseConnection(1000));
    receive(close(1000));
    expect(connection.nextEvent()).toMatchObject({ type: 'close', code: 1000 });
    const other = connected(SERVER).connection;
    other.beforeEnd = () => expect.unreachable();
    other.abort();
    expect(other.nextEvent()).toMatchObject({ type: 'close', code: 1006 });
  });
});
