/** Clients that asked for HTTP/2 where there is only HTTP/1.1. */

import { createServer as createHttpServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { Dial } from '../../../src/node/client/dial.js';
import { WebSocket } from '../../../src/node/client/websocket.js';
import { WebSocketStream } from '../../../src/node/client/websocket-stream.js';
import { attach, type ConnectOptions } from '../../../src/node/index.js';
import { rstFrame } from '../h2/frames.js';
import { secure } from '../h2/support.js';
import { atEnd, deferred, onDeadlines, start, turns, until, within } from '../support.js';
import {
  frameServer,
  h2Server,
  living,
  onRequests,
  overH2,
  ownSession,
  plainUrl,
  secureUrl,
  sessions,
} from './http2-support.js';
import { accepting, answering, ca, listen, open, rawServer, rawTlsServer, refusal, serverTls } from './support.js';

const either = { ...overH2, allowHTTP1: true } as const;

/** The version that a connection came by. */
async function versionOf(url: string, options: ConnectOptions): Promise<string> {
  let version = '';
  const accepted = (answer: { readonly httpVersion: string }) => {
    version = answer.httpVersion;
  };
  const peer = await open(url, { ...options, accepted });
  expect(peer.isOpen).toBe(true);
  return version;
}

/** A server of node:https with our attachment, that counts its connections. */
async function oldServer() {
  const protocols: unknown[] = [];
  const https = createHttpsServer(serverTls as object);
  https.on('secureConnection', (socket: TLSSocket) => protocols.push(socket.alpnProtocol));
  let connections = 0;
  https.on('connection', () => connections++);
  const attachment = attach(https, { message: (ws, data) => ws.send(data) });
  const port = await listen(https);
  atEnd(() => attachment.close({ timeout: 0 }));
  return { port, attachment, protocols, connections: () => connections };
}

describe('allowHTTP1', () => {
  test('HTTP/2 it is where the server takes it', async () => {
    const server = await secure();
    expect(await versionOf(secureUrl(server.port), either)).toBe('2.0');
    expect(await versionOf(secureUrl(server.port), { ...either, http2: false })).toBe('1.1');
  });

  test('ALPN chose http/1.1: on that connection', async () => {
    const server = await secure({ http2: false, tls: { ...serverTls, ALPNProtocols: ['http/1.1'] } as never });
    const { port, connections, protocols } = await oldServer();
    expect(await versionOf(secureUrl(port), either)).toBe('1.1');
    expect([connections(), protocols]).toEqual([1, ['http/1.1']]);
    expect(await versionOf(secureUrl(port), either)).toBe('1.1');
    expect(connections()).toBe(2);
    expect(await versionOf(secureUrl(server.port), either)).toBe('1.1');
    expect(sessions.client).toEqual([]);
  });

  test('many at once: a connection for each, of which one is that of the question', async () => {
    const { port, connections, attachment } = await oldServer();
    const versions = await Promise.all(Array.from({ length: 5 }, () => versionOf(secureUrl(port), either)));
    expect([versions, connections(), attachment.size]).toEqual([Array(5).fill('1.1'), 5, 5]);
  });

  test('messages go as ever, and it closes in order', async () => {
    const { port, attachment } = await oldServer();
    const events: unknown[] = [];
    const socket = new WebSocket(secureUrl(port), [], either);
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => {
      events.push(data);
      socket.close(3000);
    };
    socket.onclose = ({ wasClean, code }) => events.push([wasClean, code]);
    await until(() => events.length === 2 && attachment.size === 0);
    expect(events).toEqual(['hello', [true, 3000]]);
    const stream = new WebSocketStream(secureUrl(port), either);
    await within(stream.opened);
    stream.close();
    expect(await within(stream.closed)).toMatchObject({ closeCode: 1005 });
  });

  test('a server without ALPN', async () => {
    const port = await rawTlsServer(answering((socket, request) => socket.end(accepting(request))));
    expect(await versionOf(secureUrl(port), either)).toBe('1.1');
  });

  test('who waits and is given up does not get the connection; the next one does', async () => {
    const { port, connections, attachment } = await oldServer();
    const abort = new AbortController();
    const first = refusal(secureUrl(port), { ...either, signal: abort.signal });
    const second = versionOf(secureUrl(port), either);
    abort.abort();
    expect((await first).code).toBe('ABORTED');
    expect([await second, connections(), attachment.size]).toEqual(['1.1', 1, 1]);
  });

  test('HTTP/2 without extended CONNECT: another connection', async () => {
    const versions: string[] = [];
    const http = createSecureServer({ ...(serverTls as object), allowHTTP1: true });
    http.on('session', () => versions.push('session'));
    http.on('upgrade', (request, socket: Socket) => {
      versions.push(request.httpVersion);
      socket.write(accepting(`Sec-WebSocket-Key: ${request.headers['sec-websocket-key']}\r\n`));
      socket.on('end', () => socket.end()).resume();
    });
    const port = await listen(http as never);
    expect(await versionOf(secureUrl(port), either)).toBe('1.1');
    expect(versions).toEqual(['session', '1.1']);
    await until(() => living().length === 0);
  });

  test('HTTP_1_1_REQUIRED for this one', async () => {
    const alpn: unknown[] = [];
    const port = await frameServer(
      (peer, socket) => {
        alpn.push((socket as TLSSocket).alpnProtocol);
        onRequests(peer, (stream) => peer.write(rstFrame(stream, 0xd)));
      },
      { ALPNProtocols: ['h2'] },
    );
    // The second connection offers http/1.1 alone, which this server does not have.
    const error = await refusal(secureUrl(port), either);
    expect(error.code).toBe('CONNECTION_FAILED');
    expect(alpn).toEqual(['h2']);
    expect(await refusal(secureUrl(port), overH2)).toMatchObject({
      code: 'HTTP_1_1_REQUIRED',
      message: expect.stringContaining('HTTP/1.1'),
    });
  });

  test('HTTP_1_1_REQUIRED, and a server that has both', async () => {
    const { port } = await bothVersions((stream) => stream.close(0xd));
    expect(await versionOf(secureUrl(port), either)).toBe('1.1');
  });

  test("from a session of the caller's own", async () => {
    const { port } = await bothVersions((stream) => stream.close(0xd));
    const session = await ownSession(`https://localhost:${port}`);
    expect(await versionOf(secureUrl(port), { http2: session, allowHTTP1: true, tls: { ca } })).toBe('1.1');
    expect(session.destroyed).toBe(false);
    const { port: without } = await bothVersions(() => expect.unreachable(), false);
    const other = await ownSession(`https://localhost:${without}`);
    expect(await versionOf(secureUrl(without), { http2: other, allowHTTP1: true, tls: { ca } })).toBe('1.1');
    expect(other.destroyed).toBe(false);
  });

  test('ws: with a server of node:http', async () => {
    let connections = 0;
    const http = createHttpServer();
    http.on('connection', () => connections++);
    const attachment = attach(http);
    const port = await listen(http);
    atEnd(() => attachment.close({ timeout: 0 }));
    expect(await versionOf(plainUrl(port), { http2: true, allowHTTP1: true })).toBe('1.1');
    expect(connections).toBe(2);
  });

  test('ws: with our own server', async () => {
    const server = await start();
    expect(await versionOf(plainUrl(server.port), { http2: true, allowHTTP1: true })).toBe('1.1');
  });

  test('ws: with a server that closes without a word', async () => {
    let connections = 0;
    const port = await rawServer((socket) => {
      if (connections++ === 0) socket.end();
      else answering((each, request) => each.end(accepting(request)))(socket);
    });
    expect(await versionOf(plainUrl(port), { http2: true, allowHTTP1: true })).toBe('1.1');
  });

  test('what is wrong with the other way is what is told', async () => {
    const server = await start({ path: '/only' });
    expect(await refusal(plainUrl(server.port), { http2: true, allowHTTP1: true })).toMatchObject({
      code: 'UNEXPECTED_RESPONSE',
      statusCode: 404,
      message: expect.stringContaining('101'),
    });
    expect((await refusal('wss://127.0.0.1:1/', either)).code).toBe('CONNECTION_FAILED');
  });

  test('one deadline for both ways', async () => {
    const deadlines: number[] = [];
    onDeadlines((entry, deadline) => {
      if (entry instanceof Dial && deadline !== null) deadlines.push(deadline);
      return deadline;
    });
    const port = await rawServer((socket) => {
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk;
        // HTTP/2 is answered late, HTTP/1.1 never.
        if (received.startsWith('PRI')) setTimeout(() => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 400);
      });
      socket.on('end', () => socket.end());
    });
    const error = await refusal(plainUrl(port), { http2: true, allowHTTP1: true, handshakeTimeout: 1500 });
    expect(error).toMatchObject({ code: 'HANDSHAKE_TIMEOUT', message: expect.stringContaining('an answer') });
    expect(deadlines.length).toBeGreaterThan(1);
    expect(new Set(deadlines).size).toBe(1);
  });

  test('a signal while the second way is being tried', async () => {
    const asked = deferred();
    const port = await rawServer((socket) => {
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk;
        if (received.startsWith('PRI')) socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
        else asked.resolve();
      });
      socket.on('end', () => socket.end());
    });
    const abort = new AbortController();
    const failing = refusal(plainUrl(port), { http2: true, allowHTTP1: true, signal: abort.signal });
    await asked.promise;
    abort.abort();
    expect((await failing).code).toBe('ABORTED');
  });
});

describe('without allowHTTP1', () => {
  test('ALPN chose http/1.1, or had no choice', async () => {
    const { port, connections } = await oldServer();
    const error = await refusal(secureUrl(port), overH2);
    expect(error).toMatchObject({ code: 'HTTP2_NOT_SPOKEN' });
    expect(connections()).toBe(1);
    const none = await rawTlsServer((socket) => socket.resume());
    expect((await refusal(secureUrl(none), overH2)).code).toBe('HTTP2_NOT_SPOKEN');
  });

  test('ws: with servers of HTTP/1.1', async () => {
    const server = await start();
    expect(await refusal(plainUrl(server.port), { http2: true })).toMatchObject({ code: 'HTTP2_NOT_SPOKEN' });
    const silent = await rawServer((socket) => socket.end());
    expect(await refusal(plainUrl(silent), { http2: true })).toMatchObject({ code: 'HTTP2_NOT_SPOKEN' });
    await turns(20);
    expect(living()).toEqual([]);
  });

  test('nothing is sent to a server that speaks something else', async () => {
    let heard = '';
    const port = await rawTlsServer((socket) => socket.on('data', (chunk) => (heard += chunk)));
    await refusal(secureUrl(port), { ...overH2, headers: { authorization: 'secret' } });
    expect(heard).toBe('');
  });
});

/** A server with both versions, whose HTTP/2 does with a request what it is told to. */
async function bothVersions(
  onStream: Parameters<typeof h2Server>[0],
  enableConnectProtocol = true,
): Promise<{ port: number }> {
  const { port, server } = await h2Server(onStream, { allowHTTP1: true, settings: { enableConnectProtocol } });
  server.on('upgrade', (request: { headers: Record<string, string> }, socket: Socket) => {
    socket.write(accepting(`Sec-WebSocket-Key: ${request.headers['sec-websocket-key']}\r\n`));
    socket.on('end', () => socket.end()).resume();
    atEnd(() => socket.destroy());
  });
  return { port };
}
