/** Frames as bytes (RFC 6455 §5.2), made ahead of the run. */

import { randomBytes, randomInt } from 'node:crypto';
import { kernels } from '../../kernels/index.js';

export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;
export const FIN = 0x80;
export const RSV1 = 0x40;
const MASKED = 0x80;

/** The bytes of a header, with the masking key where there is one. */
export function headerSize(length: number, masked: boolean): number {
  return (length < 126 ? 2 : length < 0x1_0000 ? 4 : 10) + (masked ? 4 : 0);
}

/**
 * Writes a frame of a server's, or with `masked` one of a client's, with a key of its own.
 *
 * @param first the first byte: FIN, RSV bits and opcode
 * @returns where it ends
 */
export function writeFrame(into: Buffer, at: number, first: number, payload: Uint8Array, masked: boolean): number {
  const { length } = payload;
  into[at] = first;
  const bit = masked ? MASKED : 0;
  if (length < 126) {
    into[at + 1] = bit | length;
  } else if (length < 0x1_0000) {
    into[at + 1] = bit | 126;
    into.writeUInt16BE(length, at + 2);
  } else {
    into[at + 1] = bit | 127;
    into.writeBigUInt64BE(BigInt(length), at + 2);
  }
  const start = at + headerSize(length, masked);
  if (masked) {
    const key = randomInt(1, 2 ** 32);
    into.writeUInt32LE(key, start - 4);
    kernels.mask(payload, 0, into, start, length, key, 0);
  } else {
    into.set(payload, start);
  }
  return start + length;
}

/** A whole frame of a client's. */
export function clientFrame(first: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafeSlow(headerSize(payload.length, true) + payload.length);
  writeFrame(bytes, 0, first, payload, true);
  return bytes;
}

/** A Close with 1000. */
export const goodbye = (): Buffer => clientFrame(FIN | CLOSE, Buffer.of(0x03, 0xe8));

export const pingFrame = (): Buffer => clientFrame(FIN | PING, randomBytes(4));
