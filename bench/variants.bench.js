/**
 * The variants of the native kernels against each other: what every wider register gains. Scanning adds no call a
 * frame, so small sizes show. That vectors take over from words at 16 bytes (`kVectorsFrom` in `native/mask.h`) was read
 * off here.
 */

import { EXPECT_MASK, FrameBatch, nativeVariants } from '../dist/kernels/index.js';
import { BINARY, fill, frame, TEXT } from './lib/frames.js';
import { loop } from './lib/loop.js';
import { compare } from './lib/measure.js';
import { size, table } from './lib/report.js';
import { text } from './lib/texts.js';

const SIZES = [8, 12, 16, 20, 24, 32, 48, 64, 96, 125, 256, 1024, 16384];
const CHUNK = 64 * 1024;

export default {
  title: 'scanning frames of a client with each variant',
  async run(options) {
    const variants = [...nativeVariants()];
    if (variants.length === 0) {
      console.log('the addon is not built\n');
      return;
    }
    for (const kind of ['binary', 'ascii', 'latin', 'cjk']) {
      const report = table(kind, 'frame');
      for (const length of SIZES) {
        const payload = kind === 'binary' ? new Uint8Array(length) : text(kind, length);
        const { chunk, count } = fill(frame(payload, { opcode: kind === 'binary' ? BINARY : TEXT, key: 0 }), CHUNK);
        const batch = new FrameBatch(8192);
        const contenders = variants.map(([name, { scan }]) =>
          loop(name, 'scan(chunk, 0, chunk.length, batch, EXPECT_MASK, Infinity);', {
            scan,
            chunk,
            batch,
            EXPECT_MASK,
          }),
        );
        report.row(size(length), await compare({ ...options, contenders, units: count }));
      }
      report.end();
    }
  },
};
