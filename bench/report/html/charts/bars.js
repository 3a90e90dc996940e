/** One workload: a bar a server from zero on, best first, with quartiles as whiskers. */

import { plain, scaleOf, span, times, told } from '../../quantities.js';
import { ranked } from '../../summary.js';
import { brief, columnScale, direction, NOISE_SIGN } from '../../tables.js';
import { verdict } from '../../text.js';
import { mark } from '../looks.js';
import { element, round, text } from '../markup.js';
import { drawing, figure } from './figure.js';
import { hasRatio } from './ratios.js';
import { linear, ticks } from './scale.js';
import { BOLD, fitting, label, tickLabel, widthOf } from './text.js';

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
  const { title, main, rows } = workload;
  if (main === null) return '';
  const order = ranked(rows, main);
  const drawn = order.map((row) => ({ ...row, value: row.metrics[main.id] }));
  const axis = hasRatio(workload) ? ratioAxis(workload.baseline) : valueAxis(rows, main);
  const bars = drawn.flatMap((row) => axis.bar(row) ?? []);
  const marks = ticks(Math.max(0, ...bars.map(({ high }) => high)));
  const x = linear(0, marks.at(-1), 0, WIDTH - RIGHT);
  const bottom = order.length * ROW + 2;
  const scale = columnScale(rows, main);
  const parts = [
    ...marks.map((tick) => gridLine(x(tick), bottom, `${plain(tick)}${axis.sign}`)),
    axis.one ? element('path', { d: `M${x(1).toFixed(1)} 0V${bottom}`, class: 'reference' }) : '',
    ...drawn.map((row, i) => {
      const place = { transform: `translate(0 ${i * ROW})` };
      return element('g', place, ...drawRow(row, main, scale, axis.bar(row), x, lookOf));
    }),
    label(0, bottom + 34, fitting(axis.name, WIDTH, 11), { class: 'axis' }),
  ];
  const described = drawn.map((row) => describe(row, main, workload.baseline));
  const about = {
    width: WIDTH,
    height: bottom + FOOT,
    title: `${title}: ${main.name}`,
    description: described.join('; '),
  };
  const measured = [main.name, direction(main)].filter(Boolean).join(', ');
  return figure(title, [measured, verdict(workload)].filter(Boolean).join('. '), drawing(about, ...parts));
}

/** Against the baseline longer is better, and one that takes ten times as long does not make all others vanish. */
function ratioAxis(baseline) {
  return {
    name: `times as good as ${brief(baseline)}; longer is better`,
    sign: 'x',
    one: true,
    bar: ({ about, value }) => (about.baseline && value !== undefined ? { median: 1, low: 1, high: 1 } : value?.ratio),
  };
}

function valueAxis(rows, main) {
  const { unit, divisor } = columnScale(rows, main);
  const shrunk = ({ median, low, high }) => ({ median: median / divisor, low: low / divisor, high: high / divisor });
  return {
    name: [`${main.name}${unit === '' ? '' : `, ${unit}`}`, direction(main)].filter(Boolean).join('; '),
    sign: '',
    one: false,
    bar: ({ value }) => (value === undefined ? null : shrunk(value)),
  };
}

function gridLine(at, bottom, content) {
  return (
    element('path', { d: `M${round(at)} 0V${bottom}`, class: 'grid' }) + tickLabel(at, bottom + 15, content, WIDTH)
  );
}

function drawRow(row, main, scale, bar, x, lookOf) {
  const { about, failed, value } = row;
  const said = failed !== undefined ? 'failed' : value === undefined ? 'no value' : numbers(value, about, scale);
  const room = (WIDTH - widthOf(said) * BOLD - 24) / (about.ours ? BOLD : 1);
  const parts = [
    element('title', {}, text(describe(row, main))),
    mark(lookOf(about.id), 6, 9),
    label(17, 13, fitting(about.name, room), { class: about.ours ? 'own' : 'plain' }),
    label(WIDTH, 13, said, { anchor: 'end', class: failed !== undefined ? 'bad' : value?.best ? 'strong' : 'plain' }),
  ];
  if (failed !== undefined) parts.push(label(17, 28, fitting(failed, WIDTH - 17, 11), { class: 'reason' }));
  return bar ? [...parts, ...drawBar(bar, value.noise, about, x, lookOf)] : parts;
}

function drawBar(bar, noise, about, x, lookOf) {
  const role = about.ours ? lookOf(about.id).colour : about.baseline ? 'base' : about.ceiling ? 'ceiling' : 'other';
  const place = { x: 0, y: BAR_TOP, width: Math.max(x(bar.median), 0.5), height: BAR };
  const parts = [element('rect', { ...place, class: `bar ${role}` })];
  if (noise) parts.push(element('rect', { ...place, class: 'hatched' }));
  if (bar.low === bar.high) return parts;
  const [low, high] = [bar.low, bar.high].map((end) => round(Math.max(x(end), 0)));
  const d = `M${low} ${BAR_TOP + BAR / 2}H${high}M${low} ${BAR_TOP + 1.5}v${BAR - 3}M${high} ${BAR_TOP + 1.5}v${BAR - 3}`;
  return [...parts, element('path', { d, class: 'whisker halo' }), element('path', { d, class: 'whisker' })];
}

function numbers(value, { baseline }, scale) {
  const ratio = baseline ? '1x' : value.ratio === null ? '' : times(value.ratio.median);
  return [told(value.median, scale), ratio, value.noise ? NOISE_SIGN : ''].filter(Boolean).join(' \u00a0');
}

/** A row in words. */
function describe({ about, failed, value }, { unit }, baseline = null) {
  if (failed !== undefined) return `${about.name}: failed: ${failed}`;
  if (value === undefined) return `${about.name}: no value`;
  const scale = scaleOf(value.median, unit);
  const ratio =
    value.ratio === null
      ? ''
      : `, ${times(value.ratio.median)} ${baseline === null ? 'the baseline' : brief(baseline)}`;
  const noise = value.noise ? ', within noise' : '';
  return `${about.name}: ${told(value.median, scale)} (quartiles ${span(value.low, value.high, scale)})${ratio}${noise}`;
}
