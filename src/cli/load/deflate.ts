/** What a load does for permessage-deflate (RFC 7692): it offers it, and compresses its messages ahead of the run. */

import { constants, deflateRawSync } from 'node:zlib';
import { AgreedDeflate, type Extension, PerMessageDeflate } from '../../core/index.js';
import { LoadFault } from './fault.js';

/** Every message that is sent is compressed by itself, so that it can be sent again at any time. */
export function deflateOffer(): PerMessageDeflate {
  const unbounded = { maxContexts: Number.POSITIVE_INFINITY, contextIdleTimeout: Number.POSITIVE_INFINITY };
  return new PerMessageDeflate({
    clientNoContextTakeover: true,
    offThreadFrom: Number.POSITIVE_INFINITY,
    ...unbounded,
  });
}

/**
 * The base-2 logarithm of the window that the server has agreed to.
 *
 * @throws LoadFault `HANDSHAKE` where it has declined
 */
export function agreedWindowBits(extensions: readonly Extension[]): number {
  for (const extension of extensions) {
    if (extension instanceof AgreedDeflate) return extension.agreed.clientMaxWindowBits;
  }
  throw new LoadFault('HANDSHAKE', 'the server does not agree to permessage-deflate');
}

/** What every message ends with, and does not send (RFC 7692 §7.2.1). */
const TAIL_SIZE = 4;
const EMPTY = Buffer.of(0);

export function compress(payload: Uint8Array, windowBits: number): Buffer {
  const data = deflateRawSync(payload, { windowBits, finishFlush: constants.Z_SYNC_FLUSH });
  return data.length > TAIL_SIZE ? data.subarray(0, -TAIL_SIZE) : EMPTY;
}
