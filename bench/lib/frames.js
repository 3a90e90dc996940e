/** Makes the bytes that benchmarks feed: frames as a peer would send them, packed into chunks. */

export const TEXT = 1;
export const BINARY = 2;

/**
 * One frame.
 *
 * @param {Uint8Array} payload
 * @param {object} [options]
 * @param {number} [options.opcode] `BINARY` unless told
 * @param {boolean} [options.fin] whether the message ends with it
 * @param {number | null} [options.key] the masking key, its first byte lowest; null for a frame of a server
 * @returns {Uint8Array}
 */
export function frame(payload, { opcode = BINARY, fin = true, key = 0x5a3c_9f01 } = {}) {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 0x1_0000 ? 2 : 8;
  const bytes = new Uint8Array(2 + extended + (key === null ? 0 : 4) + length);
  const view = new DataView(bytes.buffer);
  const masked = key === null ? 0 : 0x80;
  bytes[0] = (fin ? 0x80 : 0) | opcode;
  bytes[1] = masked | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, length);
  if (extended === 8) view.setBigUint64(2, BigInt(length));
  let at = 2 + extended;
  if (key !== null) {
    view.setUint32(at, key, true);
    at += 4;
  }
  for (let i = 0; i < length; i++) bytes[at + i] = payload[i] ^ (key === null ? 0 : key >>> ((i & 3) * 8));
  return bytes;
}

/**
 * The same frame over and over, as often as it fits into `size` bytes, at least once.
 *
 * @param {Uint8Array} one
 * @param {number} size
 * @returns {{ chunk: Uint8Array, count: number }}
 */
export function fill(one, size) {
  const count = Math.max(1, Math.floor(size / one.length));
  const chunk = new Uint8Array(count * one.length);
  for (let i = 0; i < count; i++) chunk.set(one, i * one.length);
  return { chunk, count };
}

/** Kinds of payload, each made for a length in bytes. */
export const payloads = {
  binary: (length) => Uint8Array.from({ length }, (_, i) => (i * 167 + 13) & 0xff),
  ascii: (length) => Uint8Array.from({ length }, (_, i) => 0x20 + ((i * 31) % 95)),
  /** Three bytes a character; the bytes left over are ASCII. */
  cjk(length) {
    const bytes = new Uint8Array(length).fill(0x2e);
    const text = new TextEncoder().encode('水車小屋の脇を流れる川'.repeat(Math.ceil(length / 33)));
    bytes.set(text.subarray(0, length - (length % 3)));
    return bytes;
  },
};
