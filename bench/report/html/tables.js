/** The tables of a report as markup. */

import { element, text } from './markup.js';

/**
 * @param {import('../tables.js').Table} table
 * @param {string} name what it is, to those who do not see where it stands
 */
export function table({ columns, rows }, name) {
  const heads = columns.map(({ title, number }) =>
    element('th', { scope: 'col', class: number ? 'number' : null }, text(title)),
  );
  const body = rows.map(({ cells, about, failed }) =>
    element(
      'tr',
      { class: about?.ours ? 'own' : null },
      ...cells.map((cell, i) => drawCell(cell, i, columns[i], failed)),
    ),
  );
  return element(
    'div',
    // What scrolls must be reached with the keyboard too.
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': name },
    element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...body)),
  );
}

function drawCell({ text: content, best }, i, { number }, failed) {
  if (i === 0) return element('th', { scope: 'row' }, text(content));
  const isReason = i === 1 && failed !== undefined;
  const names = [isReason ? 'failed' : number && 'number', best && 'best'].filter(Boolean).join(' ');
  return element('td', { class: names || null }, text(content));
}
