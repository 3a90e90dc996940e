/**
 * The window of a decompressor, taken out and put back by means of DEFLATE itself: a block that repeats what came out
 * last gives it, and one that is not compressed makes it up again. So a connection that is idle need not keep a
 * decompressor, only what it may have to refer to.
 */

/** The longest match (RFC 1951 §3.2.5). */
const LONGEST = 258;
/** The code of that length among the fixed ones (§3.2.6), 285, first bit first; it has no extra bits. */
const LONGEST_CODE = 0b11000101;
const LONGEST_BITS = 8;
/** BFINAL 0, BTYPE 01. */
const FIXED_BLOCK = 0b010;
const FIXED_BITS = 3;

/** The longest distance (RFC 1951 §2), in bytes. */
export const MAX_WINDOW = 1 << 15;
let whole: Uint8Array | null = null;

/**
 * A block that gives the last `size` bytes of output once more, and goes on until there is no room.
 *
 * @param size 1 to 32768
 */
export function repeatWindow(size: number): Uint8Array {
  if (size < MAX_WINDOW) return program(size);
  whole ??= program(size);
  return whole;
}

function program(distance: number): Uint8Array {
  const { code, extra, extraBits } = distanceCode(distance);
  const bits = new BitWriter();
  bits.write(FIXED_BLOCK, FIXED_BITS);
  for (let given = 0; given < distance; given += LONGEST) {
    bits.write(reversed(LONGEST_CODE, LONGEST_BITS), LONGEST_BITS);
    bits.write(reversed(code, 5), 5);
    bits.write(extra, extraBits);
  }
  return bits.bytes();
}

/** The code of a distance and its extra bits (§3.2.5): from 4 on, two codes to each number of extra bits. */
function distanceCode(distance: number): { code: number; extra: number; extraBits: number } {
  const above = distance - 1;
  if (above < 4) return { code: above, extra: 0, extraBits: 0 };
  const extraBits = 30 - Math.clz32(above);
  const code = 2 * extraBits + (above >>> extraBits);
  return { code, extra: above & ((1 << extraBits) - 1), extraBits };
}

/** Huffman codes stand in the stream with their first bit first, numbers with their last (§3.1.1). */
function reversed(code: number, length: number): number {
  let result = 0;
  for (let i = 0; i < length; i++) result |= ((code >> i) & 1) << (length - 1 - i);
  return result;
}

class BitWriter {
  readonly #bytes: number[] = [];
  #hold = 0;
  #held = 0;

  write(value: number, bits: number): void {
    this.#hold |= value << this.#held;
    this.#held += bits;
    for (; this.#held >= 8; this.#held -= 8) {
      this.#bytes.push(this.#hold & 0xff);
      this.#hold >>>= 8;
    }
  }

  /** What was written, with what a decompressor looks ahead. */
  bytes(): Uint8Array {
    return Uint8Array.from([...this.#bytes, this.#hold & 0xff, 0, 0, 0]);
  }
}

/** The header of a block that is not compressed (§3.2.4): BFINAL 0, BTYPE 00, and its length twice. */
export function storedHeader(length: number): Uint8Array {
  return Uint8Array.of(0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff);
}
