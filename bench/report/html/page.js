/**
 * A report as one page that needs nothing but itself: no script, no font, no request. What matters most comes first: what
 * was measured and where, how it went altogether, where another server is better; then every group.
 */

import { readFileSync } from 'node:fs';
import { summarize } from '../summary.js';
import { serverTable } from '../tables.js';
import { caveats, groups, legend, standing, title } from '../text.js';
import { restartNumbers } from './charts/figure.js';
import { glance, losses, what } from './glance.js';
import { group } from './group.js';
import { definitions, looks } from './looks.js';
import { element, text } from './markup.js';
import { table } from './tables.js';

const STYLE = readFileSync(new URL('./style.css', import.meta.url), 'utf8');
/** The page says itself that it asks for nothing and runs nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
const SIGNS =
  'In charts: bars begin at zero; whiskers are quartiles; hatched bars and hollow marks are within noise of the baseline; the dashed line is the baseline; a dashed outline is a ceiling.';

/**
 * @param {import('../index.js').Report} report
 * @returns {string}
 */
export function html(report) {
  restartNumbers();
  const summary = summarize(report);
  const lookOf = looks(summary.servers);
  const sections = groups(summary).map((section, i) => ({ ...section, anchor: `group-${i + 1}` }));
  const name = title(summary);
  const lede = standing(summary).map((sentence) => element('p', {}, text(sentence)));
  const body = [
    definitions(),
    element('header', {}, element('h1', {}, text(name)), ...lede, links(sections)),
    ...caveats(report).map((caveat) => element('p', { class: 'card caveat' }, text(caveat))),
    what(report),
    glance(report, summary, sections, lookOf),
    losses(summary),
    ...sections.map((section) => group(section, summary, lookOf)),
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
  return [
    '<!doctype html>\n<html lang="en">\n<head>',
    ...head,
    '</head>\n<body>',
    ...body.filter((part) => part !== ''),
    '</body>\n</html>\n',
  ].join('\n');
}

function links(sections) {
  const all = [...sections.map(({ anchor, title: name }) => [anchor, name]), ['signs', 'How to read this']];
  const anchors = all.map(([to, name]) => element('a', { href: `#${to}` }, text(name)));
  return element('nav', { 'aria-label': 'Groups' }, ...anchors);
}

function signs(summary) {
  const bold = (part, i) => (i % 2 === 1 ? element('strong', {}, text(part)) : text(part));
  const lines = [...legend(summary), SIGNS].map((line) => element('li', {}, ...line.split('**').map(bold)));
  return element(
    'section',
    { id: 'signs' },
    element('h2', {}, 'How to read this'),
    element('ul', { class: 'signs' }, ...lines),
    element('h3', {}, 'The servers'),
    table(serverTable(summary.servers), 'The servers'),
  );
}
