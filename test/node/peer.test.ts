/** What can be done with a connection. */

import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Connection, ConnectionType } from '../../src/core/index.js';
import { LocalProtocolError, Peer, SendLimitError } from '../../src/node/index.js';
import { Link } from '../../src/node/link.js';
import {
  closeFrame,
  connectWs,
  deferred,
  frame,
  next,
  noise,
  RawClient,
  recording,
  request,
  start,
  turns,
  until,
} from './support.js';

/** A server whose one peer is handed out, and a raw client of it. */
async function pair(options: Parameters<typeof start>[0] = {}): Promise<{
  peer: Peer;
  client: RawClient;
  log: unknown[][];
}> {
  const opened = deferred<Peer>();
  const { log, handlers } = recording();
  const server = await start({
    ...handlers,
    ...options,
    open: (ws) => {
      log.push(['open']);
      opened.resolve(ws);
    },
  });
  const client = await RawClient.open(server.port);
  return { peer: await opened.promise, client, log };
}

describe('send', () => {
  test('a string as text, bytes as binary, views as what they show', async () => {
    const { peer, client } = await pair();
    const view = new Uint8Array(noise(100).buffer, 10, 20);
    expect([peer.send('grüße'), peer.send(view), peer.send(''), peer.send(new Uint8Array(0))]).toEqual(
      Array(4).fill(true),
    );
    await client.frameAt(3);
    expect(client.frames.map(({ opcode, fin }) => [opcode, fin])).toEqual([
      [1, true],
      [2, true],
      [1, true],
      [2, true],
    ]);
    expect(`${client.frames[0].payload}`).toBe('grüße');
    expect(client.frames[1].payload).toEqual(Buffer.from(view));
  });

  test('small bytes may be changed after', async () => {
    const { peer, client } = await pair();
    const data = Buffer.from('before');
    peer.send(data);
    data.fill('x');
    expect(`${(await client.frameAt(0)).payload}`).toBe('before');
  });

  test('returns false above sendHighWater, and drain says when to go on', async () => {
    const { peer, client, log } = await pair({ sendHighWater: 1000 });
    expect(peer.send(noise(1000 - 4))).toBe(true);
    expect(peer.bufferedAmount).toBe(1000);
    expect(peer.send('one more')).toBe(false);
    expect(peer.bufferedAmount).toBe(1010);
    await until(() => log.length === 2);
    expect(log).toEqual([['open'], ['drain']]);
    expect(peer.bufferedAmount).toBe(0);
    expect(peer.send('again')).toBe(true);
    await client.frameAt(2);
    expect(log, 'no drain where none was owed').toHaveLength(2);
  });

  test('what is neither string nor bytes is refused, and nothing changes', async () => {
    const { peer, client } = await pair();
    for (const wrong of [undefined, null, 5, {}, [1]]) {
      expect(() => peer.send(wrong as unknown as string)).toThrow(LocalProtocolError);
    }
    peer.send('right');
    expect(`${(await client.frameAt(0)).payload}`).toBe('right');
  });

  test('after close returns false and sends nothing', async () => {
    const { peer, client } = await pair();
    peer.send('before');
    peer.close(3001, 'done');
    expect([peer.send('after'), peer.send(noise(10)), peer.ping(), peer.isOpen]).toEqual([false, false, false, false]);
    expect(await client.closeCode()).toEqual([3001, 'done']);
    expect(client.frames).toHaveLength(2);
  });

  test('after a lost keep-alive returns false, also before the close event', () => {
    const connection = new Connection(ConnectionType.SERVER, [], { pingInterval: 30, pingTimeout: 20 });
    const owner = { onEvent: () => undefined, onDrain: () => undefined, onStreamError() {}, onGone() {} };
    const peer = new Peer(new Link(new PassThrough(), connection, owner), { data: 0, protocol: '', remoteAddress: '' });
    for (const now of [0, 30, 50]) connection.handleTimeout(now);
    expect([peer.send('x'), peer.ping(), peer.isOpen]).toEqual([false, false, false]);
    peer.close();
  });

  test('after the end returns false', async () => {
    const { peer, client, log } = await pair();
    client.socket.resetAndDestroy();
    await until(() => log.some(([name]) => name === 'close'));
    expect([peer.send('x'), peer.ping(), peer.isOpen, peer.bufferedAmount]).toEqual([false, false, false, 0]);
    peer.close();
    peer.terminate();
  });

  test('from the handler of drain, again and again', async () => {
    let left = 20;
    const fill = (ws: Peer) => {
      while (left > 0) {
        left--;
        if (!ws.send(noise(10_000, left))) return;
      }
    };
    const { peer, client } = await pair({ sendHighWater: 15_000, drain: fill });
    fill(peer);
    await client.frameAt(19);
    expect(client.frames.map(({ payload }) => payload.length)).toEqual(Array(20).fill(10_000));
    expect(client.frames[19].payload).toEqual(Buffer.from(noise(10_000, 0)));
  });

  test('many peers each to each', async () => {
    const server = await start({
      message: (_ws, data) => {
        for (const peer of server.connections()) peer.send(data);
      },
    });
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(server.port)));
    for (const [i, client] of clients.entries()) client.write(frame(1, `${i}`));
    for (const client of clients) {
      await client.frameAt(7);
      expect(client.texts().sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    }
  });
});

describe('sendHardLimit', () => {
  const limits = { sendHardLimit: 10_000, sendHighWater: 5000 };

  test('refuse: the message comes back in the error, and the connection goes on', async () => {
    const { peer, client } = await pair(limits);
    expect(peer.send(noise(9000))).toBe(false);
    const again = noise(2000);
    let refused: unknown;
    try {
      peer.send(again);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(SendLimitError);
    expect((refused as SendLimitError).event?.data).toBe(again);
    peer.send('small');
    await client.frameAt(1);
    expect(client.texts()).toEqual(['small']);
  });

  test('refuse, thrown out of a handler: 1011', async () => {
    const { client, log } = await pair({
      ...limits,
      message: (ws) => {
        for (;;) ws.send(noise(3000));
      },
    });
    client.write(frame(1, 'go'));
    expect((await client.closeCode())[0]).toBe(1011);
    expect(log.find(([name]) => name === 'error')?.[1]).toBeInstanceOf(SendLimitError);
  });

  test('drop: false, and the message is forgotten', async () => {
    const { peer, client } = await pair({ ...limits, overflow: 'drop' });
    expect([peer.send(noise(9000)), peer.send(noise(2000)), peer.send('small')]).toEqual([false, false, false]);
    await client.frameAt(1);
    await turns();
    expect(client.frames.map(({ payload }) => payload.length)).toEqual([9000, 5]);
  });

  test('close: 1013 behind what was queued', async () => {
    const { peer, client, log } = await pair({ ...limits, overflow: 'close' });
    expect([peer.send(noise(9000)), peer.send(noise(2000)), peer.send('small')]).toEqual([false, false, false]);
    expect(peer.isOpen).toBe(false);
    expect((await client.closeCode())[0]).toBe(1013);
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([2, 8]);
    client.write(closeFrame(1013));
    client.socket.end();
    await until(() => log.some(([name]) => name === 'close'));
    expect(log.at(-1)).toEqual(['close', 1013, '']);
  });
});

describe('ping', () => {
  test('is answered by pong', async () => {
    const pongs: Buffer[] = [];
    const server = await start({
      open: (ws) => ws.ping(Buffer.from('hi')),
      pong: (_ws, payload) => pongs.push(payload),
    });
    const ws = await connectWs(server.port);
    await until(() => pongs.length === 1);
    expect(`${pongs[0]}`).toBe('hi');
    ws.terminate();
  });

  test('without a payload, and with one too long', async () => {
    const { peer, client } = await pair();
    expect(peer.ping()).toBe(true);
    expect(() => peer.ping(new Uint8Array(126))).toThrow(LocalProtocolError);
    const { opcode, payload } = await client.frameAt(0);
    expect([opcode, payload.length]).toEqual([9, 0]);
  });
});

describe('close', () => {
  test('twice: the first counts', async () => {
    const { peer, client } = await pair();
    peer.close(4000, 'first');
    peer.close(4001, 'second');
    expect(await client.closeCode()).toEqual([4000, 'first']);
    client.write(closeFrame(4000));
    await until(() => client.ended);
    expect(client.frames).toHaveLength(1);
  });

  test('without a code: 1000', async () => {
    const { peer, client } = await pair();
    peer.close();
    expect(await client.closeCode()).toEqual([1000, '']);
  });

  test.for([999, 1004, 1006, 1015, 1016, 2999, 5000, 1.5, Number.NaN])(
    'with code %d throws, and nothing changes',
    async (code) => {
      const { peer } = await pair();
      expect(() => peer.close(code)).toThrow(LocalProtocolError);
      expect(peer.isOpen).toBe(true);
    },
  );

  test('with a reason too long throws', async () => {
    const { peer } = await pair();
    expect(() => peer.close(1000, 'é'.repeat(62))).toThrow(LocalProtocolError);
    peer.close(1000, `${'é'.repeat(61)}.`);
    expect(peer.isOpen).toBe(false);
  });

  test('in open', async () => {
    const { handlers, log } = recording();
    const server = await start({
      ...handlers,
      open: (ws) => {
        ws.send('hello and');
        ws.close(4002, 'goodbye');
      },
    });
    const client = await RawClient.open(server.port, frame(1, 'early'));
    expect(await client.closeCode()).toEqual([4002, 'goodbye']);
    expect(client.texts()).toEqual(['hello and']);
    client.write(closeFrame(4002));
    await until(() => client.ended);
    client.socket.end();
    await until(() => server.size === 0);
    expect(log).toEqual([
      ['message', 'early'],
      ['close', 4002, ''],
    ]);
  });

  test('in message, behind what was sent before', async () => {
    const server = await start({
      message: (ws, data) => {
        ws.send(data);
        ws.close(4003);
        ws.send('never');
      },
    });
    const ws = await connectWs(server.port);
    const [message, closed] = [next(ws, 'message'), next(ws, 'close')];
    ws.send('last');
    expect(`${(await message)[0]}`).toBe('last');
    expect((await closed)[0]).toBe(4003);
  });

  test('in close does nothing', async () => {
    const codes: number[] = [];
    const { client, log } = await pair({
      close: (ws, code) => {
        ws.close(4000);
        codes.push(code);
      },
    });
    client.write(closeFrame(1000));
    expect(await client.closeCode()).toEqual([1000, '']);
    client.socket.end();
    await until(() => client.closed);
    expect(codes).toEqual([1000]);
    expect(log).toEqual([['open']]);
  });
});

describe('terminate', () => {
  test('in message: no further message, close with 1006', async () => {
    const got: unknown[] = [];
    const { client, log } = await pair({
      message: (ws, data) => {
        got.push(data);
        ws.terminate();
      },
    });
    client.write(frame(1, 'a'), frame(1, 'b'), frame(1, 'c'), closeFrame(1000));
    await until(() => log.some(([name]) => name === 'close'));
    expect(got).toEqual(['a']);
    expect(log).toEqual([['open'], ['close', 1006, '']]);
    await until(() => client.closed || client.ended);
    expect(client.frames).toEqual([]);
  });

  test('from outside, in open, twice', async () => {
    const { peer, log } = await pair();
    peer.terminate();
    peer.terminate();
    await until(() => log.length === 2);
    await turns();
    expect(log).toEqual([['open'], ['close', 1006, '']]);

    const { log: other, handlers } = recording();
    const server = await start({ ...handlers, open: (ws) => ws.terminate() });
    const client = new RawClient(server.port);
    client.write(request(), frame(1, 'early'));
    await until(() => other.length > 0);
    expect(other).toEqual([['close', 1006, '']]);
    expect(server.size).toBe(0);
  });

  test('while closing', async () => {
    const { peer, log } = await pair();
    peer.close();
    peer.terminate();
    await until(() => log.length === 2);
    expect(log).toEqual([['open'], ['close', 1006, '']]);
  });
});
