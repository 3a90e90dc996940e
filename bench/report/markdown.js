/** A report as Markdown: every number of it as text, in rows that can be quoted as they are. */

import { summarize } from './summary.js';
import {
  brief,
  byMetric,
  direction,
  lossTable,
  ourName,
  overviewTable,
  serverTable,
  tallyTable,
  workloadTable,
} from './tables.js';
import { caveats, facts, failures, groups, legend, title, verdict } from './text.js';

/**
 * @param {import('./index.js').Report} report
 * @returns {string} GitHub Flavored Markdown
 */
export function markdown(report) {
  const summary = summarize(report);
  const { servers } = summary;
  const [[, command], ...rest] = facts(report);
  const blocks = [
    `# ${text(title(summary))}`,
    fenced(command),
    rest.map(([name, value]) => `- ${name}: ${text(value)}`).join('\n'),
    ...caveats(report).map((caveat) => `**${text(caveat)}**`),
    table(serverTable(servers)),
  ];
  const absent = report.absent ?? [];
  if (absent.length > 0) {
    blocks.push(
      ['Not measured:', '', ...absent.map(({ id, name = id, why }) => `- ${text(name)}: ${text(why)}`)].join('\n'),
    );
  }
  blocks.push(
    legend(summary)
      .map((line) => `- ${signs(line)}`)
      .join('\n'),
  );
  const tally = tallyTable(summary);
  if (tally !== null) blocks.push('## Wins and losses', 'Workloads by the main metric of each.', table(tally));
  const losses = lossTable(summary);
  if (losses.rows.length > 0)
    blocks.push(
      `Workloads in which another server is better than the best of ${text(ourName(servers))}:`,
      table(losses),
    );

  for (const group of groups(summary)) {
    blocks.push(`## ${text(group.title)}`);
    for (const part of byMetric(group.workloads)) blocks.push(...overview(part, summary));
    for (const workload of group.workloads) blocks.push(...details(workload));
  }
  return `${blocks.join('\n\n')}\n`;
}

function overview({ main, workloads }, { servers, baseline }) {
  if (main === null) return [];
  const how = [direction(main), baseline === null ? '' : `the others as times as good as ${brief(baseline)}`];
  return [text([main.name, ...how].filter(Boolean).join('; ')), table(overviewTable(workloads, servers))];
}

function details(workload) {
  const said = [verdict(workload), ...failures(workload)].filter(Boolean);
  return [
    `### ${text(workload.title)}`,
    ...said.map((sentence) => `${text(sentence)}.`),
    table(workloadTable(workload)),
  ];
}

/** @param {import('./tables.js').Table} table */
function table({ columns, rows }) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ title }) => text(title))),
    `|${columns.map(({ number }) => (number ? '---:' : '---')).join('|')}|`,
    ...rows.map(({ cells }) => line(cells.map((cell) => (cell.best ? `**${text(cell.text)}**` : text(cell.text))))),
  ].join('\n');
}

/** What is bold in a legend stays so. */
function signs(line) {
  return line
    .split('**')
    .map((part, i) => (i % 2 === 1 ? `**${text(part)}**` : text(part)))
    .join('');
}

/** Text that means nothing but itself: no markup, no cell's end, no line's end. */
function text(content) {
  return String(content)
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\\|*_`[\]~]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;');
}

function fenced(content) {
  const longest = Math.max(2, ...[...content.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}sh\n${content}\n${fence}`;
}
