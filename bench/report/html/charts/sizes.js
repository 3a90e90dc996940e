/** Workloads that differ in the size of the messages alone: a line a server over the sizes, both axes logarithmic. */

import { grouped } from '../../grouping.js';
import { plain, plainQuantity, quantity, scaleOf } from '../../quantities.js';
import { quartiles } from '../../statistics.js';
import { direction } from '../../tables.js';
import { mark } from '../looks.js';
import { element, text } from '../markup.js';
import { drawing, figure } from './figure.js';
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

export function sizeChart({ title, main, workloads }, servers, lookOf) {
  const taking = servers
    .map((about) => ({ about, points: pointsOf(about, workloads, main) }))
    .filter(({ points }) => points.some((point) => point !== null))
    // Ours are on top.
    .toSorted((one, two) => one.about.ours - two.about.ours);
  const shown = taking.flatMap(({ points }) => points.filter((point) => point !== null));
  if (shown.length === 0) return '';
  const sizes = workloads.map(({ parameters }) => parameters.size);
  const { unit, divisor } = scaleOf(quartiles(shown.map(({ median }) => median)).median, main.unit);
  const marks = logTicks(
    Math.min(...shown.map(({ low }) => low)) / divisor,
    Math.max(...shown.map(({ high }) => high)) / divisor,
  );
  const x = logarithmic(sizes[0], sizes.at(-1), LEFT + 6, WIDTH - RIGHT);
  const y = logarithmic(marks[0] * divisor, marks.at(-1) * divisor, HEIGHT - BOTTOM, TOP);
  const named = [`${main.name}${unit === '' ? '' : `, ${unit}`}`, direction(main)].filter(Boolean).join('; ');
  const parts = [
    label(0, 13, fitting(named, WIDTH), { class: 'axis' }),
    ...marks.map((tick) => {
      const at = y(tick * divisor);
      const line = element('path', { d: `M${LEFT} ${at.toFixed(1)}H${WIDTH - RIGHT + 6}`, class: 'grid' });
      return line + label(LEFT - 6, at + 4, plain(tick), { class: 'tick', anchor: 'end' });
    }),
    ...sizeLabels(sizes, x),
    label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, 'size of a message; both axes logarithmic', {
      class: 'axis',
      anchor: 'middle',
    }),
    ...taking.map(({ about, points }) => line(about, points, main, x, y, lookOf(about.id))),
  ];
  const described = taking.map(({ about, points }) => `${about.name}: ${inWords(points, main)}`);
  const name = `${title}: ${main.name} over sizes`;
  return figure(
    title,
    '',
    drawing({ width: WIDTH, height: HEIGHT, title: name, description: described.join('; ') }, ...parts),
  );
}

/** Logarithms know neither zero nor less. */
function pointsOf({ id }, workloads, main) {
  return workloads.map(({ parameters, rows }) => {
    const value = rows.find(({ server }) => server === id)?.metrics[main.id];
    return value !== undefined && value.low > 0 ? { size: parameters.size, ...value } : null;
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

function line(about, points, main, x, y, look) {
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
    element('title', {}, text(`${about.name}: ${inWords(points, main)}`)),
    element('path', { d, class: `line ${look.colour}${role}` }),
    element('path', { d: whiskers, class: `range ${look.colour}` }),
    ...points.flatMap((point) => (point === null ? [] : mark(look, x(point.size), y(point.median)))),
  );
}

function inWords(points, { unit }) {
  return points
    .flatMap((point) => (point === null ? [] : `${plainQuantity(point.size, 'B')} ${quantity(point.median, unit)}`))
    .join(', ');
}
