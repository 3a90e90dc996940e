/**
 * How each server looks, in every chart: a colour and a shape, so that neither has to be seen. The shapes are drawn once
 * in a page and used from there.
 */

import { element, text } from './markup.js';

const SHAPES = [
  'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z',
  'M0-6L6 0L0 6L-6 0z',
  'M-4.4-4.4h8.8v8.8h-8.8z',
  'M0-5.6L5.4 4.2H-5.4z',
  'M0 5.6L5.4-4.2H-5.4z',
  'M-5.2-1.8h3.4v-3.4h3.6v3.4h3.4v3.6h-3.4v3.4h-3.6v-3.4h-3.4z',
  'M-5-2.9L0-5.8L5-2.9V2.9L0 5.8L-5 2.9z',
  'M0-6.2L1.7-1.9L6-1.6L2.7 1.1L3.8 5.4L0 3L-3.8 5.4L-2.7 1.1L-6-1.6L-1.7-1.9z',
  'M-5.5-3h11v6h-11z',
  'M-3-5.5h6v11h-6z',
];
const OURS = 2;
const PEERS = 8;

/**
 * @typedef {object} Look
 * @property {string} colour a class that sets `--c`
 * @property {number} shape
 */

/**
 * @param {readonly import('../index.js').SummaryServer[]} servers
 * @returns {(id: string) => Look}
 */
export function looks(servers) {
  const found = new Map();
  let ours = 0;
  let peers = 0;
  for (const { id, ours: own, baseline, ceiling } of servers) {
    if (own) {
      found.set(id, { colour: `ours-${(ours % OURS) + 1}`, shape: ours % OURS });
      ours++;
    } else if (baseline) found.set(id, { colour: 'base', shape: 2 });
    else if (ceiling) found.set(id, { colour: 'ceil', shape: 9 });
    else {
      found.set(id, { colour: `peer-${(peers % PEERS) + 1}`, shape: 3 + (peers % 6) });
      peers++;
    }
  }
  return (id) => found.get(id);
}

/** What the charts of a page refer to. */
export function definitions() {
  const shapes = SHAPES.map((d, i) => element('path', { id: `shape-${i}`, d }));
  const hatch = element(
    'pattern',
    { id: 'hatch', width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
    element('path', { d: 'M1 0V5', class: 'stripe' }),
  );
  return element('svg', { class: 'definitions', 'aria-hidden': 'true' }, element('defs', {}, ...shapes, hatch));
}

/**
 * @param {Look} look
 * @param {number} x
 * @param {number} y
 * @param {{ hollow?: boolean }} [options] as what is within noise
 */
export function mark({ colour, shape }, x, y, { hollow = false } = {}) {
  return element('use', { href: `#shape-${shape}`, x, y, class: `mark ${colour}${hollow ? ' hollow' : ''}` });
}

/** Servers with their marks, for a chart that has no room for names. */
export function key(servers, lookOf, { about = false } = {}) {
  const items = servers.map((server) => {
    const { id, name, version, runtime, baseline, ceiling, ours } = server;
    const role = baseline ? 'baseline' : ceiling ? 'ceiling' : '';
    const svg = element(
      'svg',
      { viewBox: '-8 -8 16 16', width: '16', height: '16', 'aria-hidden': 'true' },
      mark(lookOf(id), 0, 0),
    );
    const more = about ? [version, runtime].filter(Boolean).join(', ') : '';
    return element(
      'li',
      { class: ours ? 'ours' : null },
      svg,
      element(
        'span',
        {},
        element('span', { class: 'name' }, text(name)),
        role === '' ? '' : ` ${element('span', { class: 'role' }, role)}`,
        more === '' ? '' : element('span', { class: 'more' }, text(more)),
      ),
    );
  });
  return element('ul', { class: about ? 'key about' : 'key' }, ...items);
}
