/** Connections that have not asked for anything: nothing may be kept of those that have. */

import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { attach } from '../../src/node/index.js';
import { Newcomers } from '../../src/node/newcomers.js';
import { atEnd, next, RawClient, request, until } from './support.js';
import { openTls, StreamClient, serverTls } from './support-streams.js';

for (const secure of [false, true]) {
  test(`${secure ? 'over TLS' : 'over TCP'}: who asks, or goes, is forgotten`, async () => {
    const answer = (_request: unknown, response: { end(): void }) => response.end();
    const http: HttpServer = secure ? createSecureServer(serverTls, answer) : createServer(answer);
    const newcomers = new Newcomers(http);
    http.on('request', ({ socket }) => newcomers.forget(socket));
    http.on('upgrade', ({ socket }) => newcomers.forget(socket));
    const attachment = attach(http);
    atEnd(async () => {
      await attachment.close({ timeout: 0 });
      newcomers.cutOff();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    });
    http.listen(0, '127.0.0.1');
    await next(http, 'listening');
    const { port } = http.address() as AddressInfo;
    const connect = async () => (secure ? await openTls(port) : new StreamClient(new RawClient(port).socket));

    const clients = [await connect(), await connect(), await connect()];
    await until(() => newcomers.size === 3);
    await clients[0].ask(request());
    expect(clients[0].status).toBe(101);
    await until(() => newcomers.size === 2);
    await clients[1].ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(newcomers.size).toBe(1);
    clients[2].socket.destroy();
    await until(() => newcomers.size === 0);
    expect([attachment.size, clients[1].ended]).toEqual([1, false]);
  });
}
