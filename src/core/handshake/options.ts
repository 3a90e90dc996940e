import { LocalProtocolError } from '../errors.js';
import type { SupportedExtension } from '../extensions/extension.js';
import { DEFAULT_HANDSHAKE_LIMITS, type HandshakeLimits } from '../limits.js';

/** Limits, and what this side brings to the handshake. */
export interface HandshakeOptions extends Partial<HandshakeLimits> {
  /** Server: the extensions to agree to. Client: those to offer. */
  readonly extensions?: readonly SupportedExtension[];
  /** Where a client's key comes from; by default `randomBytes` of `node:crypto`. */
  readonly randomBytes?: (size: number) => Uint8Array;
}

/**
 * The limits in `options`, and the defaults for the rest.
 *
 * @throws LocalProtocolError `INVALID_OPTION` naming a limit that is not a number from 0 up
 */
export function handshakeLimits(options: Partial<HandshakeLimits>): HandshakeLimits {
  const limits = {
    maxHeaderSize: options.maxHeaderSize ?? DEFAULT_HANDSHAKE_LIMITS.maxHeaderSize,
    maxHeaderFields: options.maxHeaderFields ?? DEFAULT_HANDSHAKE_LIMITS.maxHeaderFields,
    handshakeTimeout: options.handshakeTimeout ?? DEFAULT_HANDSHAKE_LIMITS.handshakeTimeout,
  };
  for (const [name, limit] of Object.entries(limits)) {
    if (typeof limit === 'number' && limit >= 0) continue;
    throw new LocalProtocolError('INVALID_OPTION', `${name} must be a number from 0 to Infinity`);
  }
  return limits;
}
