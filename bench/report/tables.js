/** The tables of a report, as text in cells: the same for a terminal, for Markdown and for a page. */

import { grouped } from './grouping.js';
import { quantity, scaleOf, span, times, timesRange, told } from './quantities.js';
import { quartiles } from './statistics.js';
import { ranked } from './summary.js';

/**
 * @typedef {object} Cell
 * @property {string} text
 * @property {boolean} [best] of its row or column, or within noise of that
 *
 * @typedef {object} Table
 * @property {{ title: string, number: boolean }[]} columns the first has the names of the rows
 * @property {{ cells: Cell[], about?: import('./index.js').SummaryServer, failed?: string }[]} rows
 */

export const NOISE_SIGN = '≈';
/** A server that has no part in a workload. */
const NOT_RUN = '–';

/** What is said in a table's head of a metric, and what is good. */
export function direction({ better }) {
  if (better === null) return '';
  return better === 'lower' ? 'less is better' : 'more is better';
}

/** Servers as columns: what is compared with, ours, the others, and what cannot be passed. */
export function inColumns(servers) {
  const place = ({ baseline, ours, ceiling }) => (baseline ? 0 : ours ? 1 : ceiling ? 3 : 2);
  return servers.toSorted((one, two) => place(one) - place(two));
}

/**
 * A line a workload, a column a server: the main metric of the baseline, and how many times as good the others are.
 *
 * @param {import('./index.js').SummaryWorkload[]} workloads with the same main metric
 * @param {readonly import('./index.js').SummaryServer[]} servers
 * @returns {Table}
 */
export function overviewTable(workloads, servers) {
  const taking = inColumns(
    servers.filter(({ id }) => workloads.some(({ rows }) => rows.some((row) => row.server === id))),
  );
  return {
    columns: [{ title: 'workload', number: false }, ...taking.map(({ name }) => ({ title: name, number: true }))],
    rows: workloads.map(({ title, main, rows }) => ({
      cells: [
        { text: title },
        ...taking.map(({ id }) =>
          overviewCell(
            rows.find(({ server }) => server === id),
            main,
          ),
        ),
      ],
    })),
  };
}

function overviewCell(row, main) {
  if (row === undefined) return { text: NOT_RUN };
  if (row.failed !== undefined) return { text: 'failed' };
  const value = main === null ? undefined : row.metrics[main.id];
  if (value === undefined) return { text: NOT_RUN };
  // Where there is nothing to compare with, the value itself is told.
  const text = value.ratio === null ? quantity(value.median, main.unit) : times(value.ratio.median);
  return { text: value.noise ? `${text} ${NOISE_SIGN}` : text, best: value.best };
}

/** Overviews by what they measure: ratios of different things do not belong in one table. */
export function byMetric(workloads) {
  const parts = grouped(workloads, ({ main }) => (main === null ? '' : `${main.name}\n${main.unit}\n${main.better}`));
  return [...parts.values()].map((part) => ({ main: part[0].main, workloads: part }));
}

/**
 * A row a server, best first: the main metric with its quartiles and ratio, then the other metrics.
 *
 * @param {import('./index.js').SummaryWorkload} workload
 * @returns {Table}
 */
export function workloadTable({ rows, metrics, main, baseline }) {
  const compared = baseline !== null && rows.some(({ metrics: values }) => values[main?.id]?.ratio);
  const others = metrics.filter((metric) => metric !== main);
  const columns = [{ title: 'server', number: false }];
  if (main !== null) columns.push({ title: `${main.name} (quartiles)`, number: true });
  if (compared) columns.push({ title: `times as good as ${brief(baseline)} (quartiles)`, number: true });
  for (const { name } of others) columns.push({ title: name, number: true });
  const scales = new Map(metrics.map((metric) => [metric, columnScale(rows, metric)]));
  return {
    columns,
    rows: ranked(rows, main).map(({ about, failed, metrics: values }) => {
      const cells = [{ text: label(about) }];
      if (main !== null) cells.push(mainCell(values[main.id], scales.get(main), failed));
      if (compared) cells.push(ratioCell(values[main.id], about));
      for (const metric of others) cells.push(otherCell(values[metric.id], scales.get(metric)));
      return { cells, about, ...(failed === undefined ? {} : { failed }) };
    }),
  };
}

/** A server's name, and what it is in this comparison. */
export function label({ name, ceiling, baseline }) {
  const roles = [baseline && 'baseline', ceiling && 'ceiling'].filter(Boolean);
  return roles.length === 0 ? name : `${name} (${roles.join(', ')})`;
}

/** What the baseline is called where it is named often: without what it runs with. */
export function brief({ name }) {
  return name.split(/ [+(]/, 1)[0] || name;
}

/** What ours are called together: what their names have in common is what they begin with. */
export function ourName(servers) {
  const ours = servers.find((server) => server.ours);
  return ours?.name.split(/[\s,(]/, 1)[0] || 'ours';
}

/** The unit of a column is the one that suits its middle. */
export function columnScale(rows, { id, unit }) {
  return scaleOf(quartiles(rows.map(({ metrics }) => metrics[id]?.median))?.median ?? 0, unit);
}

function mainCell(value, scale, failed) {
  if (failed !== undefined) return { text: `failed: ${failed}` };
  if (value === undefined) return { text: NOT_RUN };
  return { text: `${told(value.median, scale)} (${span(value.low, value.high, scale)})`, best: value.best };
}

function ratioCell(value, { baseline }) {
  if (baseline && value !== undefined) return { text: '1x' };
  if (!value?.ratio) return { text: NOT_RUN };
  const { median, low, high } = value.ratio;
  return { text: `${times(median)} (${timesRange(low, high)})${value.noise ? ` ${NOISE_SIGN}` : ''}` };
}

function otherCell(value, scale) {
  if (value === undefined) return { text: NOT_RUN };
  const ratio = value.ratio === null ? '' : ` (${times(value.ratio.median)}${value.noise ? ` ${NOISE_SIGN}` : ''})`;
  return { text: `${told(value.median, scale)}${ratio}`, best: value.best };
}

/**
 * What was compared.
 *
 * @param {readonly import('./index.js').SummaryServer[]} servers
 * @returns {Table}
 */
export function serverTable(servers) {
  const noted = servers.some(({ note }) => note !== '');
  const columns = ['server', 'version', 'runs in', ...(noted ? ['set up'] : [])];
  return {
    columns: columns.map((title) => ({ title, number: false })),
    rows: inColumns(servers).map((about) => {
      const facts = [about.version, about.runtime, ...(noted ? [about.note] : [])];
      return { cells: [label(about), ...facts.map((fact) => fact || NOT_RUN)].map((text) => ({ text })), about };
    }),
  };
}

/**
 * In how many workloads each of ours is better or worse than the baseline, and the best of them than the best of the
 * others.
 *
 * @param {import('./index.js').Summary} summary
 * @returns {Table | null} null where there is nothing to compare
 */
export function tallyTable({ servers, workloads, baseline }) {
  const lines = [];
  for (const about of baseline === null ? [] : servers.filter((server) => server.ours && !server.baseline)) {
    const own = workloads.flatMap(({ rows, main }) => {
      const row = rows.find(({ server }) => server === about.id);
      return row === undefined ? [] : [row.metrics[main?.id]];
    });
    if (own.length > 0) lines.push({ name: `${about.name}, against ${brief(baseline)}`, counts: tally(own), about });
  }
  const rivalries = workloads.flatMap(({ rivalry }) => rivalry ?? []);
  if (rivalries.length > 0)
    lines.push({ name: `the best of ${ourName(servers)}, against the best of the others`, counts: tally(rivalries) });
  if (lines.length === 0) return null;
  const columns = ['better', `${NOISE_SIGN} within noise`, 'worse', 'not compared'];
  return {
    columns: [{ title: 'workloads', number: false }, ...columns.map((title) => ({ title, number: true }))],
    rows: lines.map(({ name, counts, about }) => ({
      cells: [{ text: name }, ...counts.map((count) => ({ text: String(count) }))],
      about,
    })),
  };
}

/**
 * @param {(import('./index.js').Comparison | undefined)[]} comparisons
 * @returns {[better: number, noise: number, worse: number, none: number]}
 */
export function tally(comparisons) {
  const counts = [0, 0, 0, 0];
  for (const comparison of comparisons) counts[outcome(comparison)]++;
  return counts;
}

function outcome(comparison) {
  if (!comparison?.ratio) return 3;
  if (comparison.noise) return 1;
  return comparison.ratio.median > 1 ? 0 : 2;
}

/**
 * Workloads in which another server is better than the best of ours, beyond noise; the greatest loss first.
 *
 * @param {import('./index.js').Summary} summary
 * @returns {Table}
 */
export function lossTable({ workloads, servers }) {
  const lost = workloads
    .filter(({ rivalry }) => outcome(rivalry) === 2)
    .toSorted((one, two) => one.rivalry.ratio.median - two.rivalry.ratio.median);
  return {
    columns: ['workload', `best of ${ourName(servers)}`, 'best of the others', 'times as good (quartiles)'].map(
      (title, i) => ({
        title,
        number: i > 0,
      }),
    ),
    rows: lost.map(({ title, group, main, rivalry: { ours, other, ratio } }) => ({
      cells: [
        { text: `${group}: ${title}` },
        ...[ours, other].map(({ about, metrics }) => ({
          text: `${about.name}, ${quantity(metrics[main.id].median, main.unit)}`,
        })),
        { text: `${times(ratio.median)} (${timesRange(ratio.low, ratio.high)})` },
      ],
    })),
  };
}
