/** What can be sent: memory of every kind, bytes as text, and Blobs, behind which everything waits. */

import { describe, expect, test } from 'vitest';
import { connect, LocalProtocolError, SendLimitError } from '../../src/node/index.js';
import type { SendOptions } from '../../src/node/peer.js';
import { atEnd, closeFrame, EMPTY, frame, noise, RawClient, request, start, turns, until } from './support.js';
import { pair, SlowBlob } from './support-peer.js';

const KiB = 1024;

/** The error that `run` throws. */
function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** A copy of bytes in shared memory. */
function shared(bytes: Uint8Array): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(bytes.length);
  new Uint8Array(memory).set(bytes);
  return memory;
}

describe('memory of every kind', () => {
  const bytes = Uint8Array.from(noise(64));
  const views = [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ] as const;

  test.each(views.map((View) => [View.name, View] as const))('%s, and only what it shows', async (_, View) => {
    const { peer, client } = await pair();
    for (const memory of [bytes.buffer, shared(bytes)] as ArrayBuffer[]) {
      expect(peer.send(new View(memory))).toBe(true);
      expect(peer.send(new View(memory, 8, 16 / View.BYTES_PER_ELEMENT))).toBe(true);
      expect(peer.send(new View(memory, 64, 0))).toBe(true);
    }
    await client.frameAt(5);
    const expected = [bytes, bytes.subarray(8, 24), bytes.subarray(64)].map((part) => Buffer.from(part));
    expect(client.frames.map(({ payload }) => payload)).toEqual([...expected, ...expected]);
    expect(client.frames.every(({ opcode, fin }) => opcode === 2 && fin)).toBe(true);
  });

  test.for([0, 1, 125, 126, 16 * KiB, 16 * KiB + 1, 65_535, 65_536, 300_000])('of %d bytes', async (size) => {
    const { peer, client } = await pair();
    const data = Uint8Array.from(noise(size, 3));
    const around = new Uint8Array(size + 9).fill(0xee);
    around.set(data, 5);
    peer.send(data.buffer);
    peer.send(shared(data));
    peer.send(new DataView(around.buffer, 5, size));
    peer.send(new DataView(shared(around), 5, size));
    peer.send(Buffer.from(around.buffer, 5, size));
    await client.frameAt(4);
    for (const { opcode, payload } of client.frames) {
      expect(opcode).toBe(2);
      expect(payload.equals(data)).toBe(true);
    }
  });

  test('small memory may be changed after', async () => {
    const { peer, client } = await pair();
    const data = Uint8Array.from(noise(100));
    for (const memory of [data.buffer, shared(data)]) {
      peer.send(memory);
      new Uint8Array(memory).fill(0);
    }
    await client.frameAt(1);
    expect(client.frames.map(({ payload }) => payload)).toEqual([noise(100), noise(100)]);
  });
});

describe('bytes as text', () => {
  const asText = { binary: false };

  test.for(['', 'ascii', 'grüße, 水, 🎉', 'é'.repeat(20_000)])('that are UTF-8: %.20s', async (text) => {
    const { peer, client } = await pair();
    const bytes = Uint8Array.from(Buffer.from(text));
    const kinds = [bytes, Buffer.from(text), bytes.buffer, shared(bytes), new DataView(bytes.buffer), new Blob([text])];
    for (const data of kinds) peer.send(data, asText);
    peer.send(text, asText);
    await client.frameAt(kinds.length);
    expect(client.frames.map(({ opcode, payload }) => [opcode, `${payload}` === text])).toEqual(
      Array(kinds.length + 1).fill([1, true]),
    );
  });

  test.for([
    [0xff],
    [0x61, 0xc3],
    [0xe2, 0x82],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [...noise(30_000)],
  ])('that are not: nothing is sent', async (bytes) => {
    const { peer, client } = await pair();
    const data = Uint8Array.from(bytes);
    for (const memory of [data, data.buffer, shared(data)]) {
      const error = thrownBy(() => peer.send(memory, asText));
      expect(error).toBeInstanceOf(LocalProtocolError);
      expect(error).toMatchObject({ code: 'INVALID_UTF8' });
      expect([peer.bufferedAmount, peer.messagesSent, peer.isOpen]).toEqual([0, 0, true]);
    }
    peer.send('next');
    expect(`${(await client.frameAt(0)).payload}`).toBe('next');
  });

  test('true, and nothing said, are binary', async () => {
    const { peer, client } = await pair();
    peer.send(Buffer.from('a'), { binary: true });
    peer.send(Buffer.from('b'), {});
    peer.send(Buffer.from('c'), undefined);
    peer.send(new Blob(['d']), { binary: true });
    await client.frameAt(3);
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([2, 2, 2, 2]);
  });
});

describe('what cannot be sent', () => {
  const wrong: readonly (readonly [string, unknown, { binary?: boolean }?])[] = [
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['a number as text', 5, { binary: false }],
    ['null as text', null, { binary: false }],
    ['an object', {}],
    ['what has a length', { length: 3 }],
    ['an array', [1, 2]],
    ['a String', new String('x')],
    ['a string as binary', 'x', { binary: true }],
    ['a symbol', Symbol('x')],
    ['a function', () => {}],
  ];

  test.each(wrong)('%s is refused, and nothing changes', async (_, data, options) => {
    const { peer, client } = await pair();
    expect(thrownBy(() => peer.send(data as string, options as SendOptions))).toMatchObject({
      name: 'LocalProtocolError',
      code: 'INVALID_PAYLOAD',
    });
    expect([peer.bufferedAmount, peer.messagesSent, peer.isOpen]).toEqual([0, 0, true]);
    peer.send('right');
    expect(`${(await client.frameAt(0)).payload}`).toBe('right');
  });

  test.each(wrong)('%s is refused at once behind a Blob, too', async (_, data, options) => {
    const { peer, client, log } = await pair();
    const blob = new SlowBlob(['slow']);
    peer.send(blob);
    const { bufferedAmount } = peer;
    expect(thrownBy(() => peer.send(data as string, options as SendOptions))).toMatchObject({
      name: 'LocalProtocolError',
      code: 'INVALID_PAYLOAD',
    });
    expect(peer.bufferedAmount).toBe(bufferedAmount);
    peer.send('right');
    blob.gate.resolve();
    await client.frameAt(1);
    expect(client.frames.map(({ payload }) => `${payload}`)).toEqual(['slow', 'right']);
    expect(log).toEqual([]);
  });

  test('bytes that are not UTF-8, behind a Blob', async () => {
    const { peer, client, log } = await pair();
    const blob = new SlowBlob(['slow']);
    peer.send(blob);
    expect(thrownBy(() => peer.send(Uint8Array.of(0xff), { binary: false }))).toMatchObject({ code: 'INVALID_UTF8' });
    peer.send(Buffer.from('ü'), { binary: false });
    blob.gate.resolve();
    await client.frameAt(1);
    expect(client.frames.map(({ opcode, payload }) => [opcode, `${payload}`])).toEqual([
      [2, 'slow'],
      [1, 'ü'],
    ]);
    expect(log).toEqual([]);
  });
});

describe('a Blob', () => {
  test('keeps its place among everything that is sent', async () => {
    const { peer, client, log } = await pair();
    peer.send('before');
    peer.send(new Blob(['one, ', Buffer.from('of two'), new Blob([' parts'])]));
    peer.send('text behind');
    peer.send(Buffer.from('bytes behind'));
    peer.send(new Blob([]));
    peer.send(new File(['of a file'], 'name.txt', { type: 'text/plain' }));
    peer.send(new Blob(['text of a Blob']), { binary: false });
    peer.send(new Blob(['abcdef']).slice(2, 4));
    peer.send('last');
    await client.frameAt(8);
    expect(client.frames.map(({ opcode, payload }) => [opcode, `${payload}`])).toEqual([
      [1, 'before'],
      [2, 'one, of two parts'],
      [1, 'text behind'],
      [2, 'bytes behind'],
      [2, ''],
      [2, 'of a file'],
      [1, 'text of a Blob'],
      [2, 'cd'],
      [1, 'last'],
    ]);
    expect(client.frames.every(({ fin }) => fin)).toBe(true);
    expect([peer.messagesSent, peer.bufferedAmount]).toEqual([9, 0]);
    expect(log).toEqual([]);
    // Nothing of it is left: what follows is sent as ever.
    peer.send('again');
    expect(peer.messagesSent).toBe(10);
    expect(`${(await client.frameAt(9)).payload}`).toBe('again');
  });

  test('that is read late holds back those that are read early', async () => {
    const { peer, client } = await pair();
    const blobs = Array.from({ length: 5 }, (_, i) => new SlowBlob([`${i}`]));
    for (const blob of blobs) peer.send(blob);
    for (const blob of blobs.slice(1)) blob.gate.resolve();
    await turns();
    expect(client.frames).toEqual([]);
    blobs[0].gate.resolve();
    await client.frameAt(4);
    expect(client.frames.map(({ payload }) => `${payload}`)).toEqual(['0', '1', '2', '3', '4']);
  });

  test('a megabyte, and a Ping that need not wait', async () => {
    const { peer, client } = await pair();
    const blob = new SlowBlob([noise(1_000_000)]);
    expect(peer.send(blob)).toBe(false);
    peer.ping(Buffer.from('now'));
    expect((await client.frameAt(0)).opcode).toBe(9);
    blob.gate.resolve();
    expect((await client.frameAt(1)).payload.equals(noise(1_000_000))).toBe(true);
  });

  test('counts as queued while it is read, and so does what is behind it', async () => {
    const { server, peer, client } = await pair();
    const blob = new SlowBlob([noise(5000)]);
    peer.send(blob);
    expect(peer.bufferedAmount).toBe(5004);
    peer.send('grüße');
    expect(peer.bufferedAmount).toBe(5004 + 9);
    peer.send(noise(70_000));
    expect(peer.bufferedAmount).toBe(5004 + 9 + 70_010);
    expect(server.stats().bufferedAmount).toBe(peer.bufferedAmount);
    expect(peer.messagesSent).toBe(0);
    blob.gate.resolve();
    await client.frameAt(2);
    expect([peer.bufferedAmount, peer.messagesSent, peer.bytesSent]).toEqual([0, 3, 5004 + 9 + 70_010]);
  });

  test('returns false above sendHighWater, and one drain follows when everything is sent', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    const blobs = [new SlowBlob([noise(600)]), new SlowBlob([noise(600)])];
    expect([peer.send(blobs[0]), peer.send(blobs[1]), peer.send('x')]).toEqual([true, false, false]);
    await turns();
    blobs[0].gate.resolve();
    await client.frameAt(0);
    await turns();
    expect(log).toEqual([]);
    blobs[1].gate.resolve();
    await client.frameAt(2);
    await until(() => log.length > 0);
    await turns();
    expect(log).toEqual([['drain']]);
    expect(peer.send('y')).toBe(true);
  });

  test('is not drained by what went before it', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    const blobs = [new SlowBlob([noise(100_000)]), new SlowBlob([noise(100_000)])];
    expect([peer.send(noise(50_000)), peer.send(blobs[0]), peer.send(blobs[1])]).toEqual([false, false, false]);
    await client.frameAt(0);
    await turns();
    expect([log, peer.bufferedAmount]).toEqual([[], 200_020]);
    blobs[0].gate.resolve();
    await client.frameAt(1);
    await turns();
    expect([log, peer.bufferedAmount]).toEqual([[], 100_010]);
    blobs[1].gate.resolve();
    await client.frameAt(2);
    await until(() => log.length > 0);
    await turns();
    expect(log).toEqual([['drain']]);
  });

  test('holds events while a drain is owed, as other messages do', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    const blob = new SlowBlob([noise(2000)]);
    expect(peer.send(blob)).toBe(false);
    client.write(frame(1, 'a'));
    await until(() => peer.bytesReceived === 7);
    await turns();
    expect(log).toEqual([]);
    blob.gate.resolve();
    await until(() => log.length === 2);
    expect(log).toEqual([['drain'], ['message', 'a']]);
  });

  test('in the drain of a Blob, the next: every one has its drain', async () => {
    let left = 20;
    const { peer, client, log } = await pair({
      sendHighWater: 1000,
      drain: (ws) => {
        log.push(['drain']);
        if (left-- > 0) expect(ws.send(new Blob([noise(1500)]))).toBe(false);
      },
    });
    peer.send(new Blob([noise(1500)]));
    await client.frameAt(20);
    await until(() => log.length === 21);
    await turns();
    expect(log).toHaveLength(21);
  });
});

describe('a Blob over sendHardLimit', () => {
  const limits = { sendHardLimit: 10_000, sendHighWater: 5000 };
  const large = new Blob([noise(10_001)]);

  test('refuse: thrown at once, and the connection goes on', async () => {
    const { peer, client, log } = await pair(limits);
    const error = thrownBy(() => peer.send(large));
    expect(error).toBeInstanceOf(SendLimitError);
    expect(error).toMatchObject({ code: 'SEND_HARD_LIMIT', event: null });
    expect([peer.bufferedAmount, peer.isOpen]).toEqual([0, true]);
    expect(peer.send('small')).toBe(true);
    client.write(frame(1, 'a'));
    await client.frameAt(0);
    await until(() => log.length > 0);
    expect(log).toEqual([['message', 'a']]);
    peer.close(4000);
    expect(await client.closeCode()).toEqual([4000, '']);
  });

  test('refuse, behind others: a string comes back, and what was taken is sent', async () => {
    const { peer, client, log } = await pair(limits);
    const blob = new SlowBlob([noise(4000)]);
    expect(peer.send(blob)).toBe(true);
    expect(peer.send(noise(4000))).toBe(false);
    for (const [data, event] of [
      ['x'.repeat(3000), { type: 'text', data: 'x'.repeat(3000) }],
      [Buffer.alloc(3000), { type: 'bytes', data: Buffer.alloc(3000) }],
      [large, null],
    ] as const) {
      const error = thrownBy(() => peer.send(data)) as SendLimitError;
      expect(error).toBeInstanceOf(SendLimitError);
      if (event === null) expect(error.event).toBeNull();
      else expect(error.event).toMatchObject(event);
    }
    blob.gate.resolve();
    await client.frameAt(1);
    await until(() => log.length > 0);
    await turns();
    expect(log).toEqual([['drain']]);
    expect(client.frames.map(({ payload }) => payload.length)).toEqual([4000, 4000]);
  });

  test('refuse: what is taken behind a Blob up to the limit is sent, whatever its frames add', async () => {
    const { peer, client, log } = await pair(limits);
    const blob = new SlowBlob([noise(5000)]);
    peer.send(blob);
    let taken = 1;
    const error = thrownBy(() => {
      for (; ; taken++) peer.send(Buffer.alloc(50, taken));
    });
    expect(error).toBeInstanceOf(SendLimitError);
    expect(taken).toBe(1 + Math.floor((10_000 - 5004) / 52));
    blob.gate.resolve();
    await client.frameAt(taken - 1);
    await turns();
    expect(client.frames.map(({ opcode }) => opcode)).toEqual(Array(taken).fill(2));
    expect(log).toEqual([['drain']]);
  });

  test('drop: false, forgotten, and events go on', async () => {
    const { peer, client, log } = await pair({ ...limits, overflow: 'drop' });
    expect([peer.send(large), peer.bufferedAmount, peer.isOpen]).toEqual([false, 0, true]);
    client.write(frame(1, 'a'));
    await until(() => log.some(([name]) => name === 'message'));
    expect(peer.send('small')).toBe(true);
    await client.frameAt(0);
    expect(client.texts()).toEqual(['small']);
    expect(peer.messagesSent).toBe(1);
  });

  test('drop, behind others: false, and the drain follows', async () => {
    const { peer, client, log } = await pair({ ...limits, overflow: 'drop' });
    const blob = new SlowBlob(['slow']);
    expect([peer.send(blob), peer.send(large), peer.send('x'.repeat(9999)), peer.send('small')]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    blob.gate.resolve();
    await client.frameAt(1);
    await until(() => log.length > 0);
    await turns();
    expect(log).toEqual([['drain']]);
    expect(client.frames.map(({ payload }) => `${payload}`)).toEqual(['slow', 'small']);
    expect(peer.messagesSent).toBe(2);
  });

  test('close: 1013, behind what was taken', async () => {
    for (const behind of [true, false]) {
      const { peer, client } = await pair({ ...limits, overflow: 'close' });
      const blob = new SlowBlob(['slow']);
      if (behind) expect(peer.send(blob)).toBe(true);
      expect([peer.send(large), peer.send('small'), peer.isOpen]).toEqual([false, false, false]);
      blob.gate.resolve();
      expect((await client.closeCode())[0]).toBe(1013);
      expect(client.frames.map(({ opcode }) => opcode)).toEqual(behind ? [2, 8] : [8]);
      expect(peer.messagesSent).toBe(behind ? 1 : 0);
    }
  });
});

describe('the end, while a Blob is read', () => {
  test('close: behind everything, and nothing can be sent behind it', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 10, drain: (ws) => log.push([ws.send('too late')]) });
    const blob = new SlowBlob(['a Blob of twenty-odd']);
    expect([peer.send('a'), peer.send(blob), peer.send('b')]).toEqual([true, false, false]);
    peer.close(4000, 'bye');
    peer.close(4001, 'again');
    expect([peer.isOpen, peer.send('c'), peer.send(new Blob(['d'])), peer.ping()]).toEqual(Array(4).fill(false));
    await turns();
    expect(client.frames).toHaveLength(1);
    blob.gate.resolve();
    expect(await client.closeCode()).toEqual([4000, 'bye']);
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([1, 2, 1, 8]);
    await until(() => log.length > 0);
    expect(log).toEqual([[false]]);
  });

  test('close with what may not be sent throws, and nothing changes', async () => {
    const { peer, client } = await pair();
    const blob = new SlowBlob(['slow']);
    peer.send(blob);
    expect(thrownBy(() => peer.close(1006))).toMatchObject({ code: 'INVALID_CLOSE_CODE' });
    expect(thrownBy(() => peer.close(1000, 'x'.repeat(124)))).toMatchObject({ code: 'INVALID_CLOSE_REASON' });
    expect(peer.isOpen).toBe(true);
    blob.gate.resolve();
    await client.frameAt(0);
  });

  test('terminate: close with 1006, a drain that was owed before it, and nothing after', async () => {
    const { server, peer, client, log } = await pair({ sendHighWater: 10 });
    const blobs = [new SlowBlob(['a Blob of twenty-odd']), new SlowBlob(['never read'])];
    for (const blob of blobs) expect(peer.send(blob)).toBe(false);
    peer.terminate();
    expect([peer.isOpen, peer.send('x')]).toEqual([false, false]);
    await until(() => server.size === 0);
    expect(log).toEqual([['drain'], ['close', 1006, '']]);
    for (const blob of blobs) blob.gate.resolve();
    await turns();
    expect(log).toEqual([['drain'], ['close', 1006, '']]);
    expect([peer.bufferedAmount, peer.messagesSent]).toEqual([0, 0]);
    await until(() => client.closed || client.ended);
    expect(client.frames).toEqual([]);
  });

  test('the peer is lost: the same', async () => {
    for (const hold of [true, false]) {
      const { server, peer, client, log } = await pair(hold ? { sendHighWater: 10 } : {});
      const blob = new SlowBlob(['a Blob of twenty-odd']);
      peer.send(blob);
      client.socket.resetAndDestroy();
      if (hold) {
        // Nothing is read while a drain is owed, so that only writing finds it out.
        await turns();
        peer.ping();
        await turns();
        peer.ping();
      }
      await until(() => server.size === 0);
      const calls = log.map(([name]) => name).filter((name) => name !== 'error');
      expect(calls).toEqual(hold ? ['drain', 'close'] : ['close']);
      const { length } = log;
      blob.gate.resolve();
      await turns();
      expect(log).toHaveLength(length);
      expect(peer.messagesSent).toBe(0);
    }
  });

  test('a Blob that fails after the end tells nobody', async () => {
    const { server, peer, log } = await pair();
    const blob = new SlowBlob(['x']);
    peer.send(blob);
    peer.terminate();
    await until(() => server.size === 0);
    blob.gate.reject(new Error('gone'));
    await turns();
    expect(log).toEqual([['close', 1006, '']]);
  });

  test('the peer closes: what waits is not sent any more', async () => {
    const { server, peer, client, log } = await pair();
    const blobs = [new SlowBlob(['slow']), new SlowBlob(['slower'])];
    for (const blob of blobs) peer.send(blob);
    client.write(closeFrame(1000));
    expect((await client.closeCode())[0]).toBe(1000);
    blobs[0].gate.resolve();
    await turns();
    client.socket.end();
    await until(() => server.size === 0);
    expect(client.frames).toHaveLength(1);
    expect(log).toEqual([['close', 1000, '']]);
    expect(peer.bufferedAmount).toBe(0);
  });
});

describe('a Blob that cannot be read', () => {
  test('error, 1011, and nothing is sent behind it', async () => {
    const { server, peer, client, log } = await pair();
    const blobs = [new SlowBlob(['bad']), new SlowBlob(['good'])];
    peer.send('before');
    for (const blob of blobs) peer.send(blob);
    peer.send('behind');
    peer.close(4000);
    blobs[0].gate.reject(new Error('the disk is gone'));
    expect((await client.closeCode())[0]).toBe(1011);
    blobs[1].gate.resolve();
    await turns();
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([1, 8]);
    client.write(closeFrame(1011));
    client.socket.end();
    await until(() => server.size === 0);
    expect(log.map(([name, value]) => [name, value instanceof Error ? value.message : value])).toEqual([
      ['error', 'the disk is gone'],
      ['close', 1011],
    ]);
    expect([peer.bufferedAmount, peer.messagesSent]).toEqual([0, 1]);
  });

  test('what it rejects with is an Error in any case', async () => {
    const { peer, client, log } = await pair();
    const blob = new SlowBlob(['bad']);
    peer.send(blob);
    blob.gate.reject('just a string');
    expect((await client.closeCode())[0]).toBe(1011);
    expect(log[0][1]).toBeInstanceOf(Error);
    expect((log[0][1] as Error).message).toContain('just a string');
  });

  test('the drain that it owed comes, and the handler of errors can send nothing', async () => {
    const { peer, client, log } = await pair({
      sendHighWater: 10,
      error: (ws) => {
        log.push(['error']);
        ws.send('from the handler');
      },
    });
    const blob = new SlowBlob(['a Blob of twenty-odd']);
    expect(peer.send(blob)).toBe(false);
    blob.gate.reject(new Error('bad'));
    expect((await client.closeCode())[0]).toBe(1011);
    await until(() => log.length === 2);
    await turns();
    expect(log).toEqual([['error'], ['drain']]);
    expect(peer.bufferedAmount).toBe(0);
    expect(client.frames).toHaveLength(1);
  });

  test('one that is no text, sent as text: the same', async () => {
    const { peer, client, log } = await pair();
    peer.send(new Blob([Uint8Array.of(0xff)]), { binary: false });
    peer.send('behind');
    expect((await client.closeCode())[0]).toBe(1011);
    expect(client.frames).toHaveLength(1);
    expect(log[0]).toMatchObject(['error', { code: 'INVALID_UTF8' }]);
  });
});

test('Blobs on many connections at once', async () => {
  const server = await start({
    message: (ws, data) => {
      ws.send(new Blob([data as string]));
      ws.send(`${data}!`);
    },
  });
  const clients = await Promise.all(Array.from({ length: 10 }, () => RawClient.open(server.port)));
  for (const [i, client] of clients.entries()) {
    for (let j = 0; j < 20; j++) client.write(frame(1, `${i}-${j}`));
  }
  for (const [i, client] of clients.entries()) {
    await client.frameAt(39);
    expect(client.frames.map(({ payload }) => `${payload}`)).toEqual(
      Array.from({ length: 20 }, (_, j) => [`${i}-${j}`, `${i}-${j}!`]).flat(),
    );
  }
});

test('a client sends all of it, too, masked', async () => {
  const got: [string, boolean][] = [];
  const server = await start({
    message: (_ws, data, isBinary) => {
      got.push([`${data}`, isBinary]);
    },
  });
  const peer = await connect(`ws://127.0.0.1:${server.port}/`);
  atEnd(() => peer.terminate());
  const long = 'grüße'.repeat(10_000);
  const blob = new SlowBlob([long]);
  expect(peer.send(blob, { binary: false })).toBe(false);
  expect(peer.bufferedAmount).toBe(70_000 + 14);
  peer.send(shared(Buffer.from(long)), { binary: false });
  peer.send(new DataView(shared(Buffer.from('x view')), 2, 4));
  expect(peer.bufferedAmount).toBe(2 * (70_000 + 14) + 4 + 6);
  blob.gate.resolve();
  await until(() => got.length === 3);
  expect(got).toEqual([
    [long, false],
    [long, false],
    ['view', true],
  ]);
  expect(server.stats().bytesReceived).toBe(2 * (70_000 + 14) + 4 + 6);
});

test('what waits to be compressed for a connection that is gone is forgotten', async () => {
  const server = await start({ perMessageDeflate: true, sendHighWater: 1e9, sendHardLimit: 1e9 });
  const compressed = () => server.stats().perMessageDeflate?.messagesCompressed as number;
  const asked = request({ 'Sec-WebSocket-Extensions': 'permessage-deflate' });
  const gone = await RawClient.open(server.port, EMPTY, asked);
  const stays = await RawClient.open(server.port, EMPTY, asked);
  const [first, second] = server.connections();
  const data = noise(300_000);
  for (let i = 0; i < 60; i++) first.send(data);
  gone.socket.resetAndDestroy();
  await until(() => server.size === 1, 'the end of the first');
  const before = compressed();
  expect(before).toBeLessThan(40);
  // They take turns, so that what waits for the first would be done by then.
  for (let i = 0; i < 60; i++) second.send(data);
  await stays.frameAt(59);
  // One was under way.
  expect(compressed() - before).toBeLessThanOrEqual(61);
});
