/** Both ends of a connection have much to send. A server stops reading then; a client that did so too would stop for ever. */

import { expect, test } from 'vitest';
import { connect } from '../../../src/node/client/connect.js';
import { WebSocketStream } from '../../../src/node/client/websocket-stream.js';
import { atEnd, start, until, within } from '../support.js';

const SIZE = 4_000_000;

test('echoes of what is sent without waiting come back: handlers', async () => {
  const server = await start({ message: (ws, data) => ws.send(data) });
  let got = 0;
  const ws = await connect(`ws://127.0.0.1:${server.port}`, {
    sendHardLimit: Number.POSITIVE_INFINITY,
    message: (_ws, data) => {
      got += data.length;
    },
  });
  atEnd(() => ws.terminate());
  for (let i = 0; i < 8; i++) ws.send(new Uint8Array(SIZE));
  await until(() => got === 8 * SIZE, 'every echo');
});

test('echoes of what is sent without waiting come back: streams', async () => {
  const server = await start({ message: (ws, data) => ws.send(data) });
  const stream = new WebSocketStream(`ws://127.0.0.1:${server.port}`);
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  const writing = (async () => {
    for (let i = 0; i < 20; i++) await writer.write(new Uint8Array(SIZE));
  })();
  const reader = readable.getReader();
  for (let i = 0; i < 20; i++) expect((await within(reader.read())).value).toHaveLength(SIZE);
  await writing;
  stream.close();
  await stream.closed;
});
