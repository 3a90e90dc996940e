/** Connections over which no message goes are closed. */

import { describe, expect, test, vi } from 'vitest';
import { LocalProtocolError, type ServeOptions, serve } from '../../src/node/index.js';
import { wheel } from '../../src/node/wheel.js';
import { atEnd, closeFrame, concat, frame, RawClient, start, turns } from './support.js';
import { SlowBlob } from './support-peer.js';
import { timed } from './support-time.js';

const settings = { idleTimeout: 20_000 };
/** A quarter more, and a tick each until the last message is noticed and until the time is over. */
const AT_MOST = 20_000 + 5000 + 1000;

describe('idleTimeout', () => {
  test('after it, and not before, 1001', async () => {
    const { stream, log, pass } = timed({ settings });
    await pass(19_750);
    expect(stream.frames).toEqual([]);
    await pass(AT_MOST - 19_750);
    expect(stream.frames.map(({ opcode, payload }) => [opcode, payload.readUInt16BE(0)])).toEqual([[8, 1001]]);
    stream.push(closeFrame(1001));
    await turns(2);
    stream.push(null);
    await turns(3);
    expect(log).toEqual([['open'], ['close', 1001, '']]);
  });

  test.for(['received', 'sent'] as const)('messages %s put it off, each one', async (way) => {
    const { peer, stream, log, pass } = timed({ settings, options: { pingInterval: Number.POSITIVE_INFINITY } });
    for (let i = 0; i < 20; i++) {
      await pass(14_000);
      if (way === 'sent') peer.send('');
      else stream.push(frame(1));
      await turns(1);
    }
    expect(stream.frames.every(({ opcode }) => opcode === 1)).toBe(true);
    await pass(AT_MOST);
    expect(stream.frames.at(-1)?.opcode).toBe(8);
    expect(log.some(([name]) => name === 'error')).toBe(false);
  });

  test.for([0, 1000, 2500, 4750, 5250, 7000, 9750])('never early and never much later, %d ms on', async (offset) => {
    const { peer, stream, pass } = timed({ settings, options: { pingInterval: Number.POSITIVE_INFINITY } });
    await pass(offset);
    peer.send('x');
    let waited = 0;
    for (; stream.frames.length < 2 && waited < 40_000; waited += 250) await pass(250);
    expect(waited).toBeGreaterThanOrEqual(20_000);
    expect(waited).toBeLessThanOrEqual(AT_MOST);
  });

  test('Pings and Pongs, ours, the peer’s and those of keep-alive, do not', async () => {
    const { peer, stream, pass } = timed({ settings, options: { pingInterval: 3000, pingTimeout: 2000 } });
    for (let i = 0; i < AT_MOST / 1000; i++) {
      stream.push(concat(frame(9), frame(10)));
      peer.ping();
      await pass(1000);
    }
    const close = stream.frames.at(-1);
    expect([close?.opcode, close?.payload.readUInt16BE(0)]).toEqual([8, 1001]);
  });

  test('a peer that does not answer the Close is cut off', async () => {
    const { stream, log, pass } = timed({ settings, options: { closeTimeout: 3000 } });
    await pass(AT_MOST + 5000);
    expect(stream.destroyed).toBe(true);
    expect(log.at(-1)?.slice(0, 2)).toEqual(['close', 1006]);
  });

  test.for([{}, { idleTimeout: Number.POSITIVE_INFINITY }])('%o is for ever', async (settings) => {
    const { stream, pass } = timed({ settings, options: { pingInterval: Number.POSITIVE_INFINITY } });
    await pass(100_000);
    expect(stream.frames).toEqual([]);
  });

  test('the shortest: with the first tick that comes after it', async () => {
    const { stream, pass } = timed({ settings: { idleTimeout: 1 } });
    await pass(1500);
    expect(stream.frames).toHaveLength(1);
  });

  test('behind a Blob that is being read the Close waits, and comes once', async () => {
    const { peer, stream, pass } = timed({ settings });
    const blob = new SlowBlob(['slow']);
    peer.send(blob);
    await pass(AT_MOST);
    expect(stream.frames).toEqual([]);
    expect(peer.isOpen).toBe(false);
    blob.gate.resolve();
    await turns();
    expect(stream.frames.map(({ opcode }) => opcode)).toEqual([2, 8]);
  });

  test('closing in another way before leaves it nothing to do', async () => {
    const { peer, stream, pass } = timed({ settings, options: { closeTimeout: 100_000 } });
    peer.close(4000);
    await pass(AT_MOST);
    expect(stream.frames.map(({ payload }) => payload.readUInt16BE(0))).toEqual([4000]);
  });
});

describe('of a server', () => {
  test('is for each connection', async () => {
    const base = wheel.now();
    let passed = 0;
    vi.spyOn(wheel, 'now').mockImplementation(() => base + passed);
    atEnd(() => vi.restoreAllMocks());
    const server = await start({ idleTimeout: 10_000, message: (ws, data) => ws.send(data) });
    const clients = [await RawClient.open(server.port), await RawClient.open(server.port)];
    clients[0].write(frame(1, 'x'));
    await clients[0].frameAt(0);
    passed = 10_500;
    expect(await clients[1].closeCode()).toEqual([1001, 'idle']);
    await turns();
    expect(clients[0].frames).toHaveLength(1);
    passed = 21_000;
    expect(await clients[0].closeCode()).toEqual([1001, 'idle']);
  });

  test.for([0, -1, Number.NaN, '7', null])('%o is refused by name', async (idleTimeout) => {
    const wrong = await serve({ idleTimeout } as ServeOptions).catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(LocalProtocolError);
    expect(wrong).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('idleTimeout') });
  });
});
