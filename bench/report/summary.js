/** What a report says: from its raw values by round to medians, quartiles, ratios, and who is best. */

import { compare, quartiles } from './statistics.js';

/** What cannot be read as a report. */
export class ReportError extends Error {
  name = 'ReportError';

  /** @param {'FORMAT' | 'CONTENT'} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * @param {import('./index.js').Report} report
 * @returns {import('./index.js').Summary}
 */
export function summarize(report) {
  check(report);
  const servers = new Map(report.servers.map((server) => [server.id, complete(server, report.baseline)]));
  // A result of a server that nothing is told of is a result all the same.
  for (const { server } of report.workloads.flatMap(({ results }) => results ?? [])) {
    if (!servers.has(server)) servers.set(server, complete({ id: server }, report.baseline));
  }
  const baseline = servers.get(report.baseline) ?? null;
  return {
    baseline,
    servers: [...servers.values()],
    workloads: report.workloads.map((workload) => summarizeWorkload(workload, servers, baseline)),
  };
}

function check(report) {
  if (report?.format !== 1) throw new ReportError('FORMAT', `a report of format 1 is needed, not ${report?.format}`);
  for (const list of ['servers', 'workloads']) {
    if (!Array.isArray(report[list])) throw new ReportError('CONTENT', `the report has no list of ${list}`);
  }
}

function complete({ id, name = id, version = '', runtime = '', note = '', ours = false, ceiling = false }, baseline) {
  return { id, name, version, runtime, note, ours, ceiling, baseline: id === baseline };
}

function summarizeWorkload({ id, group, title, parameters, metrics, results }, servers, baseline) {
  const described = (metrics ?? []).map(describe);
  const byServer = new Map((results ?? []).map((result) => [result.server, result]));
  const rows = [...servers.values()]
    .filter((about) => byServer.has(about.id))
    .map((about) => row(about, byServer.get(about.id), byServer.get(baseline?.id), described));
  for (const metric of described) markBest(rows, metric);
  const main = described.find((metric) => metric.main) ?? described[0] ?? null;
  return {
    id,
    group: group ?? 'other',
    title: title ?? id,
    parameters: parameters ?? {},
    metrics: described,
    main,
    baseline,
    rows,
    rivalry: main === null ? null : rivalry(rows, main),
  };
}

function describe({ id, name = id, unit = '', better, main = false }) {
  return { id, name, unit, better: better === 'lower' || better === 'higher' ? better : null, main };
}

function row(about, result, reference, metrics) {
  const failed = result.failed === undefined ? {} : { failed: String(result.failed) };
  const entries = [];
  for (const { id, better } of metrics) {
    const values = valuesOf(result, id);
    const own = quartiles(values);
    if (own === null) continue;
    // The baseline is what 1 is; a ratio to itself would say nothing.
    const against = about.baseline ? { ratio: null, noise: false } : compare(values, valuesOf(reference, id), better);
    const spread = own.median === 0 ? 0 : (own.high - own.low) / Math.abs(own.median);
    entries.push([id, { ...own, spread, ...against, best: false, values }]);
  }
  return { server: about.id, about, ...failed, metrics: Object.fromEntries(entries) };
}

/** What a server did before it failed is not what it does. */
function valuesOf(result, metric) {
  return result?.failed === undefined ? (result?.values?.[metric] ?? []) : [];
}

/**
 * Rows from best to worst by a metric, then those that have no value of it.
 *
 * @param {import('./index.js').Row[]} rows
 * @param {import('./index.js').SummaryMetric | null} metric
 */
export function ranked(rows, metric) {
  if (metric === null) return [...rows];
  const worth = ({ metrics }) => {
    const median = metrics[metric.id]?.median;
    if (median === undefined) return -Infinity;
    return metric.better === 'higher' ? median : -median;
  };
  // Of two that have none the difference is no number, and they stay as they are.
  return rows.toSorted((one, two) => worth(two) - worth(one) || 0);
}

// A metric may have the name of what every object has.
const has = (metrics, id) => Object.hasOwn(metrics ?? {}, id);

function markBest(rows, metric) {
  if (metric.better === null) return;
  const running = rows.filter(({ about, metrics }) => !about.ceiling && has(metrics, metric.id));
  const [best] = ranked(running, metric);
  for (const { metrics } of running.length > 1 ? running : []) {
    const { values } = metrics[metric.id];
    metrics[metric.id].best =
      metrics === best.metrics || compare(values, best.metrics[metric.id].values, metric.better).noise;
  }
}

function rivalry(rows, metric) {
  const running = ranked(
    rows.filter(({ about, metrics }) => !about.ceiling && has(metrics, metric.id)),
    metric,
  );
  const ours = running.find(({ about }) => about.ours);
  const other = running.find(({ about }) => !about.ours);
  if (metric.better === null || ours === undefined || other === undefined) return null;
  return { ours, other, ...between(ours, other, metric) };
}

function between(one, two, metric) {
  return compare(one.metrics[metric.id].values, two.metrics[metric.id].values, metric.better);
}

/**
 * How one row compares with another.
 *
 * @param {import('./index.js').SummaryWorkload} workload
 * @param {string} metric its id
 * @param {string} server
 * @param {string} other that it is compared with
 * @returns {import('./index.js').Comparison | null} null where either has no values
 */
export function compareRows({ rows, metrics }, metric, server, other) {
  const measured = metrics.find(({ id }) => id === metric);
  const [one, two] = [server, other].map((id) => rows.find((found) => found.server === id));
  if (measured === undefined || !has(one?.metrics, metric) || !has(two?.metrics, metric)) return null;
  return between(one, two, measured);
}
