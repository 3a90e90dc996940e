/** Opcodes and sizes of frames (RFC 6455 §5.2, §5.5). */

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** The bit of a frame that ends its message, where it stands in the first byte. */
export const FIN = 0x80;

/** Two bytes, a 64-bit length, a masking key. */
export const MAX_HEADER = 14;
export const MAX_CONTROL_PAYLOAD = 125;

/** Control frames have the highest bit of the opcode set. */
export function isControl(opcode: number): boolean {
  return opcode >= CLOSE;
}
