/** Many workloads: a line each, on which every server stands where it is as many times as good as the baseline. */

import { plain, times } from '../../quantities.js';
import { brief, NOISE_SIGN } from '../../tables.js';
import { mark } from '../looks.js';
import { element, round, text } from '../markup.js';
import { drawing, responsive } from './figure.js';
import { logarithmic, logTicks } from './scale.js';
import { BOLD, lines as breakInto, fitting, label, tickLabel } from './text.js';

const HEAD = 40;
const FOOT = 10;
const SIDE = 16;
const LINE = 14;
const LANES = [0, -8, 8];
const MARK = 9;

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

/** Servers with a ratio that a logarithm can show, ours first. */
function points({ rows, main }) {
  return rows
    .filter(({ metrics }) => metrics[main?.id]?.ratio?.median > 0)
    .map(({ about, metrics }) => ({ about, ...metrics[main.id] }))
    .toSorted((one, two) => two.about.ours - one.about.ours);
}

function draw(title, parts, [least, most], baseline, lookOf, { width, class: name }) {
  const narrow = name === 'narrow';
  const [left, right] = narrow ? [SIDE, width - SIDE] : [350, width - 60];
  const marks = logTicks(least, most, narrow ? 6 : 10);
  const x = logarithmic(marks[0], marks.at(-1), left, right);
  const rows = [];
  const described = [];
  let y = HEAD;
  for (const { heading, workloads } of parts) {
    if (heading !== null) {
      y += narrow ? 24 : 26;
      rows.push(label(0, y - 7, fitting(heading, width / BOLD), { class: 'heading' }));
    }
    for (const workload of workloads) {
      const names = breakInto(workload.title, narrow ? width - 60 : left - 16);
      const row = narrow ? 32 + names.length * LINE : 20 + names.length * 8;
      // On a small screen the names are above the line, else beside it.
      const middle = narrow ? y + row - 15 : y + row / 2;
      const first = narrow ? y + LINE : middle + 4 - (names.length - 1) * (LINE / 2);
      rows.push(drawRow(workload, names, { first, middle, x, left, right, width, lookOf }));
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
      return line + tickLabel(x(tick), HEAD - 7, `${plain(tick)}x`, width);
    }),
    // What 1 stands for may be between ticks.
    marks.includes(1) ? '' : element('path', { d: `M${one.toFixed(1)} ${HEAD}V${y}`, class: 'reference' }),
    ...directions(one, left, right, baseline),
  ];
  const description = `Times as good as ${baseline.name}, on a logarithmic axis. ${described.join('; ')}`;
  return drawing({ width, height: y + FOOT, title, description, class: name }, ...behind, ...rows);
}

function directions(one, left, right, baseline) {
  const [worse, better] = [`← worse than ${brief(baseline)}`, `better than ${brief(baseline)} →`];
  const [before, after] = [one - left - 6, right - one - 6];
  // On a small screen only one of the two may have the room.
  return [
    before > 60
      ? label(one - 6, 14, before > 160 ? fitting(worse, before) : '← worse', { class: 'axis', anchor: 'end' })
      : '',
    after > 60 ? label(one + 6, 14, after > 160 ? fitting(better, after) : 'better →', { class: 'axis' }) : '',
  ];
}

function drawRow(workload, names, { first, middle, x, left, right, width, lookOf }) {
  const { rivalry, main } = workload;
  const ours = rivalry?.ours.metrics[main.id];
  const told = ours?.ratio ? `${times(ours.ratio.median)}${ours.noise ? ` ${NOISE_SIGN}` : ''}` : '';
  const parts = [
    element('title', {}, text(describe(workload))),
    ...names.map((name, i) => label(0, first + i * LINE, name, { class: 'plain' })),
    label(width, first + ((names.length - 1) * LINE) / 2, told, { class: 'own', anchor: 'end' }),
    element('path', { d: `M${left} ${round(middle)}H${right}`, class: 'rail' }),
  ];
  for (const { about, ratio, noise, lane } of inLanes(points(workload), x)) {
    const look = lookOf(about.id);
    const at = Number(round(middle + lane));
    if (ratio.low > 0) {
      const d = `M${x(ratio.low).toFixed(1)} ${at}H${x(ratio.high).toFixed(1)}`;
      parts.push(element('path', { d, class: `range ${look.colour}` }));
    }
    parts.push(mark(look, x(ratio.median), at, { hollow: noise }));
  }
  return element('g', {}, ...parts);
}

/** Marks that would hide each other go above and below the line; ours, placed first, stays on it and is drawn last. */
function inLanes(all, x) {
  const placed = [];
  for (const point of all) {
    const at = x(point.ratio.median);
    const free = LANES.find((lane) => placed.every((other) => other.lane !== lane || Math.abs(other.at - at) >= MARK));
    placed.push({ ...point, at, lane: free ?? 0 });
  }
  return placed.toReversed();
}

function describe(workload) {
  const found = points(workload).map(
    ({ about, ratio, noise }) => `${about.name} ${times(ratio.median)}${noise ? ' (within noise)' : ''}`,
  );
  return `${workload.title}: ${found.join(', ')}`;
}
