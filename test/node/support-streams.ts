/** What the tests of TLS and Unix sockets share: certificates, and a raw client on any stream. */

import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { atEnd, decode, request, type ServerFrame, until } from './support.js';

const read = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url));

/** What a server needs, and a client to trust it. */
export const ca = read('ca.pem');
export const serverTls = { key: read('server-key.pem'), cert: read('server.pem') };
export const clientTls = { key: read('client-key.pem'), cert: read('client.pem') };

/** Answers that come over a stream that somebody else has connected. */
export class StreamClient<Stream extends Socket = Socket> {
  readonly socket: Stream;
  bytes: Buffer = Buffer.alloc(0);
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | null = null;

  constructor(socket: Stream) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    atEnd(() => socket.destroy());
  }

  /** Sends a request for a WebSocket and waits for the head of the answer. */
  async ask(requestText = request(), early = new Uint8Array(0)): Promise<string> {
    this.socket.write(Buffer.concat([Buffer.from(requestText), early]));
    await until(() => this.head !== '' || this.closed, 'the answer to a handshake');
    return this.head;
  }

  get head(): string {
    const end = this.bytes.indexOf('\r\n\r\n');
    return end < 0 ? '' : this.bytes.toString('latin1', 0, end + 2);
  }

  get status(): number {
    return Number(this.head.split(' ', 2)[1]);
  }

  get frames(): ServerFrame[] {
    const frames: ServerFrame[] = [];
    let at = this.bytes.indexOf('\r\n\r\n') + 4;
    for (let found = decode(this.bytes.subarray(at)); found !== null; found = decode(this.bytes.subarray(at))) {
      frames.push(found.frame);
      at += found.size;
    }
    return frames;
  }
}

/** A client of TLS that trusts our authority, once its handshake is done or has failed. */
export async function openTls(port: number, options: ConnectionOptions = {}): Promise<StreamClient<TLSSocket>> {
  // Documented for `tls.connect`, and missing in its types.
  const halfOpen = { allowHalfOpen: true } as ConnectionOptions;
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ...halfOpen, ...options });
  const client = new StreamClient(socket);
  let secure = false;
  socket.once('secureConnect', () => {
    secure = true;
  });
  await until(() => secure || client.closed, 'TLS');
  return client;
}
