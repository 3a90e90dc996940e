/** The WHATWG's WebSocket: what its standard says, by section, against real servers. */

import { openAsBlob } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { WebSocket as WsSocket } from 'ws';
import { WebSocket } from '../../../src/node/client/websocket.js';
import { atEnd, deferred, noise, start, turns, until, within } from '../support.js';
import { accepting, answering, rawServer, serverClose, serverFrame, wsServer } from './support.js';

const url = (port: number, path = '/') => `ws://127.0.0.1:${port}${path}`;

/** The events of a WebSocket, in order. */
interface Watched {
  readonly ws: WebSocket;
  readonly events: unknown[][];
  readonly closed: Promise<[code: number, reason: string, wasClean: boolean]>;
}

function watch(ws: WebSocket): Watched {
  const events: unknown[][] = [];
  const end = deferred<[number, string, boolean]>();
  ws.addEventListener('open', () => events.push(['open', ws.readyState]));
  ws.addEventListener('message', ({ data }) => events.push(['message', data]));
  ws.addEventListener('error', ({ error }) => events.push(['error', (error as { code?: unknown }).code]));
  ws.addEventListener('close', ({ code, reason, wasClean }) => {
    events.push(['close', ws.readyState]);
    end.resolve([code, reason, wasClean]);
  });
  atEnd(() => ws.close());
  return { ws, events, closed: within(end.promise, "'close'") };
}

async function opened(...args: ConstructorParameters<typeof WebSocket>): Promise<Watched> {
  const watched = watch(new WebSocket(...args));
  await until(() => watched.events.length > 0);
  expect(watched.events).toEqual([['open', WebSocket.OPEN]]);
  return watched;
}

const echo = () => start({ message: (ws, data) => void ws.send(data) });

/** A server that accepts, and then does as it is told. */
async function told(act: (socket: Socket) => void): Promise<number> {
  return rawServer(
    answering((socket, request) => {
      socket.write(accepting(request));
      act(socket);
    }),
  );
}

const named = (name: string) => expect.objectContaining({ name }) as unknown as Error;

describe('the constructor', () => {
  test.each(['/relative', 'ftp://localhost/', 'ws://localhost/#part', 'ws://localhost/#', 'ws://', 'ws://a"b/', ''])(
    'throws a SyntaxError for the URL %j',
    (text) => {
      expect(() => new WebSocket(text)).toThrow(named('SyntaxError'));
      expect(() => new WebSocket(text)).toThrow(DOMException);
    },
  );

  test.each([[''], ['a b'], ['a,b'], ['ü'], [['a', 'a']], [['a', '']]])(
    'throws a SyntaxError for the subprotocols %j',
    (protocols) => {
      expect(() => new WebSocket('ws://127.0.0.1:1/', protocols)).toThrow(named('SyntaxError'));
      expect(() => new WebSocket('ws://127.0.0.1:1/', { protocols })).toThrow(named('SyntaxError'));
    },
  );

  test('throws for options that cannot be', () => {
    const make = (options: object) => () => new WebSocket('ws://127.0.0.1:1/', [], options);
    expect(make({ maxMessageSize: -1 })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(make({ headers: { host: 'x' } })).toThrow(expect.objectContaining({ code: 'RESERVED_HEADER' }));
    expect(() => (WebSocket as unknown as () => void)()).toThrow(TypeError);
    expect(() => new WebSocket(Symbol('x') as unknown as string)).toThrow(TypeError);
  });

  test('normalises the URL', async () => {
    const { ws } = watch(new WebSocket('HTTP://127.0.0.1:1/a/../ü\ud800?q'));
    expect(ws.url).toBe('ws://127.0.0.1:1/%C3%BC%EF%BF%BD?q');
    expect(watch(new WebSocket('https://127.0.0.1:1')).ws.url).toBe('wss://127.0.0.1:1/');
  });

  test('offers subprotocols, in every form, and tells which was chosen', async () => {
    const server = await start({ upgrade: ({ subprotocols }) => ({ protocol: subprotocols.at(-1) as string }) });
    for (const second of ['b', ['a', 'b'], new Set(['a', 'b']), { protocols: ['a', 'b'] }, { protocols: 'b' }]) {
      const { ws } = await opened(url(server.port), second);
      expect([ws.protocol, ws.extensions]).toEqual(['b', '']);
    }
  });

  test('subprotocols that differ in case differ', async () => {
    const server = await start({ upgrade: () => ({ protocol: 'Echo' }) });
    expect((await opened(url(server.port), ['echo', 'Echo'])).ws.protocol).toBe('Echo');
  });

  test('takes headers and the like as third argument, or with the second', async () => {
    const origins: unknown[] = [];
    const server = await start({ upgrade: ({ headers }) => void origins.push([headers.origin, headers['x-a']]) });
    const extras = { origin: 'https://a.example', headers: { 'X-A': '1' } };
    await opened(url(server.port), [], extras);
    await opened(url(server.port), extras);
    expect(origins).toEqual([
      ['https://a.example', '1'],
      ['https://a.example', '1'],
    ]);
  });
});

describe('the interface', () => {
  test('has the constants on class and prototype', () => {
    const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
    for (const [name, value] of Object.entries(constants)) {
      for (const holder of [WebSocket, WebSocket.prototype]) {
        expect(Object.getOwnPropertyDescriptor(holder, name)).toEqual({
          value,
          writable: false,
          enumerable: true,
          configurable: false,
        });
      }
    }
  });

  test('looks as Web IDL makes it look', () => {
    const { ws } = watch(new WebSocket('ws://127.0.0.1:1/'));
    expect(Object.prototype.toString.call(ws)).toBe('[object WebSocket]');
    expect([WebSocket.name, WebSocket.length]).toEqual(['WebSocket', 1]);
    const names = [];
    for (const name in ws) names.push(name);
    expect(names).toEqual(expect.arrayContaining(['url', 'readyState', 'onmessage', 'send', 'close', 'CLOSED']));
    expect(ws).toBeInstanceOf(EventTarget);
    expect(() => Object.getOwnPropertyDescriptor(WebSocket.prototype, 'url')?.get?.call({})).toThrow(TypeError);
  });

  test('does without a global WebSocket', async () => {
    const holder = globalThis as { WebSocket?: unknown };
    const global = holder.WebSocket;
    holder.WebSocket = class {
      constructor() {
        throw new Error('the global one was used');
      }
    };
    try {
      const server = await echo();
      const { ws, events } = await opened(url(server.port));
      ws.send('hello');
      await until(() => events.length === 2);
    } finally {
      if (global === undefined) delete holder.WebSocket;
      else holder.WebSocket = global;
    }
  });

  test('binaryType is one of three', () => {
    const { ws } = watch(new WebSocket('ws://127.0.0.1:1/'));
    expect(ws.binaryType).toBe('blob');
    for (const type of ['arraybuffer', 'nodebuffer', 'blob'] as const) {
      ws.binaryType = type;
      expect(ws.binaryType).toBe(type);
    }
    ws.binaryType = 'Blob' as 'blob';
    ws.binaryType = '' as 'blob';
    expect(ws.binaryType).toBe('blob');
  });
});

describe('messages', () => {
  test('come as MessageEvents with data and origin', async () => {
    const server = await echo();
    const { ws } = await opened(url(server.port));
    const got = deferred<MessageEvent>();
    ws.onmessage = got.resolve;
    ws.send('a\ud800b');
    const event = await within(got.promise);
    expect(event).toBeInstanceOf(MessageEvent);
    expect([event.data, event.origin, event.target]).toEqual(['a\ufffdb', `ws://127.0.0.1:${server.port}`, ws]);
  });

  test('bytes of every kind go, and come as binaryType says', async () => {
    const server = await echo();
    const { ws, events } = await opened(url(server.port));
    const bytes = Uint8Array.from([1, 2, 3, 4]);
    const data = () => events.at(-1)?.[1];
    const sources = [
      bytes.buffer,
      bytes,
      Buffer.from(bytes),
      new DataView(Uint8Array.from([0, 1, 2, 3, 4, 5]).buffer, 1, 4),
      new Uint16Array(bytes.buffer),
      new Blob([bytes]),
    ];
    for (const [i, source] of sources.entries()) {
      ws.binaryType = 'arraybuffer';
      ws.send(source);
      await until(() => events.length === i + 2);
      expect(data()).toBeInstanceOf(ArrayBuffer);
      expect(new Uint8Array(data() as ArrayBuffer)).toEqual(bytes);
    }
    ws.binaryType = 'blob';
    ws.send(bytes);
    await until(() => data() instanceof Blob);
    expect(new Uint8Array(await (data() as Blob).arrayBuffer())).toEqual(bytes);
    ws.binaryType = 'nodebuffer';
    ws.send(bytes);
    await until(() => Buffer.isBuffer(data()));
    expect(data()).toEqual(Buffer.from(bytes));
  });

  test('what else is sent becomes a string', async () => {
    const server = await echo();
    const { ws, events } = await opened(url(server.port));
    for (const value of [undefined, null, 12, { toString: () => 'mine' }]) ws.send(value as unknown as string);
    await until(() => events.length === 5);
    expect(events.slice(1).map(([, data]) => data)).toEqual(['undefined', 'null', '12', 'mine']);
    expect(() => (ws.send as () => void)()).toThrow(TypeError);
    expect(() => ws.send(Symbol('x') as unknown as string)).toThrow(TypeError);
    expect(() => ws.send(new SharedArrayBuffer(1) as unknown as ArrayBuffer)).toThrow(TypeError);
    expect(() => ws.send(new Uint8Array(new SharedArrayBuffer(1)))).toThrow(TypeError);
  });

  test('may be changed by the caller as soon as `send` returns', async () => {
    const server = await echo();
    const { ws, events } = await opened(url(server.port));
    ws.binaryType = 'nodebuffer';
    const small = noise(100);
    const large = noise(100_000);
    const behind = noise(50);
    ws.send(small);
    ws.send(large);
    ws.send(new Blob(['blob']));
    ws.send(behind);
    for (const memory of [small, large, behind]) memory.fill(0);
    await until(() => events.length === 5);
    const received = events.slice(1).map(([, data]) => data);
    expect(received).toEqual([noise(100), noise(100_000), Buffer.from('blob'), noise(50)]);
  });

  test('may be changed at once where it is compressed in another thread', async () => {
    const server = await start({ perMessageDeflate: true, message: (ws, data) => void ws.send(data) });
    const { ws, events } = await opened(url(server.port), [], { perMessageDeflate: true });
    ws.binaryType = 'nodebuffer';
    const large = noise(1_000_000);
    const behind = noise(20_000);
    ws.send(large);
    ws.send(behind);
    large.fill(0);
    structuredClone(behind.buffer, { transfer: [behind.buffer as ArrayBuffer] });
    await until(() => events.length === 3);
    expect(events.map(([name]) => name)).toEqual(['open', 'message', 'message']);
    const [first, second] = events.slice(1).map(([, data]) => data as Buffer);
    expect([first.equals(noise(1_000_000)), second.equals(noise(20_000))]).toEqual([true, true]);
  });

  test('what was still to be compressed when the connection broke stays counted', async () => {
    const { port } = await wsServer((socket) => socket.once('message', () => socket.terminate()), {
      perMessageDeflate: true,
    });
    const { ws, closed } = await opened(url(port), [], { perMessageDeflate: true });
    ws.send('go');
    for (let i = 0; i < 50; i++) ws.send(noise(300_000));
    let atClose = 0;
    ws.addEventListener('close', () => {
      atClose = ws.bufferedAmount;
    });
    await closed;
    expect(atClose).toBeGreaterThan(300_000);
    await turns();
    expect(ws.bufferedAmount).toBe(atClose);
  });

  test('keep their order around Blobs, and so does close', async () => {
    const received: string[] = [];
    const server = await start({ message: (_ws, data) => void received.push(`${data}`) });
    const { ws, closed } = await opened(url(server.port));
    const file = join(tmpdir(), `millrace-blob-${process.pid}`);
    await writeFile(file, 'from a file');
    atEnd(() => rm(file));
    ws.send('1');
    ws.send(new Blob(['x'.repeat(500_000)]));
    ws.send('2');
    ws.send(await openAsBlob(file));
    ws.send(new Blob([]));
    ws.send('3');
    ws.close(1000, 'done');
    expect(ws.readyState).toBe(WebSocket.CLOSING);
    ws.send('too late');
    expect(await closed).toEqual([1000, '', true]);
    expect(received).toEqual(['1', 'x'.repeat(500_000), '2', 'from a file', '', '3']);
    expect(ws.bufferedAmount).toBe('too late'.length);
  });

  test('a Blob that cannot be read fails the connection', async () => {
    const server = await echo();
    const { ws, closed, events } = await opened(url(server.port));
    const file = join(tmpdir(), `millrace-gone-${process.pid}`);
    await writeFile(file, 'soon gone');
    const blob = await openAsBlob(file);
    await rm(file);
    ws.send(blob);
    ws.send('behind');
    expect(await closed).toEqual([1006, '', false]);
    expect(ws.bufferedAmount).toBe('soon gone'.length + 'behind'.length);
    expect(events.map(([name]) => name)).toEqual(['open', 'error', 'close']);
  });

  test('each is a task of its own: what was awaited goes on before the next', async () => {
    const port = await told((socket) => {
      socket.write(Buffer.concat(['1', '2', '3', '4', '5'].map((text) => serverFrame(1, text))));
    });
    const ws = new WebSocket(url(port));
    watch(ws);
    const received: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      const event = await within(
        new Promise<MessageEvent>((resolve) => ws.addEventListener('message', resolve, { once: true })),
      );
      // Some more turns of the microtask queue, as deeper functions would take them.
      for (let j = 0; j < 10; j++) await null;
      received.push(event.data);
    }
    expect(received).toEqual(['1', '2', '3', '4', '5']);
  });

  test('that come with the 101 come after open', async () => {
    const port = await rawServer(
      answering((socket, request) => socket.write(Buffer.concat([accepting(request), serverFrame(1, 'early')]))),
    );
    const { events } = watch(new WebSocket(url(port)));
    await until(() => events.length === 2);
    expect(events).toEqual([
      ['open', 1],
      ['message', 'early'],
    ]);
  });

  test('are not given out after close was called', async () => {
    const port = await told((socket) => {
      socket.once('data', () => {
        socket.end(Buffer.concat([serverFrame(1, 'after'), serverClose(1000)]));
      });
    });
    const { ws, events, closed } = await opened(url(port));
    ws.close();
    expect(await closed).toEqual([1000, '', true]);
    expect(events.map(([name]) => name)).toEqual(['open', 'close']);
  });
});

describe('send and bufferedAmount', () => {
  test('InvalidStateError while connecting', () => {
    const { ws } = watch(new WebSocket('ws://127.0.0.1:1/'));
    expect(() => ws.send('x')).toThrow(named('InvalidStateError'));
    expect(ws.bufferedAmount).toBe(0);
  });

  test('counts bytes of data and not of frames, and falls to zero', async () => {
    const server = await echo();
    const { ws, events } = await opened(url(server.port));
    ws.send('äöü');
    expect(ws.bufferedAmount).toBe(6);
    ws.send(new Uint8Array(300));
    expect(ws.bufferedAmount).toBe(306);
    ws.send(new Blob(['12345']));
    expect(ws.bufferedAmount).toBe(311);
    ws.send('6');
    expect(ws.bufferedAmount).toBe(312);
    await until(() => events.length === 5);
    expect(ws.bufferedAmount).toBe(0);
  });

  test('stays true while a server reads nothing', async () => {
    let server: Socket | null = null;
    const port = await told((socket) => {
      server = socket.pause();
    });
    const { ws, closed } = await opened(url(port), [], { sendHardLimit: Number.POSITIVE_INFINITY });
    const size = 16 * 1024 * 1024;
    ws.send(new Uint8Array(size));
    for (let i = 1; i <= 50; i++) {
      const before = ws.bufferedAmount;
      ws.send('x'.repeat(10));
      expect(ws.bufferedAmount).toBe(before + 10);
      await turns(1);
    }
    const amount = ws.bufferedAmount;
    expect(amount).toBeGreaterThan(1000);
    expect(amount).toBeLessThanOrEqual(size + 500);
    (server as unknown as Socket).destroy();
    expect((await closed)[0]).toBe(1006);
    expect(ws.readyState).toBe(WebSocket.CLOSED);
  });

  test('grows also after close, and does not fall', async () => {
    const server = await echo();
    const { ws, closed } = await opened(url(server.port));
    ws.close();
    ws.send('äö');
    ws.send(new Uint8Array(10));
    ws.send(new Blob(['123']));
    await closed;
    expect(ws.bufferedAmount).toBe(17);
    ws.send('x');
    expect(ws.bufferedAmount).toBe(18);
  });

  test('passing the hard limit throws nothing and fails the connection', async () => {
    const port = await told((socket) => socket.pause());
    const { ws, events } = await opened(url(port), [], { sendHardLimit: 1000, closeTimeout: 1 });
    ws.send(new Uint8Array(900));
    ws.send(new Uint8Array(900));
    expect([ws.readyState, ws.bufferedAmount]).toEqual([WebSocket.CLOSING, 1800]);
    ws.send('more');
    expect(ws.bufferedAmount).toBe(1804);
    await until(() => events.length === 3);
    expect(events.slice(1)).toEqual([
      ['error', 'SEND_HARD_LIMIT'],
      ['close', 3],
    ]);
  });

  test('the peer is told of it with 1013, behind what was sent before', async () => {
    const received: unknown[] = [];
    const end = deferred<number>();
    const server = await start({
      message: (_ws, data) => void received.push(`${data}`),
      close: (_ws, code) => end.resolve(code),
    });
    for (const waiting of [false, true]) {
      const { ws, closed } = await opened(url(server.port), [], { sendHardLimit: 1000 });
      if (waiting) ws.send(new Blob(['blob']));
      ws.send('first');
      ws.send('x'.repeat(1001));
      expect(await within(end.promise)).toBe(1013);
      expect((await closed)[0]).toBe(1013);
    }
    expect(received).toEqual(['first', 'blob', 'first']);
  });

  test('or throws, or drops, where that is asked for', async () => {
    const server = await echo();
    const refusing = await opened(url(server.port), [], { sendHardLimit: 1000, overflow: 'refuse' });
    const limited = expect.objectContaining({ code: 'SEND_HARD_LIMIT' });
    expect(() => refusing.ws.send('x'.repeat(1001))).toThrow(limited);
    refusing.ws.send(new Blob(['first']));
    expect(() => refusing.ws.send('x'.repeat(1001))).toThrow(limited);
    const dropping = await opened(url(server.port), [], { sendHardLimit: 1000, overflow: 'drop' });
    dropping.ws.send('x'.repeat(1001));
    dropping.ws.send(new Blob(['first']));
    dropping.ws.send('x'.repeat(1001));
    dropping.ws.send('second');
    await until(() => dropping.events.length === 3);
    expect(dropping.events[2]).toEqual(['message', 'second']);
  });
});

describe('events', () => {
  test('handlers keep their place among listeners until they are set to null', async () => {
    const { ws } = watch(new WebSocket('ws://127.0.0.1:1/'));
    const calls: unknown[] = [];
    const note = (what: string) =>
      function (this: unknown) {
        calls.push(this === ws ? what : 'wrong this');
      };
    const fire = () => {
      calls.length = 0;
      ws.dispatchEvent(new Event('open'));
      return [...calls];
    };
    expect(ws.onopen).toBeNull();
    ws.onopen = note('h1');
    ws.addEventListener('open', note('l'));
    expect(fire()).toEqual(['h1', 'l']);
    const second = note('h2');
    ws.onopen = second;
    expect(ws.onopen).toBe(second);
    expect(fire()).toEqual(['h2', 'l']);
    ws.onopen = null;
    expect(fire()).toEqual(['l']);
    ws.onopen = note('h3');
    expect(fire()).toEqual(['l', 'h3']);
    ws.onopen = 'no function' as unknown as null;
    expect([ws.onopen, fire()]).toEqual([null, ['l']]);
    const object = {} as unknown as null;
    ws.onopen = object;
    expect([ws.onopen, fire()]).toEqual([object, ['l']]);
  });

  test('none comes within a call', async () => {
    const server = await echo();
    const { ws, events } = watch(new WebSocket(url(server.port)));
    expect(events).toEqual([]);
    await until(() => events.length === 1);
    ws.send('x');
    ws.close();
    ws.close();
    expect(events).toHaveLength(1);
    const early = watch(new WebSocket(url(server.port)));
    early.ws.close();
    expect(early.events).toEqual([]);
    const failing = watch(
      new WebSocket('ws://localhost/', {
        createConnection() {
          throw new Error('at once');
        },
      }),
    );
    expect(failing.events).toEqual([]);
    await failing.closed;
  });

  test('a listener that throws is an uncaught exception, and the connection goes on', async () => {
    const server = await echo();
    const { ws, events } = await opened(url(server.port));
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const thrown: unknown[] = [];
    process.on('uncaughtException', (error) => thrown.push(error));
    try {
      const why = new Error('mine');
      ws.onmessage = () => {
        throw why;
      };
      ws.send('1');
      ws.send('2');
      await until(() => events.length === 3 && thrown.length === 2);
      expect(thrown).toEqual([why, why]);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    }
    expect(ws.readyState).toBe(WebSocket.OPEN);
  });
});

describe('close', () => {
  const bad = [0, 999, 1001, 1005, 1006, 1015, 2999, 5000, 65536, -1, Number.NaN, null, '1001'];
  test.each(bad)('InvalidAccessError for the code %j', (code) => {
    const { ws } = watch(new WebSocket('ws://127.0.0.1:1/'));
    expect(() => ws.close(code as number)).toThrow(named('InvalidAccessError'));
    expect(ws.readyState).toBe(WebSocket.CONNECTING);
  });

  test.each([[1000], [3000], [4999], [1000.5, 1000], [2999.5, 3000], ['3001', 3001]])(
    'the code %j is sent',
    async (code: unknown, sent: unknown = code) => {
      const end = deferred<number>();
      const server = await start({ close: (_ws, received) => end.resolve(received) });
      const { ws, closed } = await opened(url(server.port));
      ws.close(code as number);
      expect(await within(end.promise)).toBe(sent);
      expect(await closed).toEqual([sent, '', true]);
    },
  );

  test('SyntaxError for a reason of more than 123 bytes, of UTF-8', async () => {
    const server = await echo();
    const { ws } = await opened(url(server.port));
    expect(() => ws.close(1000, 'x'.repeat(124))).toThrow(named('SyntaxError'));
    expect(() => ws.close(1000, 'ü'.repeat(62))).toThrow(named('SyntaxError'));
    // The code is looked at first.
    expect(() => ws.close(1, 'x'.repeat(124))).toThrow(named('InvalidAccessError'));
    expect(() => ws.close(10n as unknown as number)).toThrow(TypeError);
    ws.send('still open');
    ws.close(1000, `${'ü'.repeat(60)}\ud800`);
  });

  test.each([
    [[], 1005, ''],
    [[1000], 1000, ''],
    [[4000, 'why\udc00'], 4000, 'why\ufffd'],
    [[undefined, 'why'], 1000, 'why'],
  ] as const)('close(...%j) is a Close with %i %j', async (args, code, reason) => {
    const end = deferred<unknown[]>();
    const { port } = await wsServer((socket) =>
      socket.on('close', (received, why) => end.resolve([received, `${why}`])),
    );
    const { ws, closed } = await opened(url(port));
    ws.close(...(args as unknown as [number?, string?]));
    expect(ws.readyState).toBe(WebSocket.CLOSING);
    expect(await within(end.promise)).toEqual([code, reason]);
    expect(await closed).toEqual([code, code === 1005 ? '' : reason, true]);
    expect(ws.readyState).toBe(WebSocket.CLOSED);
  });

  test('while connecting gives up: error, then close with 1006', async () => {
    const asked = deferred();
    const port = await rawServer(
      answering((socket) => {
        asked.resolve();
        socket.resume().on('end', () => socket.end());
      }),
    );
    const { ws, events, closed } = watch(new WebSocket(url(port)));
    await within(asked.promise);
    ws.close();
    expect(ws.readyState).toBe(WebSocket.CLOSING);
    expect(await closed).toEqual([1006, '', false]);
    expect(events).toEqual([
      ['error', 'ABORTED'],
      ['close', WebSocket.CLOSED],
    ]);
  });

  test('by the server', async () => {
    const sockets: WsSocket[] = [];
    const { port } = await wsServer((socket) => sockets.push(socket));
    const { ws, closed, events } = await opened(url(port));
    const states: number[] = [];
    sockets[0].on('close', () => states.push(ws.readyState));
    sockets[0].close(4321, 'go away');
    expect(await closed).toEqual([4321, 'go away', true]);
    expect(events.map(([name]) => name)).toEqual(['open', 'close']);
  });

  test('CLOSING as soon as the server’s Close is there', async () => {
    let server: Socket | null = null;
    const port = await told((socket) => {
      server = socket;
      socket.resume();
    });
    const { ws, closed, events } = await opened(url(port));
    (server as unknown as Socket).write(serverClose(1000, 'bye'));
    await until(() => ws.readyState === WebSocket.CLOSING);
    expect(events).toHaveLength(1);
    ws.send('lost');
    expect(ws.bufferedAmount).toBeGreaterThanOrEqual(4);
    (server as unknown as Socket).end();
    expect(await closed).toEqual([1000, 'bye', true]);
  });

  test('without a code is 1005', async () => {
    const port = await told((socket) => void socket.resume().end(Buffer.from([0x88, 0])));
    expect(await watch(new WebSocket(url(port))).closed).toEqual([1005, '', true]);
  });

  test('is not clean where the stream breaks after the Closes', async () => {
    const port = await told((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
      socket.write(serverClose(4000, 'bye'));
    });
    const { closed } = watch(new WebSocket(url(port)));
    expect(await closed).toEqual([4000, 'bye', false]);
  });

  test('is not clean where the server does not end the stream', async () => {
    const port = await told((socket) => void socket.resume().write(serverClose(4000, 'bye')));
    const { closed, events } = watch(new WebSocket(url(port), [], { closeTimeout: 1 }));
    expect(await closed).toEqual([4000, 'bye', false]);
    expect(events.map(([name]) => name)).toEqual(['open', 'close']);
  });
});

describe('failures', () => {
  test.each([
    ['the end of the stream without a Close', 'UNEXPECTED_EOF', (socket: Socket) => socket.end()],
    ['a reset', 'ECONNRESET', (socket: Socket) => socket.resetAndDestroy()],
    ['text that is no UTF-8', 'INVALID_UTF8', (socket: Socket) => socket.write(serverFrame(1, Buffer.from([0xff])))],
    ['a Close with a bad code', 'INVALID_CLOSE_CODE', (socket: Socket) => socket.write(serverClose(1005))],
  ])('%s is an error with its reason, and 1006', async (_what, code, act) => {
    let server: Socket | null = null;
    const port = await told((socket) => {
      server = socket;
      socket.resume().on('end', () => socket.end());
    });
    const { closed, events } = await opened(url(port));
    act(server as unknown as Socket);
    expect(await closed).toEqual([1006, '', false]);
    expect(events.slice(1)).toEqual([
      ['error', code],
      ['close', WebSocket.CLOSED],
    ]);
  });

  test('of the handshake', async () => {
    const server = await start({ path: '/right' });
    const { closed, events } = watch(new WebSocket(url(server.port, '/wrong')));
    expect(await closed).toEqual([1006, '', false]);
    expect(events).toEqual([
      ['error', 'UNEXPECTED_RESPONSE'],
      ['close', WebSocket.CLOSED],
    ]);
  });

  test('a subprotocol must be chosen where some were offered', async () => {
    const server = await start();
    const { closed, events } = watch(new WebSocket(url(server.port), ['a']));
    expect(await closed).toEqual([1006, '', false]);
    expect(events[0]).toEqual(['error', 'MISSING_SUBPROTOCOL']);
  });

  test('the Close that is never answered', async () => {
    const port = await told((socket) => void socket.resume().on('end', () => socket.end()));
    const { ws, closed, events } = await opened(url(port), [], { closeTimeout: 1 });
    ws.close(1000);
    expect(await closed).toEqual([1006, '', false]);
    expect(events[1]).toEqual(['error', 'CLOSE_TIMEOUT']);
  });

  test('error events say what, close events are of the global class where there is one', async () => {
    const ws = new WebSocket('ws://127.0.0.1:1/');
    const events: Event[] = [];
    const { closed } = watch(ws);
    ws.onerror = (event) => events.push(event);
    ws.onclose = (event) => events.push(event);
    await closed;
    const [error, close] = events;
    expect(error).toMatchObject({ type: 'error', message: expect.stringContaining('ECONNREFUSED') });
    expect(error.constructor.name).toBe('ErrorEvent');
    expect(close.constructor.name).toBe('CloseEvent');
    const global = (globalThis as { CloseEvent?: unknown }).CloseEvent;
    if (global !== undefined) expect(close.constructor).toBe(global);
    expect(error.isTrusted || close.cancelable).toBe(false);
  });
});
