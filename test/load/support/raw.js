/** What the client processes share: an opened socket, and frames as a client makes them and a server does. */

import { connect } from 'node:net';

const request = (path) =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';

/**
 * A socket behind its opening handshake, paused: nothing is read of what follows.
 *
 * @param {number} port on the loopback address
 * @param {{ localAddress?: string, path?: string }} [options]
 * @returns {Promise<import('node:net').Socket>}
 */
export function open(port, { path = '/', ...options } = {}) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, ...options });
  socket.write(request(path));
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('data', (chunk) => {
      socket.pause();
      const end = chunk.indexOf('\r\n\r\n') + 4;
      if (end < 4 || !chunk.toString('latin1').startsWith('HTTP/1.1 101 ')) reject(new Error('the handshake failed'));
      if (end < chunk.length) socket.unshift(chunk.subarray(end));
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/**
 * A client's frame.
 *
 * @param {number} opcode
 * @param {Uint8Array} [payload]
 * @param {{ key?: number, fin?: boolean }} [options]
 */
export function frame(opcode, payload = new Uint8Array(0), { key = 0x5a3c9f01, fin = true } = {}) {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 0x1_0000 ? 2 : 8;
  const bytes = Buffer.alloc(2 + extended + 4 + length);
  bytes[0] = (fin ? 0x80 : 0) | opcode;
  bytes[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) bytes.writeUInt16BE(length, 2);
  if (extended === 8) bytes.writeBigUInt64BE(BigInt(length), 2);
  const start = bytes.writeInt32LE(key | 0, 2 + extended);
  bytes.set(payload, start);
  mask(bytes, start, bytes.length, key);
  return bytes;
}

/** Masks in place, or unmasks: RFC 6455 §5.3. */
export function mask(bytes, start, end, key) {
  for (let i = start; i < end; i++) bytes[i] ^= key >>> (((i - start) & 3) * 8);
}

/** Takes a server's frames out of chunks, and hands out each as it becomes whole. */
export class Frames {
  #rest = Buffer.alloc(0);
  #handle;

  /** @param {(opcode: number, payload: Buffer) => void} handle */
  constructor(handle) {
    this.#handle = handle;
  }

  /** @param {Buffer} chunk */
  push(chunk) {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= 2) {
      const short = bytes[1];
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length < header) break;
      const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
      if (bytes.length < header + length) break;
      this.#handle(bytes[0] & 0x0f, bytes.subarray(header, header + length));
      bytes = bytes.subarray(header + length);
    }
    this.#rest = bytes;
  }
}
