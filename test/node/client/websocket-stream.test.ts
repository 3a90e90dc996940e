/** WebSocketStream: the proposal's rules, and back-pressure that reaches TCP. */

import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocketError } from '../../../src/node/client/websocket-error.js';
import { type WebSocketConnection, WebSocketStream } from '../../../src/node/client/websocket-stream.js';
import type { Peer } from '../../../src/node/peer.js';
import { atEnd, deferred, noise, start, turns, until, within } from '../support.js';
import { accepting, answering, rawServer, serverClose, serverFrame, wsServer } from './support.js';

const url = (port: number, path = '/') => `ws://127.0.0.1:${port}${path}`;

interface Open extends WebSocketConnection {
  readonly stream: WebSocketStream;
}

async function open(...args: ConstructorParameters<typeof WebSocketStream>): Promise<Open> {
  const stream = new WebSocketStream(...args);
  atEnd(() => stream.close());
  return { stream, ...(await within(stream.opened, 'opened')) };
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

const failure = (promise: Promise<unknown>, what?: string): Promise<unknown> =>
  within(
    promise.then(
      (value) => ({ resolved: value }),
      (error: unknown) => error,
    ),
    what,
  );

const named = (name: string) => expect.objectContaining({ name }) as unknown as Error;

/** Waits until a number no longer changes, nor is zero. */
async function settled(value: () => number): Promise<number> {
  let before = -1;
  let same = 0;
  await until(() => {
    same = value() === before && before > 0 ? same + 1 : 0;
    before = value();
    return same === 10;
  }, 'a number to settle');
  return before;
}

describe('opening', () => {
  test.each(['/relative', 'ftp://localhost/', 'ws://localhost/#', ''])('SyntaxError for the URL %j', (text) => {
    expect(() => new WebSocketStream(text)).toThrow(named('SyntaxError'));
  });

  test('SyntaxError for bad subprotocols, and ours for bad options', () => {
    const make = (options: object) => () => new WebSocketStream('ws://127.0.0.1:1/', options);
    expect(make({ protocols: ['a', 'a'] })).toThrow(named('SyntaxError'));
    expect(make({ protocols: [''] })).toThrow(named('SyntaxError'));
    expect(make({ highWaterMark: Number.NaN })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(make({ pingInterval: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  test('url, protocol and extensions', async () => {
    const server = await start({ upgrade: () => ({ protocol: 'b' }) });
    const { stream, protocol, extensions } = await open(`http://127.0.0.1:${server.port}/a/../b`, {
      protocols: ['a', 'b'],
    });
    expect([stream.url, protocol, extensions]).toEqual([url(server.port, '/b'), 'b', '']);
    expect(Object.prototype.toString.call(stream)).toBe('[object WebSocketStream]');
  });

  test('fails with a WebSocketError, whose cause says more', async () => {
    const server = await start({ path: '/right' });
    const stream = new WebSocketStream(url(server.port, '/wrong'));
    for (const promise of [stream.opened, stream.closed]) {
      const error = await failure(promise);
      expect(error).toBeInstanceOf(WebSocketError);
      expect(error).toMatchObject({ closeCode: 1006, reason: '', cause: { name: 'HandshakeError', statusCode: 404 } });
    }
  });

  test('a failure that nobody looks at is no unhandled rejection', async () => {
    const rejections: unknown[] = [];
    const listen = (reason: unknown) => rejections.push(reason);
    process.on('unhandledRejection', listen);
    const stream = new WebSocketStream('ws://127.0.0.1:1/');
    await turns(50);
    await failure(stream.closed);
    process.off('unhandledRejection', listen);
    expect(rejections).toEqual([]);
  });

  test('close gives it up', async () => {
    const port = await rawServer((socket) => socket.resume().on('end', () => socket.end()));
    const stream = new WebSocketStream(url(port));
    stream.close();
    expect(await failure(stream.opened)).toMatchObject({ name: 'WebSocketError', cause: { code: 'ABORTED' } });
    expect(await failure(stream.closed)).toBeInstanceOf(WebSocketError);
  });

  test('a signal gives it up, with its own reason', async () => {
    const before = AbortSignal.abort();
    const stream = new WebSocketStream('ws://127.0.0.1:1/', { signal: before });
    expect(await failure(stream.opened)).toBe(before.reason);
    expect(await failure(stream.closed)).toBe(before.reason);

    const abort = new AbortController();
    const port = await rawServer(
      answering((socket) => {
        abort.abort('mine');
        socket.resume().on('end', () => socket.end());
      }),
    );
    expect(await failure(new WebSocketStream(url(port), { signal: abort.signal }).opened)).toBe('mine');
  });

  test('a signal does nothing once open', async () => {
    const server = await echo();
    const abort = new AbortController();
    const { readable, writable } = await open(url(server.port), { signal: abort.signal });
    abort.abort();
    await writable.getWriter().write('still here');
    expect((await within(readable.getReader().read())).value).toBe('still here');
  });
});

describe('messages', () => {
  test('strings and bytes there and back, in memory of their own', async () => {
    const server = await echo();
    const { readable, writable } = await open(url(server.port));
    const writer = writable.getWriter();
    const reader = readable.getReader();
    const chunks = [
      'text\ud800',
      noise(10),
      noise(70_000),
      new Uint8Array(noise(4)).buffer,
      new DataView(new ArrayBuffer(3)),
    ];
    const expected = ['text\ufffd', noise(10), noise(70_000), new Uint8Array(noise(4)).buffer, new Uint8Array(3)];
    for (const [i, chunk] of chunks.entries()) {
      const written = writer.write(chunk);
      const { value } = await within(reader.read());
      await within(written);
      if (typeof value === 'string') {
        expect(value).toBe(expected[i]);
      } else {
        expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype);
        expect(Buffer.from(value as Uint8Array)).toEqual(Buffer.from(expected[i] as Uint8Array));
        expect(value?.buffer.byteLength).toBe(value?.byteLength);
      }
    }
  });

  test('what else is written becomes a string, shared memory an error', async () => {
    const server = await echo();
    const { readable, writable } = await open(url(server.port));
    const writer = writable.getWriter();
    await writer.write(12 as unknown as string);
    expect((await within(readable.getReader().read())).value).toBe('12');
    const shared = new SharedArrayBuffer(1) as unknown as ArrayBuffer;
    await expect(writer.write(shared)).rejects.toThrow(TypeError);
  });

  test('the bytes of a chunk may be changed as soon as it is written', async () => {
    const server = await echo();
    const { readable, writable } = await open(url(server.port));
    const memory = noise(10_000);
    const written = writable.getWriter().write(memory);
    await turns(1);
    memory.fill(0);
    await written;
    const { value } = await within(readable.getReader().read());
    expect(Buffer.from(value as Uint8Array)).toEqual(noise(10_000));
  });

  test('also where it is compressed in another thread', async () => {
    const server = await start({ perMessageDeflate: true, message: (ws, data) => void ws.send(data) });
    const { readable, writable } = await open(url(server.port), { perMessageDeflate: true });
    const memory = noise(1_000_000);
    const written = writable.getWriter().write(memory);
    await turns(1);
    memory.fill(0);
    await written;
    const { value } = await within(readable.getReader().read());
    expect(noise(1_000_000).equals(value as Uint8Array)).toBe(true);
  });

  test('that came before the Close can be read after it', async () => {
    const port = await told((socket) => {
      socket.resume().end(Buffer.concat([serverFrame(1, 'a'), serverFrame(1, 'b'), serverClose(1000, 'bye')]));
    });
    const { readable, stream } = await open(url(port));
    const received: unknown[] = [];
    for await (const chunk of readable) received.push(chunk);
    expect(received).toEqual(['a', 'b']);
    expect(await within(stream.closed)).toEqual({ closeCode: 1000, reason: 'bye' });
  });
});

describe('back-pressure', () => {
  test('a server that sends without end is held by TCP', async () => {
    let server: Peer | null = null;
    const size = 64 * 1024;
    let sent = 0;
    const one = await start({
      sendHardLimit: Number.POSITIVE_INFINITY,
      pingInterval: Number.POSITIVE_INFINITY,
      open(ws) {
        server = ws;
        while (sent < 64 * 1024 * 1024) {
          ws.send(noise(size));
          sent += size;
        }
      },
      // More as soon as there is room, without end.
      drain(ws) {
        while (ws.send(noise(size))) sent += size;
        sent += size;
      },
    });
    const before = process.memoryUsage().external;
    const { readable, stream } = await open(url(one.port));
    const waiting = await settled(() => (server as unknown as Peer).bufferedAmount);
    // What has left the server is what the buffers of two sockets take, and none of it is the client's.
    expect(sent - waiting).toBeLessThan(24 * 1024 * 1024);
    expect(waiting).toBeGreaterThan(32 * 1024 * 1024);
    expect(process.memoryUsage().external - before - sent).toBeLessThan(16 * 1024 * 1024);
    await turns(100);
    expect((server as unknown as Peer).bufferedAmount).toBeGreaterThan(waiting - 1024 * 1024);

    const reader = readable.getReader();
    for (let i = 0; i < 2000; i++) await within(reader.read());
    expect((server as unknown as Peer).bufferedAmount).not.toBe(waiting);
    expect(sent).toBeGreaterThanOrEqual(2000 * size);
    await reader.cancel();
    (server as unknown as Peer).terminate();
    await failure(stream.closed);
  });

  test.each([0, 1, 5])('no more than highWaterMark messages are taken: %i', async (highWaterMark) => {
    const all = 20;
    let pong = 0;
    const { port } = await wsServer((socket) => {
      for (let i = 0; i < all; i++) {
        socket.send(`${i}`);
        // Answered when it is reached: it tells how far the client has read.
        socket.ping(`${i}`);
      }
      socket.on('pong', (data) => {
        pong = Number(`${data}`) + 1;
      });
    });
    const { readable } = await open(url(port), { highWaterMark });
    // The Ping behind the last message that was taken is reached only with the next.
    const reached = Math.max(highWaterMark - 1, 0);
    await until(() => pong >= reached);
    await turns(50);
    expect(pong).toBe(reached);
    const reader = readable.getReader();
    for (let i = 0; i < all; i++) expect((await within(reader.read())).value).toBe(`${i}`);
    await until(() => pong >= all - 1);
  });

  test('a write is done when there is room, and `ready` follows', async () => {
    let server: Socket | null = null;
    const port = await told((socket) => {
      server = socket.pause();
    });
    const { writable, stream } = await open(url(port), { pingInterval: Number.POSITIVE_INFINITY });
    const writer = writable.getWriter();
    let written = 0;
    let stuck = false;
    const write = async () => {
      for (;;) {
        await writer.write(noise(256 * 1024));
        written++;
      }
    };
    write().catch(() => {
      stuck = true;
    });
    const count = await settled(() => written);
    expect(writer.desiredSize).toBe(0);
    let ready = false;
    writer.ready.then(
      () => {
        ready = true;
      },
      () => {},
    );
    await turns(50);
    expect([written, ready]).toEqual([count, false]);
    (server as unknown as Socket).resume();
    await until(() => written > count + 100);
    expect(ready).toBe(true);
    (server as unknown as Socket).destroy();
    await until(() => stuck);
    expect(await failure(stream.closed)).toBeInstanceOf(WebSocketError);
  });

  test('abort does not wait for the write of which nobody reads', async () => {
    const port = await told((socket) => void socket.pause());
    const { writable, stream } = await open(url(port), { closeTimeout: 1 });
    const writer = writable.getWriter();
    const write = failure(writer.write(noise(16 * 1024 * 1024)));
    await turns(20);
    const why = new Error('enough');
    await within(writer.abort(why));
    expect(await write).toBe(why);
    expect(await failure(stream.closed)).toBeInstanceOf(WebSocketError);
  });

  test('a message over sendHardLimit errors the writable, and the rest goes on', async () => {
    const server = await start({ open: (ws) => void ws.send('hello') });
    const { readable, writable } = await open(url(server.port), { sendHardLimit: 1000 });
    expect(await failure(writable.getWriter().write(noise(1001)))).toMatchObject({ code: 'SEND_HARD_LIMIT' });
    expect((await within(readable.getReader().read())).value).toBe('hello');
  });
});

describe('closing', () => {
  async function server(): Promise<{ port: number; end: Promise<unknown[]> }> {
    const end = deferred<unknown[]>();
    const { port } = await wsServer((socket) => socket.on('close', (code, reason) => end.resolve([code, `${reason}`])));
    return { port, end: within(end.promise, 'the server to hear of the end') };
  }

  test.each([
    [undefined, 1005, ''],
    [{}, 1005, ''],
    [{ closeCode: 1000 }, 1000, ''],
    [{ closeCode: 4000, reason: 'why' }, 4000, 'why'],
    [{ reason: 'why' }, 1000, 'why'],
  ])('close(%j) is a Close with %i %j', async (info, code, reason) => {
    const { port, end } = await server();
    const { stream, readable, writable } = await open(url(port));
    stream.close(info);
    expect(await end).toEqual([code, reason]);
    expect(await within(stream.closed)).toEqual({ closeCode: code, reason });
    expect(await within(readable.getReader().read())).toEqual({ done: true, value: undefined });
    expect(await failure(writable.getWriter().write('x'))).toMatchObject({ name: 'InvalidStateError' });
    stream.close();
  });

  test('what may not be sent is refused, and nothing has changed', async () => {
    const { port } = await server();
    const { stream, writable } = await open(url(port));
    expect(() => stream.close({ closeCode: 1001 })).toThrow(named('InvalidAccessError'));
    expect(() => stream.close({ closeCode: 70_000 })).toThrow(TypeError);
    expect(() => stream.close({ closeCode: Number.NaN })).toThrow(TypeError);
    expect(() => stream.close({ reason: 'x'.repeat(124) })).toThrow(named('SyntaxError'));
    await writable.getWriter().write('still open');
  });

  test('closing the writable closes without a code, and waits for the end', async () => {
    const { port, end } = await server();
    const { stream, writable } = await open(url(port));
    const writer = writable.getWriter();
    writer.write('last');
    await within(writer.close());
    expect(await end).toEqual([1005, '']);
    expect(await within(stream.closed)).toEqual({ closeCode: 1005, reason: '' });
  });

  test.each([
    ['no error', undefined, 1005, ''],
    ['any error', new Error('private'), 1005, ''],
    ['a WebSocketError', new WebSocketError('x', { closeCode: 4567, reason: 'told' }), 4567, 'told'],
    ['a WebSocketError without a code', new WebSocketError('x', { reason: 'told' }), 1000, 'told'],
  ])('cancel and abort with %s', async (_what, error, code, reason) => {
    const one = await server();
    const first = await open(url(one.port));
    await within(first.readable.cancel(error));
    expect(await one.end).toEqual([code, reason]);
    expect(await within(first.stream.closed)).toEqual({ closeCode: code, reason });

    const two = await server();
    const second = await open(url(two.port));
    await within(second.writable.abort(error));
    expect(await two.end).toEqual([code, reason]);
    expect(await within(second.stream.closed)).toEqual({ closeCode: code, reason });
  });

  test('with the error of another connection that failed, which has a code that cannot be sent', async () => {
    const { port, end } = await server();
    const lost = (await failure(new WebSocketStream('ws://127.0.0.1:1/').closed)) as WebSocketError;
    expect(lost.closeCode).toBe(1006);
    const { writable } = await open(url(port));
    await writable.abort(lost);
    expect(await end).toEqual([1005, '']);
  });

  test('close while messages wait that nobody reads', async () => {
    const { port } = await wsServer((socket) => {
      for (let i = 0; i < 1000; i++) socket.send(noise(1000));
    });
    const { stream } = await open(url(port));
    await turns(20);
    stream.close({ closeCode: 4000 });
    expect(await within(stream.closed)).toEqual({ closeCode: 4000, reason: '' });
  });

  test('by the server ends the readable and errors the writable', async () => {
    const { port } = await wsServer((socket) => {
      socket.send('last');
      socket.close(4321, 'go');
    });
    const { stream, readable, writable } = await open(url(port));
    const writer = writable.getWriter();
    const over = failure(writer.closed);
    const reader = readable.getReader();
    expect((await within(reader.read())).value).toBe('last');
    expect((await within(reader.read())).done).toBe(true);
    expect(await within(stream.closed)).toEqual({ closeCode: 4321, reason: 'go' });
    expect(await over).toMatchObject({ name: 'InvalidStateError' });
  });

  test.each([
    ['the end of the stream', 'UNEXPECTED_EOF', (socket: Socket) => socket.end()],
    ['a reset', 'ECONNRESET', (socket: Socket) => socket.resetAndDestroy()],
    ['a violation', 'INVALID_UTF8', (socket: Socket) => socket.write(serverFrame(1, Buffer.from([0xff])))],
  ])('%s errors everything with one WebSocketError', async (_what, code, act) => {
    let server: Socket | null = null;
    const port = await told((socket) => {
      server = socket.resume().on('end', () => socket.end());
    });
    const { stream, readable, writable } = await open(url(port));
    const read = failure(readable.getReader().read());
    const writer = writable.getWriter();
    act(server as unknown as Socket);
    const error = await failure(stream.closed);
    expect(error).toBeInstanceOf(WebSocketError);
    expect(error).toMatchObject({ closeCode: 1006, reason: '', cause: { code } });
    expect(await read).toBe(error);
    expect(await failure(writer.closed)).toBe(error);
  });

  test('a Close after which the stream breaks tells its code', async () => {
    const port = await told((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
      socket.write(serverClose(4000, 'bye'));
    });
    const { stream } = await open(url(port));
    expect(await failure(stream.closed)).toMatchObject({ name: 'WebSocketError', closeCode: 4000, reason: 'bye' });
  });
});

describe('WebSocketError', () => {
  test('is a DOMException', () => {
    const error = new WebSocketError('message', { closeCode: 3000, reason: 'why\ud800' });
    expect(error).toBeInstanceOf(DOMException);
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.message, error.closeCode, error.reason]).toEqual([
      'WebSocketError',
      'message',
      3000,
      'why\ufffd',
    ]);
    expect(Object.prototype.toString.call(error)).toBe('[object WebSocketError]');
  });

  test('has a code where it has a reason, and refuses what cannot be sent', () => {
    expect([new WebSocketError().closeCode, new WebSocketError().reason]).toEqual([null, '']);
    expect(new WebSocketError('', { reason: 'x' }).closeCode).toBe(1000);
    expect(() => new WebSocketError('', { closeCode: 1001 })).toThrow(named('InvalidAccessError'));
    expect(() => new WebSocketError('', { closeCode: -1 })).toThrow(TypeError);
    expect(() => new WebSocketError('', { reason: 'x'.repeat(124) })).toThrow(named('SyntaxError'));
  });
});
