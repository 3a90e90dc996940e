/** What a report says in words: what it is of, and what its signs mean. */

import { grouped } from './grouping.js';
import { date, duration, plainQuantity, times } from './quantities.js';
import { quartiles } from './statistics.js';
import { brief, NOISE_SIGN, ourName, tally } from './tables.js';

const GROUPS = {
  echo: 'Echo',
  fanout: 'Fan-out',
  latency: 'Latency at a fixed rate',
  tls: 'Echo over TLS',
  deflate: 'Echo with permessage-deflate',
  handshake: 'Handshakes',
  memory: 'Memory',
};

/** Fewer rounds than this have quartiles, but these say little. */
const ROUNDS_FOR_QUARTILES = 4;

/**
 * @param {import('./index.js').Summary} summary
 * @returns {{ id: string, title: string, workloads: import('./index.js').SummaryWorkload[] }[]} those that are known
 *   in their order, then the others as they come
 */
export function groups({ workloads }) {
  const found = grouped(workloads, ({ group }) => group);
  const known = Object.keys(GROUPS).filter((id) => found.has(id));
  const ids = [...known, ...[...found.keys()].filter((id) => !Object.hasOwn(GROUPS, id))];
  return ids.map((id) => ({
    id,
    title: Object.hasOwn(GROUPS, id) ? GROUPS[id] : `${id.slice(0, 1).toUpperCase()}${id.slice(1)}`,
    workloads: found.get(id),
  }));
}

/** @param {import('./index.js').Summary} summary @returns {string} */
export function title({ servers }) {
  if (!servers.some((server) => server.ours)) return 'WebSocket servers compared';
  return `${ourName(servers)} compared with other WebSocket servers`;
}

/**
 * Where and how it was measured.
 *
 * @param {import('./index.js').Report} report
 * @returns {[string, string][]} names and values
 */
export function facts({ command, started, seconds, quick, rounds, warmUp, machine = {}, workloads }) {
  const { cpu = 'unknown', cores, memory, os, arch, pinned } = machine;
  const hardware = [cpu, cores === undefined ? null : `${cores} ${cores === 1 ? 'core' : 'cores'}`];
  if (memory !== undefined) hardware.push(`${plainQuantity(memory, 'B')} of memory`);
  const found = [
    ['Command', String(command ?? 'not told')],
    ['Machine', hardware.filter(Boolean).join(', ')],
    ['System', [os, arch].filter(Boolean).join(', ') || 'unknown'],
    ['Started', started === undefined ? 'not told' : date(started)],
  ];
  if (seconds !== undefined) found.push(['Took', duration(seconds)]);
  const warm = warmUp === undefined ? '' : `, after a warm-up of at least ${warmUp} ms each`;
  found.push(['Rounds', `${rounds ?? 'unknown'}, all servers in turns in each${warm}`]);
  found.push(['Workloads', String(workloads.length)]);
  if (pinned !== undefined) {
    found.push([
      'Cores',
      pinned ? 'one for the server, another for the load' : 'shared by server and load (not pinned)',
    ]);
  }
  if (quick) found.push(['Mode', 'quick: enough to see that it runs, not enough to believe it']);
  return found;
}

/** What is to be known before a number is believed. */
export function caveats({ quick, rounds }) {
  const found = [];
  if (quick) found.push('This is a quick run: short, with few rounds. Its numbers are rough.');
  else if (rounds < ROUNDS_FOR_QUARTILES) {
    found.push(`Only ${rounds} ${rounds === 1 ? 'round' : 'rounds'}: quartiles say little of the noise.`);
  }
  return found;
}

/** What the signs in the tables mean. */
export function legend({ baseline, servers }) {
  const found = [
    'Values are medians over the rounds, in parentheses the quartiles.',
    '**Bold**: the best of a row or column, and what is within noise of the best.',
    `– : not part of this workload.`,
  ];
  if (baseline !== null) {
    found.unshift(
      `A ratio such as 2.0x says how many times as good as the baseline, ${baseline.name}, a server is: above 1x is better, whichever direction is good for the metric. It is the median of the ratios of each round.`,
    );
    found.push(
      `${NOISE_SIGN} : within noise of ${brief(baseline)}: the quartiles of the ratio include 1, or the medians differ by less than 3%.`,
    );
  }
  const ceiling = servers.find((server) => server.ceiling);
  if (ceiling !== undefined) {
    found.push(`${ceiling.name} is a ceiling: it does less than a WebSocket server has to, and is never called best.`);
  }
  return found;
}

/**
 * How ours does in a workload, in a sentence.
 *
 * @param {import('./index.js').SummaryWorkload} workload
 * @returns {string} empty where there is nothing to compare
 */
export function verdict({ rivalry, main }) {
  if (rivalry === null || rivalry.ratio === null) return '';
  const { ours, other, ratio, noise } = rivalry;
  const against = ours.metrics[main.id];
  const parts = [];
  if (against.ratio !== null && !other.about.baseline) {
    parts.push(`${times(against.ratio.median)}${against.noise ? ` ${NOISE_SIGN}` : ''} the baseline`);
  }
  const named = `the best of the others, ${other.about.name}`;
  if (noise) parts.push(`within noise of ${named}`);
  else parts.push(`${times(ratio.median)} ${named}`);
  return `${ours.about.name}: ${parts.join('; ')}`;
}

/** Why servers have no result here. */
export function failures({ rows }) {
  return rows
    .filter(({ failed }) => failed !== undefined)
    .map(({ about, failed }) => `${about.name} failed: ${failed}`);
}

/**
 * How ours stands altogether, in sentences.
 *
 * @param {import('./index.js').Summary} summary
 * @returns {string[]}
 */
export function standing(summary) {
  const { workloads, servers, baseline } = summary;
  const compared = workloads.filter(({ rivalry }) => rivalry !== null && rivalry.ratio !== null);
  if (compared.length === 0) return [];
  const [better, noise, worse] = tally(compared.map(({ rivalry }) => rivalry));
  const many = compared.length === 1 ? '1 workload' : `${compared.length} workloads`;
  const found = [
    `The best row of ${ourName(servers)} against the best of the others, in ${many}: better in ${better}, within noise in ${noise}, worse in ${worse}.`,
  ];
  const ours = compared
    .flatMap(({ rivalry, main }) => rivalry.ours.metrics[main.id])
    .filter(({ ratio }) => ratio !== null);
  if (baseline === null || ours.length === 0) return found;
  const ratios = ours.map(({ ratio }) => ratio.median);
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  const far =
    times(least) === times(most)
      ? times(least)
      : `from ${times(least)} to ${times(most)}, median ${times(quartiles(ratios).median)}`;
  return [...found, `Against ${baseline.name} it is ${far} as good.`];
}
