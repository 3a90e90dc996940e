/** What the server publishes and its subscribers expect: messages that begin with their number. */

const PATTERN = Buffer.alloc(2 * 1024 * 1024);
for (let i = 0, state = 12345; i < PATTERN.length; i++) {
  state = (Math.imul(state, 1103515245) + 12345) | 0;
  PATTERN[i] = state >>> 16;
}

/**
 * @param {number} number
 * @param {number} size up to 1 MiB
 * @param {Buffer | null} [memory] to put it into, if it has that size
 */
export function payloadOf(number, size, memory = null) {
  const payload = memory?.length === size ? memory : Buffer.allocUnsafeSlow(size);
  PATTERN.copy(payload, 0, number % 4099, (number % 4099) + size);
  payload.writeUInt32LE(number);
  return payload;
}

/** @param {number} size of a payload */
function headerSize(size) {
  return size < 126 ? 2 : size < 0x1_0000 ? 4 : 10;
}

/** The frame of a server. */
function writeFrame(memory, at, number, size) {
  const header = headerSize(size);
  memory[at] = 0x82;
  memory[at + 1] = size < 126 ? size : size < 0x1_0000 ? 126 : 127;
  if (header === 4) memory.writeUInt16BE(size, at + 2);
  if (header === 10) memory.writeBigUInt64BE(BigInt(size), at + 2);
  payloadOf(number, size, memory.subarray(at + header, at + header + size));
}

const BLOCK = 256 * 1024;
const KEPT = 64 * 1024 * 1024;

/** The bytes that a subscriber gets that nothing is missing of: some messages of each size, one after the other. */
export class Stream {
  #phases = [];
  #blocks = new Map();
  #kept = 0;
  #first = 0;
  /** Of all of it, in bytes. */
  size = 0;

  /** @param {{ size: number, count: number }[]} phases */
  add(phases) {
    for (const { size, count } of phases) {
      const frame = headerSize(size) + size;
      const perBlock = Math.max(1, Math.floor(BLOCK / frame));
      const { size: at } = this;
      this.#phases.push({ at, end: at + frame * count, size, frame, perBlock, first: this.#first, count });
      this.size += frame * count;
      this.#first += count;
    }
  }

  /** Some bytes from there on, and from where in them. */
  #at(position) {
    const phase = this.#phases.find(({ end }) => position < end);
    const index = Math.floor((position - phase.at) / (phase.frame * phase.perBlock));
    const start = phase.at + index * phase.frame * phase.perBlock;
    let block = this.#blocks.get(start);
    if (block === undefined) {
      const from = index * phase.perBlock;
      const count = Math.min(phase.perBlock, phase.count - from);
      block = Buffer.allocUnsafeSlow(count * phase.frame);
      for (let i = 0; i < count; i++) writeFrame(block, i * phase.frame, phase.first + from + i, phase.size);
      this.#blocks.set(start, block);
      this.#kept += block.length;
      for (const [old, { length }] of this.#blocks) {
        if (this.#kept <= KEPT) break;
        this.#blocks.delete(old);
        this.#kept -= length;
      }
    }
    return { block, from: position - start };
  }

  /** Whether a chunk is what lies at a position. */
  matches(chunk, position) {
    for (let done = 0; done < chunk.length; ) {
      if (position + done >= this.size) return false;
      const { block, from } = this.#at(position + done);
      const length = Math.min(block.length - from, chunk.length - done);
      if (block.compare(chunk, done, done + length, from, from + length) !== 0) return false;
      done += length;
    }
    return true;
  }
}
