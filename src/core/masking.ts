/** Masking keys for a client's frames: unpredictable, so from a cryptographic source (RFC 6455 §5.3, §10.3). */

import { randomFillSync } from 'node:crypto';

/** Gives a new masking key, a 32-bit integer, at every call. */
export type MaskingKeySource = () => number;

const KEYS = 2048;

/** Keys drawn a few thousand at a time: one by one they would cost more than the frames they mask. */
function pooled(): MaskingKeySource {
  let keys: Int32Array | null = null;
  let next = KEYS;
  return () => {
    if (next === KEYS) {
      keys = randomFillSync(keys ?? new Int32Array(KEYS));
      next = 0;
    }
    return (keys as Int32Array)[next++];
  };
}

/** The source that is used unless another one is given. */
export const randomMaskingKeys: MaskingKeySource = pooled();
