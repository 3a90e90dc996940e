/** What UTF-8 validation costs in each tier and in Node's own `isUtf8`, which sees whole texts only. */

import { isUtf8 } from 'node:buffer';
import { tiers } from '../dist/kernels/index.js';
import { payloads } from './lib/frames.js';
import { compare } from './lib/measure.js';
import { size, table } from './lib/report.js';

const SIZES = [1, 4, 16, 32, 64, 128, 256, 1024, 4096, 16 * 1024, 128 * 1024, 1024 * 1024];

function repeat(name, once) {
  return {
    name,
    run(iterations) {
      for (let i = 0; i < iterations; i++) if (!once()) throw new Error(`${name}: valid text was rejected`);
    },
  };
}

export default {
  title: 'validation of whole texts; isUtf8 is what ws uses',
  async run(options) {
    for (const kind of ['ascii', 'cjk']) {
      const report = table(kind, 'call');
      for (const length of SIZES) {
        const bytes = Buffer.from(payloads[kind](length));
        const contenders = [
          ...tiers.toReversed().map(({ tier, utf8 }) => repeat(tier, () => utf8(bytes, 0, length, 0) === 0)),
          repeat('isUtf8', () => isUtf8(bytes)),
        ];
        report.row(size(length), await compare({ ...options, contenders }));
      }
      report.end();
    }
  },
};
