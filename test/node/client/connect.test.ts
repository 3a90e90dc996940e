/** `connect`: the handlers of a server, on a client. */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { PerMessageDeflate } from '../../../src/core/index.js';
import { connect } from '../../../src/node/client/connect.js';
import type { Peer } from '../../../src/node/peer.js';
import { atEnd, deferred, noise, recording, start, until, warningsDuring, within } from '../support.js';
import { accepting, answering, open, rawServer, refusal, serverFrame, wsServer } from './support.js';

const url = (port: number, path = '/') => `ws://127.0.0.1:${port}${path}`;

describe('a conversation', () => {
  test('text, binary and pings with our server', async () => {
    const server = await start({ message: (ws, data) => ws.send(data) });
    const { log, handlers } = recording();
    const peer = await open(url(server.port), handlers);
    peer.send('text');
    peer.send(noise(100_000));
    peer.ping(Buffer.from('there?'));
    await until(() => log.some(([name]) => name === 'pong'));
    peer.close(4001, 'enough');
    await until(() => log.some(([name]) => name === 'close'));
    expect(log.filter(([name]) => name !== 'drain')).toEqual([
      ['open'],
      ['message', 'text'],
      ['message', noise(100_000)],
      ['pong', Buffer.from('there?')],
      ['close', 4001, ''],
    ]);
  });

  test('with the server of ws, which pings and closes', async () => {
    const pong = deferred<string>();
    const { port } = await wsServer((socket) => {
      socket.ping('are you there');
      socket.on('pong', (data) => {
        pong.resolve(`${data}`);
        socket.close(4002, 'because');
      });
    });
    const { log, handlers } = recording();
    await open(url(port), handlers);
    expect(await within(pong.promise)).toBe('are you there');
    await until(() => log.length === 3);
    expect(log).toEqual([['open'], ['ping', Buffer.from('are you there')], ['close', 4002, 'because']]);
  });

  test('a handler that takes its time holds what follows, and TCP the server', async () => {
    let server: Peer | null = null;
    const release = deferred();
    const one = await start({
      sendHardLimit: Number.POSITIVE_INFINITY,
      open(ws) {
        server = ws;
        for (let i = 0; i < 400; i++) ws.send(noise(50_000));
      },
    });
    let received = 0;
    const peer = await open(url(one.port), {
      message() {
        received++;
        return received === 1 ? release.promise : undefined;
      },
    });
    await until(() => received === 1);
    let before = -1;
    await until(() => {
      const { bufferedAmount } = server as unknown as Peer;
      const settled = before === bufferedAmount;
      before = bufferedAmount;
      return settled && before > 0;
    }, 'the server to be held');
    expect([received, before > 4e6]).toEqual([1, true]);
    release.resolve();
    await until(() => received === 400);
    peer.close();
  });

  test('a silent server is pinged, and lost', async () => {
    const port = await rawServer(answering((socket, request) => socket.write(accepting(request))));
    const { log, handlers } = recording();
    await open(url(port), { ...handlers, pingInterval: 1, pingTimeout: 1 });
    await until(() => log.some(([name]) => name === 'close'));
    expect(log).toMatchObject([['open'], ['error', { code: 'PING_TIMEOUT' }], ['close', 1006, expect.anything()]]);
  });

  test('a server that masks its frames is answered with 1002', async () => {
    const code = deferred<number>();
    const port = await rawServer(
      answering((socket, request) => {
        socket.on('data', (chunk) => {
          // FIN and Close, the mask bit and a length, the key, and then the code.
          const key = chunk.subarray(2, 6);
          code.resolve(((chunk[6] ^ key[0]) << 8) | (chunk[7] ^ key[1]));
        });
        socket.write(Buffer.concat([accepting(request), Buffer.from([0x81, 0x81, 0, 0, 0, 0, 65])]));
      }),
    );
    const { log, handlers } = recording();
    await open(url(port), handlers);
    expect(await within(code.promise)).toBe(1002);
    await until(() => log.length === 3);
    expect(log[1]).toMatchObject(['error', { code: 'MASK_FORBIDDEN' }]);
  });

  test('the limits are those that were given', async () => {
    const server = await start({ open: (ws) => void ws.send(noise(2000)) });
    const { log, handlers } = recording();
    await open(url(server.port), { ...handlers, maxMessageSize: 1000 });
    await until(() => log.length === 3);
    expect(log[2][1]).toBe(1009);
  });
});

describe('opening', () => {
  test('resolves after `open`, with the data, the subprotocol and the address', async () => {
    const server = await start({ upgrade: () => ({ protocol: 'b', headers: { 'X-Room': '7' } }) });
    const order: unknown[] = [];
    const connecting = connect<{ user: string }>(url(server.port), {
      protocols: ['a', 'b'],
      data: { user: 'ada' },
      accepted: ({ protocol, headers }) => order.push(['accepted', protocol, headers['x-room']]),
      open: (ws) => order.push(['open', ws.data.user]),
    });
    const peer = await connecting;
    order.push('resolved');
    atEnd(() => peer.terminate());
    expect(order).toEqual([['accepted', 'b', '7'], ['open', 'ada'], 'resolved']);
    expect([peer.protocol, peer.remoteAddress, peer.isOpen]).toEqual(['b', '127.0.0.1', true]);
  });

  test('a subprotocol that was not chosen is left to the caller, one that was not offered is refused', async () => {
    const server = await start();
    expect((await open(url(server.port), { protocols: 'a' })).protocol).toBe('');
    const port = await rawServer(
      answering((socket, request) => socket.end(accepting(request, { 'Sec-WebSocket-Protocol': 'z' }))),
    );
    expect((await refusal(url(port), { protocols: 'a' })).code).toBe('INVALID_SUBPROTOCOL');
  });

  test('an extension that was not offered is refused', async () => {
    const port = await rawServer(
      answering((socket, request) => socket.end(accepting(request, { 'Sec-WebSocket-Extensions': 'x-foo' }))),
    );
    expect((await refusal(url(port))).code).toBe('INVALID_EXTENSION');
  });

  test('what `accepted` throws is what it rejects with, and the connection is closed', async () => {
    const gone = deferred();
    const server = await start({ close: () => gone.resolve() });
    const { log, handlers } = recording();
    const why = new Error('not what I want');
    const accepted = () => {
      throw why;
    };
    await expect(open(url(server.port), { ...handlers, accepted })).rejects.toBe(why);
    await within(gone.promise);
    expect(log).toEqual([]);
  });

  test('no handler is called when it fails', async () => {
    const { log, handlers } = recording();
    await refusal('ws://127.0.0.1:1/', handlers);
    expect(log).toEqual([]);
  });

  test('what `open` throws closes the connection with 1011', async () => {
    const closed = deferred<number>();
    const server = await start({ close: (_ws, code) => closed.resolve(code) });
    const warnings = await warningsDuring(async () => {
      await open(url(server.port), {
        open() {
          throw new Error('open failed');
        },
      });
      expect(await within(closed.promise)).toBe(1011);
    });
    expect(warnings).toMatchObject([{ message: 'open failed' }]);
  });
});

describe('the end', () => {
  test('of the stream without a Close is 1006', async () => {
    const port = await rawServer(answering((socket, request) => socket.end(accepting(request))));
    const { log, handlers } = recording();
    await open(url(port), handlers);
    await until(() => log.length === 2);
    expect(log[1]).toEqual(['close', 1006, '']);
  });

  test('a reset is an error and 1006', async () => {
    const port = await rawServer(
      answering((socket, request) => {
        socket.write(Buffer.concat([accepting(request), serverFrame(1, 'last')]));
        socket.once('data', () => socket.resetAndDestroy());
      }),
    );
    const { log, handlers } = recording();
    const peer = await open(url(port), handlers);
    peer.send('now');
    await until(() => log.some(([name]) => name === 'close'));
    expect(log).toMatchObject([['open'], ['message', 'last'], ['error', { code: 'ECONNRESET' }], ['close', 1006, '']]);
  });

  test('a client waits for the server to close the stream', async () => {
    const stream = deferred<Socket>();
    const port = await rawServer(
      answering((socket, request) => {
        socket.write(accepting(request));
        socket.once('data', () => {
          socket.write(Buffer.from([0x88, 0]));
          stream.resolve(socket);
        });
      }),
    );
    const { log, handlers } = recording();
    const peer = await open(url(port), handlers);
    peer.close();
    const socket = await within(stream.promise);
    await until(() => log.length === 2);
    expect(log[1]).toEqual(['close', 1005, '']);
    expect(socket.readableEnded).toBe(false);
    socket.end();
    await until(() => socket.destroyed || socket.readableEnded);
  });
});

test.each([
  ['as it is', false],
  ['compressed, by what goes around', new PerMessageDeflate({ serverNoContextTakeover: true })],
])('handlers are called in the async context of their own connection: what is large comes %s', async (_, option) => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const server = await start({
    perMessageDeflate: option,
    message: (ws, data) => {
      seen.push(['server', storage.getStore()]);
      ws.send(data);
    },
  });
  for (const name of ['one', 'other']) {
    await storage.run(name, async () => {
      const got = deferred();
      const peer = await open(url(server.port), {
        perMessageDeflate: option,
        message: () => {
          seen.push([name, storage.getStore()]);
          got.resolve();
        },
      });
      peer.send(noise(300_000));
      await within(got.promise, 'the echo');
    });
  }
  expect(seen).toEqual([
    ['server', undefined],
    ['one', 'one'],
    ['server', undefined],
    ['other', 'other'],
  ]);
});
