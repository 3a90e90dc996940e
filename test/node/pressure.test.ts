/** Writes and back-pressure on real sockets: as few system calls as turns, and bounded memory both ways. */

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Peer } from '../../src/node/index.js';
import {
  closeFrame,
  concat,
  deferred,
  frame,
  noise,
  RawClient,
  recording,
  serverEndOf,
  start,
  turns,
  until,
  writesTo,
} from './support.js';

const MiB = 1024 * 1024;

/** Waits until bytes have stopped moving: what is read from a socket has not changed for a while. */
async function quiet(client: Socket): Promise<number> {
  let last = -1;
  for (let same = 0; same < 10; ) {
    const { bytesRead } = serverEndOf(client);
    same = bytesRead === last ? same + 1 : 0;
    last = bytesRead;
    await sleep(5);
  }
  return last;
}

describe('one write a turn', () => {
  test('for the answers to one packet', async () => {
    const server = await start({
      message: (ws, data) => {
        ws.send(data);
        ws.send('and');
      },
    });
    const client = await RawClient.open(server.port);
    const writes = writesTo(client.socket);
    client.write(...Array.from({ length: 50 }, (_, i) => frame(1, `${i}`)), frame(9, 'ping'));
    await client.frameAt(100);
    expect(writes).toHaveLength(1);
  });

  test('for async handlers', async () => {
    const server = await start({
      message: async (ws, data) => {
        await null;
        ws.send(data);
        await Promise.resolve();
        ws.send('and');
      },
    });
    const client = await RawClient.open(server.port);
    const writes = writesTo(client.socket);
    client.write(...Array.from({ length: 50 }, (_, i) => frame(1, `${i}`)));
    await client.frameAt(99);
    expect(writes).toHaveLength(1);
    expect(client.texts().filter((text) => text !== 'and')).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
  });

  test('for sends to another connection', async () => {
    const server = await start({
      message: (ws, data) => {
        for (const peer of server.connections()) if (peer !== ws) peer.send(data);
      },
    });
    const from = await RawClient.open(server.port);
    const to = await RawClient.open(server.port);
    const writes = writesTo(to.socket);
    from.write(...Array.from({ length: 50 }, (_, i) => frame(1, `${i}`)));
    await to.frameAt(49);
    expect(writes).toHaveLength(1);
  });

  test('for sends from timers and promises', async () => {
    const opened = deferred<Peer>();
    const server = await start({ open: (ws) => opened.resolve(ws) });
    const client = await RawClient.open(server.port);
    const peer = await opened.promise;
    const writes = writesTo(client.socket);
    await new Promise<void>((resolve) => {
      setTimeout(async () => {
        for (let i = 0; i < 20; i++) {
          peer.send(`${i}`);
          await null;
        }
        peer.send(noise(20_000));
        peer.close(4000);
        expect(writes).toHaveLength(0);
        resolve();
      }, 1);
    });
    await client.closeCode();
    expect(writes).toHaveLength(1);
    expect(client.frames).toHaveLength(22);
  });

  test('for what open sends', async () => {
    const server = await start({
      open: (ws) => {
        for (let i = 0; i < 10; i++) ws.send(`${i}`);
      },
    });
    const client = await RawClient.open(server.port);
    await client.frameAt(9);
    expect(client.texts()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  });
});

describe('what comes in faster than it is handled', () => {
  test.for([
    ['small', 100, 40_000],
    ['large', 100_000, 100],
  ] as const)(
    '%s messages to an async handler are held by TCP, and all arrive, once, in order',
    async ([, size, count]) => {
      const gate = deferred();
      const got: number[] = [];
      const server = await start({
        message: async (_ws, data) => {
          got.push((data as Buffer).readUInt32BE(0));
          if (got.length === 3) await gate.promise;
          else if (got.length % 100 === 0) await sleep(0);
        },
      });
      const client = await RawClient.open(server.port);
      for (let i = 0; i < count; i++) {
        const payload = Buffer.alloc(size);
        payload.writeUInt32BE(i, 0);
        client.socket.write(frame(2, payload));
      }
      await until(() => got.length === 3);
      const read = await quiet(client.socket);
      // The mark, the chunk that passes it, and what the stream itself holds.
      expect(read).toBeLessThan(3 * size + 4 * 64 * 1024);
      expect(got).toHaveLength(3);
      gate.resolve();
      await until(() => got.length === count, 'every message');
      expect(got).toEqual(Array.from({ length: count }, (_, i) => i));
    },
  );

  test('a message that never ends is 1009 at maxMessageSize, not memory', async () => {
    const server = await start({ maxMessageSize: MiB });
    const client = await RawClient.open(server.port);
    client.write(frame(2, noise(600_000), { fin: false }), frame(0, noise(600_000), { fin: false }));
    expect((await client.closeCode())[0]).toBe(1009);
  });

  test('a flood of pings is answered with the newest, and bounded', async () => {
    const server = await start();
    const client = await RawClient.open(server.port);
    client.socket.pause();
    let i = 0;
    let most = 0;
    const flood = () => {
      const pings = Array.from({ length: 5000 }, () => frame(9, `${`${i++}`.padStart(100, '0')}`));
      return new Promise((resolve) => client.socket.write(concat(...pings), resolve));
    };
    for (let round = 0; round < 20; round++) {
      await Promise.race([flood(), sleep(200)]);
      const { writeQueueSize } = serverEndOf(client.socket);
      for (const peer of server.connections()) most = Math.max(most, peer.bufferedAmount + writeQueueSize);
    }
    expect(most).toBeLessThan(MiB);
    const last = `${i - 1}`.padStart(100, '0');
    client.socket.resume();
    client.write(closeFrame(1000));
    expect((await client.closeCode())[0]).toBe(1000);
    const pongs = client.frames.filter(({ opcode }) => opcode === 10).map(({ payload }) => `${payload}`);
    expect(pongs.at(-1)).toBe(last);
    expect(pongs).toEqual([...pongs].sort());
  });
});

describe('what goes out faster than it is read', () => {
  test('an echo to a client that does not read stops reading, and loses nothing', async () => {
    const { log, handlers } = recording();
    let most = 0;
    const server = await start({
      ...handlers,
      message: (ws, data) => {
        ws.send(data);
        most = Math.max(most, ws.bufferedAmount);
      },
    });
    const client = await RawClient.open(server.port);
    client.socket.pause();
    const count = 1000;
    for (let i = 0; i < count; i++) client.socket.write(frame(2, noise(50_000, i + 1)));
    await until(() => most > 64 * 1024);
    const read = await quiet(client.socket);
    expect(read).toBeLessThan(40 * MiB);
    expect(most).toBeLessThan(64 * 1024 + 50_020);
    expect(client.socket.writableLength, 'the rest is held by TCP').toBeGreaterThan(0);
    client.socket.resume();
    await until(() => client.frames.length === count, 'every echo');
    for (const [i, { payload }] of client.frames.entries()) {
      if (!payload.equals(noise(50_000, i + 1))) throw new Error(`echo ${i} differs`);
    }
    expect(log.filter(([name]) => name === 'drain').length).toBeGreaterThan(0);
  });

  test('a sender that waits for drain stays below its mark', async () => {
    let most = 0;
    let sent = 0;
    const count = 400;
    const fill = (ws: Peer) => {
      while (sent < count) {
        const more = ws.send(noise(50_000, ++sent));
        most = Math.max(most, ws.bufferedAmount);
        if (!more) return;
      }
    };
    const server = await start({ open: fill, drain: fill });
    const client = await RawClient.open(server.port);
    client.socket.pause();
    await until(() => sent > 0);
    let before = -1;
    await until(() => {
      const stalled = sent === before && sent < count;
      before = sent;
      return stalled;
    });
    client.socket.resume();
    await until(() => client.frames.length === count, 'every message');
    expect(most).toBeLessThan(64 * 1024 + 50_020);
    expect(client.frames[count - 1].payload.equals(noise(50_000, count))).toBe(true);
  });

  test('a slow client holds back no other', async () => {
    const server = await start({
      message: (_ws, data) => {
        for (const peer of server.connections()) if (peer.bufferedAmount < MiB) peer.send(data);
      },
    });
    const slow = await RawClient.open(server.port);
    const fast = await RawClient.open(server.port);
    slow.socket.pause();
    for (let i = 0; i < 300; i++) {
      fast.write(frame(2, noise(50_000, i + 1)));
      await fast.frameAt(i);
    }
    expect(fast.frames).toHaveLength(300);
    await turns();
    const amounts = [...server.connections()].map(({ bufferedAmount }) => bufferedAmount);
    expect(Math.max(...amounts)).toBeLessThan(MiB + 60_000);
  });
});
