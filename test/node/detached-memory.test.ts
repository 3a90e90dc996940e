/** Memory that was sent, and given away before it was written. */

import { expect, test } from 'vitest';
import { EMPTY, RawClient, recording, request, start, until } from './support.js';

test('costs its own connection and no other that sends in the same turn', async () => {
  const { log, handlers, names } = recording();
  const server = await start(handlers);
  const clients = [await RawClient.open(server.port), await RawClient.open(server.port)];
  const [first, second] = server.connections();
  const sent = new Uint8Array(100_000);
  first.send(sent);
  second.send('after it');
  structuredClone(sent.buffer, { transfer: [sent.buffer] });
  expect((await clients[1].frameAt(0)).payload.toString()).toBe('after it');
  await until(() => server.size === 1, 'the end of the first');
  expect(names()).toEqual(['open', 'open', 'error', 'drain', 'close']);
  expect(log[2][1]).toBeInstanceOf(TypeError);
  second.send('and on');
  expect((await clients[1].frameAt(1)).payload.toString()).toBe('and on');
});

test('costs its own connection at once where it is still being compressed, whether the peer ends its side or not', async () => {
  const { log, handlers, names } = recording();
  const server = await start({ ...handlers, perMessageDeflate: true });
  const asked = request({ 'Sec-WebSocket-Extensions': 'permessage-deflate' });
  const client = await RawClient.open(server.port, EMPTY, asked);
  const [peer] = server.connections();
  const sent = new Uint8Array(1_000_000);
  peer.send(sent);
  structuredClone(sent.buffer, { transfer: [sent.buffer] });
  await until(() => server.size === 0, 'its end');
  expect(names()).toEqual(['open', 'drain', 'error', 'close']);
  expect(log[2][1]).toMatchObject({ code: 'EXTENSION_FAILED' });
  expect(client.frames).toEqual([]);
});
