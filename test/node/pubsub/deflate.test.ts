/** Agreements of every kind in one topic: each compressed once, and each subscriber reads what it was meant to. */

import { describe, expect, test } from 'vitest';
import { connect, type Peer, type PerMessageDeflateOptions, type Server } from '../../../src/node/index.js';
import { atEnd, connectWs, noise, start, turns, until } from '../support.js';
import { SlowBlob } from '../support-peer.js';

const KiB = 1024;
const said = 'what is said twice is said once; ';

type Kind = boolean | PerMessageDeflateOptions | 'ws';

/** A server, and a client of each kind, each with what it was sent. */
async function room(kinds: readonly Kind[], perMessageDeflate: PerMessageDeflateOptions = {}) {
  const peers: Peer[] = [];
  const got: string[][] = [];
  const server = await start({
    perMessageDeflate,
    open(ws) {
      peers.push(ws);
      ws.subscribe('t');
    },
    message: (ws, data) => ws.send(data),
  });
  const send: ((data: string) => void)[] = [];
  for (const kind of kinds) {
    const texts: string[] = [];
    got.push(texts);
    const take = (data: string | Buffer) => texts.push(Buffer.from(data as Buffer).toString('latin1'));
    if (kind === 'ws') {
      const client = await connectWs(server.port, { perMessageDeflate: { threshold: 0 } });
      client.on('message', take);
      send.push((data) => client.send(data));
    } else {
      const client = await connect(`ws://127.0.0.1:${server.port}/`, {
        perMessageDeflate: kind,
        message: (_ws, data) => void take(data as Buffer),
      });
      atEnd(() => client.terminate());
      send.push((data) => client.send(data));
    }
    await until(() => peers.length === got.length);
  }
  /** Waits until each has so many. */
  const all = async (count: number): Promise<string[][]> => {
    await until(() => got.every(({ length }) => length >= count));
    return got;
  };
  return { server, peers, got, send, all };
}

const compressed = (server: Server) => server.stats().perMessageDeflate?.messagesCompressed;

describe('a topic of those who compress', () => {
  test('once for each window, however many there are of each', async () => {
    const kinds: Kind[] = [
      false,
      true,
      true,
      'ws',
      { serverNoContextTakeover: true },
      { serverMaxWindowBits: 9 },
      { serverMaxWindowBits: 9, serverNoContextTakeover: true },
      { serverMaxWindowBits: 10 },
      false,
    ];
    const { server, all } = await room(kinds);
    const before = server.stats().bytesSent;
    for (let i = 0; i < 10; i++) server.publish('t', said.repeat(100 + i));
    for (const texts of await all(10)) {
      expect(texts).toEqual(Array.from({ length: 10 }, (_, i) => said.repeat(100 + i)));
    }
    // Windows of 12, which is ours, 9 and 10.
    expect(compressed(server)).toBe(30);
    expect(server.stats().perMessageDeflate).toMatchObject({ compressors: 0 });
    // Two get them as they are, seven do not.
    const whole = 10 * said.length * 104.5;
    const sent = server.stats().bytesSent - before;
    expect(sent).toBeGreaterThan(2 * whole);
    expect(sent).toBeLessThan(2.5 * whole);
  });

  test('not below the threshold, not where it is not wanted, not where it does not help', async () => {
    const { server, all } = await room([true, false], { threshold: 500 });
    const texts = ['x'.repeat(499), said.repeat(50), noise(240, 5).toString('latin1')];
    server.publish('t', texts[0]);
    server.publish('t', texts[1], { compress: false });
    server.publish('t', Buffer.from(texts[2], 'latin1'));
    expect(await all(3)).toEqual([texts, texts]);
    expect(compressed(server)).toBe(0);
  });

  test('not for excepted groups alone, and not for a topic without subscribers', async () => {
    const { server, peers, all } = await room([true, false]);
    expect(server.publish('nobody', said.repeat(100))).toBe(0);
    expect(server.publish('t', said.repeat(100), { except: peers })).toBe(0);
    expect(compressed(server)).toBe(0);
    server.publish('t', said.repeat(100));
    await all(1);
    expect(compressed(server)).toBe(1);
  });

  test('among messages of their own, which have a window of theirs', async () => {
    const kinds: Kind[] = [true, 'ws', { serverMaxWindowBits: 9 }, { serverNoContextTakeover: true }, false];
    const { server, peers, all } = await room(kinds, { threshold: 0 });
    const expected: string[][] = kinds.map(() => []);
    for (let i = 0; i < 60; i++) {
      const text = `${i} ${said.repeat(1 + ((i * 7) % 40))}`;
      if (i % 3 > 0) {
        server.publish('t', text, { compress: i % 5 > 0 });
        for (const each of expected) each.push(text);
      } else {
        for (const [j, ws] of peers.entries()) {
          ws.send(`${text} to ${j}`, { compress: i % 4 > 0 });
          expected[j].push(`${text} to ${j}`);
        }
      }
      if (i % 10 === 0) await turns(1);
    }
    expect(await all(60)).toEqual(expected);
  });

  test('large ones on the thread pool, in order with all that is around them', async () => {
    const kinds: Kind[] = [true, 'ws', { serverMaxWindowBits: 9 }, false];
    const { server, peers, got } = await room(kinds, { threshold: 0 });
    const expected: string[][] = kinds.map(() => []);
    const blob = new SlowBlob(['a Blob']);
    for (let i = 0; i < 24; i++) {
      const text = `${i} ${said.repeat(i % 4 === 1 ? 6000 : 2)}`;
      if (i % 4 < 2) {
        const count = server.publish('t', text, i % 8 === 1 ? { except: peers[1] } : {});
        expect(count).toBe(i % 8 === 1 ? 3 : 4);
        for (const [j, each] of expected.entries()) if (i % 8 !== 1 || j !== 1) each.push(text);
      } else if (i === 6) {
        peers[0].send(blob, { binary: false });
        expected[0].push('a Blob');
      } else {
        for (const ws of peers) ws.send(text);
        for (const each of expected) each.push(text);
      }
    }
    await turns(5);
    blob.gate.resolve();
    await until(() => got.every(({ length }, j) => length === expected[j].length));
    const short = (lists: string[][]) =>
      lists.map((texts) => texts.map((text) => `${text.slice(0, 40)}${text.length}`));
    expect(short(got)).toEqual(short(expected));
  });

  test('large ones for those who go away, close, or have no room meanwhile', async () => {
    const { server, peers, got } = await room([true, true, true, true, false], { threshold: 0 });
    const large = said.repeat(40_000);
    peers[0].subscribe('other');
    server.publish('t', large);
    peers[0].terminate();
    peers[1].close(3000);
    peers[2].unsubscribe('t');
    server.publish('t', 'behind');
    peers[2].send('sent');
    await until(() => got[3].length === 2 && got[4].length === 2 && got[2].length === 2 && got[1].length === 1);
    expect(got.map((texts) => texts.map(({ length }) => length))).toEqual([
      [],
      [large.length],
      [large.length, 4],
      [large.length, 6],
      [large.length, 6],
    ]);
    expect(compressed(server)).toBeLessThanOrEqual(3);
    await until(() => server.size === 3);
    expect([...server.topics()]).toEqual(['t']);
  });

  test('a limit that large ones pass while they are compressed', async () => {
    const errors: [number, string][] = [];
    const peers: Peer[] = [];
    const server = await start({
      perMessageDeflate: true,
      sendHardLimit: 1024 * KiB,
      open(ws) {
        peers.push(ws);
        ws.subscribe('t');
      },
      error: (ws, error) => void errors.push([peers.indexOf(ws), (error as Error & { code: string }).code]),
    });
    const got: number[][] = [[], []];
    for (const texts of got) {
      const client = await connect(`ws://127.0.0.1:${server.port}/`, {
        perMessageDeflate: true,
        message: (_ws, data) => void texts.push(data.length),
      });
      atEnd(() => client.terminate());
    }
    await until(() => peers.length === 2);
    for (let i = 0; i < 5; i++) server.publish('t', said.repeat(10_000));
    expect(peers.map(({ bufferedAmount }) => bufferedAmount <= 1024 * KiB)).toEqual([true, true]);
    await until(() => got.every(({ length }) => length === 3));
    expect(errors).toEqual([
      [0, 'SEND_HARD_LIMIT'],
      [1, 'SEND_HARD_LIMIT'],
    ]);
    server.publish('t', 'goes on');
    await until(() => got.every((lengths) => lengths.at(-1) === 7));
    expect(peers.map(({ messagesSent }) => messagesSent)).toEqual([4, 4]);
  });

  test('what clients send meanwhile is read as ever', async () => {
    const { server, send, got } = await room([true, 'ws', { serverMaxWindowBits: 9 }], { threshold: 0 });
    for (let i = 0; i < 20; i++) {
      for (const each of send) each(`echo ${i} ${said}`);
      server.publish('t', `published ${i} ${said.repeat(i)}`);
      await turns(1);
    }
    await until(() => got.every(({ length }) => length === 40));
    for (const texts of got) {
      for (const kind of ['echo', 'published']) {
        const numbers = texts.filter((text) => text.startsWith(kind)).map((text) => Number(text.split(' ')[1]));
        expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i));
      }
    }
  });
});
