/** permessage-deflate (RFC 7692) of the bare clients of a soak, out of the documented functions of node:zlib. */

import zlib from 'node:zlib';

const { Z_SYNC_FLUSH } = zlib.constants;
const MAX_WINDOW = 1 << 15;
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const NOTHING = Buffer.alloc(0);

/** One way: what went through it, which what follows may refer to. */
class Window {
  #bits;
  #takesOver;
  #bytes = NOTHING;

  constructor(bits, takesOver) {
    this.#bits = bits;
    this.#takesOver = takesOver;
  }

  get options() {
    const windowBits = this.#bits;
    const dictionary = this.#bytes.subarray(-(1 << windowBits));
    return { windowBits, finishFlush: Z_SYNC_FLUSH, ...(dictionary.length > 0 && { dictionary }) };
  }

  add(bytes) {
    if (this.#takesOver) this.#bytes = Buffer.concat([this.#bytes, bytes]).subarray(-MAX_WINDOW);
  }
}

/** What a client and its server have agreed on. */
export class Deflate {
  #sent;
  #received;

  /** @param {string} answer the parameters that the server has answered with */
  constructor(answer) {
    const bits = (name) => Number(new RegExp(`; *${name}_max_window_bits=(\\d+)`).exec(answer)?.[1] ?? 15);
    this.#sent = new Window(bits('client'), !answer.includes('client_no_context_takeover'));
    this.#received = new Window(bits('server'), !answer.includes('server_no_context_takeover'));
  }

  /** @param {number} level of compression */
  compress(payload, level) {
    const found = zlib.deflateRawSync(payload, { ...this.#sent.options, level });
    this.#sent.add(payload);
    return payload.length === 0 ? Buffer.alloc(1) : found.subarray(0, -TAIL.length);
  }

  decompress(payload) {
    const found = zlib.inflateRawSync(Buffer.concat([payload, TAIL]), this.#received.options);
    this.#received.add(found);
    return found;
  }
}
