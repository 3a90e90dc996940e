/**
 * The messages of a load: distinct ones, more of them than are in flight, each with its number in front, so that one in
 * the place of another is noticed. They are made once, and sent around and around.
 */

import { randomFillSync } from 'node:crypto';
import { BINARY, FIN, headerSize, TEXT, writeFrame } from './frames.js';
import { Ring } from './ring.js';

export interface MessageShape {
  /** Bytes of payload. */
  readonly size: number;
  readonly text: boolean;
}

/** The payloads of all messages together are about so many bytes, for they are read again and again. */
const BYTES = 64 * 1024;
const MOST = 1024;
const LEAST = 8;

export class Messages {
  readonly size: number;
  readonly text: boolean;
  readonly count: number;
  /** The frames that a server sends which returns them whole, one after the other. */
  readonly replies: Buffer;
  /** The size of one of those. */
  readonly replySize: number;
  readonly #header: number;
  #requests: Ring | null = null;

  /**
   * @param distinct how many have to be told from one another: those in flight, and one more. Messages of no or one byte
   *   cannot always be
   */
  constructor({ size, text }: MessageShape, distinct: number) {
    this.size = size;
    this.text = text;
    this.count = Math.max(distinct, LEAST, Math.min(MOST, Math.floor(BYTES / Math.max(1, size))));
    this.#header = headerSize(size, false);
    this.replySize = this.#header + size;
    this.replies = Buffer.allocUnsafeSlow(this.count * this.replySize);
    const payload = Buffer.alloc(size);
    for (let i = 0; i < this.count; i++) {
      fill(payload, text, i);
      writeFrame(this.replies, i * this.replySize, FIN | (text ? TEXT : BINARY), payload, false);
    }
  }

  payload(index: number): Buffer {
    const start = index * this.replySize + this.#header;
    return this.replies.subarray(start, start + this.size);
  }

  /** What a client sends. */
  get requests(): Ring {
    this.#requests ??= new Ring(Array.from({ length: this.count }, (_, i) => this.#request(i)));
    return this.#requests;
  }

  #request(index: number): Buffer {
    const bytes = Buffer.allocUnsafe(headerSize(this.size, true) + this.size);
    writeFrame(bytes, 0, FIN | (this.text ? TEXT : BINARY), this.payload(index), true);
    return bytes;
  }
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const NUMBER_SIZE = 4;

/** The number, lowest digit first so that a short payload has what differs most, and then noise. */
function fill(payload: Buffer, text: boolean, number: number): void {
  randomFillSync(payload);
  if (text) for (let i = 0; i < payload.length; i++) payload[i] = DIGITS.charCodeAt(payload[i] & 63);
  for (let i = 0; i < Math.min(NUMBER_SIZE, payload.length); i++) {
    payload[i] = text ? DIGITS.charCodeAt((number >>> (6 * i)) & 63) : (number >>> (8 * i)) & 255;
  }
}
