/** Reading that is held on purpose: what stops, what goes on, and what ends it. */

import { describe, expect, test } from 'vitest';
import { closeFrame, concat, deferred, frame, noise, serverEndOf, turns, until } from './support.js';
import { pair } from './support-peer.js';
import { timed } from './support-time.js';

const MiB = 1024 * 1024;

describe('while paused', () => {
  test('no event of any kind comes; resumed, all of them, in order', async () => {
    const { peer, client, log } = await pair();
    expect(peer.isPaused).toBe(false);
    peer.pause();
    expect(peer.isPaused).toBe(true);
    client.write(frame(1, 'a'), frame(9, 'b'), frame(10, 'c'), frame(2, 'd'));
    await turns(50);
    expect([log, peer.messagesReceived, client.frames]).toEqual([[], 0, []]);
    peer.resume();
    expect(peer.isPaused).toBe(false);
    await until(() => log.length === 4);
    expect(log.map(([name, value]) => [name, `${value}`])).toEqual([
      ['message', 'a'],
      ['ping', 'b'],
      ['pong', 'c'],
      ['message', 'd'],
    ]);
    await client.frameAt(0);
  });

  test('TCP holds the peer: its bytes stop leaving', async () => {
    const { peer, client, log } = await pair({ message: (_ws, data) => log.push(['message', data.length]) });
    peer.pause();
    await turns();
    const data = frame(2, noise(MiB));
    const count = 24;
    for (let i = 0; i < count; i++) client.write(data);
    let left = -1;
    await until(() => {
      const before = left;
      left = client.socket.writableLength;
      return before === left;
    });
    await turns(50);
    expect(client.socket.writableLength, 'bytes held back by the client').toBeGreaterThan(8 * MiB);
    // What was under way when it paused is all that was read.
    expect(serverEndOf(client.socket).bytesRead).toBeLessThan(MiB);
    expect(log).toEqual([]);
    peer.resume();
    await until(() => log.length === count);
    expect(client.socket.writableLength).toBe(0);
    expect(peer.bytesReceived).toBe(count * data.length);
  });

  test('sending goes on, and so do drains', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    peer.pause();
    peer.send('one');
    await client.frameAt(0);
    expect(peer.send(noise(3_000_000))).toBe(false);
    peer.ping();
    await client.frameAt(2);
    await until(() => log.length > 0);
    expect(log).toEqual([['drain']]);
    client.write(frame(1, 'x'));
    await turns(20);
    expect(log, 'a drain does not end a pause').toHaveLength(1);
    peer.resume();
    await until(() => log.length === 2);
  });

  test('twice is once, and resume without pause is nothing', async () => {
    const { peer, client, log } = await pair();
    peer.resume();
    peer.pause();
    peer.pause();
    client.write(frame(1, 'a'));
    await turns(20);
    peer.resume();
    peer.resume();
    await until(() => log.length === 1);
    client.write(frame(1, 'b'));
    await until(() => log.length === 2);
  });

  test('pause and resume in one turn lose nothing and stop nothing', async () => {
    const { peer, client, log } = await pair();
    for (let i = 0; i < 20; i++) {
      client.write(frame(1, `${i}`));
      peer.pause();
      peer.resume();
      await turns(1);
    }
    await until(() => log.length === 20);
    expect(log.map(([, data]) => data)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
  });
});

describe('in handlers', () => {
  test('pause holds the next message of the same packet; resume, from elsewhere, hands it out', async () => {
    const got: unknown[] = [];
    const { peer, client } = await pair({
      message: (ws, data) => {
        got.push(data);
        ws.pause();
      },
    });
    client.write(frame(1, 'a'), frame(1, 'b'), frame(1, 'c'));
    for (const [i, so] of ['a', 'ab', 'abc'].entries()) {
      await until(() => got.length === i + 1);
      await turns();
      expect([got.join(''), peer.isPaused]).toEqual([so, true]);
      peer.resume();
    }
  });

  test('resume within a handler does not call the next one inside of it', async () => {
    const calls: string[] = [];
    const { client } = await pair({
      message: (ws, data) => {
        calls.push(`${data} begins`);
        ws.pause();
        ws.resume();
        calls.push(`${data} ends`);
      },
    });
    client.write(frame(1, 'a'), frame(1, 'b'));
    await until(() => calls.length === 4);
    expect(calls).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  test('a promise and a pause both hold', async () => {
    const gate = deferred();
    const { peer, client, log } = await pair({
      message: async (ws, data) => {
        log.push(['message', data]);
        ws.pause();
        await gate.promise;
      },
    });
    client.write(frame(1, 'a'), frame(1, 'b'));
    await until(() => log.length === 1);
    peer.resume();
    await turns();
    expect(log).toHaveLength(1);
    peer.pause();
    gate.resolve();
    await turns();
    expect(log).toHaveLength(1);
    peer.resume();
    await until(() => log.length === 2);
  });

  test('resume in a drain', async () => {
    const { peer, client, log } = await pair({
      sendHighWater: 1000,
      drain: (ws) => {
        log.push(['drain']);
        ws.resume();
      },
    });
    peer.pause();
    client.write(frame(1, 'a'));
    expect(peer.send(noise(5000))).toBe(false);
    await until(() => log.length === 2);
    expect(log).toEqual([['drain'], ['message', 'a']]);
  });
});

describe('the end while paused', () => {
  test('close: the Close leaves; the answer is read once resumed', async () => {
    const { server, peer, client, log } = await pair();
    peer.pause();
    peer.send('last');
    peer.close(4000, 'bye');
    expect(await client.closeCode()).toEqual([4000, 'bye']);
    client.write(frame(1, 'still'), closeFrame(4000));
    client.socket.end();
    await turns(20);
    expect([log, server.size]).toEqual([[], 1]);
    peer.resume();
    await until(() => server.size === 0);
    expect(log).toEqual([
      ['message', 'still'],
      ['close', 4000, ''],
    ]);
  });

  test('terminate: close with 1006, and nothing that waited', async () => {
    const { server, peer, client, log } = await pair({
      message: (ws, data) => {
        log.push(['message', data]);
        ws.pause();
      },
    });
    client.write(frame(1, 'a'), frame(1, 'b'), closeFrame(1000));
    await until(() => log.length === 1);
    peer.terminate();
    await until(() => server.size === 0);
    expect(log).toEqual([
      ['message', 'a'],
      ['close', 1006, ''],
    ]);
    expect(peer.isPaused).toBe(false);
    peer.resume();
    await turns();
    expect(log).toHaveLength(2);
  });

  test('a peer that is lost, which a write finds out', async () => {
    const { server, peer, client, log } = await pair();
    peer.pause();
    await turns();
    client.socket.resetAndDestroy();
    await turns(20);
    expect([log, server.size]).toEqual([[], 1]);
    await until(() => {
      peer.send('x');
      return server.size === 0;
    });
    expect(log.at(-1)).toEqual(['close', 1006, '']);
  });

  test('a pause after the stream has closed does not hold back the close event', async () => {
    const gate = deferred();
    const { server, client, log } = await pair({
      message: async (ws) => {
        await gate.promise;
        ws.pause();
        expect(ws.isPaused).toBe(false);
      },
    });
    client.write(frame(1, 'x'));
    await until(() => server.stats().messagesReceived === 1);
    for (const peer of server.connections()) peer.terminate();
    await until(() => client.ended || client.closed);
    await turns();
    gate.resolve();
    await until(() => server.size === 0);
    expect(log).toEqual([['close', 1006, '']]);
  });

  test('shutting down the server cuts it off in time', async () => {
    const { server, peer, client, log } = await pair();
    peer.pause();
    const closed = server.close({ timeout: 30 });
    expect(await client.closeCode()).toEqual([1001, '']);
    client.write(closeFrame(1001));
    await closed;
    expect(log).toEqual([['close', 1006, '']]);
  });
});

describe('in time', () => {
  const keepAlive = { pingInterval: 30_000, pingTimeout: 20_000 };

  test('keep-alive does not blame an innocent peer for our not reading', async () => {
    const { peer, stream, log, pass } = timed({ options: keepAlive });
    peer.pause();
    await pass(300_000);
    expect(log).toEqual([['open']]);
    expect(stream.frames).toEqual([]);
    peer.resume();
    for (let i = 0; i < 60 && stream.frames.length === 0; i++) await pass(1000);
    expect(stream.frames.map(({ opcode }) => opcode)).toEqual([9]);
    stream.push(frame(10));
    await pass(25_000);
    expect(log.slice(1)).toEqual([['pong', Buffer.alloc(0)]]);
  });

  test('nor when its answer came while we did not read, and the time is up as we resume', async () => {
    const { peer, stream, log, pass, passAtOnce } = timed({ options: keepAlive });
    await pass(31_000);
    expect(stream.frames.map(({ opcode }) => opcode)).toEqual([9]);
    peer.pause();
    await pass(18_000);
    stream.push(frame(10));
    // The tick at which the answer is due comes before anything could be read.
    peer.resume();
    passAtOnce(3000);
    await pass(10_000);
    expect(log.slice(1)).toEqual([['pong', Buffer.alloc(0)]]);
    expect(peer.isOpen).toBe(true);
  });

  test('a half-open peer that takes nothing of what is sent is found out', async () => {
    const { peer, stream, names, pass } = timed({ options: { ...keepAlive, sendHighWater: 1000 } });
    stream.stuck = true;
    peer.pause();
    expect(peer.send(noise(5000))).toBe(false);
    await pass(60_000);
    expect(stream.destroyed).toBe(true);
    expect(names()).toEqual(['open', 'drain', 'error', 'close']);
  });

  test('a half-open peer is found out after we resume', async () => {
    const { peer, stream, names, pass } = timed({ options: keepAlive });
    peer.pause();
    await pass(100_000);
    peer.resume();
    await pass(80_000);
    expect(stream.destroyed).toBe(true);
    expect(names()).toEqual(['open', 'error', 'close']);
  });

  test('a slow peer that takes a little now and then is not', async () => {
    const { peer, stream, names, pass } = timed({ options: { ...keepAlive, sendHighWater: 1000, sendHardLimit: 1e9 } });
    stream.stuck = true;
    peer.pause();
    for (let i = 0; i < 12; i++) {
      peer.send(noise(3_000_000));
      await pass(10_000);
      stream.finish();
    }
    expect(names()).toEqual(['open']);
  });

  test('a Close that is not answered, or whose answer is not read, ends with closeTimeout', async () => {
    const { peer, stream, log, names, pass } = timed({ options: { closeTimeout: 10_000 } });
    peer.pause();
    peer.close();
    await turns();
    stream.push(concat(frame(1, 'unread'), closeFrame(1000)));
    await pass(9000);
    expect(names()).toEqual(['open']);
    await pass(3000);
    expect(stream.destroyed).toBe(true);
    expect(names()).toEqual(['open', 'error', 'close']);
    expect(log[2][1]).toBe(1006);
  });

  test('the idle timeout goes on', async () => {
    const { peer, stream, names, pass } = timed({ options: { closeTimeout: 5000 }, settings: { idleTimeout: 20_000 } });
    peer.pause();
    await pass(26_000);
    expect(stream.frames.map(({ payload }) => payload.readUInt16BE(0))).toEqual([1001]);
    await pass(10_000);
    expect(names()).toEqual(['open', 'error', 'close']);
  });
});
