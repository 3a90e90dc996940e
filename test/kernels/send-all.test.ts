/** The same bytes to many sockets, by the addon. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { constants } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sendAll } from '../../src/kernels/index.js';
import type { SendAll } from '../../src/kernels/native.js';

const send = sendAll as SendAll;
const { EBADF, EAGAIN, EPIPE } = constants.errno;

/** Accepted sockets, and what was received at the other ends. */
async function pairs(count: number) {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const accepted: Socket[] = [];
  const clients: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const { port } = server.address() as AddressInfo;
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const [[socket]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
    socket.on('error', () => {});
    client.on('error', () => {});
    onTestFinished(() => {
      socket.destroy();
      client.destroy();
    });
    accepted.push(socket);
    clients.push(client);
  }
  return { accepted, clients };
}

const descriptorOf = (socket: Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;
const tableOf = (sockets: readonly Socket[]) => Int32Array.of(sockets.length, ...sockets.map(descriptorOf));

describe.skipIf(sendAll === null)('sendAll', () => {
  test('gives each socket all of it, and tells so', async () => {
    const { accepted, clients } = await pairs(3);
    const table = tableOf(accepted);
    expect(send(Buffer.from('to all'), table)).toBe(true);
    expect([...table]).toEqual([3, 6, 6, 6]);
    for (const client of clients) expect(String((await once(client, 'data'))[0])).toBe('to all');
  });

  test('takes a part of an array for what it is, and an array of another length than the table', async () => {
    const { accepted, clients } = await pairs(2);
    const table = Int32Array.of(1, descriptorOf(accepted[0]), descriptorOf(accepted[1]), -7);
    expect(send(Buffer.from('a part of it').subarray(2, 6), table)).toBe(true);
    expect([...table]).toEqual([1, 4, descriptorOf(accepted[1]), -7]);
    expect(String((await once(clients[0], 'data'))[0])).toBe('part');
    expect(clients[1].bytesRead).toBe(0);
  });

  test('tells how much was taken where not all was, and that nothing was', async () => {
    const { accepted } = await pairs(1);
    const bytes = Buffer.alloc(64 * 1024 * 1024);
    const table = tableOf(accepted);
    send(bytes, table);
    expect(table[1]).toBeGreaterThan(0);
    expect(table[1]).toBeLessThan(bytes.length);
    let last = table[1];
    for (let i = 0; last > 0 && i < 1000; i++) {
      table[1] = descriptorOf(accepted[0]);
      send(bytes, table);
      last = table[1];
    }
    expect(last).toBe(-EAGAIN);
  });

  test('tells the error of each, and goes on with the others', async () => {
    const { accepted, clients } = await pairs(3);
    const table = Int32Array.of(4, descriptorOf(accepted[0]), -1, 1_000_000, descriptorOf(accepted[2]));
    expect(send(Buffer.from('x'), table)).toBe(true);
    expect([...table]).toEqual([4, 1, -EBADF, -EBADF, 1]);
    accepted[0].end();
    await once(clients[0].resume(), 'end');
    table.set([1, descriptorOf(accepted[0])]);
    send(Buffer.from('x'), table);
    expect(table[1]).toBe(-EPIPE);
  });

  test.for([
    ['no table', Buffer.alloc(1), undefined],
    ['a table without a place', Buffer.alloc(1), new Int32Array(0)],
    ['more sockets than there are places', Buffer.alloc(1), Int32Array.of(2, 1)],
    ['a negative number of sockets', Buffer.alloc(1), Int32Array.of(-1, 1)],
    ['a table of another kind', Buffer.alloc(1), new Uint32Array(2)],
    ['no bytes', undefined, Int32Array.of(0)],
    ['bytes of another kind', new Uint16Array(1), Int32Array.of(0)],
    ['what only looks like bytes', Object.create(Uint8Array.prototype), Int32Array.of(0)],
  ] as const)('refuses %s', ([, bytes, table]) => {
    const before = table?.slice();
    expect(send(bytes as Uint8Array, table as Int32Array)).toBe(false);
    expect(table).toEqual(before);
  });

  test('takes no sockets at all', () => {
    expect(send(Buffer.alloc(1), Int32Array.of(0))).toBe(true);
  });
});
