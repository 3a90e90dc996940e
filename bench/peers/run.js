/** The whole benchmark: workload after workload, and the JSON that comes of it. */

import { contest } from './contest.js';
import { fileLimit, machine, takeLoadCore } from './machine.js';
import { Pace, plan, roundsOf, warmUpOf } from './plan.js';
import { clock, inShort, Progress } from './progress.js';
import { takesPart } from './workloads.js';

/** Files that a process has open beside connections. */
const OTHER_FILES = 200;

/**
 * @param {object} options
 * @param {string} options.command as it was called
 * @param {boolean} options.quick
 * @param {string} options.baseline
 * @param {import('./catalogue.js').Server[]} options.servers
 * @param {object[]} options.absent
 * @param {import('./workloads.js').Workload[]} options.workloads
 * @param {{ rounds: number, budget: number, least: number, most: number, warmUp: number }} options.limits
 * @param {Progress} options.progress
 * @param {(report: object) => void} options.save is called after each workload, with what there is by then
 * @returns {Promise<object>} the report
 */
export async function run({ command, quick, baseline, servers, absent, workloads, limits, progress, save }) {
  const report = {
    format: 1,
    command,
    started: new Date().toISOString(),
    seconds: 0,
    quick,
    rounds: limits.rounds,
    warmUp: limits.warmUp,
    machine: machine(),
    baseline,
    servers: servers.map(({ id, name, version, runtime, ours, ceiling, note }) => {
      return { id, name, version, runtime, ours, ceiling, ...(note !== undefined && { note }) };
    }),
    absent,
    workloads: [],
  };
  takeLoadCore();
  const pace = new Pace();
  const connections = fileLimit() - OTHER_FILES;
  for (const [index, workload] of workloads.entries()) {
    const left = { ...limits, budget: limits.budget - progress.elapsed };
    const { window, total } = plan(workloads.slice(index), servers, left, pace.slowness);
    const own = plan([workload], servers, { ...left, least: window, most: window }, pace.slowness).total;
    const started = progress.elapsed;
    const taking = servers.filter((server) => takesPart(server, workload));
    const steps = taking.length * roundsOf(workload, limits.rounds);
    let step = 0;
    const show = () => {
      const at = `[${index + 1}/${workloads.length}] ${workload.title}, ${Math.round((step / steps) * 100)} %`;
      progress.now(at, total - (own * step) / steps);
    };
    show();
    const results = await contest(workload, taking, {
      rounds: limits.rounds,
      window,
      warmUp: warmUpOf(workload, limits.warmUp),
      connections,
      onStep() {
        step++;
        show();
      },
    });
    pace.add(workload, servers, limits, window, progress.elapsed - started);
    const done = describe(workload, window, results);
    report.workloads.push(done);
    report.seconds = Math.round(progress.elapsed / 1000);
    save(report);
    const rest = clock(Math.max(0, total - own));
    progress.say(
      `[${index + 1}/${workloads.length}] ${workload.title} (${clock(progress.elapsed)} gone, about ${rest} left)`,
    );
    progress.say(`    ${inShort(done, baseline)}`);
    for (const { server, failed } of results) {
      if (failed !== undefined) progress.say(`    ${server} failed: ${failed}`);
    }
  }
  return report;
}

function describe({ id, group, title, parameters, metrics, weight }, window, results) {
  return { id, group, title, parameters, window: window * weight, metrics: toldOf(metrics, results), results };
}

/** Without CPU times, it is by the rate that servers are compared. */
function toldOf(metrics, results) {
  const told = metrics.filter(({ id }) => results.some(({ values }) => values?.[id] !== undefined));
  if (told.length === 0 || told.some(({ main }) => main)) return told.length === 0 ? metrics : told;
  return told.map((metric, i) => (i === 0 ? { ...metric, main: true } : metric));
}
