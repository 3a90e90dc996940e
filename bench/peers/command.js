/** `npm run bench:peers`: what its options mean, and where its results go. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { html, markdown } from '../report/index.js';
import { BASELINE, catalogue, IDS } from './catalogue.js';
import { install } from './install.js';
import { FULL, plan, QUICK } from './plan.js';
import { clock, Progress } from './progress.js';
import { run } from './run.js';
import { workloads as all, choose } from './workloads.js';

const USAGE = `npm run bench:peers -- [options]

  --quick             a part of it and shorter: under 4 minutes, where all of it takes under 30
  --only NAMES        workloads or groups, with commas between
  --servers NAMES     ${IDS.join(', ')}
  --rounds N          measurements of each server in a workload
  --out FOLDER        where peers.json, peers.md and peers.html go; bench-results by default
  --no-install        leaves out the peers that are not installed
  --list              tells the workloads and what they take, and measures nothing
  --help`;

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  servers: { type: 'string' },
  rounds: { type: 'string' },
  out: { type: 'string', default: 'bench-results' },
  'no-install': { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/**
 * @param {string[]} args
 * @param {{ planted?: import('./catalogue.js').Server[] }} [more] servers that a test has of its own
 * @returns {Promise<number>} the exit code
 */
export async function main(args, { planted = [] } = {}) {
  let asked;
  try {
    asked = read(args);
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    return 2;
  }
  const { help, list, quick, installs, workloads, ids, limits, out } = asked;
  if (help) {
    console.log(USAGE);
    return 0;
  }
  const progress = new Progress();
  try {
    if (list) {
      tell(workloads, (await catalogue(ids)).servers, limits);
      return 0;
    }
    const needsPackages = installs && ids.some((id) => !/^(?:millrace|python|net)/.test(id));
    const trouble = needsPackages ? await install((line) => progress.say(line)) : null;
    if (trouble !== null) progress.say(`the peers could not be installed: ${trouble}`);
    const { servers, absent } = await catalogue(ids, trouble);
    servers.push(...planted);
    for (const { name, why } of absent) progress.say(`without ${name}: ${why}`);
    if (servers.length === 0) throw new Error('none of the servers can be had here');
    progress.say(`${workloads.length} workloads, ${servers.map(({ id }) => id).join(', ')}`);
    const { window, total } = plan(workloads, servers, limits);
    progress.say(`${limits.rounds} rounds of about ${window} ms, interleaved; about ${clock(total)} in all\n`);
    const baseline = servers.some(({ id }) => id === BASELINE) ? BASELINE : servers[0].id;
    const command = ['npm run bench:peers', ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
    mkdirSync(out, { recursive: true });
    const save = (report) => writeFileSync(join(out, 'peers.json'), json(report));
    const report = await run({ command, quick, baseline, servers, absent, workloads, limits, progress, save });
    writeFileSync(join(out, 'peers.md'), markdown(report));
    writeFileSync(join(out, 'peers.html'), html(report));
    const files = ['peers.html', 'peers.md', 'peers.json'].map((file) => join(relative('', out), file)).join(', ');
    progress.say(`\n${clock(progress.elapsed)} in all; ${files}`);
    return report.workloads.length === workloads.length ? 0 : 1;
  } finally {
    progress.end();
  }
}

/** @throws what is wrong with the options */
function read(args) {
  const { values } = parseArgs({ args, options: OPTIONS });
  const { quick, list, help } = values;
  const limits = { ...(quick ? QUICK : FULL) };
  if (values.rounds !== undefined) {
    limits.rounds = Number(values.rounds);
    if (!(Number.isInteger(limits.rounds) && limits.rounds > 0))
      throw new Error('--rounds must be a whole number from 1 up');
  }
  const ids = names(values.servers) ?? IDS;
  for (const id of ids) {
    if (!IDS.includes(id)) throw new Error(`no server is called "${id}"; there are ${IDS.join(', ')}`);
  }
  // What is asked for by its name need not be part of a quick run.
  const only = names(values.only);
  const workloads = only === undefined ? all({ quick }) : choose(all({ quick }), all(), only);
  const installs = !values['no-install'];
  return { help, list, quick, installs, limits, ids, workloads, out: resolve(values.out) };
}

/** A line for each metric of a server, and no more digits than mean something. */
function json(report) {
  const digits = (_key, value) => (typeof value === 'number' && value % 1 !== 0 ? Number(value.toPrecision(5)) : value);
  const text = JSON.stringify(report, digits, 1);
  return `${text.replace(/\[\s+((?:-?[\d.]+(?:e[-+]\d+)?|null)(?:,\s+(?:-?[\d.]+(?:e[-+]\d+)?|null))*)\s+\]/g, (_, values) => `[${values.replace(/\s+/g, ' ')}]`)}\n`;
}

function names(list) {
  return list?.split(',').map((name) => name.trim());
}

function tell(workloads, servers, limits) {
  const { window, total } = plan(workloads, servers, limits);
  const width = Math.max(...workloads.map(({ id }) => id.length));
  for (const { id, title } of workloads) console.log(`${id.padEnd(width)}  ${title}`);
  console.log(
    `\n${workloads.length} workloads, ${servers.length} servers, ${limits.rounds} rounds of ${window} ms: about ${clock(total)}`,
  );
}
