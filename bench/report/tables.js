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
  if (compared) columns.push({ title: `times as good as ${baseline.name} (quartiles)`, number: true });
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
export function label({ name, ours, ceiling, baseline }) {
  const roles = [baseline && 'baseline', ours && 'ours', ceiling && 'ceiling'].filter(Boolean);
  return roles.length === 0 ? name : `${name} (${roles.join(', ')})`;
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
  return {
    columns: ['server', 'version', 'runs in'].map((title) => ({ title, number: false })),
    rows: inColumns(servers).map((about) => ({
      cells: [label(about), about.version || NOT_RUN, about.runtime || NOT_RUN].map((text) => ({ text })),
      about,
    })),
  };
}

/**
 * In how many workloads each of ours is better or worse than the baseline, and than the best of the others.
 *
 * @param {import('./index.js').Summary} summary
 * @returns {Table | null} null where none of ours was measured
 */
export function tallyTable({ servers, workloads, baseline }) {
  const ours = servers.filter((server) => server.ours && !server.baseline);
  if (ours.length === 0 || baseline === null) return null;
  const columns = ['better', `${NOISE_SIGN} within noise`, 'worse', 'not compared'];
  return {
    columns: [
      { title: `against ${baseline.name}`, number: false },
      ...columns.map((title) => ({ title, number: true })),
    ],
    rows: ours.map((about) => {
      const counts = [0, 0, 0, 0];
      for (const { rows, main } of workloads) {
        const row = rows.find(({ server }) => server === about.id);
        if (row !== undefined) counts[outcome(row.metrics[main?.id])]++;
      }
      return { cells: [{ text: about.name }, ...counts.map((count) => ({ text: String(count) }))], about };
    }),
  };
}

function outcome(comparison) {
  if (!comparison?.ratio) return 3;
  if (comparison.noise) return 1;
  return comparison.ratio.median > 1 ? 0 : 2;
}

/**
 * Workloads in which another server is better than the best of ours, beyond noise; the greatest loss first.
 *
 * @param {readonly import('./index.js').SummaryWorkload[]} workloads
 * @returns {Table}
 */
export function lossTable(workloads) {
  const lost = workloads
    .filter(({ rivalry }) => outcome(rivalry) === 2)
    .toSorted((one, two) => one.rivalry.ratio.median - two.rivalry.ratio.median);
  return {
    columns: ['workload', 'best of ours', 'best of the others', 'ours is times as good (quartiles)'].map(
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
