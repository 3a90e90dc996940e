/** What a connection does with what comes: three ways of looking at it. */

import type { Extension } from '../../core/index.js';
import { ExactInbox } from './exact.js';
import { LoadFault } from './fault.js';
import type { Messages } from './messages.js';
import { Parser } from './parser.js';

/** Takes what comes on one connection, and counts. */
export interface Inbox {
  /** Bytes of payload that came, of whole messages. */
  readonly bytes: number;
  /** Pongs that came. */
  readonly pongs: number;
  /**
   * Takes the next bytes; the memory is used again afterwards.
   *
   * @param waiting how many messages are still to come
   * @returns how many have come whole
   * @throws LoadFault for what is wrong
   */
  take(memory: Buffer, length: number, waiting: number): number;
}

/** Writes a Pong. */
export type Answer = (frame: Uint8Array) => void;

/** What a load wants of its replies. */
export type Replies = 'echo' | 'any' | 'none';

/**
 * @param first the number in the ring of the message that comes first
 */
export function inboxFor(
  replies: Replies,
  messages: Messages,
  first: number,
  extensions: readonly Extension[],
  answer: Answer,
): Inbox {
  if (replies === 'echo') return new ExactInbox(messages, first, extensions, answer);
  return new CountingInbox(extensions, answer, replies === 'none');
}

/** Takes any messages, as many as are waited for; or with `ignores` any number, and counts none. */
export class CountingInbox implements Inbox {
  bytes = 0;
  readonly #parser: Parser;
  readonly #ignores: boolean;

  constructor(extensions: readonly Extension[], answer: Answer, ignores: boolean) {
    this.#parser = new Parser(extensions, answer, Number.POSITIVE_INFINITY, 'chunks');
    this.#ignores = ignores;
  }

  get pongs(): number {
    return this.#parser.pongs;
  }

  take(memory: Buffer, length: number, waiting: number): number {
    let count = 0;
    this.#parser.read(memory, length, (piece, _text, finished) => {
      if (this.#ignores) return;
      if (count === waiting) throw new LoadFault('UNEXPECTED', 'a message came that nothing had asked for');
      this.bytes += piece.length;
      if (finished) count++;
    });
    return count;
  }
}
