/**
 * The connections to a server that have not asked for anything yet. Node counts them among those that are busy, or,
 * before their TLS is there, not at all; a server that shuts down would wait for them in vain.
 */

import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export class Newcomers {
  readonly #sockets = new Set<Duplex>();
  readonly #onClose: (this: Socket) => void;
  #closing = false;

  constructor(http: HttpServer | HttpsServer) {
    const sockets = this.#sockets;
    // One function for all of them.
    this.#onClose = function (this: Socket) {
      sockets.delete(this);
    };
    http.on('connection', (socket: Socket) => this.#add(socket));
    http.on('secureConnection', (socket: Socket & { readonly _parent?: Socket | null }) => {
      // Not documented: the socket under one with TLS. Where it is not found, it stays until it closes.
      if (socket._parent) this.forget(socket._parent);
      this.#add(socket);
    });
  }

  /** How many there are. */
  get size(): number {
    return this.#sockets.size;
  }

  /** A request came: the connection is no newcomer any more. Nothing is kept of it. */
  forget(stream: Duplex): void {
    if (this.#sockets.delete(stream)) stream.off('close', this.#onClose);
  }

  /** Shutting down: who has not sent anything is cut off now, who is in the middle of asking with `cutOff`. */
  close(): void {
    this.#closing = true;
    for (const socket of this.#sockets) if ((socket as Socket).bytesRead === 0) socket.destroy();
  }

  cutOff(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #add(socket: Socket): void {
    if (this.#closing) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', this.#onClose);
  }
}
