/**
 * Every way in which a peer can break the protocol after the handshake, or go over a limit: its name, the close code
 * that answers it, and the words that the peer gets as the reason (at most 123 bytes, RFC 6455 §5.5.1).
 */

import { ScanStatus } from '../kernels/index.js';
import { RemoteProtocolError } from './errors.js';

/** One row of the table. */
export interface Violation {
  /** The `code` of the error. */
  readonly code: string;
  readonly closeCode: number;
  readonly message: string;
}

function violation(code: string, closeCode: number, message: string): Violation {
  return Object.freeze({ code, closeCode, message });
}

const PROTOCOL_ERROR = 1002;
const INVALID_DATA = 1007;
const POLICY_VIOLATION = 1008;
const TOO_BIG = 1009;

export const RESERVED_BITS = violation('RESERVED_BITS', PROTOCOL_ERROR, 'reserved bits are set');
export const UNEXPECTED_CONTINUATION = violation(
  'UNEXPECTED_CONTINUATION',
  PROTOCOL_ERROR,
  'a continuation frame without a message to continue',
);
export const EXPECTED_CONTINUATION = violation(
  'EXPECTED_CONTINUATION',
  PROTOCOL_ERROR,
  'a new message inside a fragmented one',
);
export const INVALID_UTF8 = violation('INVALID_UTF8', INVALID_DATA, 'text is not valid UTF-8');
export const INVALID_PAYLOAD = violation('INVALID_PAYLOAD', INVALID_DATA, 'an extension cannot decode the payload');
export const INVALID_CLOSE_PAYLOAD = violation('INVALID_CLOSE_PAYLOAD', PROTOCOL_ERROR, 'a Close of one byte');
export const INVALID_CLOSE_CODE = violation('INVALID_CLOSE_CODE', PROTOCOL_ERROR, 'a close code that may not be sent');
export const INVALID_CLOSE_REASON = violation(
  'INVALID_CLOSE_REASON',
  INVALID_DATA,
  'the reason of a Close is not valid UTF-8',
);
export const MAX_FRAME_SIZE = violation('MAX_FRAME_SIZE', TOO_BIG, 'a frame is larger than maxFrameSize');
export const MAX_MESSAGE_SIZE = violation('MAX_MESSAGE_SIZE', TOO_BIG, 'a message is larger than maxMessageSize');
export const MAX_FRAGMENTS = violation(
  'MAX_FRAGMENTS',
  POLICY_VIOLATION,
  'a message has more frames than maxFragments',
);

/** What `scan` finds in a header, but for lengths over a limit: which limit that was, the reader knows. */
const HEADER_VIOLATIONS: Readonly<Record<number, Violation>> = {
  [ScanStatus.RESERVED_BITS]: RESERVED_BITS,
  [ScanStatus.RESERVED_OPCODE]: violation('RESERVED_OPCODE', PROTOCOL_ERROR, 'the opcode is not defined'),
  [ScanStatus.FRAGMENTED_CONTROL]: violation('FRAGMENTED_CONTROL', PROTOCOL_ERROR, 'a control frame is fragmented'),
  [ScanStatus.MASK_REQUIRED]: violation('MASK_REQUIRED', PROTOCOL_ERROR, 'a frame from a client is not masked'),
  [ScanStatus.MASK_FORBIDDEN]: violation('MASK_FORBIDDEN', PROTOCOL_ERROR, 'a frame from a server is masked'),
  [ScanStatus.CONTROL_TOO_LONG]: violation(
    'CONTROL_TOO_LONG',
    PROTOCOL_ERROR,
    'a control frame has more than 125 bytes',
  ),
  [ScanStatus.LENGTH_NOT_MINIMAL]: violation('LENGTH_NOT_MINIMAL', PROTOCOL_ERROR, 'a length is not minimally encoded'),
  [ScanStatus.LENGTH_RESERVED_BIT]: violation(
    'LENGTH_RESERVED_BIT',
    PROTOCOL_ERROR,
    'the highest bit of a length is set',
  ),
};

/** The violation that a scan stopped at; `tooLarge` is the one for a length over the limit it was given. */
export function headerViolation(status: ScanStatus, tooLarge: Violation): Violation {
  return HEADER_VIOLATIONS[status] ?? tooLarge;
}

/** The error that a close event carries for a violation. */
export function violationError(what: Violation): RemoteProtocolError {
  return new RemoteProtocolError(what.code, what.message);
}
