/** One workload: a bar a server from zero on, best first, with the quartiles of the rounds as whiskers. */

import { plain, quantity, span, times, told } from '../../quantities.js';
import { ranked } from '../../summary.js';
import { columnScale, direction, NOISE_SIGN } from '../../tables.js';
import { verdict } from '../../text.js';
import { mark } from '../looks.js';
import { element, text } from '../markup.js';
import { drawing, figure } from './figure.js';
import { linear, ticks } from './scale.js';
import { fitting, label, widthOf } from './text.js';

const WIDTH = 340;
const ROW = 35;
const BAR = 9;
const BAR_TOP = 19;
const FOOT = 44;
const RIGHT = 6;

/**
 * @param {import('../../index.js').SummaryWorkload} workload
 * @param {(id: string) => import('../looks.js').Look} lookOf
 * @returns {string}
 */
export function barChart(workload, lookOf) {
  const { title, main, rows, baseline } = workload;
  if (main === null) return '';
  const order = ranked(rows, main);
  const values = order.flatMap(({ metrics }) => metrics[main.id] ?? []);
  const scale = columnScale(rows, main);
  const marks = ticks(Math.max(0, ...values.map(({ high }) => high)) / scale.divisor);
  const x = linear(0, marks.at(-1) * scale.divisor, 0, WIDTH - RIGHT);
  const bottom = order.length * ROW + 2;
  const parts = marks.map((tick) => gridLine(x(tick * scale.divisor), bottom, plain(tick)));
  const reference = order.find(({ about }) => about.baseline)?.metrics[main.id];
  if (reference !== undefined) {
    const at = Math.max(x(reference.median), 0);
    parts.push(element('path', { d: `M${at.toFixed(1)} 0V${bottom}`, class: 'reference' }));
  }
  order.forEach((row, i) => {
    parts.push(element('g', { transform: `translate(0 ${i * ROW})` }, ...drawRow(row, main, scale, x, lookOf)));
  });
  const unit = scale.unit === '' ? '' : `, ${scale.unit}`;
  parts.push(label(0, bottom + 34, fitting(`${main.name}${unit}; ${direction(main)}`, WIDTH), { class: 'axis' }));
  const described = order.map(({ about, failed, metrics }) =>
    describe(about, failed, metrics[main.id], main, baseline),
  );
  return figure(
    title,
    verdict(workload),
    drawing(
      { width: WIDTH, height: bottom + FOOT, title: `${title}: ${main.name}`, description: described.join('; ') },
      ...parts,
    ),
  );
}

function gridLine(at, bottom, content) {
  const anchor = at < 20 ? undefined : at > WIDTH - 20 ? 'end' : 'middle';
  const line = element('path', { d: `M${at.toFixed(1)} 0V${bottom}`, class: 'grid' });
  return (
    line + label(anchor === 'end' ? WIDTH : at, bottom + 15, content, { class: 'tick', ...(anchor && { anchor }) })
  );
}

function drawRow({ about, failed, metrics }, main, scale, x, lookOf) {
  const value = metrics[main.id];
  const told = failed !== undefined ? 'failed' : value === undefined ? 'no value' : numbers(value, about, scale);
  const room = WIDTH - widthOf(told) - 24;
  const name = value?.best ? 'strong' : undefined;
  const parts = [
    element('title', {}, text(describe(about, failed, value, main))),
    mark(lookOf(about.id), 6, 9),
    label(17, 13, fitting(about.name, room), { class: about.ours ? 'own' : 'plain' }),
    label(WIDTH, 13, told, { anchor: 'end', class: failed === undefined ? name : 'bad' }),
  ];
  if (failed !== undefined) parts.push(label(17, 28, fitting(failed, WIDTH - 17, 11), { class: 'reason' }));
  if (value === undefined) return parts;
  const width = Math.max(x(value.median), 0.5);
  const role = about.ours ? lookOf(about.id).colour : about.baseline ? 'base' : about.ceiling ? 'ceiling' : 'other';
  const place = { x: 0, y: BAR_TOP, width, height: BAR };
  parts.push(element('rect', { ...place, class: `bar ${role}` }));
  if (value.noise) parts.push(element('rect', { ...place, class: 'hatched' }));
  const [low, high, y] = [Math.max(x(value.low), 0).toFixed(1), Math.max(x(value.high), 0).toFixed(1), BAR_TOP];
  const d = `M${low} ${y + BAR / 2}H${high}M${low} ${y + 1.5}v${BAR - 3}M${high} ${y + 1.5}v${BAR - 3}`;
  parts.push(element('path', { d, class: 'whisker halo' }), element('path', { d, class: 'whisker' }));
  return parts;
}

function numbers(value, { baseline }, scale) {
  const ratio = baseline ? '1x' : value.ratio === null ? '' : times(value.ratio.median);
  return [told(value.median, scale), ratio, value.noise ? NOISE_SIGN : ''].filter(Boolean).join(' \u00a0');
}

/** A row in words. */
function describe({ name }, failed, value, { unit }, baseline = null) {
  if (failed !== undefined) return `${name}: failed: ${failed}`;
  if (value === undefined) return `${name}: no value`;
  const ratio = value.ratio === null ? '' : `, ${times(value.ratio.median)} ${baseline?.name ?? 'the baseline'}`;
  const noise = value.noise ? ', within noise' : '';
  return `${name}: ${quantity(value.median, unit)} (quartiles ${span(value.low, value.high, { divisor: 1 })})${ratio}${noise}`;
}
