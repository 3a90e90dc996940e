/** A Blob that passes `sendHardLimit` while nothing else waits: nobody is reading a Blob then, who would go on. */

import { expect, test } from 'vitest';
import { WebSocket } from '../../src/node/index.js';
import { frame, RawClient, recording, start, until } from './support.js';

const LIMIT = 1000;
const large = () => new Blob([Buffer.alloc(2 * LIMIT)]);

test('is dropped by a server, and the connection goes on', async () => {
  const { handlers, names } = recording();
  const server = await start({ ...handlers, overflow: 'drop', sendHardLimit: LIMIT });
  const client = await RawClient.open(server.port);
  const [ws] = server.connections();
  expect(ws.send(large())).toBe(false);
  client.write(frame(1, 'hello'));
  await until(() => names().includes('message'), 'a message');
  expect(ws.send('still here')).toBe(true);
  expect((await client.frameAt(0)).payload.toString()).toBe('still here');
});

test('is refused by a server, and the connection goes on', async () => {
  const { handlers, names } = recording();
  const server = await start({ ...handlers, overflow: 'refuse', sendHardLimit: LIMIT });
  const client = await RawClient.open(server.port);
  const [ws] = server.connections();
  expect(() => ws.send(large())).toThrow(expect.objectContaining({ code: 'SEND_HARD_LIMIT' }));
  client.write(frame(1, 'hello'));
  await until(() => names().includes('message'), 'a message');
});

test('closes the connection of a server', async () => {
  const server = await start({ overflow: 'close', sendHardLimit: LIMIT });
  const client = await RawClient.open(server.port);
  const [ws] = server.connections();
  expect(ws.send(large())).toBe(false);
  expect(await client.closeCode()).toEqual([1013, 'too much is queued']);
});

test('closes the connection of a WebSocket, which is told its end', async () => {
  const server = await start();
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}`, [], { sendHardLimit: LIMIT });
  const events: string[] = [];
  for (const type of ['open', 'error', 'close']) ws.addEventListener(type, () => events.push(type));
  await until(() => events.includes('open'));
  ws.send(large());
  expect(ws.readyState).toBe(WebSocket.CLOSING);
  await until(() => events.includes('close'), "'close'");
  expect(events).toEqual(['open', 'error', 'close']);
  expect(ws.bufferedAmount).toBe(2 * LIMIT);
});
