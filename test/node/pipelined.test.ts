/** A WebSocket that is asked for while requests before it on the same connection are not answered yet. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { connectWs, deferred, next, RawClient, recording, request, start, turns, until } from './support.js';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

describe('a WebSocket asked for', () => {
  test.for([1, 2, 20])(
    'before the answers to %d requests: cut off, and the late answers harm nobody',
    async (count) => {
      const gate = deferred();
      let late = 0;
      const { handlers, names } = recording();
      const server = await start({
        ...handlers,
        message: (ws, data) => ws.send(data),
        request: async (_request, response) => {
          await gate.promise;
          response.end('late');
          late++;
        },
      });
      const good = await connectWs(server.port);
      const client = new RawClient(server.port);
      client.isHttp = true;
      client.write(GET.repeat(count), request());
      await until(() => client.ended || client.closed, 'the connection to be cut off');
      expect(client.head).toBe('');
      gate.resolve();
      await until(() => late === count);
      await turns();
      const echo = next(good, 'message');
      good.send('still here');
      expect(`${(await echo)[0]}`).toBe('still here');
      expect(names()).toEqual(['open']);
      expect(server.size).toBe(1);
    },
  );

  test('behind one that is answered and one that is not: cut off', async () => {
    const server = await start({
      request: async (incoming, response) => {
        if (incoming.url === '/slow') await sleep(50);
        response.end('answer');
      },
    });
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n', GET, request());
    await until(() => client.ended || client.closed, 'the connection to be cut off');
    await sleep(100);
    expect(client.head + client.body).not.toContain(' 101 ');
  });

  test('together with one that is answered at once: both get their answers, in order', async () => {
    const server = await start({ request: (_request, response) => response.end('answer') });
    const client = new RawClient(server.port);
    client.isHttp = true;
    client.write(GET, request());
    await until(() => client.body.includes('\r\n\r\n'), 'both answers');
    expect(client.head).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.body).toMatch(/^answerHTTP\/1\.1 101 /);
    expect(server.size).toBe(1);
  });

  test('after an answer of many megabytes was read to its end', async () => {
    const size = 20 * 1024 * 1024;
    const server = await start({
      request: (_request, response) => response.end(Buffer.alloc(size)),
      message: (ws, data) => ws.send(data),
    });
    const client = new RawClient(server.port);
    let got = 0;
    client.socket.removeAllListeners('data').on('data', (chunk) => {
      got += chunk.length;
    });
    client.write(GET);
    await until(() => got > size, 'the answer');
    const before = got;
    client.write(request());
    await until(() => got > before || client.closed);
    await until(() => server.size === 1);
  });
});
