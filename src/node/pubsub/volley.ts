/**
 * The same frames to many sockets, by the addon: one crossing for all of them, and none of what Node.js does for a write. Only
 * where nothing is under way on a connection; what its socket does not take goes the ordinary way.
 */

import type { SharedFrames } from '../../core/index.js';
import { sendAll } from '../../kernels/index.js';
import type { Link } from '../link.js';

/** So many at a time: what is touched before and after stays in the caches. */
const SIZE = 64;

const table = new Int32Array(SIZE + 1);
const links: Link[] = [];

/** Whether there can be volleys here. */
export const hasVolleys = sendAll !== null;

/** Frames that lie in one piece, on their way to many. */
export class Volley {
  readonly #frames: SharedFrames;
  readonly #bytes: Uint8Array;

  /** @param bytes of the frames, all of them */
  constructor(frames: SharedFrames, bytes: Uint8Array) {
    this.#frames = frames;
    this.#bytes = bytes;
  }

  /** Sends the frames to a connection, now or with `end`; whether that is possible. */
  add(link: Link): boolean {
    const socket = link.socketFor(this.#frames);
    if (socket === -1) return false;
    table[links.push(link)] = socket;
    if (links.length === SIZE) this.end();
    return true;
  }

  /** Sends what is left to be sent. */
  end(): void {
    table[0] = links.length;
    sendAll?.(this.#bytes, table);
    for (let i = 0; i < links.length; i++) {
      const taken = table[i + 1];
      // What went wrong comes out where it is tried again.
      if (taken > 0) links[i].framesSent(this.#frames, taken);
      else links[i].sendFrames(this.#frames, true);
    }
    links.length = 0;
  }
}
