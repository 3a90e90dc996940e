/** Chunks that wait, raw, for the ones before them to be read. */

/** A list, because taking the first of an array costs as much as the array is long. */
interface Node {
  chunk: Buffer;
  /** What the chunk lies at the beginning of, where others were put behind it. */
  joined: Buffer | null;
  next: Node | null;
}

/** What is smaller is put together with others: a chunk takes a hundred bytes besides its own, and may have only one. */
const SMALL = 256;
const JOINED = 4096;

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
    this.#bytes += chunk.length;
    const last = this.#last;
    if (last !== null && chunk.length < SMALL && join(last, chunk)) return;
    const node: Node = { chunk, joined: null, next: null };
    if (last === null) this.#first = node;
    else last.next = node;
    this.#last = node;
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

/** Puts a chunk behind another one, if there is room. */
function join(node: Node, chunk: Buffer): boolean {
  const { length } = node.chunk;
  if (node.joined === null) {
    if (length >= SMALL) return false;
    node.joined = Buffer.allocUnsafeSlow(JOINED);
    node.joined.set(node.chunk);
  } else if (length + chunk.length > JOINED) {
    return false;
  }
  node.joined.set(chunk, length);
  node.chunk = node.joined.subarray(0, length + chunk.length);
  return true;
}
