/** Text in charts: SVG breaks no lines, so what does not fit is cut by an estimate that is rather too wide. */

import { element, text } from '../markup.js';

export const FONT = 12;

/** What is bold is wider by so much at most. */
export const BOLD = 1.13;

/** The width of a text, in ems of the wider of usual fonts. */
function ems(content) {
  let sum = 0;
  for (const sign of content) {
    if (/[ijl.,:;'|!()[\] ]/.test(sign)) sum += 0.38;
    else if (/[mwMW@%—]/.test(sign)) sum += 0.98;
    else if (/[A-Z]/.test(sign)) sum += 0.72;
    else sum += sign > '\u2e7f' ? 1.1 : 0.64;
  }
  return sum;
}

/** @param {string} content @param {number} [font] its size @returns {number} */
export function widthOf(content, font = FONT) {
  return ems(content) * font;
}

/** As much of a text as fits. */
export function fitting(content, width, font = FONT) {
  if (widthOf(content, font) <= width) return content;
  const signs = [...content];
  while (signs.length > 0 && widthOf(`${signs.join('')}…`, font) > width) signs.pop();
  return `${signs.join('').trimEnd()}…`;
}

/** A number stays with the unit of its size. */
export function bound(content) {
  return content.replace(/(\d) (?=(?:[KMG]i)?B\b)/g, '$1\u00a0');
}

/** A text on as few lines as it takes, and no more than `most`; the last is cut. */
export function lines(content, width, most = 2, font = FONT) {
  const found = [];
  let words = bound(content).split(' ');
  while (words.length > 0 && found.length < most - 1) {
    let count = words.length;
    while (count > 1 && widthOf(words.slice(0, count).join(' '), font) > width) count--;
    found.push(words.slice(0, count).join(' '));
    words = words.slice(count);
  }
  if (words.length > 0) found.push(words.join(' '));
  return found.map((line) => fitting(line, width, font));
}

/**
 * @param {number} x
 * @param {number} y of the base line
 * @param {string} content
 * @param {{ class?: string, anchor?: 'middle' | 'end' }} [look]
 */
export function label(x, y, content, { class: name, anchor } = {}) {
  return element('text', { x, y, class: name, 'text-anchor': anchor }, text(content));
}

/** What an axis says below a tick: in its middle, unless it would stick out there. */
export function tickLabel(at, y, content, width) {
  const half = widthOf(content, 11) / 2;
  if (at - half < 0) return label(0, y, content, { class: 'tick' });
  if (at + half > width) return label(width, y, content, { class: 'tick', anchor: 'end' });
  return label(at, y, content, { class: 'tick', anchor: 'middle' });
}
