/**
 * The messages of a load: distinct ones, more of them than are in flight, each with its number in front, so that one in
 * the place of another is noticed. They are made once, and sent around and around.
 */

import { compress } from './deflate.js';
import { BINARY, clientFrame, FIN, headerSize, RSV1, TEXT, writeFrame } from './frames.js';
import { fill } from './payloads.js';
import { Ring } from './ring.js';

export interface MessageShape {
  /** Bytes of payload. */
  readonly size: number;
  readonly text: boolean;
  /** Whether they are sent compressed. */
  readonly deflate?: boolean | undefined;
}

/** The payloads of all messages together are about so many bytes, for they are read again and again. */
const BYTES = 64 * 1024;
const MOST = 1024;
const LEAST = 4;
/** Compressed ones are more: none may still be in the window of a compressor, of 32 KiB, when it comes again. */
const DEFLATED_BYTES = 256 * 1024;
const DEFLATED_MOST = 16 * 1024;

export class Messages {
  readonly size: number;
  readonly text: boolean;
  readonly count: number;
  /** The frames that a server sends which returns them whole, one after the other. */
  readonly replies: Buffer;
  /** The size of one of those. */
  readonly replySize: number;
  readonly #header: number;
  readonly #opcode: number;
  /** What is sent, by the window that it is compressed for; 0 where it is not. */
  readonly #requests = new Map<number, Ring>();

  /**
   * @param distinct how many have to be told from one another: those in flight, and one more. Messages of no or one byte
   *   cannot always be
   */
  constructor({ size, text, deflate = false }: MessageShape, distinct: number) {
    this.size = size;
    this.text = text;
    this.#opcode = text ? TEXT : BINARY;
    const [bytes, most] = deflate ? [DEFLATED_BYTES, DEFLATED_MOST] : [BYTES, MOST];
    this.count = Math.max(distinct, LEAST, Math.min(most, Math.ceil(bytes / Math.max(1, size))));
    this.#header = headerSize(size, false);
    this.replySize = this.#header + size;
    this.replies = Buffer.allocUnsafeSlow(this.count * this.replySize);
    const payload = Buffer.alloc(size);
    for (let i = 0; i < this.count; i++) {
      fill(payload, text, deflate, i);
      writeFrame(this.replies, i * this.replySize, FIN | this.#opcode, payload, false);
    }
  }

  payload(index: number): Buffer {
    const start = index * this.replySize + this.#header;
    return this.replies.subarray(start, start + this.size);
  }

  /** @param windowBits what they are compressed for, 0 for not at all */
  requests(windowBits = 0): Ring {
    let ring = this.#requests.get(windowBits);
    if (ring === undefined) {
      ring = new Ring(Array.from({ length: this.count }, (_, i) => this.#request(i, windowBits)));
      this.#requests.set(windowBits, ring);
    }
    return ring;
  }

  #request(index: number, windowBits: number): Buffer {
    const payload = this.payload(index);
    if (windowBits === 0) return clientFrame(FIN | this.#opcode, payload);
    return clientFrame(FIN | RSV1 | this.#opcode, compress(payload, windowBits));
  }
}
