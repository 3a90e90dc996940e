/** Close frames: which codes may travel, and what their payload looks like (RFC 6455 §5.5.1, §7.4). */

import { Buffer, isUtf8 } from 'node:buffer';
import { LocalProtocolError } from './errors.js';
import { INVALID_CLOSE_CODE, INVALID_CLOSE_PAYLOAD, INVALID_CLOSE_REASON, type Violation } from './violations.js';

/** Status codes by name: RFC 6455 §7.4.1 and the IANA registry. */
export const CloseCode = Object.freeze({
  NORMAL_CLOSURE: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  /** Never on the wire: the Close had no code. */
  NO_STATUS_RECEIVED: 1005,
  /** Never on the wire: the connection ended without a Close. */
  ABNORMAL_CLOSURE: 1006,
  INVALID_FRAME_PAYLOAD_DATA: 1007,
  POLICY_VIOLATION: 1008,
  MESSAGE_TOO_BIG: 1009,
  MANDATORY_EXTENSION: 1010,
  INTERNAL_ERROR: 1011,
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  BAD_GATEWAY: 1014,
  /** Never on the wire: the TLS handshake failed. */
  TLS_HANDSHAKE: 1015,
});

const MAX_REASON = 123;

/**
 * Whether a code may stand in a Close frame: the registered ones but for 1004, 1005, 1006 and 1015, and 3000 to 4999
 * for libraries and applications (RFC 6455 §7.4.2).
 */
export function isSendableCode(code: number): boolean {
  return (
    Number.isInteger(code) &&
    ((code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
      (code >= 3000 && code <= 4999))
  );
}

/**
 * The payload of a Close frame.
 *
 * @param code a sendable code, or 1005 for an empty payload
 * @param reason at most 123 bytes of UTF-8; must be '' without a code
 * @throws LocalProtocolError `INVALID_CLOSE_CODE` or `INVALID_CLOSE_REASON`
 */
export function closePayload(code: number, reason: string): Uint8Array {
  if (code === CloseCode.NO_STATUS_RECEIVED) {
    if (reason !== '') throw new LocalProtocolError('INVALID_CLOSE_REASON', 'a Close without a code has no reason');
    return new Uint8Array(0);
  }
  if (!isSendableCode(code)) throw new LocalProtocolError('INVALID_CLOSE_CODE', `close code ${code} may not be sent`);
  if (typeof reason !== 'string') throw new LocalProtocolError('INVALID_CLOSE_REASON', 'a reason must be a string');
  const length = Buffer.byteLength(reason);
  if (length > MAX_REASON) {
    throw new LocalProtocolError(
      'INVALID_CLOSE_REASON',
      `a close reason has ${length} bytes, at most ${MAX_REASON} fit`,
    );
  }
  const payload = Buffer.allocUnsafe(2 + length);
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return payload;
}

/**
 * Finds out whether a Close may be sent.
 *
 * @throws LocalProtocolError `INVALID_CLOSE_CODE` or `INVALID_CLOSE_REASON`
 */
export function checkClose(code: number, reason: string): void {
  closePayload(code, reason);
}

/** What the payload of a peer's Close says, or the violation that it is. */
export function parseClose(payload: Uint8Array): { code: number; reason: string } | Violation {
  if (payload.length === 0) return { code: CloseCode.NO_STATUS_RECEIVED, reason: '' };
  if (payload.length === 1) return INVALID_CLOSE_PAYLOAD;
  const code = (payload[0] << 8) | payload[1];
  if (!isSendableCode(code)) return INVALID_CLOSE_CODE;
  const reason = Buffer.from(payload.buffer, payload.byteOffset + 2, payload.length - 2);
  if (!isUtf8(reason)) return INVALID_CLOSE_REASON;
  return { code, reason: reason.toString() };
}
