/** A handler that waits for a drain whenever `send` returns false, and whose connection is gone meanwhile. */

import { expect, test } from 'vitest';
import { WebSocketStream } from '../../src/node/index.js';
import type { Peer } from '../../src/node/peer.js';
import { type Deferred, deferred, frame, noise, RawClient, start, until } from './support.js';

const PIECE = noise(256 * 1024);

test.each([
  ['the client resets the connection', (_ws: Peer, client: RawClient) => client.socket.resetAndDestroy()],
  ['the connection is cut off', (ws: Peer) => ws.terminate()],
  ['a Close is sent behind', (ws: Peer) => ws.close()],
])('comes to its end, and the close event after it: %s', async (_name, end) => {
  let drained: Deferred | null = null;
  let sent = 0;
  const names: string[] = [];
  const server = await start({
    closeTimeout: 100,
    async message(ws) {
      for (let i = 0; i < 100; i++) {
        drained = deferred();
        sent++;
        if (!ws.send(PIECE)) await drained.promise;
      }
      names.push('handled');
    },
    drain() {
      drained?.resolve();
    },
    close() {
      names.push('close');
    },
  });
  const client = await RawClient.open(server.port);
  const [ws] = server.connections();
  client.socket.pause();
  client.write(frame(1, 'x'));
  let before = -1;
  // What the system takes it has taken, once nothing more is sent.
  await until(() => {
    const isSame = sent > 0 && before === sent && ws.bufferedAmount > 0;
    before = sent;
    return isSame;
  });
  end(ws, client);
  await until(() => server.size === 0, 'the connection to be gone');
  expect(names).toEqual(['handled', 'close']);
});

test('a WebSocketStream that is not read from is told, in the middle of a write, that its connection broke', async () => {
  const server = await start({
    open(ws) {
      ws.send('1');
      ws.send('2');
      ws.pause();
    },
  });
  const stream = new WebSocketStream(`ws://127.0.0.1:${server.port}`);
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  let failed = false;
  let written = 0;
  const writing = (async () => {
    for (;;) {
      await writer.write(PIECE);
      written++;
    }
  })().catch(() => {
    failed = true;
  });
  let before = -1;
  await until(() => {
    const isSame = written > 0 && before === written && server.size === 1;
    before = written;
    return isSame;
  });
  for (const ws of server.connections()) ws.terminate();
  await until(() => failed, 'the write to fail');
  await writing;
  // What came before the end is there to be read, and then the end.
  const reader = readable.getReader();
  expect([(await reader.read()).value, (await reader.read()).value]).toEqual(['1', '2']);
  await expect(reader.read()).rejects.toMatchObject({ name: 'WebSocketError' });
  await expect(stream.closed).rejects.toMatchObject({ name: 'WebSocketError' });
});
