/** What every chart has around it. */

import { element, round, text } from '../markup.js';
import { bound } from './text.js';

let last = 0;

/** Numbers from 1 on in each page, so that the same report gives the same page. */
export function restartNumbers() {
  last = 0;
}

/**
 * @param {{ width: number, height: number, title: string, description: string, class?: string }} about
 * @param {...string} content
 * @returns {string} an image to those who do not see it too
 */
export function drawing({ width, height, title, description, class: name = '' }, ...content) {
  const id = ++last;
  return element(
    'svg',
    {
      viewBox: `0 0 ${round(width)} ${round(height)}`,
      class: `chart ${name}`.trim(),
      style: `max-width:${round(width * 1.2)}px`,
      role: 'img',
      'aria-labelledby': `chart-${id} chart-${id}-text`,
    },
    element('title', { id: `chart-${id}` }, text(title)),
    element('desc', { id: `chart-${id}-text` }, text(description)),
    ...content,
  );
}

/** The same chart for screens that have room and for those that have not. */
export function responsive(draw) {
  return draw({ width: 860, class: 'wide' }) + draw({ width: 340, class: 'narrow' });
}

/** @param {string} title @param {string} note @param {...string} content */
export function figure(title, note, ...content) {
  const caption = [element('strong', {}, text(bound(title))), note === '' ? '' : element('span', {}, text(note))];
  return element('figure', {}, element('figcaption', {}, ...caption), ...content);
}
