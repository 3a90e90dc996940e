/** What the tests of the clients share: servers that behave, and servers that do as they are told. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { expect } from 'vitest';
import { type ServerOptions, WebSocketServer, type WebSocket as WsSocket } from 'ws';
import { type ConnectOptions, connect } from '../../../src/node/client/connect.js';
import { HandshakeError } from '../../../src/node/client/handshake-error.js';
import type { Peer } from '../../../src/node/peer.js';
import { atEnd, next, within } from '../support.js';

const pem = (name: string) => readFileSync(new URL(`../../fixtures/tls/${name}.pem`, import.meta.url));

export const ca = pem('ca');
export const serverTls: TlsOptions = { cert: pem('server'), key: pem('server-key') };
export const clientTls = { ca, cert: pem('client'), key: pem('client-key') };

/** Listens on a port of its own until the test ends, and then closes what is still connected. */
export async function listen(server: NetServer, where: object = { port: 0, host: '127.0.0.1' }): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(where);
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  await next(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A server of bytes. */
export function rawServer(serve: (socket: Socket) => void): Promise<number> {
  return listen(createNetServer({ allowHalfOpen: true }, serve));
}

/** A server of bytes over TLS. */
export function rawTlsServer(serve: (socket: Socket) => void, options: TlsOptions = {}): Promise<number> {
  return listen(
    createTlsServer({ ...serverTls, ...options }, (socket) => {
      socket.on('error', () => {});
      serve(socket);
    }),
  );
}

/** A server that reads a request, and then does something with it. */
export function answering(answer: (socket: Socket, request: string) => void): (socket: Socket) => void {
  return (socket) => {
    let request = '';
    const read = (chunk: Buffer) => {
      request += chunk.toString('latin1');
      if (!request.endsWith('\r\n\r\n')) return;
      socket.off('data', read);
      answer(socket, request);
    };
    socket.on('data', read);
  };
}

/** The answer that accepts a request. */
export function accepting(request: string, fields: Readonly<Record<string, string>> = {}): Buffer {
  const [, key] = /^Sec-WebSocket-Key: (.*)$/im.exec(request) ?? [];
  const accept = createHash('sha1').update(`${key?.trim()}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const all = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': accept, ...fields };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
}

/** An unmasked frame. */
export function serverFrame(opcode: number, payload: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.from(payload as string);
  const { length } = bytes;
  const header = length < 126 ? [length] : [126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...header]), bytes]);
}

export function serverClose(code: number, reason = ''): Buffer {
  return serverFrame(8, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]));
}

/** A server of `ws`. */
export async function wsServer(
  onConnection: (socket: WsSocket) => void,
  options: ServerOptions = {},
): Promise<{ port: number; server: WebSocketServer }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false, ...options });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  });
  atEnd(() => {
    for (const socket of server.clients) socket.terminate();
    return new Promise((resolve) => server.close(resolve));
  });
  await next(server, 'listening');
  return { port: (server.address() as { port: number }).port, server };
}

/** Connects, and cuts the connection off when the test ends. */
export async function open<Data = unknown>(url: string | URL, options: ConnectOptions<Data> = {}): Promise<Peer<Data>> {
  const peer = await within(connect<Data>(url, options), 'connect');
  atEnd(() => peer.terminate());
  return peer;
}

/** The error that connecting fails with. */
export async function refusal(url: string | URL, options: ConnectOptions = {}): Promise<HandshakeError> {
  const result = await within(
    connect(url, options).then(
      (peer) => {
        peer.terminate();
        return null;
      },
      (error: unknown) => error,
    ),
    'connect to fail',
  );
  expect(result).toBeInstanceOf(HandshakeError);
  return result as HandshakeError;
}
