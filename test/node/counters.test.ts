/** What a connection counts of itself, held against what was on the wire. */

import { describe, expect, test } from 'vitest';
import type { Peer } from '../../src/node/index.js';
import { closeFrame, connectWs, frame, noise, RawClient, start, turns, until, writesTo } from './support.js';
import { pair } from './support-peer.js';

const counts = ({ messagesReceived, messagesSent, bytesReceived, bytesSent }: Record<string, unknown> | Peer) => ({
  messagesReceived,
  messagesSent,
  bytesReceived,
  bytesSent,
});

const ZERO = { messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0 };

describe('counters', () => {
  test('are 0 at first: the handshake is not among them', async () => {
    const { peer } = await pair();
    expect(counts(peer)).toEqual(ZERO);
  });

  test('of a whole conversation: control frames, fragments and Close among the bytes, messages alone counted', async () => {
    const { server, peer, client } = await pair({ message: (ws, data) => ws.send(data) });
    const writes = writesTo(client.socket);
    const sent = [
      frame(1, 'text'),
      frame(9, 'ping'),
      frame(2, noise(70_000)),
      frame(1, 'frag', { fin: false }),
      frame(10, 'unasked'),
      frame(0, '', { fin: false }),
      frame(0, 'ment'),
      frame(2, ''),
    ];
    client.write(...sent);
    peer.ping(Buffer.from('and you?'));
    await until(() => client.frames.length === 6);
    const closing = closeFrame(1000, 'bye');
    client.write(closing);
    await client.closeCode();
    const received = [...sent, closing].reduce((sum, { length }) => sum + length, 0);
    const expected = {
      messagesReceived: 4,
      messagesSent: 4,
      bytesReceived: received,
      bytesSent: Buffer.concat(writes).length,
    };
    await until(() => peer.bytesSent === expected.bytesSent);
    expect(expected.bytesSent).toBe(2 + 4 + 2 + 4 + 10 + 70_000 + 2 + 8 + 2 + 2 + 8 + 4);
    expect(counts(peer)).toEqual(expected);
    expect(server.stats()).toMatchObject(expected);
    client.socket.end();
    await until(() => server.size === 0);
    expect(counts(peer)).toEqual(expected);
    expect(server.stats()).toMatchObject(expected);
  });

  test('what comes with the handshake counts', async () => {
    const early = Buffer.concat([frame(1, 'early'), frame(1, 'cut').subarray(0, 3)]);
    const server = await start();
    await RawClient.open(server.port, early);
    await until(() => server.stats().messagesReceived === 1);
    expect(server.stats()).toMatchObject({ ...ZERO, messagesReceived: 1, bytesReceived: early.length });
  });

  test('bytes of messages that are not whole, and of what is dropped, count as received', async () => {
    const { peer, client } = await pair();
    client.write(frame(2, noise(1000)).subarray(0, 500));
    await until(() => peer.bytesReceived === 500);
    expect(peer.messagesReceived).toBe(0);
    client.write(frame(3), noise(200));
    await until(() => peer.bytesReceived === 500 + 6 + 200);
    expect(peer.messagesReceived).toBe(0);
  });

  test('received messages are counted as they are handed out', async () => {
    const seen: number[] = [];
    const { client } = await pair({ message: (ws) => seen.push(ws.messagesReceived) });
    client.write(...Array.from({ length: 5 }, () => frame(1, 'x')));
    await until(() => seen.length === 5);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test('sent ones as they are taken; bytes when the system has them', async () => {
    const { peer, client } = await pair();
    expect([peer.send('x'), counts(peer)]).toEqual([true, { ...ZERO, messagesSent: 1 }]);
    await client.frameAt(0);
    expect(counts(peer)).toEqual({ ...ZERO, messagesSent: 1, bytesSent: 3 });
    client.socket.pause();
    peer.send(noise(9_000_000));
    await turns();
    expect(peer.bytesSent + peer.bufferedAmount).toBe(3 + 9_000_010);
    expect(peer.bytesSent).toBeLessThan(9_000_000);
    client.socket.resume();
    await client.frameAt(1);
    await until(() => peer.bufferedAmount === 0);
    expect(peer.bytesSent).toBe(3 + 9_000_010);
  });

  test('what a lost peer never got is not counted as sent', async () => {
    const { server, peer, client } = await pair();
    client.socket.pause();
    peer.send(noise(12_000_000));
    await turns(200);
    const { bytesSent } = peer;
    expect(bytesSent).toBeLessThan(12_000_000);
    client.socket.resetAndDestroy();
    await until(() => server.size === 0);
    // Nothing was read meanwhile, so nothing more can have been taken.
    expect(peer.bytesSent).toBe(bytesSent);
    expect(server.stats().bytesSent).toBe(bytesSent);
  });
});

describe('messages that are not taken are not counted', () => {
  const limits = { sendHardLimit: 1000, sendHighWater: 500 };

  test('refuse', async () => {
    const { peer } = await pair(limits);
    expect(() => peer.send(noise(1001))).toThrow();
    expect(peer.messagesSent).toBe(0);
  });

  test('drop', async () => {
    const { peer, client } = await pair({ ...limits, overflow: 'drop' });
    expect([peer.send(noise(1001)), peer.messagesSent]).toEqual([false, 0]);
    expect([peer.send(noise(900)), peer.send(noise(900)), peer.send('x'), peer.messagesSent]).toEqual([
      false,
      false,
      false,
      2,
    ]);
    await client.frameAt(1);
    expect([peer.messagesSent, peer.bytesSent]).toEqual([2, 904 + 3]);
  });

  test('close, and what is sent after it', async () => {
    const { peer, client } = await pair({ ...limits, overflow: 'close' });
    expect([peer.send('x'), peer.send(noise(1001)), peer.send('y'), peer.messagesSent]).toEqual([
      true,
      false,
      false,
      1,
    ]);
    await client.closeCode();
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([1, 8]);
  });

  test('above sendHighWater they are', async () => {
    const { peer } = await pair(limits);
    expect([peer.send(noise(600)), peer.send(''), peer.messagesSent]).toEqual([false, false, 2]);
  });
});

test('the sums of stats are those of all connections, whatever became of them', async () => {
  const peers: Peer[] = [];
  const server = await start({
    open: (ws) => {
      peers.push(ws);
      ws.send('welcome');
    },
    message: (ws, data) => {
      ws.send(data);
      if (data === 'everybody') for (const peer of server.connections()) peer.send(noise(3000));
    },
  });
  const clients = await Promise.all(Array.from({ length: 6 }, () => connectWs(server.port)));
  let expected = 0;
  for (const [i, client] of clients.entries()) {
    for (let j = 0; j < i; j++) client.send(`${j}`);
    client.ping();
    client.send('everybody');
    expected += i + 1;
  }
  await until(() => server.stats().messagesReceived === expected);
  const sums = () => {
    const totals = { ...ZERO };
    for (const peer of peers) for (const name of Object.keys(ZERO) as (keyof typeof ZERO)[]) totals[name] += peer[name];
    return totals;
  };
  expect(server.stats()).toMatchObject(sums());
  clients[0].close();
  clients[1].terminate();
  await until(() => server.size === 4);
  expect(server.stats()).toMatchObject(sums());
  expect(server.stats().messagesSent).toBe(6 + expected + 36);
  for (const client of clients) client.close();
  await until(() => server.size === 0);
  expect(server.stats()).toMatchObject({ ...sums(), messagesReceived: expected });
});
