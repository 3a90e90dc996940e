/** Chunks that wait, raw, for the ones before them to be read. */

/** A list, because taking the first of an array costs as much as the array is long. */
interface Node {
  readonly chunk: Buffer;
  next: Node | null;
}

export class ChunkQueue {
  #first: Node | null = null;
  #last: Node | null = null;
  #bytes = 0;

  /** The bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param chunk not empty */
  push(chunk: Buffer): void {
    const node: Node = { chunk, next: null };
    if (this.#last === null) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#bytes += chunk.length;
  }

  /** The first, or null where there is none. */
  shift(): Buffer | null {
    const first = this.#first;
    if (first === null) return null;
    this.#first = first.next;
    if (first.next === null) this.#last = null;
    this.#bytes -= first.chunk.length;
    return first.chunk;
  }

  clear(): void {
    this.#first = null;
    this.#last = null;
    this.#bytes = 0;
  }
}
