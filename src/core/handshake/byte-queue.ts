const EMPTY = new Uint8Array(0);

/**
 * Bytes received and not read yet, in one piece. What waits costs its own size however small the chunks were that
 * brought it: a list of chunks would let a peer that sends byte by byte pin an object and a slab for each byte.
 * Bytes once handed out are never overwritten.
 */
export class ByteQueue {
  #data: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Appends `chunk`, and may keep it: it must not change afterwards. */
  push(chunk: Uint8Array): void {
    if (this.#start === this.#end) {
      this.#data = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#end + chunk.length > this.#data.length) {
      const waiting = this.peek();
      this.#data = new Uint8Array(2 * (waiting.length + chunk.length));
      this.#data.set(waiting);
      this.#start = 0;
      this.#end = waiting.length;
    }
    this.#data.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** A view of everything that waits. */
  peek(): Uint8Array {
    return this.#data.subarray(this.#start, this.#end);
  }

  skip(count: number): void {
    this.#start += count;
  }

  /** Removes `limit` bytes, or what there is, and returns a view of them. */
  take(limit: number): Uint8Array {
    const taken = this.#data.subarray(this.#start, Math.min(this.#end, this.#start + limit));
    this.#start += taken.length;
    return taken;
  }

  clear(): void {
    this.#data = EMPTY;
    this.#start = 0;
    this.#end = 0;
  }
}
