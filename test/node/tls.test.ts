/** `serve` with TLS: what `upgrade` sees of it, and handshakes that fail, stall or never begin. */

import { createConnection } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createSecureContext } from 'node:tls';
import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { LocalProtocolError, reject, type ServeOptions, serve, type UpgradeRequest } from '../../src/node/index.js';
import {
  atEnd,
  closeFrame,
  concat,
  deferred,
  frame,
  next,
  noise,
  recording,
  request,
  start,
  turns,
  until,
  warningsDuring,
  within,
} from './support.js';
import { ca, clientTls, openTls, StreamClient, serverTls } from './support-streams.js';

const MiB = 1024 * 1024;
const echo: ServeOptions = { message: (ws, data) => ws.send(data) };

/** A server with TLS; what `upgrade` was asked. */
async function secure(options: ServeOptions = {}) {
  const asked: UpgradeRequest[] = [];
  const server = await start({
    tls: serverTls,
    upgrade: (req) => {
      asked.push(req);
    },
    ...options,
  });
  return { server, asked };
}

describe('over TLS', () => {
  test('a client of ws', async () => {
    const { server, asked } = await secure(echo);
    const ws = new WebSocket(`wss://localhost:${server.port}/chat`, { ca });
    atEnd(() => ws.terminate());
    await next(ws, 'open');
    for (const data of [noise(5), noise(100_000), noise(3 * MiB)]) {
      const answer = next(ws, 'message');
      ws.send(data);
      expect(data.equals((await answer)[0] as Buffer)).toBe(true);
    }
    expect(asked[0].tls?.encrypted).toBe(true);
    expect(asked[0].tls?.servername).toBe('localhost');
    expect(asked[0]).toMatchObject({ remoteAddress: '127.0.0.1', path: '/chat' });
    const closed = next(ws, 'close');
    ws.close(4000, 'bye');
    expect((await closed)[0]).toBe(4000);
    await until(() => server.size === 0);
  });

  test('ordinary requests get their answers', async () => {
    const { server } = await secure({ request: (_request, response) => response.end('a page') });
    const client = await openTls(server.port);
    await client.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(client.status).toBe(200);
  });

  test('a client that ends its side with its Close gets every answer first', async () => {
    const { handlers, log } = recording();
    const { server } = await secure({
      ...handlers,
      message: async (ws, data) => {
        await turns(3);
        ws.send(data);
      },
    });
    const client = await openTls(server.port);
    await client.ask();
    client.socket.end(concat(frame(1, 'a'), frame(2, noise(MiB)), closeFrame(1000)));
    await until(() => client.ended);
    expect(client.frames.map(({ payload }) => payload.length)).toEqual([1, MiB, 2]);
    expect(log.at(-1)).toEqual(['close', 1000, '']);
    await until(() => server.size === 0);
    expect(client.error).toBeNull();
  });

  test('a violation in a flood: the code arrives', async () => {
    const { server } = await secure();
    const client = await openTls(server.port);
    await client.ask();
    client.socket.write(frame(3));
    client.socket.write(new Uint8Array(4 * MiB));
    await until(() => client.ended);
    expect(client.frames.map(({ payload }) => payload.readUInt16BE(0))).toEqual([1002]);
    client.socket.end();
    await until(() => server.size === 0);
  });

  test('what is sent without end while upgrade is pending is held, and nothing of it is lost', async () => {
    const gate = deferred();
    let socket: TLSSocket | null = null;
    let received = 0;
    let wrong = 0;
    const { server } = await secure({
      upgrade: ({ tls }) => {
        socket = tls;
        return gate.promise;
      },
      message: (_ws, data) => {
        if ((data as Buffer).readUInt32BE(0) !== received++) wrong++;
      },
    });
    const client = await openTls(server.port);
    client.socket.write(request());
    let sent = 0;
    let enough = Number.POSITIVE_INFINITY;
    const payload = Buffer.alloc(64 * 1024);
    const pour = () => {
      while (sent < enough) {
        payload.writeUInt32BE(sent++, 0);
        if (!client.socket.write(frame(2, payload))) return;
      }
    };
    client.socket.on('drain', pour);
    pour();
    let stable = 0;
    let last = -1;
    await until(() => {
      stable = sent === last ? stable + 1 : 0;
      last = sent;
      return stable > 100;
    }, 'the client to be held');
    // What has been decrypted of it is what takes memory.
    expect((socket as unknown as TLSSocket).readableLength).toBeLessThan(300_000);
    expect((socket as unknown as TLSSocket).bytesRead).toBeLessThan(500_000);
    gate.resolve();
    await until(() => received > 300, 'the flood to go on');
    enough = sent;
    await until(() => received === sent);
    expect(wrong).toBe(0);
  });

  test('SNI chooses the certificate, and upgrade is told the name', async () => {
    const names: string[] = [];
    const { server, asked } = await secure({
      tls: {
        ...serverTls,
        SNICallback(name, done) {
          names.push(name);
          done(null, createSecureContext(serverTls));
        },
      },
    });
    const client = await openTls(server.port, { servername: 'chat.example', checkServerIdentity: () => undefined });
    expect(await client.ask()).toContain('101');
    expect(names).toEqual(['chat.example']);
    expect(asked[0].tls?.servername).toBe('chat.example');
  });

  test('ALPN', async () => {
    const { server, asked } = await secure({ tls: { ...serverTls, ALPNProtocols: ['http/1.1'] } });
    const client = await openTls(server.port, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(client.socket.alpnProtocol).toBe('http/1.1');
    expect(await client.ask()).toContain('101');
    expect(asked[0].tls?.alpnProtocol).toBe('http/1.1');
  });

  test('client certificates: upgrade decides', async () => {
    const { server } = await secure({
      tls: { ...serverTls, ca, requestCert: true, rejectUnauthorized: false },
      upgrade: ({ tls }) => {
        if (!tls?.authorized) return reject(403);
        return { headers: { 'X-Hello': `${tls.getPeerCertificate().subject.CN}` } };
      },
    });
    const known = await openTls(server.port, clientTls);
    expect(await known.ask()).toContain('X-Hello: millrace test client\r\n');
    const unknown = await openTls(server.port);
    await unknown.ask();
    expect(unknown.status).toBe(403);
  });

  test('client certificates: TLS decides', async () => {
    const { server, asked } = await secure({ tls: { ...serverTls, ca, requestCert: true, rejectUnauthorized: true } });
    const unknown = await openTls(server.port);
    unknown.socket.write(request());
    await until(() => unknown.ended || unknown.closed);
    expect(asked).toEqual([]);
    const known = await openTls(server.port, clientTls);
    expect(await known.ask()).toContain('101');
  });
});

describe('TLS that goes wrong', () => {
  test('what is no TLS, and who hangs up in the middle, disturbs nobody', async () => {
    const warnings = await warningsDuring(async () => {
      const { server } = await secure(echo);
      const good = await openTls(server.port);
      await good.ask();
      for (const bytes of [request(), '\x16\x03\x01', noise(5000)]) {
        const bad = new StreamClient(createConnection(server.port, '127.0.0.1'));
        bad.socket.write(bytes);
        if (bytes === '\x16\x03\x01') {
          await next(bad.socket, 'connect');
          bad.socket.resetAndDestroy();
        }
        await until(() => bad.closed);
      }
      const stranger = await openTls(server.port, { ca: [] });
      expect(stranger.error).not.toBeNull();
      good.socket.write(frame(1, 'fine'));
      await until(() => good.frames.length === 1);
    });
    expect(warnings).toEqual([]);
  });

  test('who never finishes the TLS handshake is cut off at handshakeTimeout', async () => {
    const { server } = await secure({ handshakeTimeout: 150 });
    const silent = new StreamClient(createConnection(server.port, '127.0.0.1'));
    const halfway = new StreamClient(createConnection(server.port, '127.0.0.1'));
    halfway.socket.write('\x16\x03\x01\x02\x00');
    await until(() => silent.closed && halfway.closed);
  });

  test.for<[string, ServeOptions]>([
    ['tls', { tls: true as never }],
    ['tls', { tls: null as never }],
  ])('a wrong %s is refused by name', async ([name, options]) => {
    const wrong = await serve(options).catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(LocalProtocolError);
    expect(wrong).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
  });

  test('a key that is none is refused as node:https refuses it', async () => {
    await expect(serve({ tls: { key: 'none', cert: 'none' } })).rejects.toThrow();
  });
});

describe('closing a server with TLS', () => {
  test('1001 to all; who has said nothing is not waited for', async () => {
    const { server } = await secure();
    const client = await openTls(server.port);
    await client.ask();
    const silent = new StreamClient(createConnection(server.port, '127.0.0.1'));
    await next(silent.socket, 'connect');
    const idle = await openTls(server.port);
    const asked = await openTls(server.port);
    await asked.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    // Nobody is counted before the server has seen it; a handshake that came later shows that it has.
    await openTls(server.port).then(({ socket }) => socket.destroy());
    const begun = performance.now();
    const closing = server.close({ timeout: 60_000 });
    await until(() => client.frames.length === 1);
    expect(client.frames[0].payload.readUInt16BE(0)).toBe(1001);
    client.socket.write(closeFrame(1001));
    client.socket.end();
    await within(closing);
    expect(performance.now() - begun).toBeLessThan(20_000);
    for (const other of [silent, idle, asked]) await until(() => other.ended || other.closed);
  });

  test('a TLS handshake under way holds it no longer than the timeout', async () => {
    const { server } = await secure();
    const halfway = new StreamClient(createConnection(server.port, '127.0.0.1'));
    halfway.socket.write('\x16\x03\x01\x02\x00');
    await openTls(server.port).then(({ socket }) => socket.destroy());
    const begun = performance.now();
    await within(server.close({ timeout: 150 }));
    expect(performance.now() - begun).toBeLessThan(9000);
    await until(() => halfway.closed);
  });
});
