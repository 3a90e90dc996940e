/** Batches: nothing is written while one goes on, and all of it at once when it is done. */

import { describe, expect, test } from 'vitest';
import type { Peer } from '../../src/node/index.js';
import { decodeAll, deferred, frame, noise, RawClient, start, turns, until, writesTo } from './support.js';
import { pair } from './support-peer.js';

/** The payloads of each write. */
function payloads(writes: readonly Buffer[]): string[][] {
  return writes.map((bytes) => decodeAll(bytes).map(({ payload }) => `${payload}`));
}

describe('a batch', () => {
  test('is written as one, at once when it is done', async () => {
    const { peer, client } = await pair();
    const writes = writesTo(client.socket);
    const result = peer.cork(() => {
      for (let i = 0; i < 5; i++) peer.send(`${i}`);
      peer.ping(Buffer.from('ping'));
      expect(writes).toEqual([]);
      return 'what the batch returns';
    });
    expect(result).toBe('what the batch returns');
    // Not at the end of the turn: now.
    expect(payloads(writes)).toEqual([['0', '1', '2', '3', '4', 'ping']]);
    await turns();
    expect(writes).toHaveLength(1);
    expect(peer.bufferedAmount).toBe(0);
  });

  test('takes what was sent in the turn before it, and leaves what comes after to the end of the turn', async () => {
    const { peer, client } = await pair();
    const writes = writesTo(client.socket);
    peer.send('before');
    peer.cork(() => peer.send('in it'));
    peer.send('after');
    expect(payloads(writes)).toEqual([['before', 'in it']]);
    await turns();
    expect(payloads(writes)).toEqual([['before', 'in it'], ['after']]);
  });

  test('of nothing writes nothing, and what went before', async () => {
    const { peer, client } = await pair();
    const writes = writesTo(client.socket);
    peer.cork(() => {});
    await turns();
    expect(writes).toEqual([]);
  });

  test('in a batch: written when the outer one is done', async () => {
    const { peer, client } = await pair();
    const writes = writesTo(client.socket);
    peer.cork(() => {
      peer.send('a');
      peer.cork(() => {
        peer.send('b');
        peer.cork(() => peer.send('c'));
        peer.send('d');
      });
      expect(writes).toEqual([]);
      peer.send('e');
    });
    expect(payloads(writes)).toEqual([['a', 'b', 'c', 'd', 'e']]);
  });

  test('that throws is written all the same, and the error is the caller’s', async () => {
    const { peer, client, log } = await pair();
    const writes = writesTo(client.socket);
    const error = new Error('as asked');
    expect(() =>
      peer.cork(() => {
        peer.send('sent');
        peer.cork(() => {
          throw error;
        });
      }),
    ).toThrow(error);
    expect(payloads(writes)).toEqual([['sent']]);
    peer.send('and on');
    await client.frameAt(1);
    expect(log).toEqual([]);
  });

  test('with large messages, in one system call', async () => {
    const { peer, client } = await pair();
    const writes = writesTo(client.socket);
    peer.cork(() => {
      for (let i = 1; i <= 4; i++) peer.send(noise(100_000, i));
    });
    expect(writes.map(({ length }) => length)).toEqual([4 * 100_010]);
    expect((await client.frameAt(3)).payload.equals(noise(100_000, 4))).toBe(true);
  });

  test('in a handler: written before the handler goes on, not with the answers of the packet', async () => {
    const writes: Buffer[][] = [];
    const seen: string[][][] = [];
    const server = await start({
      message: (ws, data) => {
        ws.cork(() => {
          ws.send(`${data} a`);
          ws.send(`${data} b`);
        });
        seen.push(payloads(writes[0]));
        ws.send(`${data} c`);
      },
    });
    const client = await RawClient.open(server.port);
    writes.push(writesTo(client.socket));
    client.write(frame(1, '1'), frame(1, '2'));
    await client.frameAt(5);
    expect(seen).toEqual([
      [['1 a', '1 b']],
      [
        ['1 a', '1 b'],
        ['1 c', '2 a', '2 b'],
      ],
    ]);
    expect(payloads(writes[0])).toEqual([['1 a', '1 b'], ['1 c', '2 a', '2 b'], ['2 c']]);
  });

  test('holds back what handlers and others send meanwhile, to this connection and no other', async () => {
    const gate = deferred();
    const { server, peer, client } = await pair({ message: (ws, data) => ws.send(data) });
    const other = await RawClient.open(server.port);
    const writes = writesTo(client.socket);
    const done = peer.cork(async () => {
      peer.send('in it');
      await gate.promise;
    });
    peer.send('from elsewhere');
    client.write(frame(1, 'echo'), frame(9, 'pi'));
    other.write(frame(1, 'not corked'));
    await other.frameAt(0);
    await until(() => peer.messagesReceived === 1);
    await turns();
    expect(writes).toEqual([]);
    gate.resolve();
    await done;
    expect(payloads(writes)).toEqual([['pi', 'in it', 'from elsewhere', 'echo']]);
  });
});

describe('a batch that is a promise', () => {
  test.for(['resolves', 'rejects'] as const)('is written when it %s', async (how) => {
    const { peer, client, log } = await pair();
    const writes = writesTo(client.socket);
    const gate = deferred<string>();
    const done = peer.cork(async () => {
      peer.send('a');
      await null;
      peer.send('b');
      const result = await gate.promise;
      peer.send('c');
      return result;
    });
    await turns();
    expect(writes).toEqual([]);
    expect(peer.bufferedAmount).toBe(6);
    if (how === 'resolves') {
      gate.resolve('result');
      expect(await done).toBe('result');
      expect(payloads(writes)).toEqual([['a', 'b', 'c']]);
    } else {
      gate.reject(new Error('as asked'));
      await expect(done).rejects.toThrow('as asked');
      expect(payloads(writes)).toEqual([['a', 'b']]);
    }
    await turns();
    expect(writes).toHaveLength(1);
    expect(log).toEqual([]);
  });

  test('beside another: written when the last is done', async () => {
    const { peer, client } = await pair();
    const writes = writesTo(client.socket);
    const gates = [deferred(), deferred()];
    const batches = gates.map(({ promise }, i) =>
      peer.cork(async () => {
        await promise;
        peer.send(`${i}`);
      }),
    );
    gates[1].resolve();
    await batches[1];
    peer.cork(() => peer.send('between'));
    await turns();
    expect(writes).toEqual([]);
    gates[0].resolve();
    await batches[0];
    expect(payloads(writes)).toEqual([['1', 'between', '0']]);
  });

  test('above sendHighWater the drain comes when it was written', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    const gate = deferred();
    const done = peer.cork(async () => {
      expect(peer.send(noise(5000))).toBe(false);
      await gate.promise;
    });
    await turns();
    expect(log).toEqual([]);
    gate.resolve();
    await done;
    await client.frameAt(0);
    await until(() => log.length > 0);
    expect(log).toEqual([['drain']]);
  });
});

describe('the end within a batch', () => {
  test('close: one write with all that was sent before, and the closing handshake goes on', async () => {
    const { server, peer, client, log } = await pair();
    const writes = writesTo(client.socket);
    peer.cork(() => {
      peer.send('last');
      peer.close(4000, 'bye');
      expect([peer.send('never'), peer.isOpen]).toEqual([false, false]);
      expect(writes).toEqual([]);
    });
    expect(writes).toHaveLength(1);
    expect(await client.closeCode()).toEqual([4000, 'bye']);
    client.write(frame(8, Buffer.from([0x0f, 0xa0])));
    await until(() => client.ended);
    client.socket.end();
    await until(() => server.size === 0);
    expect(log).toEqual([['close', 4000, '']]);
  });

  test('terminate: nothing is written, close is called with 1006', async () => {
    for (const batch of [
      (peer: Peer) => peer.terminate(),
      async (peer: Peer) => {
        await null;
        peer.terminate();
        await turns();
      },
    ]) {
      const { server, peer, client, log } = await pair();
      const writes = writesTo(client.socket);
      await peer.cork(() => {
        peer.send('never');
        return batch(peer);
      });
      await until(() => server.size === 0);
      expect(log).toEqual([['close', 1006, '']]);
      expect(writes).toEqual([]);
      peer.cork(() => peer.send('never either'));
      await turns();
      expect(writes).toEqual([]);
    }
  });

  test('the peer goes away: the batch ends without a word', async () => {
    const { server, peer, client, log } = await pair();
    const gate = deferred();
    const done = peer.cork(async () => {
      peer.send('never');
      await gate.promise;
      peer.send('never');
    });
    client.socket.resetAndDestroy();
    await until(() => server.size === 0);
    const { length } = log;
    gate.resolve();
    await done;
    await turns();
    expect(log).toHaveLength(length);
    expect(log.at(-1)).toEqual(['close', 1006, '']);
  });

  test('the peer closes: the answer waits for the batch', async () => {
    const { server, peer, client, log } = await pair();
    const gate = deferred();
    const done = peer.cork(() => gate.promise);
    client.write(frame(8, Buffer.from([0x03, 0xe8])));
    await until(() => log.length === 1);
    await turns();
    expect(client.frames).toEqual([]);
    gate.resolve();
    await done;
    expect(await client.closeCode()).toEqual([1000, '']);
    await until(() => client.ended);
    client.socket.end();
    await until(() => server.size === 0);
  });
});
