/**
 * Which connections still owe answers to ordinary requests. Pipelined behind one of these, a request for a WebSocket
 * cannot be taken: what answers the earlier request would be written into the WebSocket, or to a socket that is no
 * longer there, and fail with nobody to hear of it.
 */

import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export class Answers {
  readonly #unfinished = new WeakMap<Duplex, Set<ServerResponse>>();

  /** A request has come, and this is to answer it. */
  expect(stream: Duplex, response: ServerResponse): void {
    const others = this.#unfinished.get(stream);
    if (others === undefined) this.#unfinished.set(stream, new Set([response]));
    else others.add(response);
    response.on('close', () => this.#unfinished.get(stream)?.delete(response));
  }

  /**
   * Whether some are not given yet. The last one is given once it has ended, even if that is still being written: its
   * client may have read all of it by now.
   */
  areOwed(stream: Duplex): boolean {
    const [first, second] = this.#unfinished.get(stream) ?? [];
    return second !== undefined || (first !== undefined && !first.writableEnded);
  }
}
