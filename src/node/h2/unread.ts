/**
 * What comes on a stream that nobody reads. Its window bounds the bytes, but node:http2 makes a Buffer of every DATA
 * frame, and a client may send a byte in each: the whole window in such pieces would take a hundred times its size. So
 * from some number on they are put together before the stream gets them.
 */

import type { Http2Stream } from 'node:http2';

/** So many pieces are left as they are. */
const FEW = 64;
/** What is smaller is put together with others. */
const SMALL = 1024;
/** The size of what is made of them. */
const JOINED = 4096;

/** Puts together what comes in small pieces from here on, while the stream is not read. */
export function joinUnread(stream: Http2Stream): void {
  new Joiner(stream);
}

class Joiner {
  readonly #stream: Http2Stream;
  readonly #push: Http2Stream['push'];
  #pieces = 0;
  #joined: Buffer | null = null;
  #used = 0;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
    this.#push = stream.push;
    stream.push = (chunk: Buffer | null) => this.#onChunk(chunk);
    stream.on('resume', () => this.#flush());
    stream.on('close', () => {
      this.#joined = null;
    });
  }

  /** @returns as `push`: whether more may come */
  #onChunk(chunk: Buffer | null): boolean {
    const stream = this.#stream;
    if (stream.readableFlowing === true) this.#pieces = 0;
    else if (chunk !== null && chunk.length < SMALL && ++this.#pieces > FEW) return this.#join(chunk);
    this.#flush();
    return this.#push.call(stream, chunk);
  }

  #join(chunk: Buffer): boolean {
    if (this.#used + chunk.length > JOINED) this.#flush();
    this.#joined ??= Buffer.allocUnsafeSlow(JOINED);
    this.#joined.set(chunk, this.#used);
    this.#used += chunk.length;
    return false;
  }

  #flush(): void {
    const joined = this.#joined;
    if (joined === null) return;
    this.#joined = null;
    const size = this.#used;
    this.#used = 0;
    this.#push.call(this.#stream, joined.subarray(0, size));
  }
}
