/** One message to connections that somebody else has gathered. */

import { describe, expect, test } from 'vitest';
import { broadcast, connect, type Peer } from '../../../src/node/index.js';
import { atEnd, noise, start, turns, until } from '../support.js';
import { SlowBlob } from '../support-peer.js';
import { codeOf, hub, received, receivedBy } from './support.js';

describe('broadcast', () => {
  test('to lists, sets, generators and what a server has', async () => {
    const { server, peers, clients } = await hub(3);
    function* some() {
      yield peers[0];
      yield peers[2];
    }
    expect([
      broadcast(peers, 'list'),
      broadcast(new Set(peers.slice(1)), 'set'),
      broadcast(some(), 'generator'),
      broadcast(server.connections(), 'all'),
      broadcast([], 'nobody'),
    ]).toEqual([3, 2, 2, 3, 0]);
    expect(await receivedBy({ peers, clients })).toEqual([
      ['list', 'generator', 'all'],
      ['list', 'set', 'all'],
      ['list', 'set', 'generator', 'all'],
    ]);
    expect(peers.map(({ messagesSent }) => messagesSent)).toEqual([4, 4, 5]);
  });

  test('is in order with what is sent and published, in one turn too', async () => {
    const { server, peers, clients } = await hub(2);
    for (const ws of peers) ws.subscribe('t');
    for (let i = 0; i < 30; i += 3) {
      server.publish('t', `${i}`);
      broadcast(peers, `${i + 1}`);
      peers[i % 2].send(`${i + 2}`);
    }
    const all = Array.from({ length: 30 }, (_, i) => i);
    expect(await receivedBy({ peers, clients })).toEqual(
      [0, 1].map((own) => all.filter((i) => i % 3 !== 2 || (i - 2) % 2 === own).map(String)),
    );
  });

  test('is in order with a Blob that is sent before, and takes what it is at the time', async () => {
    const { peers, clients } = await hub(2);
    const blob = new SlowBlob(['blob']);
    peers[0].send(blob);
    const data = Buffer.from('first');
    broadcast(peers, data);
    data.fill('x');
    broadcast(peers, noise(100_000));
    broadcast(peers, 'second');
    await received(clients[1], 3);
    blob.gate.resolve();
    const [one, other] = [await received(clients[0], 4), await received(clients[1], 3)];
    expect([one[0], one[1], one[3], other[0], other[2]]).toEqual(['blob', 'first', 'second', 'first', 'second']);
    expect(clients[0].frames[2].payload.equals(noise(100_000))).toBe(true);
  });

  test('leaves out those that are closing', async () => {
    const { peers, clients } = await hub(3);
    peers[0].close();
    peers[1].terminate();
    expect(broadcast(peers, 'x')).toBe(1);
    expect(await received(clients[2], 1)).toEqual(['x']);
  });

  test('to connections of several servers, and of clients, with and without compression', async () => {
    const texts: string[] = [];
    const long = 'what is said twice is said once; '.repeat(200);
    const opened: Peer[] = [];
    const servers = await Promise.all(
      [false, true].map((perMessageDeflate) =>
        start({
          perMessageDeflate,
          open: (ws) => void opened.push(ws),
          message: (_ws, data) => void texts.push(`server: ${data}`),
        }),
      ),
    );
    const clients = await Promise.all(
      servers.map(({ port }) =>
        connect(`ws://127.0.0.1:${port}/`, {
          perMessageDeflate: true,
          message: (_ws, data) => void texts.push(`client: ${data}`),
        }),
      ),
    );
    atEnd(() => {
      for (const client of clients) client.terminate();
    });
    await until(() => opened.length === 2);
    expect(broadcast([...opened, ...clients], long)).toBe(4);
    expect(broadcast([...opened, ...clients], long, { compress: false })).toBe(4);
    await until(() => texts.length === 8);
    const [plain, squeezed] = servers.map((server) => server.stats());
    expect(texts.sort()).toEqual([...Array(4).fill(`client: ${long}`), ...Array(4).fill(`server: ${long}`)]);
    expect([plain.perMessageDeflate, squeezed.perMessageDeflate]).toMatchObject([
      null,
      { messagesCompressed: 1, messagesDecompressed: 1 },
    ]);
    expect(plain.bytesSent).toBeGreaterThan(2 * long.length);
    expect(squeezed.bytesSent).toBeLessThan(1.5 * long.length);
  });

  test('compresses once what many get, large ones on the thread pool', async () => {
    const got: number[] = [];
    const server = await start({ perMessageDeflate: true });
    const clients = await Promise.all(
      Array.from({ length: 10 }, () =>
        connect(`ws://127.0.0.1:${server.port}/`, {
          perMessageDeflate: true,
          message: (_ws, data) => void got.push(data.length),
        }),
      ),
    );
    atEnd(() => {
      for (const client of clients) client.terminate();
    });
    await until(() => server.size === 10);
    broadcast(server.connections(), 'a'.repeat(5000));
    broadcast(server.connections(), 'b'.repeat(300_000));
    broadcast(server.connections(), 'c'.repeat(5000));
    await until(() => got.length === 30);
    expect(server.stats().perMessageDeflate?.messagesCompressed).toBe(3);
  });

  test('what is no connection, or no message, is refused, and nobody gets it', async () => {
    const { peers, clients } = await hub(1);
    for (const wrong of [[{}], [...peers, null], 'peer', 5, undefined, null, peers[0], {}] as unknown as Peer[][]) {
      expect(codeOf(() => broadcast(wrong, 'x'))).toBe('INVALID_CONNECTION');
    }
    for (const wrong of [null, 5, new Blob(['x']), {}] as unknown as string[]) {
      expect(codeOf(() => broadcast(peers, wrong))).toBe('INVALID_PAYLOAD');
    }
    expect(codeOf(() => broadcast(peers, 'x', { binary: true }))).toBe('INVALID_PAYLOAD');
    expect(codeOf(() => broadcast(peers, Uint8Array.of(0xff), { binary: false }))).toBe('INVALID_UTF8');
    expect(await receivedBy({ peers, clients })).toEqual([[]]);
  });

  test.each(['refuse', 'drop', 'close'] as const)(
    'sendHardLimit of one costs the others nothing: %s',
    async (overflow) => {
      const { peers, clients, log } = await hub(3, { sendHardLimit: 50_000, sendHighWater: 1000, overflow });
      // What is queued within a turn counts.
      peers[1].send(noise(45_000));
      const count = broadcast(peers, 'x'.repeat(10_000));
      expect(count).toBe(3);
      await turns(3);
      for (const i of [0, 2]) expect((await received(clients[i], 1))[0]).toHaveLength(10_000);
      if (overflow === 'close') {
        expect(await clients[1].closeCode()).toEqual([1013, 'too much is queued']);
      } else {
        broadcast(peers, 'small');
        expect((await received(clients[1], 2))[1]).toBe('small');
        const errors = log.filter(([name]) => name === 'error');
        expect(errors).toMatchObject(
          overflow === 'drop' ? [] : [['error', 1, { code: 'SEND_HARD_LIMIT', event: null }]],
        );
      }
    },
  );
});
