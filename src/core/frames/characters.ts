/** Cuts pieces of a text between characters, where they were cut anywhere. */

import { Buffer } from 'node:buffer';

const NO_BYTES: Buffer = Buffer.alloc(0);

export class CharacterCutter {
  /** The bytes of a character that the last piece ended in the middle of. */
  #held: Buffer = NO_BYTES;

  /**
   * The whole characters of a piece, with what was held of the piece before it; what is left of the last one is held
   * for the next piece.
   *
   * @param piece valid UTF-8 behind the piece before it
   * @param endsInside whether it ends inside a character
   */
  cut(piece: Buffer, endsInside: boolean): Buffer {
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    this.#held = NO_BYTES;
    if (!endsInside) return bytes;
    let end = bytes.length - 1;
    while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
    this.#held = Buffer.from(bytes.subarray(end));
    return bytes.subarray(0, end);
  }

  clear(): void {
    this.#held = NO_BYTES;
  }
}
