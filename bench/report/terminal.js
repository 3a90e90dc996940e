/** One workload as a table for a terminal, as soon as it is measured. */

import { ranked } from './summary.js';
import { brief, direction, NOISE_SIGN, workloadTable } from './tables.js';
import { failures, verdict } from './text.js';

const LEAST_NAME = 12;
const LEAST_BAR = 8;
const MOST_BAR = 40;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const COLOURS = { bold: 1, dim: 2, red: 31, cyan: 36 };

/**
 * @param {import('./index.js').SummaryWorkload} workload
 * @param {{ width?: number, colour?: boolean }} [options] columns of the terminal
 * @returns {string} lines without a line feed at the end
 */
export function terminal(workload, { width = 80, colour = false } = {}) {
  const paint = (name, text) => (colour && text !== '' ? `\x1b[${COLOURS[name]}m${text}\x1b[0m` : text);
  const { main, baseline, rows } = workload;
  const hint = main === null ? '' : [main.name, direction(main)].filter(Boolean).join(', ');
  const columns = shown(workload, width);
  const lines = [paint('bold', cut(workload.title, width)), paint('dim', cut(hint, width))];
  lines.push(
    paint(
      'dim',
      columns
        .map(({ title, size, number }) => pad(title, size, number))
        .join('  ')
        .trimEnd(),
    ),
  );
  const order = ranked(rows, main);
  order.forEach(({ about, failed, metrics }, row) => {
    const best = metrics[main?.id]?.best;
    const cells = columns.map(({ cells, size, number }) => pad(cells[row], size, number));
    const text = cells.join('  ').trimEnd();
    if (failed !== undefined) lines.push(paint('red', text));
    else if (about.ours) lines.push(paint(best ? 'bold' : 'cyan', paint('cyan', text)));
    else lines.push(best ? paint('bold', text) : about.ceiling ? paint('dim', text) : text);
  });
  for (const failure of failures(workload)) lines.push(...wrap(failure, width).map((line) => paint('red', line)));
  lines.push(...wrap(verdict(workload), width));
  if (baseline !== null && rows.some(({ metrics }) => metrics[main?.id]?.noise)) {
    lines.push(paint('dim', cut(`${NOISE_SIGN} within noise of ${clean(brief(baseline))}`, width)));
  }
  return lines.filter((line) => line !== '').join('\n');
}

/** The columns that the width has room for: names, the main metric, its ratio; then a bar, then further metrics. */
function shown(workload, width) {
  const { columns, rows } = workloadTable(workload);
  // The first line has said what is measured, the last says of what a ratio is.
  const heads = ['', 'median (quartiles)', ...(columns.some(isRatio) ? ['times as good'] : [])];
  const all = columns.map(({ title, number }, i) => {
    const cells = rows.map((row) => clean(i === 1 && row.failed !== undefined ? 'failed' : row.cells[i].text));
    const short = heads[i] ?? clean(title);
    return { title: short, number, cells, size: Math.max(length(short), ...cells.map(length)) };
  });
  const [name, ...rest] = all;
  const kept = [];
  let left = width - Math.min(name.size, Math.max(LEAST_NAME, Math.floor(width / 4)));
  for (const column of rest) {
    if (column.size + 2 > left) {
      // A head may be cut, a number may not.
      const least = Math.max(...column.cells.map(length));
      if (least + 2 > left) break;
      column.size = least;
    }
    kept.push(column);
    left -= column.size + 2;
  }
  const cut = Math.min(name.size, Math.max(width - kept.reduce((sum, { size }) => sum + size + 2, 0), 1));
  const bar = Math.min(width - cut - 2 - kept.reduce((sum, { size }) => sum + size + 2, 0), MOST_BAR);
  name.size = cut;
  if (bar < LEAST_BAR || workload.main === null) return [name, ...kept];
  return [name, ...kept, { title: '', number: false, size: bar, cells: bars(workload, bar) }];
}

const isRatio = ({ title }) => title.startsWith('times as good as');

function bars({ rows, main }, size) {
  const medians = ranked(rows, main).map(({ metrics }) => Math.max(metrics[main.id]?.median ?? 0, 0));
  const most = Math.max(...medians);
  return medians.map((median) => {
    const eighths = most === 0 ? 0 : Math.round((median / most) * size * 8);
    return `${'█'.repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8]}`;
  });
}

/** A name may hold what would move the cursor. */
function clean(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return String(text).replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ');
}

const length = (text) => [...text].length;

function cut(text, size) {
  const signs = [...clean(text)];
  return signs.length <= size ? signs.join('') : `${signs.slice(0, Math.max(size - 1, 0)).join('')}…`;
}

/** Sentences go on in the next line. */
function wrap(text, size) {
  const lines = [''];
  for (const word of clean(text).split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (length(longer) <= size) lines[lines.length - 1] = longer;
    else lines.push(cut(word, size));
  }
  return lines;
}

function pad(text, size, number) {
  const fitting = cut(text, size);
  const space = ' '.repeat(Math.max(size - length(fitting), 0));
  return number ? space + fitting : fitting + space;
}
