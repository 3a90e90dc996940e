/**
 * Workloads that differ in the size of the messages alone: a line a server over the sizes, both axes logarithmic. What is
 * drawn is how many times as good as the baseline a server is: values grow with the size by powers of ten, beside which
 * no difference between servers could be seen. Without a baseline it is the values.
 */

import { grouped } from '../../grouping.js';
import { plain, plainQuantity, quantity, scaleOf, times } from '../../quantities.js';
import { quartiles } from '../../statistics.js';
import { brief, direction } from '../../tables.js';
import { mark } from '../looks.js';
import { element, text } from '../markup.js';
import { drawing, figure } from './figure.js';
import { hasRatio } from './ratios.js';
import { logarithmic, logTicks } from './scale.js';
import { fitting, label, widthOf } from './text.js';

const WIDTH = 340;
const HEIGHT = 300;
const LEFT = 44;
const TOP = 30;
const RIGHT = 12;
const BOTTOM = 42;
const LEAST_SIZES = 3;

/**
 * @param {readonly import('../../index.js').SummaryWorkload[]} workloads
 * @returns {{ title: string, main: import('../../index.js').SummaryMetric, workloads: import('../../index.js').SummaryWorkload[] }[]}
 */
export function families(workloads) {
  const sized = workloads.filter(({ parameters, main }) => parameters.size > 0 && main !== null);
  const found = grouped(sized, ({ parameters, main }) => {
    const { size: _, ...others } = parameters;
    return JSON.stringify([main.name, main.unit, Object.entries(others).toSorted()]);
  });
  return [...found.values()]
    .map((members) => members.toSorted((one, two) => one.parameters.size - two.parameters.size))
    .filter((members) => new Set(members.map(({ parameters }) => parameters.size)).size >= LEAST_SIZES)
    .map((members) => ({
      title: common(members.map(({ title }) => title)),
      main: members[0].main,
      workloads: members,
    }));
}

/** The words that titles begin and end with alike: what is left when the size is taken away. */
function common(titles) {
  const words = titles.map((title) => title.split(' '));
  const alike = (at) => words.every((own) => own.at(at) === words[0].at(at));
  const least = Math.min(...words.map(({ length }) => length));
  let before = 0;
  while (before < least && alike(before)) before++;
  let after = 0;
  while (after < least - before && alike(-1 - after)) after++;
  const found = [...words[0].slice(0, before), ...words[0].slice(words[0].length - after)].join(' ');
  return found.replace(/^(?:[KMG]i)?B\b\s*/, '') || titles[0];
}

/**
 * @param {ReturnType<typeof families>[number]} family
 * @param {readonly import('../../index.js').SummaryServer[]} servers
 * @param {(id: string) => import('../looks.js').Look} lookOf
 * @returns {string} empty where there is nothing to draw
 */
export function sizeChart({ title, main, workloads }, servers, lookOf) {
  const baseline = workloads.some(hasRatio) ? workloads[0].baseline : null;
  const taking = servers
    .map((about) => ({ about, points: pointsOf(about, workloads, main, baseline !== null) }))
    .filter(({ points }) => points.some((point) => point !== null))
    // Ours are on top.
    .toSorted((one, two) => one.about.ours - two.about.ours);
  const shown = taking.flatMap(({ points }) => points.filter((point) => point !== null));
  if (shown.length === 0) return '';
  const tell = baseline === null ? (value) => quantity(value, main.unit) : times;
  const scale =
    baseline === null
      ? scaleOf(quartiles(shown.map(({ median }) => median)).median, main.unit)
      : { unit: 'x', divisor: 1 };
  const ends = baseline === null ? [] : [1];
  const marks = logTicks(
    Math.min(...ends, ...shown.map(({ low }) => low / scale.divisor)),
    Math.max(...ends, ...shown.map(({ high }) => high / scale.divisor)),
  );
  const sizes = workloads.map(({ parameters }) => parameters.size);
  const x = logarithmic(sizes[0], sizes.at(-1), LEFT + 6, WIDTH - RIGHT);
  const y = logarithmic(marks[0] * scale.divisor, marks.at(-1) * scale.divisor, HEIGHT - BOTTOM, TOP);
  const parts = [
    label(0, 13, fitting(axisName(main, baseline, scale), WIDTH, 11), { class: 'axis' }),
    ...marks.map((tick) => valueLine(y(tick * scale.divisor), plain(tick), baseline, tick)),
    ...sizeLabels(sizes, x),
    label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, 'size of a message; both axes logarithmic', {
      class: 'axis',
      anchor: 'middle',
    }),
    ...taking.map(({ about, points }) => line(about, points, tell, x, y, lookOf(about.id))),
  ];
  const described = taking.map(({ about, points }) => `${about.name}: ${inWords(points, tell)}`);
  const name = `${title}: ${axisName(main, baseline, scale)}, over sizes`;
  const note = baseline === null ? '' : main.name;
  const about = { width: WIDTH, height: HEIGHT, title: name, description: described.join('; ') };
  return figure(title, note, drawing(about, ...parts));
}

function axisName(main, baseline, { unit }) {
  if (baseline !== null) return `times as good as ${brief(baseline)}; more is better`;
  return [`${main.name}${unit === '' ? '' : `, ${unit}`}`, direction(main)].filter(Boolean).join('; ');
}

function valueLine(at, content, baseline, tick) {
  const isReference = baseline !== null && tick === 1;
  const line = element('path', {
    d: `M${LEFT} ${at.toFixed(1)}H${WIDTH - RIGHT + 6}`,
    class: isReference ? 'reference' : 'grid',
  });
  return line + label(LEFT - 6, at + 4, baseline === null ? content : `${content}x`, { class: 'tick', anchor: 'end' });
}

/** Logarithms know neither zero nor less. */
function pointsOf({ id }, workloads, main, compared) {
  return workloads.map(({ parameters, rows }) => {
    const own = rows.find(({ server }) => server === id)?.metrics[main.id];
    const value = compared ? own?.ratio : own;
    return value?.low > 0 ? { size: parameters.size, ...value } : null;
  });
}

function sizeLabels(sizes, x) {
  const parts = [];
  let end = -Infinity;
  for (const size of new Set(sizes)) {
    const content = plainQuantity(size, 'B');
    const half = widthOf(content, 11) / 2;
    const at = Math.min(x(size), WIDTH - half);
    parts.push(element('path', { d: `M${x(size).toFixed(1)} ${HEIGHT - BOTTOM}v4`, class: 'axis-line' }));
    if (at - half < end + 4) continue;
    parts.push(label(at, HEIGHT - BOTTOM + 17, content, { class: 'tick', anchor: 'middle' }));
    end = at + half;
  }
  return parts;
}

function line(about, points, tell, x, y, look) {
  let d = '';
  let whiskers = '';
  let open = false;
  for (const point of points) {
    if (point !== null) {
      const at = x(point.size).toFixed(1);
      d += `${open ? 'L' : 'M'}${at} ${y(point.median).toFixed(1)}`;
      whiskers += `M${at} ${y(point.low).toFixed(1)}V${y(point.high).toFixed(1)}`;
    }
    open = point !== null;
  }
  const role = about.ours ? ' ours' : about.ceiling ? ' ceiling' : '';
  return element(
    'g',
    {},
    element('title', {}, text(`${about.name}: ${inWords(points, tell)}`)),
    element('path', { d, class: `line ${look.colour}${role}` }),
    element('path', { d: whiskers, class: `range ${look.colour}` }),
    ...points.flatMap((point) => (point === null ? [] : mark(look, x(point.size), y(point.median)))),
  );
}

function inWords(points, tell) {
  return points
    .flatMap((point) => (point === null ? [] : `${plainQuantity(point.size, 'B')} ${tell(point.median)}`))
    .join(', ');
}
