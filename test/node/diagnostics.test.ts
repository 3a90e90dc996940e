/** What is published to observers. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, test, vi } from 'vitest';
import * as channels from '../../src/node/diagnostics.js';
import type { Peer } from '../../src/node/index.js';
import { atEnd, closeFrame, connectWs, frame, RawClient, start, turns, until } from './support.js';
import { SlowBlob } from './support-peer.js';

const NAMES = ['open', 'message', 'close', 'error'] as const;

interface Published {
  readonly ws: Peer;
  readonly [name: string]: unknown;
}

/** Subscribes until the test ends. */
function on(name: string, listener: (message: Published) => void): void {
  const listen = (message: unknown) => listener(message as Published);
  subscribe(`millrace:${name}`, listen);
  atEnd(() => unsubscribe(`millrace:${name}`, listen));
}

/** Everything that is published, without the peers, which are kept apart. */
function observe(): { log: unknown[]; peers: Set<Peer> } {
  const log: unknown[] = [];
  const peers = new Set<Peer>();
  for (const name of NAMES) {
    on(name, ({ ws, ...rest }) => {
      peers.add(ws);
      log.push([name, rest]);
    });
  }
  return { log, peers };
}

/** What Node reports as uncaught while `work` runs. */
async function uncaughtDuring(work: () => Promise<void>): Promise<unknown[]> {
  const uncaught: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => uncaught.push(error));
  try {
    await work();
    await turns();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  }
  return uncaught;
}

describe('channels', () => {
  test('of a whole conversation: each once, in order, before the handlers', async () => {
    const { log, peers } = observe();
    const server = await start({
      open: () => log.push('open'),
      message: () => log.push('message'),
      close: () => log.push('close'),
    });
    const client = await RawClient.open(server.port);
    client.write(frame(1, 'text'), frame(2, 'bytes'), frame(9, 'ping'), frame(10), closeFrame(3000, 'why'));
    await client.closeCode();
    client.socket.end();
    await until(() => server.size === 0);
    expect(log).toEqual([
      ['open', {}],
      'open',
      ['message', { data: 'text', isBinary: false }],
      'message',
      ['message', { data: Buffer.from('bytes'), isBinary: true }],
      'message',
      ['close', { code: 3000, reason: 'why', origin: 'peer' }],
      'close',
    ]);
    expect(peers.size).toBe(1);
    expect([...peers][0].isOpen).toBe(false);
  });

  test('without handlers, too', async () => {
    const { log } = observe();
    const server = await start();
    const client = await connectWs(server.port);
    client.send('x');
    client.close(1000);
    await until(() => server.size === 0);
    expect(log.map((entry) => (entry as unknown[])[0])).toEqual(['open', 'message', 'close']);
  });

  test('texts as bytes are published as they are handed out', async () => {
    const published: unknown[] = [];
    const handed: unknown[] = [];
    on('message', ({ data }) => published.push(data));
    const server = await start({ textFormat: 'bytes', message: (_ws, data) => handed.push(data) });
    const client = await RawClient.open(server.port);
    client.write(frame(1, 'text'));
    await until(() => handed.length === 1);
    expect(published[0]).toBe(handed[0]);
  });

  test.for([
    ['a handler that throws', 'as asked', frame(1, 'throw')],
    ['a handler that rejects', 'as asked', frame(1, 'reject')],
    ['a violation', 'opcode', frame(3)],
  ] as const)('error: %s', async ([, message, bytes]) => {
    const { log } = observe();
    const server = await start({
      error: () => log.push('error'),
      message: (_ws, data) => {
        if (data === 'throw') throw new Error('as asked');
        return Promise.reject(new Error('as asked'));
      },
    });
    const client = await RawClient.open(server.port);
    client.write(bytes);
    await client.closeCode();
    client.socket.destroy();
    await until(() => server.size === 0);
    const errors = log.filter((entry) => Array.isArray(entry) && entry[0] === 'error') as [string, { error: Error }][];
    expect(errors).toHaveLength(1);
    expect(errors[0][1].error).toBeInstanceOf(Error);
    expect(errors[0][1].error.message).toContain(message);
    // The channel first, then the handler, then the end.
    const names = log.map((entry) => (Array.isArray(entry) ? entry[0] : `its handler`));
    expect(names.slice(names.indexOf('error'))).toEqual(['error', 'its handler', 'close']);
  });

  test('error: a stream that fails, a Blob that cannot be read, a handler without `error`', async () => {
    const { log } = observe();
    const blob = new SlowBlob(['x']);
    const server = await start({ open: (ws) => ws.send(blob) });
    const client = await RawClient.open(server.port);
    blob.gate.reject(new Error('not there'));
    expect((await client.closeCode())[0]).toBe(1011);
    expect(log).toMatchObject([
      ['open', {}],
      ['error', { error: { message: 'not there' } }],
    ]);
  });

  test('close: its origin, and the peer of each connection', async () => {
    const origins: unknown[] = [];
    on('close', ({ ws, code, origin }) => origins.push([(ws as Peer<string>).data, code, origin]));
    const server = await start<string>({ upgrade: ({ path }) => ({ data: path }) });
    const opened = async (path: string) => {
      const client = new RawClient(server.port);
      client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`);
      client.write('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n');
      await until(() => client.head !== '');
      return client;
    };
    (await opened('/eof')).socket.end();
    await until(() => origins.length === 1);
    (await opened('/violation')).write(frame(3));
    await until(() => origins.length === 2);
    await opened('/local');
    for (const peer of server.connections()) if (peer.data === '/local') peer.terminate();
    await until(() => origins.length === 3);
    expect(origins).toEqual([
      ['/eof', 1006, 'eof'],
      ['/violation', 1002, 'violation'],
      ['/local', 1006, 'local'],
    ]);
  });

  test('nothing is published without subscribers', async () => {
    const { openChannel, messageChannel, closeChannel, errorChannel } = channels;
    const all = [openChannel, messageChannel, closeChannel, errorChannel];
    expect(all.map(({ hasSubscribers }) => hasSubscribers)).toEqual(Array(4).fill(false));
    const spies = all.map((channel) => vi.spyOn(channel, 'publish'));
    const server = await start({
      error() {},
      message() {
        throw new Error('as asked');
      },
    });
    const client = await RawClient.open(server.port);
    client.write(frame(1, 'x'));
    await client.closeCode();
    client.socket.destroy();
    await until(() => server.size === 0);
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
  });
});

describe('a subscriber', () => {
  test('that throws breaks nothing: Node reports it', async () => {
    for (const name of NAMES) {
      on(name, () => {
        throw new Error(`observer of ${name}`);
      });
    }
    const { log } = observe();
    const calls: unknown[] = [];
    const uncaught = await uncaughtDuring(async () => {
      const server = await start({
        open: () => calls.push('open'),
        message: (ws, data) => {
          calls.push(data);
          ws.send(data);
          if (data === 'b') throw new Error('as asked');
        },
        error: () => calls.push('error'),
        close: (_ws, code) => calls.push(code),
      });
      const client = await RawClient.open(server.port);
      client.write(frame(1, 'a'), frame(1, 'b'));
      expect((await client.closeCode())[0]).toBe(1011);
      expect(client.texts()).toEqual(['a', 'b']);
      client.write(closeFrame(1011));
      client.socket.end();
      await until(() => server.size === 0);
    });
    expect(calls).toEqual(['open', 'a', 'b', 'error', 1011]);
    expect(log.map((entry) => (entry as unknown[])[0])).toEqual(['open', 'message', 'message', 'error', 'close']);
    expect(uncaught.map((error) => (error as Error).message)).toEqual(
      ['open', 'message', 'message', 'error', 'close'].map((name) => `observer of ${name}`),
    );
  });

  test('that closes, or cuts the connection off', async () => {
    for (const [name, end, codes] of [
      ['open', (ws: Peer) => ws.close(4000), [4000]],
      ['message', (ws: Peer) => ws.close(4001), [4001]],
      ['message', (ws: Peer) => ws.terminate(), []],
      ['close', (ws: Peer) => ws.terminate(), []],
    ] as const) {
      let active = true;
      on(name, ({ ws }) => {
        if (active) end(ws);
      });
      const closes: number[] = [];
      const server = await start({ close: (_ws, code) => closes.push(code) });
      const client = await RawClient.open(server.port);
      client.write(frame(1, 'a'), frame(1, 'b'));
      if (name === 'close') client.write(closeFrame(1000));
      await until(() => client.ended || client.closed || client.frames.length > 0);
      if (codes.length > 0) expect(await client.closeCode()).toEqual([codes[0], '']);
      client.socket.destroy();
      await until(() => server.size === 0);
      expect(closes).toHaveLength(1);
      active = false;
    }
  });
});
