/** Handshakes: counted where they succeed, and where they fail it is said what was answered. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, test } from 'vitest';
import { EchoLoad, HandshakeLoad, IdleLoad, type LoadTarget } from '../../../src/cli/load/index.js';
import { serve } from '../../../src/node/index.js';
import { until } from '../../node/support.js';
import { Fake, faultOf } from './support.js';

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url));
const credentials = { cert: fixture('server.pem'), key: fixture('server-key.pem') };

async function refusal(target: LoadTarget) {
  const load = new IdleLoad(target, { connections: 50 });
  const fault = await faultOf(load.connect());
  await load.close();
  expect(fault.code).toBe('HANDSHAKE');
  expect(fault.connection).not.toBeNull();
  return fault.message;
}

test.each([
  { status: '403 Forbidden', body: 'not you', says: /the server answered 403 Forbidden in place of 101: "not you"$/ },
  { status: '404 Not Found', body: '', says: /the server answered 404 Not Found in place of 101$/ },
  { status: '200 OK', body: '<html>', says: /the server answered 200 OK in place of 101: "<html>"$/ },
])('$status', async ({ status, body, says }) => {
  const fake = await Fake.start({
    request: (socket) => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
  });
  expect(await refusal({ url: fake.url })).toMatch(says);
  await until(() => fake.open === 0, 'the end of the connections');
});

test.each([
  { what: 'another protocol', answer: '220 mail.example ESMTP\r\n\r\n', says: /it answered "220 mail\.example ESMTP/ },
  {
    what: 'a wrong Sec-WebSocket-Accept',
    answer:
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    says: /Sec-WebSocket-Accept/i,
  },
  { what: 'nothing', answer: '', says: /the stream ended before the handshake did/ },
])('$what', async ({ answer, says }) => {
  const fake = await Fake.start({ request: (socket) => socket.end(answer) });
  expect(await refusal({ url: fake.url })).toMatch(says);
});

test('silence', async () => {
  const fake = await Fake.start({ request: () => {} });
  expect(await refusal({ url: fake.url, timeout: 100 })).toMatch(/the server has not answered within 100 ms/);
  await until(() => fake.open === 0, 'the end of the connections');
});

test('nobody listens', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  expect(await refusal({ url: `ws://127.0.0.1:${port}` })).toMatch(/connect ECONNREFUSED 127\.0\.0\.1/);
});

test('no permessage-deflate where it is wanted', async () => {
  const fake = await Fake.start();
  const load = new EchoLoad({ url: fake.url }, { connections: 5, inFlight: 1, size: 10, text: true, deflate: true });
  const fault = await faultOf(load.connect());
  expect([fault.code, fault.message]).toEqual([
    'HANDSHAKE',
    expect.stringMatching(/the server does not agree to permessage-deflate$/),
  ]);
  await load.close();
  await until(() => fake.open === 0, 'the end of the connections');
});

test('TLS: a certificate that is not trusted, one that is, and no check', async () => {
  const server = await serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: credentials,
    message: (ws, data) => void ws.send(data),
  });
  const url = `wss://localhost:${server.port}/`;
  try {
    expect(await refusal({ url })).toMatch(/unable to verify|self.signed|unable to get local issuer/);
    for (const tls of [{ ca: fixture('ca.pem') }, { rejectUnauthorized: false }]) {
      const load = new EchoLoad({ url, tls }, { connections: 5, inFlight: 4, size: 30_000, text: true });
      await load.connect();
      const { messages, bytes } = await load.run(50);
      expect(messages).toBeGreaterThanOrEqual(20);
      expect(bytes).toBe(messages * 30_000);
      await load.close();
    }
  } finally {
    await server.close();
  }
});

test('TLS with a server that speaks none, and none with a server that does', async () => {
  const fake = await Fake.start();
  expect(await refusal({ url: fake.url.replace('ws:', 'wss:'), timeout: 1000 })).toMatch(
    /(wrong version number|has not answered|socket disconnected|packet length too long)/i,
  );
  const server = createTlsServer(credentials).listen(0, '127.0.0.1');
  server.on('tlsClientError', () => {});
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  expect(await refusal({ url: `ws://127.0.0.1:${port}` })).toMatch(/connection 0: ./);
  server.close();
});

test('the request says what the target wants', async () => {
  const fake = await Fake.start();
  const load = new IdleLoad(
    {
      url: `ws://me:s%20cret@127.0.0.1:${fake.port}/room/7?x=1`,
      headers: { 'X-Tenant': 'mill' },
    },
    { connections: 1 },
  );
  await load.connect();
  await load.close();
  const [head] = fake.requests;
  expect(head).toMatch(/^GET \/room\/7\?x=1 HTTP\/1\.1\r\n/);
  expect(head).toContain(`Host: 127.0.0.1:${fake.port}`);
  expect(head).toContain('X-Tenant: mill');
  expect(head).toContain(`Authorization: Basic ${Buffer.from('me:s cret').toString('base64')}`);
});

test.each(['http://localhost/', 'localhost:8080', 'ws://', ''])('%j is no URL of a WebSocket', (url) => {
  expect(() => new IdleLoad({ url }, { connections: 1 })).toThrow(TypeError);
});

test('handshakes are counted, and every connection is closed in order', async () => {
  const fake = await Fake.start();
  const load = new HandshakeLoad({ url: fake.url }, { connections: 8 });
  await load.connect();
  for (let run = 0; run < 2; run++) {
    const before = fake.clients.length;
    const { messages, latency, wire } = await load.run(150);
    expect(messages).toBeGreaterThanOrEqual(8);
    expect(messages).toBe(fake.clients.length - before);
    expect(latency?.count).toBe(messages);
    expect(wire.sent).toBeGreaterThan(100 * messages);
  }
  await load.close();
  expect(new Set(fake.clients.map(({ closeCode }) => closeCode))).toEqual(new Set([1000]));
  await until(() => fake.open === 0, 'the end of the connections');
});

test('a handshake that fails in mid-run is a fault', async () => {
  let count = 0;
  const fake = await Fake.start({
    request: (socket) => ++count <= 50 || socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'),
  });
  const load = new HandshakeLoad({ url: fake.url }, { connections: 4 });
  await load.connect();
  const fault = await faultOf(load.run(20_000));
  expect([fault.code, fault.message]).toEqual(['HANDSHAKE', expect.stringMatching(/503 Service Unavailable/)]);
  await load.close();
});
