/**
 * What moves the bytes of a link: a stream of Node.js, or the handle below one (handle.ts). A link knows this file and
 * no socket.
 */

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Whom a transport tells what happens. */
export interface TransportOwner {
  /** Bytes came, in memory of their own. */
  onData(chunk: Buffer): void;
  /** Bytes came, in memory that is used again when this returns. */
  onSharedData(chunk: Buffer): void;
  /** The peer will send no more. */
  onEnd(): void;
  /** The peer takes no more, but what it sent before may still be told. */
  onUnwritable(): void;
  /** The peer is about to end what carries this and others, and waits for them to end first. */
  onGoingAway(): void;
  /** The transport failed; `onClose` follows. */
  onError(error: Error): void;
  /** Nothing follows. */
  onClose(): void;
  /** A write that was not taken at once has been taken, or has failed. */
  onWritten(error?: Error | null): void;
}

export interface Transport {
  /** Begins to read, and to tell. */
  start(): void;
  /** Reads no further; what was read already may still be told. */
  pause(): void;
  resume(): void;
  /**
   * Writes as one, while no other write is under way. The memory must not change until it is taken.
   *
   * @param parts at least one; the list is the transport's while the write is under way
   * @returns whether the system has taken it at once, or else `onWritten` follows
   */
  write(parts: Uint8Array[]): boolean;
  /** Ends the sending side, behind what was written. */
  end(): void;
  /** Closes both sides at once. */
  destroy(): void;
  /** Whether it is closed, or about to be. */
  readonly destroyed: boolean;
  /**
   * The descriptor of the socket, where it may be written to past the transport as long as no write is under way; -1
   * where it may not.
   */
  readonly socket: number;
  /** Whether a write calls nobody but the system: what others bring may hand it on, and call handlers, within the call. */
  readonly isQuiet: boolean;
}

/** A stream of Node.js: TLS, anything that a user brings; h2/transport.ts has what is different for HTTP/2. */
export class StreamTransport implements Transport {
  readonly socket: number = -1;
  readonly #stream: Duplex;
  readonly #owner: TransportOwner;
  readonly #handsOver: boolean;

  /** @param handsOver whether what the stream says it has written is the system's, and in no memory of ours any more */
  constructor(stream: Duplex, owner: TransportOwner, handsOver = stream instanceof Socket) {
    this.#stream = stream;
    this.#owner = owner;
    this.#handsOver = handsOver;
  }

  start(): void {
    const owner = this.#owner;
    this.#stream.on('data', (chunk: Buffer) => owner.onData(chunk));
    this.listen();
    // The end may have come already: a socket tells of it, unread, when nothing is before it.
    if (this.#stream.readableEnded) owner.onEnd();
  }

  /** What `start` does, but for the data. */
  listen(): void {
    const owner = this.#owner;
    this.#stream.on('end', () => owner.onEnd());
    this.#stream.on('error', (error) => this.onError(error));
    this.#stream.on('close', () => owner.onClose());
  }

  protected onError(error: Error): void {
    this.#owner.onError(error);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  write(parts: Uint8Array[]): boolean {
    const stream = this.#stream;
    if (!this.#handsOver) {
      // Whoever reads at its other end, in this process say, may be given the very memory, and keep it.
      stream.write(Buffer.concat(parts), this.#onWritten);
      return false;
    }
    const last = parts.length - 1;
    if (last > 0) stream.cork();
    for (let i = 0; i < last; i++) stream.write(parts[i]);
    stream.write(parts[last], this.#onWritten);
    if (last > 0) stream.uncork();
    return false;
  }

  readonly #onWritten = (error?: Error | null): void => this.#owner.onWritten(error);

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  get isQuiet(): boolean {
    return false;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }
}
