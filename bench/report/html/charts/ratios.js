/** Many workloads: a line each, on which every server stands where it is as many times as good as the baseline. */

import { plain, times } from '../../quantities.js';
import { NOISE_SIGN } from '../../tables.js';
import { mark } from '../looks.js';
import { element, text } from '../markup.js';
import { drawing, responsive } from './figure.js';
import { logarithmic, logTicks } from './scale.js';
import { fitting, label } from './text.js';

const HEAD = 40;
const FOOT = 10;
const SIDE = 8;

/**
 * @param {string} title
 * @param {{ heading: string | null, workloads: import('../../index.js').SummaryWorkload[] }[]} parts under headings
 * @param {import('../../index.js').SummaryServer} baseline
 * @param {(id: string) => import('../looks.js').Look} lookOf
 * @returns {string} empty where no workload has a ratio
 */
export function ratioChart(title, parts, baseline, lookOf) {
  const drawn = parts
    .map(({ heading, workloads }) => ({ heading, workloads: workloads.filter(hasRatio) }))
    .filter(({ workloads }) => workloads.length > 0);
  const ratios = drawn.flatMap(({ workloads }) =>
    workloads.flatMap((workload) => points(workload).map(({ ratio }) => ratio)),
  );
  if (ratios.length === 0) return '';
  const shown = ratios.flatMap(({ low, high }) => [low, high]).filter((ratio) => ratio > 0);
  const range = [Math.min(0.9, ...shown), Math.max(1.1, ...shown)];
  return responsive((form) => draw(title, drawn, range, baseline, lookOf, form));
}

export function hasRatio(workload) {
  return points(workload).length > 0;
}

/** Servers with a ratio that a logarithm can show; ours last, on top. */
function points({ rows, main }) {
  return rows
    .filter(({ metrics }) => metrics[main?.id]?.ratio?.median > 0)
    .map(({ about, metrics }) => ({ about, ...metrics[main.id] }))
    .toSorted((one, two) => one.about.ours - two.about.ours);
}

function draw(title, parts, [least, most], baseline, lookOf, { width, class: name }) {
  const narrow = name === 'narrow';
  const [left, right] = narrow ? [SIDE, width - SIDE] : [300, width - 66];
  const row = narrow ? 42 : 24;
  const marks = logTicks(least, most, narrow ? 6 : 10);
  const x = logarithmic(marks[0], marks.at(-1), left, right);
  const lines = [];
  const described = [];
  let y = HEAD;
  for (const { heading, workloads } of parts) {
    if (heading !== null) {
      y += narrow ? 24 : 26;
      lines.push(label(0, y - 7, fitting(heading, width), { class: 'heading' }));
    }
    for (const workload of workloads) {
      lines.push(drawRow(workload, { y, row, x, left, right, width, narrow, lookOf }));
      described.push(describe(workload));
      y += row;
    }
  }
  const one = x(1);
  const behind = [
    element('rect', { x: left, y: HEAD, width: one - left, height: y - HEAD, class: 'worse' }),
    ...marks.map((tick) => {
      const line = element('path', {
        d: `M${x(tick).toFixed(1)} ${HEAD}V${y}`,
        class: tick === 1 ? 'reference' : 'grid',
      });
      return line + label(x(tick), HEAD - 7, `${plain(tick)}x`, { class: 'tick', anchor: 'middle' });
    }),
    // What 1 stands for may be between ticks.
    marks.includes(1) ? '' : element('path', { d: `M${one.toFixed(1)} ${HEAD}V${y}`, class: 'reference' }),
    ...directions(one, left, right, baseline),
  ];
  const description = `Times as good as ${baseline.name}, on a logarithmic axis. ${described.join('; ')}`;
  return drawing({ width, height: y + FOOT, title, description, class: name }, ...behind, ...lines);
}

function directions(one, left, right, { name }) {
  const [worse, better] = [`← worse than ${name}`, `better than ${name} →`];
  const [before, after] = [one - left - 6, right - one - 6];
  // On a small screen only one of the two may have the room.
  return [
    before > 60
      ? label(one - 6, 14, before > 160 ? fitting(worse, before) : '← worse', { class: 'axis', anchor: 'end' })
      : '',
    after > 60 ? label(one + 6, 14, after > 160 ? fitting(better, after) : 'better →', { class: 'axis' }) : '',
  ];
}

function drawRow(workload, { y, row, x, left, right, width, narrow, lookOf }) {
  const { title, rivalry, main } = workload;
  const middle = narrow ? y + 28 : y + row / 2;
  const ours = rivalry?.ours.metrics[main.id];
  const told = ours?.ratio ? `${times(ours.ratio.median)}${ours.noise ? ` ${NOISE_SIGN}` : ''}` : '';
  const parts = [
    element('title', {}, text(describe(workload))),
    label(0, narrow ? y + 14 : middle + 4, fitting(title, narrow ? width - 64 : left - 16), { class: 'plain' }),
    label(width, narrow ? y + 14 : middle + 4, told, { class: 'own', anchor: 'end' }),
    element('path', { d: `M${left} ${middle}H${right}`, class: 'rail' }),
  ];
  for (const { about, ratio, noise } of points(workload)) {
    const look = lookOf(about.id);
    if (ratio.low > 0) {
      const d = `M${x(ratio.low).toFixed(1)} ${middle}H${x(ratio.high).toFixed(1)}`;
      parts.push(element('path', { d, class: `range ${look.colour}` }));
    }
    parts.push(mark(look, x(ratio.median), middle, { hollow: noise }));
  }
  return element('g', {}, ...parts);
}

function describe(workload) {
  const found = points(workload).map(
    ({ about, ratio, noise }) => `${about.name} ${times(ratio.median)}${noise ? ' (within noise)' : ''}`,
  );
  return `${workload.title}: ${found.toReversed().join(', ')}`;
}
