/** How connections end on real sockets: closing, violations, silence, resets. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Peer } from '../../src/node/index.js';
import {
  closeFrame,
  concat,
  connectWs,
  deferred,
  frame,
  next,
  noise,
  RawClient,
  recording,
  request,
  serverEndOf,
  start,
  turns,
  until,
} from './support.js';

const MiB = 1024 * 1024;

describe('the closing handshake', () => {
  test('begun by the client: the server ends first, and waits for the client', async () => {
    const { handlers, log } = recording();
    const server = await start(handlers);
    const client = await RawClient.open(server.port);
    client.write(closeFrame(4000, 'bye'));
    await until(() => client.ended);
    expect(await client.closeCode()).toEqual([4000, '']);
    expect(log).toEqual([['open'], ['close', 4000, 'bye']]);
    expect(server.size).toBe(1);
    expect(serverEndOf(client.socket).destroyed).toBe(false);
    client.socket.end();
    await until(() => server.size === 0);
    expect(client.error).toBeNull();
  });

  test('begun by the server', async () => {
    const { handlers, log } = recording();
    const server = await start({ ...handlers, open: (ws) => ws.close(4000, 'bye') });
    const client = await RawClient.open(server.port);
    expect(await client.closeCode()).toEqual([4000, 'bye']);
    await turns();
    expect(client.ended).toBe(false);
    client.write(frame(1, 'one more'), closeFrame(4000));
    await until(() => client.ended);
    expect(log).toEqual([
      ['message', 'one more'],
      ['close', 4000, ''],
    ]);
    client.socket.end();
    await until(() => server.size === 0);
  });

  test('begun by both at once', async () => {
    const { handlers, log } = recording();
    const server = await start({ ...handlers, message: (ws) => ws.close(4001) });
    const client = await RawClient.open(server.port);
    client.write(frame(1, 'x'), closeFrame(4002));
    expect(await client.closeCode()).toEqual([4001, '']);
    await until(() => client.ended);
    expect(client.frames).toHaveLength(1);
    expect(log).toEqual([['open'], ['close', 4002, '']]);
    client.socket.end();
  });

  test('without a code: 1005, and an answer without one', async () => {
    const { handlers, log } = recording();
    const server = await start(handlers);
    const client = await RawClient.open(server.port);
    client.write(frame(8));
    expect(await client.closeCode()).toEqual([1005, '']);
    client.socket.end();
    await until(() => server.size === 0);
    expect(log.at(-1)).toEqual(['close', 1005, '']);
  });

  test('a client that ends its side with its Close gets every answer first', async () => {
    const server = await start({
      message: async (ws, data) => {
        await sleep(5);
        ws.send(data);
      },
      close: () => sleep(5),
    });
    const client = await RawClient.open(server.port);
    client.write(frame(1, 'a'), frame(2, noise(3 * MiB)), frame(1, 'c'), closeFrame(1000));
    client.socket.end();
    expect(await client.closeCode()).toEqual([1000, '']);
    expect(client.frames.map(({ payload }) => payload.length)).toEqual([1, 3 * MiB, 1, 2]);
    await until(() => client.closed && server.size === 0);
    expect(client.error).toBeNull();
  });

  test('a client that never answers is cut off at closeTimeout', async () => {
    const { handlers, log } = recording();
    const server = await start({ ...handlers, closeTimeout: 100, open: (ws) => ws.close(4000) });
    const client = await RawClient.open(server.port);
    await until(() => server.size === 0);
    expect(await client.closeCode()).toEqual([4000, '']);
    expect(log).toEqual([
      ['error', expect.objectContaining({ code: 'CLOSE_TIMEOUT' })],
      ['close', 1006, expect.stringContaining('closeTimeout')],
    ]);
  });

  test('a client that answers and never ends its side is cut off at closeTimeout', async () => {
    const { handlers, log } = recording();
    const server = await start({ ...handlers, closeTimeout: 100 });
    const client = await RawClient.open(server.port);
    client.write(closeFrame(1000));
    await until(() => server.size === 0);
    expect(await client.closeCode()).toEqual([1000, '']);
    expect(log).toEqual([['open'], ['close', 1000, '']]);
  });

  test('a client that does not read is cut off at closeTimeout', async () => {
    const { handlers, log } = recording();
    const server = await start({
      ...handlers,
      closeTimeout: 100,
      open: (ws) => {
        ws.send(noise(12 * MiB));
        ws.close();
      },
    });
    const client = await RawClient.open(server.port);
    client.socket.pause();
    await until(() => server.size === 0);
    expect(log.at(-1)?.slice(0, 2)).toEqual(['close', 1006]);
    expect(log.filter(([name]) => name === 'close')).toHaveLength(1);
  });
});

describe('a violation', () => {
  const violations: [string, Uint8Array, number][] = [
    ['a frame without a mask', frame(1, 'x', { key: null }), 1002],
    ['reserved bits', frame(1, 'x', { rsv: 0x40 }), 1002],
    ['a reserved opcode', frame(3, 'x'), 1002],
    ['a fragmented ping', frame(9, 'x', { fin: false }), 1002],
    ['a ping too long', frame(9, noise(126)), 1002],
    ['a continuation of nothing', frame(0, 'x'), 1002],
    ['a length not minimal', frame(1, 'x', { lengthBytes: 2 }), 1002],
    ['a Close of one byte', frame(8, 'x'), 1002],
    ['a Close with a code that may not be sent', closeFrame(1005), 1002],
    ['bad UTF-8', frame(1, new Uint8Array([0xc3, 0x28])), 1007],
    ['bad UTF-8 in a Close', frame(8, new Uint8Array([3, 0xe8, 0xff])), 1007],
    ['too large a message', frame(2, '', { claim: 17n * 1024n * 1024n }), 1009],
  ];
  test.for(violations)('%s: the code arrives, whatever was sent behind it', async ([, bytes, code]) => {
    const { handlers, log } = recording();
    const server = await start(handlers);
    const client = await RawClient.open(server.port);
    // Far more than is read at once: to close with it unread would reset the connection, and lose the Close.
    client.socket.write(concat(frame(1, 'good'), bytes));
    client.socket.write(new Uint8Array(8 * MiB));
    expect((await client.closeCode())[0]).toBe(code);
    expect(client.error).toBeNull();
    await until(() => client.ended);
    client.socket.end();
    await until(() => server.size === 0);
    expect(log.map(([name, what]) => (name === 'close' ? [name, what] : name))).toEqual([
      'open',
      'message',
      'error',
      ['close', code],
    ]);
    expect(log[2][1]).toMatchObject({ name: 'RemoteProtocolError' });
  });

  test('by a client that stays is over at closeTimeout', async () => {
    const server = await start({ closeTimeout: 100 });
    const client = await RawClient.open(server.port, frame(3));
    expect((await client.closeCode())[0]).toBe(1002);
    await until(() => server.size === 0);
    expect(serverEndOf(client.socket).destroyed).toBe(true);
  });

  test('by a client that floods for ever is over at closeTimeout, and costs no memory', async () => {
    const server = await start({ closeTimeout: 100 });
    const client = await RawClient.open(server.port, frame(3));
    const flood = noise(MiB);
    const pour = (error?: Error | null) => {
      if (!error) client.socket.write(flood, pour);
    };
    pour();
    await until(() => server.size === 0);
    await until(() => client.closed);
  });

  test('in the middle of our own large message: Close stands between frames', async () => {
    const server = await start({ open: (ws) => ws.send(new Uint8Array(5 * MiB)) });
    const client = await RawClient.open(server.port, frame(3));
    expect((await client.closeCode())[0]).toBe(1002);
    expect(client.frames.map(({ payload }) => payload.length > 1000)).toEqual([true, false]);
  });
});

describe('keep-alive', () => {
  test('a silent client gets a Ping, and is dropped when nothing comes', async () => {
    const { handlers, log } = recording();
    const server = await start({ ...handlers, pingInterval: 50, pingTimeout: 50 });
    const client = await RawClient.open(server.port);
    expect((await client.frameAt(0)).opcode).toBe(9);
    await until(() => server.size === 0);
    expect(log).toEqual([
      ['open'],
      ['error', expect.objectContaining({ code: 'PING_TIMEOUT' })],
      ['close', 1006, expect.stringContaining('pingTimeout')],
    ]);
    expect((await client.closeCode())[0]).toBe(1011);
  });

  test('a client that answers stays', async () => {
    const { handlers, names } = recording();
    const server = await start({ ...handlers, pingInterval: 50, pingTimeout: 50 });
    const ws = await connectWs(server.port);
    let pings = 0;
    ws.on('ping', () => pings++);
    await until(() => pings === 2);
    expect(server.size).toBe(1);
    expect(names()).not.toContain('close');
  });

  test('a client is not blamed for a handler that takes its time', async () => {
    const gate = deferred();
    const { handlers, names } = recording();
    const server = await start({ ...handlers, pingInterval: 50, pingTimeout: 50, message: () => gate.promise });
    const ws = await connectWs(server.port);
    ws.send('work');
    // One that came later, and is as silent after its last word, shows when both would have been dropped.
    (await RawClient.open(server.port)).write(frame(9, 'last word'));
    expect(server.size).toBe(2);
    await until(() => server.size === 1);
    gate.resolve();
    const closed = next(ws, 'close');
    ws.close(4000);
    expect((await closed)[0]).toBe(4000);
    await until(() => names().filter((name) => name === 'close').length === 2);
  });

  test('a client that stops reading for good is dropped', async () => {
    const { handlers, log } = recording();
    const server = await start({
      ...handlers,
      pingInterval: 50,
      pingTimeout: 50,
      open: (ws) => ws.send(noise(12 * MiB)),
    });
    const client = await RawClient.open(server.port);
    client.socket.pause();
    await until(() => server.size === 0);
    expect(log.at(-1)?.slice(0, 2)).toEqual(['close', 1006]);
  });
});

describe('a client that resets', () => {
  const stages: [string, (client: RawClient, peer: Peer) => unknown][] = [
    ['while idle', () => {}],
    ['in the middle of a frame', (client) => client.write(frame(2, noise(1000)).subarray(0, 500))],
    ['in the middle of a message', (client) => client.write(frame(1, 'x', { fin: false }))],
    ['right after a message', (client) => client.write(frame(1, 'x'))],
    ['right after its Close', (client) => client.write(closeFrame(1000))],
    ['right after a violation', (client) => client.write(frame(3), noise(MiB))],
    [
      'after our Close',
      (client, peer) => {
        peer.close();
        return client.closeCode();
      },
    ],
    [
      'while we write',
      (client, peer) => {
        client.socket.pause();
        peer.send(noise(10 * MiB));
        return turns();
      },
    ],
    [
      'before we write',
      (_client, peer) => {
        setTimeout(() => peer.send('too late'), 1);
      },
    ],
  ];
  for (const slow of [false, true]) {
    test.for(stages)(`%s: no uncaught error, one close${slow ? ', handlers slow' : ''}`, async ([, stage]) => {
      const opened = deferred<Peer>();
      const { handlers, log } = recording();
      const server = await start({
        ...handlers,
        open: (ws) => opened.resolve(ws),
        message: (ws) => {
          ws.send(noise(100_000));
          return slow ? sleep(20) : undefined;
        },
      });
      const client = await RawClient.open(server.port);
      await stage(client, await opened.promise);
      // What has not left this process would be lost with the reset.
      await until(() => client.socket.writableLength === 0 || client.closed);
      client.socket.resetAndDestroy();
      await until(() => server.size === 0);
      await turns();
      const names = log.map(([name]) => name);
      expect(names.filter((name) => name === 'close')).toHaveLength(1);
      expect(names.at(-1), 'nothing comes after close').toBe('close');
      expect([1000, 1002, 1006]).toContain(log.at(-1)?.[1]);
    });
  }

  test('a hundred at once', async () => {
    const { handlers, names } = recording();
    const server = await start({ ...handlers, message: (ws, data) => ws.send(data) });
    const clients = await Promise.all(Array.from({ length: 100 }, () => RawClient.open(server.port)));
    for (const [i, client] of clients.entries()) {
      client.write(frame(2, noise(10_000)));
      if (i % 3 === 0) client.socket.resetAndDestroy();
      else if (i % 3 === 1) client.socket.destroy();
      else client.socket.end();
    }
    await until(() => server.size === 0);
    expect(names().filter((name) => name === 'close')).toHaveLength(100);
    const sound = await RawClient.open(server.port, undefined, request());
    sound.write(frame(1, 'fine'));
    expect(`${(await sound.frameAt(0)).payload}`).toBe('fine');
  });
});
