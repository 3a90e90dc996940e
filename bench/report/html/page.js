/**
 * A report as one page that needs nothing but itself: no script, no font, no request. What is most important comes
 * first: what was measured and where, how it went altogether, where ours loses; then every group with its charts, and
 * behind them every number.
 */

import { readFileSync } from 'node:fs';
import { ranked, summarize } from '../summary.js';
import { byMetric, direction, lossTable, overviewTable, serverTable, tallyTable, workloadTable } from '../tables.js';
import { caveats, facts, failures, groups, legend, standing, title, verdict } from '../text.js';
import { barChart } from './charts/bars.js';
import { restartNumbers } from './charts/figure.js';
import { percentileChart, percentiles } from './charts/percentiles.js';
import { hasRatio, ratioChart } from './charts/ratios.js';
import { families, sizeChart } from './charts/sizes.js';
import { definitions, key, looks } from './looks.js';
import { element, text } from './markup.js';
import { table } from './tables.js';

const STYLE = readFileSync(new URL('./style.css', import.meta.url), 'utf8');
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** More charts than these are folded away. */
const MOST_BARS = 6;
const MOST_LINES = 16;
/** Of each group in the chart at the top. */
const HEADLINES = 3;

/**
 * @param {import('../index.js').Report} report
 * @returns {string}
 */
export function html(report) {
  restartNumbers();
  const summary = summarize(report);
  const lookOf = looks(summary.servers);
  const sections = groups(summary).map((group, i) => ({ ...group, anchor: `group-${i + 1}` }));
  const name = title(summary);
  const body = [
    definitions(),
    element('header', {}, element('h1', {}, text(name)), lede(summary), links(sections)),
    ...caveats(report).map((caveat) => element('p', { class: 'card caveat' }, text(caveat))),
    what(report, summary, lookOf),
    glance(summary, sections, lookOf),
    losses(summary),
    ...sections.map((section) => groupSection(section, summary, lookOf)),
    signs(summary),
  ];
  const head = [
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    '<link rel="icon" href="data:,">',
    element('title', {}, text(name)),
    `<style>\n${STYLE}</style>`,
  ];
  return `<!doctype html>\n<html lang="en">\n<head>\n${head.join('\n')}\n</head>\n<body>\n${body.filter(Boolean).join('\n')}\n</body>\n</html>\n`;
}

function lede(summary) {
  return standing(summary)
    .map((sentence) => element('p', {}, text(sentence)))
    .join('');
}

function links(sections) {
  const all = [...sections.map(({ anchor, title: name }) => [anchor, name]), ['signs', 'How to read this']];
  return element(
    'nav',
    { 'aria-label': 'Groups' },
    ...all.map(([to, name]) => element('a', { href: `#${to}` }, text(name))),
  );
}

/** What was measured, where, and with which versions. */
function what(report, { servers }, lookOf) {
  const list = facts(report).map(([name, value]) =>
    element(
      'div',
      {},
      element('dt', {}, text(name)),
      element('dd', {}, name === 'Command' ? element('code', {}, text(value)) : text(value)),
    ),
  );
  const absent = (report.absent ?? []).map(({ id, name = id, why }) => element('li', {}, text(`${name}: ${why}`)));
  return element(
    'section',
    { class: 'card', 'aria-label': 'What was measured' },
    element('dl', { class: 'facts' }, ...list),
    element('h3', {}, 'Servers'),
    key(servers, lookOf, { about: true }),
    absent.length === 0 ? '' : element('h3', {}, 'Not measured') + element('ul', { class: 'absent' }, ...absent),
  );
}

function glance(summary, sections, lookOf) {
  const { baseline, servers } = summary;
  if (baseline === null) return '';
  const parts = sections.map((section) => ({ heading: section.title, workloads: representative(section.workloads) }));
  const chosen = parts.reduce((sum, { workloads }) => sum + workloads.length, 0);
  const chart = ratioChart('At a glance', parts, baseline, lookOf);
  const tally = tallyTable(summary);
  if (chart === '' && tally === null) return '';
  const rest =
    summary.workloads.length > chosen
      ? ' Of a group with more than three workloads: the worst of the best row of ours, its middle and its best.'
      : '';
  return element(
    'section',
    {},
    element('h2', {}, 'At a glance'),
    element(
      'p',
      { class: 'note' },
      text(
        `How many times as good as ${baseline.name}, by the main metric of each workload; further right is better. Hollow, and ≈: within noise of ${baseline.name}. The numbers are the best row of ours.${rest}`,
      ),
    ),
    chart === '' ? '' : element('div', { class: 'card' }, key(servers, lookOf), chart),
    tally === null ? '' : element('h3', {}, 'Wins and losses, in workloads') + table(tally, 'Wins and losses'),
  );
}

/** Where ours does worst, in the middle and best against the baseline; chosen so that it flatters nobody. */
function representative(workloads) {
  const comparable = workloads.filter(hasRatio);
  if (comparable.length <= HEADLINES) return comparable;
  const worth = ({ rows, main, rivalry }) => {
    const row = rivalry?.ours ?? ranked(rows, main).find(({ metrics }) => metrics[main.id]?.ratio);
    return row?.metrics[main.id]?.ratio?.median ?? 1;
  };
  const order = comparable.toSorted((one, two) => worth(one) - worth(two));
  const chosen = new Set([order[0], order[Math.floor((order.length - 1) / 2)], order.at(-1)]);
  return order.filter((workload) => chosen.has(workload));
}

function losses({ workloads }) {
  const lost = lossTable(workloads);
  if (lost.rows.length === 0) return '';
  const content = table(lost, 'Workloads in which another server is better');
  const heading = `Where another server is better than the best of ours: ${lost.rows.length} of ${workloads.length} workloads`;
  if (lost.rows.length <= 10) return element('section', {}, element('h3', {}, text(heading)), content);
  const [first, rest] = [{ ...lost, rows: lost.rows.slice(0, 8) }, lost.rows.length - 8];
  const all = element(
    'details',
    {},
    element('summary', {}, text(`All ${lost.rows.length}, with the ${rest} lesser losses`)),
    content,
  );
  return element('section', {}, element('h3', {}, text(heading)), table(first, 'The greatest losses'), all);
}

function groupSection({ anchor, title: name, workloads }, summary, lookOf) {
  const { servers, baseline } = summary;
  const taking = servers.filter(({ id }) => workloads.some(({ rows }) => rows.some(({ server }) => server === id)));
  const parts = [
    element('h2', { id: anchor }, text(name)),
    ...standing({ ...summary, workloads }).map((sentence) => element('p', { class: 'said' }, text(sentence))),
  ];
  const lines = families(workloads).map((family) => sizeChart(family, taking, lookOf));
  if (lines.some((line) => line !== '')) parts.push(key(taking, lookOf), element('div', { class: 'charts' }, ...lines));

  const bars = element('div', { class: 'charts' }, ...workloads.map((workload) => workloadChart(workload, lookOf)));
  if (workloads.length <= MOST_BARS) parts.push(bars);
  else {
    const chart = baseline === null ? '' : ratioChart(name, [{ heading: null, workloads }], baseline, lookOf);
    const glanced = chart === '' ? '' : element('div', { class: 'card' }, key(taking, lookOf), chart);
    if (workloads.length <= MOST_LINES || glanced === '') parts.push(glanced);
    else parts.push(folded(`All ${workloads.length} workloads against ${baseline.name}, a line each`, glanced));
    parts.push(folded(`All ${workloads.length} workloads, a chart each`, bars));
  }
  parts.push(folded('Table: a line a workload', ...byMetric(workloads).map((part) => overview(part, summary))));
  parts.push(folded('Tables: every metric of each workload', ...workloads.map(details)));
  const failed = workloads.flatMap((workload) => failures(workload).map((failure) => `${workload.title}: ${failure}`));
  if (failed.length > 0) {
    parts.push(
      folded(
        `Failed: ${failed.length}`,
        element('ul', { class: 'absent' }, ...failed.map((line) => element('li', {}, text(line)))),
      ),
    );
  }
  return element('section', {}, ...parts);
}

function workloadChart(workload, lookOf) {
  return (percentiles(workload).length > 0 && percentileChart(workload, lookOf)) || barChart(workload, lookOf);
}

function folded(name, ...content) {
  return element('details', {}, element('summary', {}, text(name)), ...content);
}

function overview({ main, workloads }, { servers, baseline }) {
  if (main === null) return '';
  const how = baseline === null ? '' : `; the others as times as good as ${baseline.name}`;
  const said = [main.name, direction(main)].filter(Boolean).join('; ');
  return element('p', { class: 'note' }, text(`${said}${how}`)) + table(overviewTable(workloads, servers), main.name);
}

function details(workload) {
  const said = verdict(workload);
  return (
    element('h3', {}, text(workload.title)) +
    (said === '' ? '' : element('p', { class: 'note' }, text(said))) +
    table(workloadTable(workload), workload.title)
  );
}

function signs(summary) {
  const lines = [
    ...legend(summary),
    'In charts: bars begin at zero; whiskers are quartiles; hatched bars and hollow marks are within noise of the baseline; the dashed line is the baseline; a dashed outline is a ceiling.',
  ];
  const bold = (line) =>
    line
      .split('**')
      .map((part, i) => (i % 2 === 1 ? element('strong', {}, text(part)) : text(part)))
      .join('');
  return element(
    'section',
    { id: 'signs' },
    element('h2', {}, 'How to read this'),
    element('ul', { class: 'signs' }, ...lines.map((line) => element('li', {}, bold(line)))),
    folded('Table: versions', table(serverTable(summary.servers), 'Versions')),
  );
}
