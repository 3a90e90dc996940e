/** A group of workloads: its charts, and behind them every number. */

import { brief, byMetric, direction, overviewTable, workloadTable } from '../tables.js';
import { failures, standing, verdict } from '../text.js';
import { barChart } from './charts/bars.js';
import { percentileChart, percentiles } from './charts/percentiles.js';
import { ratioChart } from './charts/ratios.js';
import { families, sizeChart } from './charts/sizes.js';
import { key } from './looks.js';
import { element, text } from './markup.js';
import { table } from './tables.js';

/** With more workloads than these, their charts are folded away, and the chart of all is what is seen. */
const MOST_CHARTS = 6;
/** With more than these that is folded away too. */
const MOST_LINES = 16;

/**
 * @param {{ anchor: string, title: string, workloads: import('../index.js').SummaryWorkload[] }} group
 * @param {import('../index.js').Summary} summary
 * @param {(id: string) => import('./looks.js').Look} lookOf
 */
export function group({ anchor, title, workloads }, summary, lookOf) {
  const { servers, baseline } = summary;
  const taking = servers.filter(({ id }) => workloads.some(({ rows }) => rows.some(({ server }) => server === id)));
  const said = standing({ ...summary, workloads }).map((sentence) => element('p', { class: 'said' }, text(sentence)));
  const parts = [element('h2', { id: anchor }, text(title)), ...said];

  const lines = families(workloads).map((family) => sizeChart(family, taking, lookOf));
  if (lines.some((line) => line !== '')) parts.push(key(taking, lookOf), element('div', { class: 'charts' }, ...lines));

  const charts = element('div', { class: 'charts' }, ...workloads.map((workload) => workloadChart(workload, lookOf)));
  if (workloads.length <= MOST_CHARTS) parts.push(charts);
  else {
    const chart = baseline === null ? '' : ratioChart(title, [{ heading: null, workloads }], baseline, lookOf);
    const card = chart === '' ? '' : element('div', { class: 'card' }, key(taking, lookOf), chart);
    const many = `All ${workloads.length} workloads`;
    if (workloads.length <= MOST_LINES || card === '') parts.push(card);
    else parts.push(folded(`${many} against ${brief(baseline)}, a line each`, card));
    parts.push(folded(`${many}, a chart each`, charts));
  }
  parts.push(folded('Table: a line a workload', ...byMetric(workloads).map((part) => overview(part, summary))));
  parts.push(folded('Tables: every metric of each workload', ...workloads.map(details)));
  return element('section', {}, ...parts, failed(workloads));
}

function workloadChart(workload, lookOf) {
  return (percentiles(workload).length > 0 && percentileChart(workload, lookOf)) || barChart(workload, lookOf);
}

function folded(name, ...content) {
  return element('details', {}, element('summary', {}, text(name)), ...content);
}

function overview({ main, workloads }, { servers, baseline }) {
  if (main === null) return '';
  const how = baseline === null ? '' : `the others as times as good as ${brief(baseline)}`;
  const said = [main.name, direction(main), how].filter(Boolean).join('; ');
  return element('p', { class: 'note' }, text(said)) + table(overviewTable(workloads, servers), main.name);
}

function details(workload) {
  const said = verdict(workload);
  return (
    element('h3', {}, text(workload.title)) +
    (said === '' ? '' : element('p', { class: 'note' }, text(said))) +
    table(workloadTable(workload), workload.title)
  );
}

/** Not folded away: who fails is told as plainly as who is slow. */
function failed(workloads) {
  const found = workloads.flatMap((workload) => failures(workload).map((failure) => `${workload.title}: ${failure}`));
  if (found.length === 0) return '';
  const items = found.map((line) => element('li', {}, text(line)));
  return element('h3', {}, 'Failed') + element('ul', { class: 'absent' }, ...items);
}
