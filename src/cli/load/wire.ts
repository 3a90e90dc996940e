/**
 * One bare socket. All of them read into the same memory: what came is looked at before the next one reads, and a
 * socket of Node's that makes a Buffer for every chunk costs the load more than the comparison of what is in it.
 */

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from './target.js';

/** Bytes read at a time. */
const READ_SIZE = 256 * 1024;

/** On Windows reads are under way before there is something to read, so that memory cannot be shared. */
const shares = process.platform !== 'win32';

const shared = shares ? Buffer.allocUnsafeSlow(READ_SIZE) : null;

/** Whoever looks at what comes. */
export interface WireOwner {
  /** The first `length` bytes of `memory` came; they are gone when this returns. */
  onBytes(memory: Buffer, length: number): void;
  /** Nothing comes any more. */
  onEnd(error: Error | null): void;
}

export class Wire {
  readonly socket: Socket;
  /** Who is told of bytes; to be set before there can be any. */
  owner: WireOwner;
  /** Bytes that came. */
  received = 0;
  #error: Error | null = null;
  #over = false;

  /** Begins to connect. */
  constructor(endpoint: Endpoint, owner: WireOwner) {
    this.owner = owner;
    const { secure, hostname: host, port, servername, tls } = endpoint;
    const buffer = shared ?? Buffer.allocUnsafeSlow(64 * 1024);
    const onread = {
      buffer,
      callback: (length: number): boolean => {
        this.received += length;
        this.owner.onBytes(buffer, length);
        return true;
      },
    };
    const { ca, rejectUnauthorized = true } = tls;
    const trust = { rejectUnauthorized, ...(ca !== undefined && { ca: ca as string }) };
    const address = { host, port, noDelay: true, onread };
    this.socket = secure
      ? connectTls({ ...address, ...trust, ALPNProtocols: ['http/1.1'], ...(servername !== '' && { servername }) })
      : connect(address);
    this.socket.on('error', (error) => {
      this.#error = error;
    });
    this.socket.on('end', () => this.#ended());
    this.socket.on('close', () => this.#ended());
  }

  /** Bytes that the system has taken. */
  get written(): number {
    return (this.socket.bytesWritten ?? 0) - this.socket.writableLength;
  }

  /** Whether the socket is closed. */
  get isGone(): boolean {
    return this.socket.closed;
  }

  write(bytes: Uint8Array): boolean {
    return this.socket.write(bytes);
  }

  destroy(): void {
    this.socket.destroy();
  }

  #ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.owner.onEnd(this.#error);
  }
}
