/** The socket of an HTTP server, which others hold and listen to, after a link has taken its handle. */

import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, test } from 'vitest';
import { type Attachment, attach } from '../../src/node/attach.js';
import { atEnd, closeFrame, frame, next, RawClient, recording, until } from './support.js';

interface Tracked {
  readonly http: HttpServer;
  readonly attachment: Attachment;
  readonly sockets: Set<Socket>;
  readonly names: () => unknown[];
  readonly port: number;
}

/** An HTTP server that keeps a list of its sockets, as those do that want to cut them all off. */
async function tracked(listens = true): Promise<Tracked> {
  const http = createServer();
  const sockets = new Set<Socket>();
  http.on('connection', (socket) => {
    sockets.add(socket);
    if (listens) socket.on('close', () => sockets.delete(socket));
  });
  const { handlers, names } = recording();
  const attachment = attach(http, handlers);
  http.listen(0, '127.0.0.1');
  await next(http, 'listening');
  atEnd(() => http.close());
  atEnd(() => attachment.close({ timeout: 0 }));
  return { http, attachment, sockets, names, port: (http.address() as AddressInfo).port };
}

test.each(['Close', 'end', 'reset', 'cut off'])('closes with its connection: %s', async (how) => {
  const { port, sockets, attachment } = await tracked();
  const client = await RawClient.open(port);
  expect(sockets.size).toBe(1);
  if (how === 'Close') client.write(closeFrame(1000));
  else if (how === 'end') client.socket.end();
  else if (how === 'reset') client.socket.resetAndDestroy();
  else for (const ws of attachment.connections()) ws.terminate();
  await until(() => sockets.size === 0 || client.ended, 'an end');
  client.socket.end();
  await until(() => sockets.size === 0, "'close' of the former socket");
  await until(() => attachment.size === 0);
});

test.each([true, false])('cuts its connection off when it is destroyed, with a listener: %s', async (listens) => {
  const { port, sockets, attachment, names, http } = await tracked(listens);
  const client = await RawClient.open(port);
  for (const socket of sockets) socket.destroy();
  await until(() => client.closed || client.ended, 'the end');
  client.socket.end();
  await until(() => attachment.size === 0, 'the connection to be gone');
  expect(names()).toEqual(['open', 'close']);
  http.close();
  await next(http, 'close');
});

test('ends no process with an error', async () => {
  const { port, sockets, attachment } = await tracked();
  const client = await RawClient.open(port);
  const [socket] = sockets;
  // Without a listener this would be thrown where nobody can catch it.
  socket.destroy(new Error('by somebody else'));
  await until(() => attachment.size === 0);
  client.socket.end();
});

test('is of no matter to what the connection reads and writes', async () => {
  const { port, names } = await tracked();
  const client = await RawClient.open(port);
  client.write(frame(1, 'hello'), closeFrame(1000));
  expect(await client.closeCode()).toEqual([1000, '']);
  client.socket.end();
  await until(() => names().includes('close'));
  expect(names()).toEqual(['open', 'message', 'close']);
});
