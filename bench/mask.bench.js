/** What masking costs in each tier and in bufferutil: in place, and into another buffer. */

import bufferUtil from 'bufferutil';
import { tiers } from '../dist/kernels/index.js';
import { payloads } from './lib/frames.js';
import { compare } from './lib/measure.js';
import { size, table } from './lib/report.js';

const SIZES = [1, 4, 16, 32, 64, 128, 256, 1024, 4096, 16 * 1024, 128 * 1024, 1024 * 1024];
const KEY = 0x5a3c_9f01;
const KEY_BYTES = Buffer.from([0x01, 0x9f, 0x3c, 0x5a]);

function repeat(name, once) {
  return {
    name,
    run(iterations) {
      for (let i = 0; i < iterations; i++) once();
    },
  };
}

export default {
  title: 'XOR with a key; bufferutil is what ws uses',
  async run(options) {
    const inPlace = table('in place', 'call');
    for (const length of SIZES) {
      const bytes = Buffer.from(payloads.binary(length));
      const contenders = [
        ...tiers.toReversed().map(({ tier, mask }) => repeat(tier, () => mask(bytes, 0, bytes, 0, length, KEY, 0))),
        repeat('bufferutil', () => bufferUtil.unmask(bytes, KEY_BYTES)),
      ];
      inPlace.row(size(length), await compare({ ...options, contenders }));
    }
    inPlace.end();

    const copying = table('into another buffer', 'call');
    for (const length of SIZES) {
      const from = Buffer.from(payloads.binary(length));
      const to = Buffer.alloc(length + 6);
      const contenders = [
        ...tiers.toReversed().map(({ tier, mask }) => repeat(tier, () => mask(from, 0, to, 6, length, KEY, 0))),
        repeat('bufferutil', () => bufferUtil.mask(from, KEY_BYTES, to, 6, length)),
        repeat('copy without XOR', () => to.set(from, 6)),
      ];
      copying.row(size(length), await compare({ ...options, contenders }));
    }
    copying.end();
  },
};
