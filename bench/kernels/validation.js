/** UTF-8 validation of whole texts, against Node's own `isUtf8`. */

import { isUtf8 } from 'node:buffer';
import { kernels } from '../../dist/kernels/index.js';
import { loop } from '../lib/loop.js';
import { compare } from '../lib/measure.js';
import { size, table } from '../lib/report.js';
import { kinds, text } from '../lib/texts.js';
import { claimed, SIZES } from './claims.js';

export async function measureValidation(options) {
  const faster = claimed('utf8 against isUtf8, every size and content', 1);
  const short = claimed('utf8 against isUtf8, ASCII up to 32 B', 1.5);
  const lines = [];
  console.log('## utf8\n');
  for (const kind of kinds) {
    const report = table(kind, 'call');
    const points = [];
    for (const length of SIZES) {
      const bytes = Buffer.from(text(kind, length));
      const scope = { bytes, length, isUtf8, utf8: kernels.utf8, wrong: wrong(kind) };
      const results = await compare({
        ...options,
        contenders: [
          loop('isUtf8', 'if (!isUtf8(bytes)) wrong();', scope),
          loop('millrace', 'if (utf8(bytes, 0, length, 0) !== 0) wrong();', scope),
        ],
      });
      report.row(size(length), results);
      const { speed } = results[1];
      faster.see(speed, `${kind}, ${size(length)}`);
      if (kind === 'ascii' && length <= 32) short.see(speed, size(length));
      points.push([length, speed]);
    }
    report.end();
    lines.push({ name: kind, points });
  }
  return { claims: [faster, short], panels: [{ title: 'UTF-8 validation', against: 'isUtf8', lines }] };
}

function wrong(kind) {
  return () => {
    throw new Error(`${kind}: valid text was rejected`);
  };
}
