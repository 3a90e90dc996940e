/** Scanning frames of text, unmasked and classified in one pass, against scanning them as binary and validating apart. */

import { BATCH_ROWS, EXPECT_MASK, FrameBatch, ROW_SIZE, ROW_START, tiers } from '../../dist/kernels/index.js';
import { BINARY, fill, frame, TEXT } from '../lib/frames.js';
import { loop } from '../lib/loop.js';
import { compare } from '../lib/measure.js';
import { size, table } from '../lib/report.js';
import { kinds, text } from '../lib/texts.js';
import { claimed } from './claims.js';

const SIZES = [8, 32, 125, 256, 512, 1024, 4096, 16384];
const CHUNK = 64 * 1024;

export async function measureFusion(options) {
  const fused = claimed('scan of 1 KiB text frames against scan, then validate apart', 1.5);
  const lines = [];
  const [{ tier, scan, utf8 }] = tiers;
  console.log(`## scan, ${tier}: text frames in chunks of ${size(CHUNK)}\n`);
  for (const kind of kinds) {
    const report = table(kind, 'frame');
    const points = [];
    for (const length of SIZES) {
      // A key of zeros, which no tier treats apart: scanning unmasks in place, and the text must stay text.
      const pack = (opcode) => fill(frame(text(kind, length), { opcode, key: 0 }), CHUNK);
      const asText = pack(TEXT);
      const batch = new FrameBatch(8192);
      const scope = { scan, utf8, batch, table: batch.table, length, EXPECT_MASK, BATCH_ROWS, ROW_SIZE, ROW_START };
      const results = await compare({
        ...options,
        units: asText.count,
        contenders: [
          loop(
            'apart',
            `const rows = scan(chunk, 0, chunk.length, batch, EXPECT_MASK, Infinity);
             for (let row = 0, at = BATCH_ROWS + ROW_START; row < rows; row++, at += ROW_SIZE) {
               if (utf8(chunk, table[at], table[at] + length, 0) !== 0) throw new Error('valid text was rejected');
             }`,
            { ...scope, chunk: pack(BINARY).chunk },
          ),
          loop('fused', 'scan(chunk, 0, chunk.length, batch, EXPECT_MASK, Infinity);', {
            ...scope,
            chunk: asText.chunk,
          }),
        ],
      });
      report.row(size(length), results);
      if (length === 1024) fused.see(results[1].speed, kind);
      points.push([length, results[1].speed]);
    }
    report.end();
    lines.push({ name: kind, points });
  }
  return { claims: [fused], panels: [{ title: 'Scanning text frames', against: 'scan, then validate', lines }] };
}
