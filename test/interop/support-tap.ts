/** Frames as they go over the wire, between clients and servers of any kind. */

import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { FIRST_REPEATED } from './support-deflate.js';

export const RSV1 = 0x40;

/** A frame as it went over the wire. */
export interface WireFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  /** Of its payload. */
  readonly length: number;
  /** What its payload begins with, unmasked. */
  readonly start: Buffer;
}

/** Frames as they go by, of which only what is at their beginning is kept. */
class Observer {
  readonly frames: WireFrame[] = [];
  head = '';
  #bytes: Buffer = Buffer.alloc(0);
  #skip = 0;

  take(chunk: Buffer): void {
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    if (skipped === chunk.length) return;
    this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(skipped)]);
    if (this.head === '') {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#bytes.toString('latin1', 0, end + 2);
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    for (let found = headerOf(this.#bytes); found !== null; found = headerOf(this.#bytes)) {
      const { size, length, key } = found;
      const kept = Math.min(length, 8);
      if (this.#bytes.length < size + kept) return;
      const start = Buffer.from(this.#bytes.subarray(size, size + kept).map((byte, i) => byte ^ key[i & 3]));
      const [first] = this.#bytes;
      this.frames.push({ opcode: first & 15, fin: first >= 0x80, rsv: first & 0x70, length, start });
      const here = Math.min(this.#bytes.length, size + length);
      this.#skip = size + length - here;
      this.#bytes = this.#bytes.subarray(here);
    }
  }
}

export function headerOf(bytes: Buffer): { size: number; length: number; key: Buffer } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1] & 0x7f;
  const before = short < 126 ? 2 : short === 126 ? 4 : 10;
  const size = before + (bytes[1] >= 0x80 ? 4 : 0);
  if (bytes.length < size) return null;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const key = size > before ? Buffer.from(bytes.subarray(before, size)) : Buffer.alloc(4);
  return { size, length, key };
}

export type Side = 'fromClient' | 'fromServer';

/** Stands between clients and a server and looks at what goes by. */
export class Tap {
  readonly port: number;
  readonly connections: Record<Side, Observer>[] = [];

  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async to(target: number): Promise<Tap> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const tap = new Tap(server);
    server.on('connection', (client) => tap.#connect(client, target));
    return tap;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The frames of data of one side of a connection. */
  data(of: Side, connection = 0): WireFrame[] {
    return this.connections[connection][of].frames.filter(({ opcode }) => opcode < 3);
  }

  /** Those that begin a message. */
  messages(of: Side, connection = 0): WireFrame[] {
    return this.data(of, connection).filter(({ opcode }) => opcode > 0);
  }

  /** Whether a side, which has compressed every one of `probes`, has referred to an earlier message. */
  tookOver(of: Side, connection = 0): boolean {
    const frames = this.messages(of, connection);
    if (frames.some(({ rsv }) => rsv !== RSV1)) throw new Error('a message was not compressed');
    return frames[FIRST_REPEATED].length < frames[0].length / 2;
  }

  #connect(client: Socket, target: number): void {
    const server = createConnection({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    const [fromClient, fromServer] = [new Observer(), new Observer()];
    this.connections.push({ fromClient, fromServer });
    client.on('data', (chunk: Buffer) => fromClient.take(chunk)).pipe(server);
    server.on('data', (chunk: Buffer) => fromServer.take(chunk)).pipe(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
