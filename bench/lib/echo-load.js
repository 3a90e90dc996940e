/**
 * A load of echoes over TLS. Frames are made once and sent as they are; what comes back is counted by its
 * bytes and compared with what must come, so the client costs little beside its system calls and still notices a
 * server that drops, repeats or changes anything.
 */

import { randomBytes } from 'node:crypto';
import { frame } from './frames.js';
import { Load } from './load.js';
import { H2Way, h1Way } from './ways.js';

export class EchoLoad extends Load {
  #session = null;

  /**
   * @param {number} port on the loopback address
   * @param {{ connections: number, inFlight: number, size: number, http2?: boolean }} workload with
   *   `http2` all go over one session
   */
  constructor(port, { connections, inFlight, size, http2 = false }) {
    super();
    const payload = randomBytes(size);
    const masked = Buffer.from(frame(payload));
    const echoed = Buffer.from(frame(payload, { key: null }));
    // Sent and expected in a row, so that any number of frames is one slice.
    const requests = Buffer.concat(Array(inFlight).fill(masked));
    const responses = Buffer.concat(Array(inFlight + 1).fill(echoed));
    this.#session = http2 ? new H2Way(port) : null;
    const open = this.#session === null ? () => h1Way(port) : () => this.#session.open();
    for (let i = 0; i < connections; i++) {
      const bytes = { requests, responses, sent: masked.length, back: echoed.length };
      this.clients.push(new Client({ inFlight, open, ...bytes }));
    }
  }

  close() {
    super.close();
    this.#session?.close();
  }

  /** With `http2`: what opens further WebSockets on the session. */
  get session() {
    return this.#session;
  }
}

class Client {
  messages = 0;
  #options;
  #socket;
  #running = false;
  #waiting = 0;
  /** Bytes of an echo that has come in part. */
  #partial = 0;
  #finished = null;

  constructor(options) {
    this.#options = options;
  }

  async connect() {
    this.#socket = await this.#options.open();
    this.#socket.on('data', (chunk) => this.#receive(chunk));
  }

  start() {
    this.#running = true;
    this.#send(this.#options.inFlight);
  }

  /** Sends no more, and resolves when every echo is back. */
  async finish() {
    this.#running = false;
    if (this.#waiting === 0) return;
    await new Promise((resolve) => {
      this.#finished = resolve;
    });
  }

  close() {
    this.#socket.destroy();
  }

  #send(count) {
    this.#waiting += count;
    this.#socket.write(this.#options.requests.subarray(0, count * this.#options.sent));
  }

  #receive(chunk) {
    const { responses, back } = this.#options;
    const total = this.#partial + chunk.length;
    const expected = responses.subarray(this.#partial, total);
    if (chunk.compare(expected) !== 0) throw new Error('an echo is not what was sent');
    const count = Math.floor(total / back);
    this.#partial = total % back;
    if (count > this.#waiting) throw new Error('more echoes than messages');
    this.messages += count;
    this.#waiting -= count;
    if (this.#running && count > 0) this.#send(count);
    else if (this.#waiting === 0) this.#finished?.();
  }
}
