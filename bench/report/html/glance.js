/** What a page begins with: what was measured and where, how it went altogether, and where another server is better. */

import { ranked } from '../summary.js';
import { brief, lossTable, ourName, tallyTable } from '../tables.js';
import { facts } from '../text.js';
import { hasRatio, ratioChart } from './charts/ratios.js';
import { key } from './looks.js';
import { element, text } from './markup.js';
import { table } from './tables.js';

/** Facts that take more room. */
const BROAD = ['Command', 'Machine', 'Cores', 'Mode'];
/** Of each group in the chart. */
const MOST_WORKLOADS = 3;
/** More losses than these are folded away, the greatest apart. */
const MOST_LOSSES = 10;
const GREATEST_LOSSES = 8;

/** @param {import('../index.js').Report} report */
export function what(report) {
  const list = facts(report).map(([name, value]) => {
    const told = name === 'Command' ? element('code', {}, text(value)) : text(value);
    const broad = BROAD.includes(name) ? 'broad' : null;
    return element('div', { class: broad }, element('dt', {}, text(name)), element('dd', {}, told));
  });
  return element(
    'section',
    { class: 'card', 'aria-label': 'What was measured' },
    element('dl', { class: 'facts' }, ...list),
  );
}

/**
 * Every server with its version, and where it stands in some workloads of every group.
 *
 * @param {import('../index.js').Report} report
 * @param {import('../index.js').Summary} summary
 * @param {{ title: string, workloads: import('../index.js').SummaryWorkload[] }[]} groups
 * @param {(id: string) => import('./looks.js').Look} lookOf
 */
export function glance(report, summary, groups, lookOf) {
  const { baseline, servers } = summary;
  const parts = groups.map(({ title, workloads }) => ({ heading: title, workloads: representative(workloads) }));
  const chart = baseline === null ? '' : ratioChart('At a glance', parts, baseline, lookOf);
  const tally = tallyTable(summary);
  const absent = (report.absent ?? []).map(({ id, name = id, why }) => element('li', {}, text(`${name}: ${why}`)));
  return element(
    'section',
    {},
    element('h2', {}, 'At a glance'),
    chart === '' ? '' : element('p', { class: 'note' }, text(about(parts, summary))),
    element('div', { class: 'card' }, key(servers, lookOf, { about: true }), chart),
    absent.length === 0 ? '' : element('h3', {}, 'Not measured') + element('ul', { class: 'absent' }, ...absent),
    tally === null ? '' : element('h3', {}, 'Wins and losses, in workloads') + table(tally, 'Wins and losses'),
  );
}

function about(parts, { baseline, servers, workloads }) {
  const ours = ourName(servers);
  const chosen = parts.reduce((sum, part) => sum + part.workloads.length, 0);
  const sentences = [
    `How many times as good as ${brief(baseline)}, by the main metric of each workload; further right is better.`,
    `Hollow, and ≈: within noise of ${brief(baseline)}. The numbers are those of the best row of ${ours}.`,
  ];
  if (chosen < workloads.length) {
    sentences.push(
      `${chosen} of ${workloads.length} workloads: of each group where ${ours} is worst, in the middle, and best.`,
    );
  }
  return sentences.join(' ');
}

/** Chosen by a rule that flatters nobody: where ours does worst, in the middle and best against the baseline. */
function representative(workloads) {
  const comparable = workloads.filter(hasRatio);
  if (comparable.length <= MOST_WORKLOADS) return comparable;
  const worth = ({ rows, main, rivalry }) => {
    const row = rivalry?.ours ?? ranked(rows, main).find(({ metrics }) => metrics[main.id]?.ratio);
    return row?.metrics[main.id]?.ratio?.median ?? 1;
  };
  const order = comparable.toSorted((one, two) => worth(one) - worth(two));
  return [order[0], order[Math.floor((order.length - 1) / 2)], order.at(-1)];
}

/** @param {import('../index.js').Summary} summary */
export function losses(summary) {
  const { workloads, servers } = summary;
  const all = lossTable(summary);
  const count = all.rows.length;
  if (count === 0) return '';
  const heading = `Where another server is better than the best of ${ourName(servers)}: ${count} of ${workloads.length} workloads`;
  const content = table(all, 'Workloads in which another server is better');
  if (count <= MOST_LOSSES) return element('section', {}, element('h3', {}, text(heading)), content);
  const greatest = table({ ...all, rows: all.rows.slice(0, GREATEST_LOSSES) }, 'The greatest losses');
  const folded = element('details', {}, element('summary', {}, text(`All ${count}`)), content);
  return element('section', {}, element('h3', {}, text(heading)), greatest, folded);
}
