/** Latency: for every server where its percentiles are, on one logarithmic axis. */

import { plain, quantity, scaleOf } from '../../quantities.js';
import { quartiles } from '../../statistics.js';
import { ranked } from '../../summary.js';
import { direction } from '../../tables.js';
import { verdict } from '../../text.js';
import { mark } from '../looks.js';
import { element, text } from '../markup.js';
import { drawing, figure } from './figure.js';
import { logarithmic, logTicks } from './scale.js';
import { BOLD, fitting, label, tickLabel, widthOf } from './text.js';

const WIDTH = 340;
const ROW = 36;
const LINE = 25;
const HEAD = 24;
const FOOT = 44;
const SIDE = 10;
const MOST_PERCENTILES = 4;
/** Another shape for each percentile; the line between them has the colour of the server. */
const SHAPES = [0, 2, 1, 3];

/** `p50`, `p99`, `p999` or `p99.9`, wherever in the id it is. */
const PERCENTILE = /(?:^|[^a-z\d])p(\d{1,2})[._-]?(\d*)$/i;

function percentile({ id }) {
  const [, whole, rest] = PERCENTILE.exec(id) ?? [];
  return whole === undefined ? null : Number(`${whole}.${rest || 0}`);
}

/** The metrics of a workload that are percentiles of one thing; none where there are not two. */
export function percentiles({ metrics }) {
  const found = metrics.filter((metric) => percentile(metric) !== null);
  const [first] = found;
  const alike = found.filter(({ unit, better }) => unit === first.unit && better === first.better);
  return alike.length < 2
    ? []
    : alike.toSorted((one, two) => percentile(one) - percentile(two)).slice(0, MOST_PERCENTILES);
}

export function percentileChart(workload, lookOf) {
  const { title, rows, main } = workload;
  const measured = percentiles(workload);
  const order = ranked(rows, main);
  const shown = order
    .flatMap(({ metrics }) => measured.flatMap(({ id }) => metrics[id] ?? []))
    .filter(({ low }) => low > 0);
  if (shown.length === 0) return '';
  const { unit, divisor } = scaleOf(quartiles(shown.map(({ median }) => median)).median, measured[0].unit);
  const marks = logTicks(
    Math.min(...shown.map(({ low }) => low)) / divisor,
    Math.max(...shown.map(({ high }) => high)) / divisor,
    7,
  );
  const x = logarithmic(marks[0] * divisor, marks.at(-1) * divisor, SIDE, WIDTH - SIDE);
  const bottom = HEAD + order.length * ROW;
  const parts = [
    ...keyOf(measured),
    ...marks.map((tick) => {
      const at = x(tick * divisor);
      const line = element('path', { d: `M${at.toFixed(1)} ${HEAD}V${bottom}`, class: 'grid' });
      return line + tickLabel(at, bottom + 15, plain(tick), WIDTH);
    }),
    ...order.map((row, i) => drawRow(row, HEAD + i * ROW, measured, main, x, lookOf)),
    label(0, bottom + 34, fitting(`latency, ${unit}; logarithmic; ${direction(measured[0])}`, WIDTH), {
      class: 'axis',
    }),
  ];
  const described = order.map((row) => describe(row, measured));
  const about = { width: WIDTH, height: bottom + FOOT, title: `${title}: latency`, description: described.join('; ') };
  return figure(title, verdict(workload), drawing(about, ...parts));
}

const nameOf = (metric) => `p${percentile(metric)}`;

function keyOf(measured) {
  let x = 6;
  return measured.map((metric, i) => {
    const part =
      mark({ colour: 'neutral', shape: SHAPES[i] }, x, 8) + label(x + 10, 12, nameOf(metric), { class: 'tick' });
    x += 28 + widthOf(nameOf(metric));
    return part;
  });
}

function drawRow(row, y, measured, main, x, lookOf) {
  const { about, failed, metrics } = row;
  const value = metrics[main.id];
  const told = failed !== undefined ? 'failed' : value === undefined ? 'no value' : quantity(value.median, main.unit);
  const named = value !== undefined && measured.includes(main) ? `${nameOf(main)} ${told}` : told;
  const { colour } = lookOf(about.id);
  const room = (WIDTH - widthOf(named) * BOLD - 24) / (about.ours ? BOLD : 1);
  const parts = [
    element('title', {}, text(describe(row, measured))),
    mark(lookOf(about.id), 6, y + 9),
    label(17, y + 13, fitting(about.name, room), { class: about.ours ? 'own' : 'plain' }),
    label(WIDTH, y + 13, named, {
      anchor: 'end',
      class: failed !== undefined ? 'bad' : value?.best ? 'strong' : undefined,
    }),
  ];
  if (failed !== undefined) parts.push(label(17, y + 29, fitting(failed, WIDTH - 17, 11), { class: 'reason' }));
  const points = measured.map(({ id }) => metrics[id]).map((own) => (own !== undefined && own.low > 0 ? own : null));
  const at = points.flatMap((own) => (own === null ? [] : x(own.median)));
  if (at.length === 0) return element('g', {}, ...parts);
  const role = about.ceiling ? ' ceiling' : '';
  const ends = `M${Math.min(...at).toFixed(1)} ${y + LINE}H${Math.max(...at).toFixed(1)}`;
  parts.push(element('path', { d: ends, class: `line ${colour}${role}` }));
  points.forEach((own, i) => {
    if (own === null) return;
    const d = `M${x(own.low).toFixed(1)} ${y + LINE}H${x(own.high).toFixed(1)}`;
    parts.push(
      element('path', { d, class: `range thick ${colour}` }),
      mark({ colour, shape: SHAPES[i] }, x(own.median), y + LINE),
    );
  });
  return element('g', {}, ...parts);
}

function describe({ about, failed, metrics }, measured) {
  if (failed !== undefined) return `${about.name}: failed: ${failed}`;
  const found = measured.flatMap((metric) =>
    metrics[metric.id] === undefined ? [] : `${nameOf(metric)} ${quantity(metrics[metric.id].median, metric.unit)}`,
  );
  return `${about.name}: ${found.join(', ') || 'no value'}`;
}
