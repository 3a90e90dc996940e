/** Collects the ratios that a claim is about, and remembers the least of them. */

/**
 * @param {string} claim
 * @param {number} bound the least ratio that is claimed
 */
export function claimed(claim, bound) {
  return {
    claim,
    bound,
    worst: { ratio: Number.POSITIVE_INFINITY, at: 'nowhere' },
    /**
     * @param {number} ratio
     * @param {string} at which case
     */
    see(ratio, at) {
      if (ratio < this.worst.ratio) this.worst = { ratio, at };
    },
  };
}

/** 1 B to 1 MiB. */
export const SIZES = [
  1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096, 16384, 65536, 262144, 1048576,
];
