/** What scanning costs a frame, in each tier, for chunks full of small frames and for chunks of one. */

import { EXPECT_MASK, FrameBatch, ScanStatus, tiers } from '../dist/kernels/index.js';
import { BINARY, fill, frame, payloads, TEXT } from './lib/frames.js';
import { compare } from './lib/measure.js';
import { size, table } from './lib/report.js';

const SIZES = [0, 2, 8, 16, 32, 64, 125, 512, 1024, 16384];
const CHUNK = 64 * 1024;
const ROWS = 1024;

// Scanning unmasks in place, so the next scan of the same bytes masks them again: no matter for binary, and with a
// key of zeros (which no tier treats apart) text stays text.
const KINDS = [
  ['binary', BINARY, 0x5a3c_9f01],
  ['ascii', TEXT, 0],
  ['cjk', TEXT, 0],
];

function contender({ tier, scan }, chunk) {
  const batch = new FrameBatch(ROWS);
  return {
    name: tier,
    run(iterations) {
      for (let i = 0; i < iterations; i++) {
        let from = 0;
        do {
          scan(chunk, from, chunk.length, batch, EXPECT_MASK, Number.POSITIVE_INFINITY);
          from = batch.consumed;
        } while (batch.status === ScanStatus.FULL);
      }
    },
  };
}

export default {
  title: 'frames of a client, portable and native',
  async run(options) {
    for (const chunkSize of [CHUNK, 1]) {
      for (const [kind, opcode, key] of KINDS) {
        const report = table(`${kind}, ${chunkSize === 1 ? 'one frame' : size(chunkSize)}`, 'frame');
        for (const length of SIZES) {
          const { chunk, count } = fill(frame(payloads[kind](length), { opcode, key }), chunkSize);
          const contenders = tiers.toReversed().map((kernels) => contender(kernels, chunk));
          report.row(size(length), await compare({ ...options, contenders, units: count }));
        }
        report.end();
      }
    }
  },
};
