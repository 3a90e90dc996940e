/**
 * Replies that must be certain messages in a certain order. Whether they are is first a comparison of bytes, any number
 * of frames at once; what differs is parsed before it is called wrong, for a server may fragment, and send Pings.
 */

import type { Extension } from '../../core/index.js';
import { LoadFault } from './fault.js';
import type { Answer, Inbox } from './inbox.js';
import { judge } from './judge.js';
import type { Messages } from './messages.js';
import { Parser } from './parser.js';

/** A message may be twice as large as expected, and by so much more, and is still read to say what came. */
const SLACK = 64 * 1024;

export class ExactInbox implements Inbox {
  bytes = 0;
  readonly #messages: Messages;
  readonly #parser: Parser;
  readonly #replies: Buffer;
  readonly #replySize: number;
  /** Compressed replies are not the bytes that are known. */
  readonly #isDeflated: boolean;
  /** How far into `#replies` what came goes, while it is the same. */
  #at: number;
  #isParsing: boolean;
  /** The message that comes next, and how much of it has come; while parsing. */
  #next = 0;
  #offset = 0;
  /** What is left to be looked at of a message that is wrong: all that came of it. */
  #wrong: Buffer[] | null = null;
  /** Messages that came whole, since the beginning. */
  #total = 0;

  constructor(messages: Messages, first: number, extensions: readonly Extension[], answer: Answer) {
    this.#messages = messages;
    this.#replies = messages.replies;
    this.#replySize = messages.replySize;
    this.#parser = new Parser(extensions, answer, 2 * messages.size + SLACK);
    this.#isDeflated = extensions.length > 0;
    this.#isParsing = this.#isDeflated;
    this.#at = first * this.#replySize;
    this.#next = first;
  }

  get pongs(): number {
    return this.#parser.pongs;
  }

  take(memory: Buffer, length: number, waiting: number): number {
    const count = this.#isParsing ? this.#parse(memory, length, waiting) : this.#compare(memory, length, waiting);
    this.bytes += count * this.#messages.size;
    return count;
  }

  #compare(memory: Buffer, length: number, waiting: number): number {
    const size = this.#replySize;
    const replies = this.#replies;
    const start = this.#at;
    const partial = start % size;
    if (length > waiting * size - partial) return this.#startParsing(memory, length, waiting);
    const end = start + length;
    const first = Math.min(end, replies.length);
    if (memory.compare(replies, start, first, 0, first - start) !== 0) {
      return this.#startParsing(memory, length, waiting);
    }
    for (let done = first - start; done < length; ) {
      const part = Math.min(length - done, replies.length);
      if (memory.compare(replies, 0, part, done, done + part) !== 0) {
        return this.#startParsing(memory, length, waiting);
      }
      done += part;
    }
    this.#at = end % replies.length;
    const count = Math.floor((partial + length) / size);
    this.#total += count;
    return count;
  }

  /** What has come of the message is the same as what is known, so it need not have been kept. */
  #startParsing(memory: Buffer, length: number, waiting: number): number {
    const size = this.#replySize;
    this.#isParsing = true;
    this.#next = Math.floor(this.#at / size);
    this.#offset = 0;
    const start = this.#next * size;
    // A copy, because it may be changed in place.
    if (this.#at > start) this.#parse(Buffer.from(this.#replies.subarray(start, this.#at)), this.#at - start, waiting);
    return this.#parse(memory, length, waiting);
  }

  #parse(memory: Buffer, length: number, waiting: number): number {
    let count = 0;
    this.#parser.read(memory, length, (piece, text, finished) => {
      if (count === waiting) throw this.#tooMany(piece);
      this.#look(piece, text, finished, waiting - count);
      if (finished) count++;
    });
    if (!this.#isDeflated && this.#parser.isBetween) {
      this.#isParsing = false;
      this.#at = this.#next * this.#replySize;
    }
    return count;
  }

  #look(piece: Uint8Array, text: boolean, finished: boolean, waiting: number): void {
    const { size, count } = this.#messages;
    const end = this.#offset + piece.length;
    if (this.#wrong === null) {
      const expected = this.#messages.payload(this.#next);
      const isRight =
        text === this.#messages.text &&
        end <= size &&
        (!finished || end === size) &&
        expected.compare(piece, 0, piece.length, this.#offset, end) === 0;
      if (!isRight) this.#wrong = [Buffer.from(expected.subarray(0, this.#offset))];
    }
    this.#wrong?.push(Buffer.from(piece));
    this.#offset = end;
    if (!finished) return;
    if (this.#wrong !== null) {
      throw judge(this.#messages, this.#next, this.#total, Buffer.concat(this.#wrong), text, waiting);
    }
    this.#total++;
    this.#offset = 0;
    this.#next = (this.#next + 1) % count;
  }

  #tooMany(piece: Uint8Array): LoadFault {
    const what = `a message${piece.length > 0 ? ` (of ${piece.length} bytes or more)` : ''}`;
    return new LoadFault('UNEXPECTED', `${what} came when nothing was waited for, after ${this.#total} messages`);
  }
}
