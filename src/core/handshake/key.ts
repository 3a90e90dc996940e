import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { LocalProtocolError } from '../errors.js';

const KEY_SIZE = 16;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

// 16 bytes are 21 characters of six bits and one of two bits, whose other four bits must be zero: a key has one
// spelling only (RFC 4648 §3.5).
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** Whether `value` is a Sec-WebSocket-Key: 16 bytes in canonical base64 (RFC 6455 §4.1, §4.2.1). */
export function isKey(value: string): boolean {
  return KEY.test(value);
}

/**
 * A new Sec-WebSocket-Key (RFC 6455 §4.1).
 *
 * @throws LocalProtocolError `INVALID_KEY` when `randomBytes` does not return 16 bytes
 */
export function generateKey(randomBytes: (size: number) => Uint8Array): string {
  const bytes = randomBytes(KEY_SIZE);
  if (bytes.length !== KEY_SIZE) {
    throw new LocalProtocolError('INVALID_KEY', `randomBytes returned ${bytes.length} bytes instead of ${KEY_SIZE}`);
  }
  return Buffer.from(bytes).toString('base64');
}

/** The Sec-WebSocket-Accept that answers `key` (RFC 6455 §4.2.2). */
export function acceptFor(key: string): string {
  return createHash('sha1').update(key).update(GUID).digest('base64');
}
