/** Latencies drawn with block characters. */

import type { Latency } from '../load/index.js';
import { digits } from './format.js';

const WIDTH = 40;
const BLOCKS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/** Rows at most; what is left at either end is put into the outermost. */
const ROWS = 14;

/** A row for each power of two in which there are latencies. */
export function bars(latency: Latency): string[] {
  const last = exponentOf(latency.max);
  const first = Math.max(exponentOf(latency.min), last - ROWS + 1);
  const rows: { readonly label: string; readonly share: number }[] = [];
  for (let exponent = first; exponent <= last; exponent++) {
    const from = exponent === first ? 0 : 2 ** exponent;
    const found = latency.between(from, 2 ** (exponent + 1));
    rows.push({ label: `< ${digits(2 ** (exponent + 1))} ms`, share: found / latency.count });
  }
  const most = Math.max(...rows.map(({ share }) => share));
  const width = Math.max(...rows.map(({ label }) => label.length));
  return rows.map(({ label, share }) => {
    const percent = `${(100 * share).toFixed(share < 0.0995 ? 2 : 1)} %`.padStart(7);
    return `${label.padStart(width)} ${percent}  ${bar(share / most)}`.trimEnd();
  });
}

function exponentOf(ms: number): number {
  return ms <= 0 ? -20 : Math.floor(Math.log2(ms));
}

export function bar(share: number, width = WIDTH): string {
  const eighths = share > 0 ? Math.max(1, Math.round(share * width * 8)) : 0;
  return '█'.repeat(eighths >> 3) + BLOCKS[eighths & 7];
}
