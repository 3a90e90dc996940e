/** Servers to be measured, each a process of its own, held to one core where `taskset` is there. */

import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fetched } from './fetched.js';
import { median, quantile } from './measure.js';

const UWS = { name: '@trufflesuite/uws-js-unofficial', version: '20.30.0-unofficial.0' };

const pinned = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0;

/** Holds a process to a core. */
export function pin(pid, core) {
  if (pinned) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]);
}

/** uWebSockets.js, where there is a binary of it for this runtime. */
export function uws() {
  const folder = fetched(UWS.name, UWS.version);
  const { platform, arch, versions } = process;
  const binary = join(folder ?? '', 'binaries', `uws_${platform}_${arch}_${versions.modules}.node`);
  return folder !== null && existsSync(binary)
    ? [{ name: `uWebSockets.js ${UWS.version.split('-')[0]}`, file: 'uws.js', env: { UWS: binary } }]
    : [];
}

/**
 * Starts a server of `bench/servers`.
 *
 * @param {{ name: string, file: string, env: Record<string, string> }} server
 * @param {Record<string, string>} env what else it is told
 */
export async function start({ name, file, env }, more = {}) {
  const path = join(import.meta.dirname, '..', 'servers', file);
  const child = fork(path, { env: { ...process.env, ...env, ...more }, execArgv: ['--expose-gc'] });
  pin(child.pid, 0);
  const [started] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} did not start (exit code ${code})`))),
  ]);

  async function ask(question) {
    child.send(question);
    return (await once(child, 'message'))[0];
  }

  return {
    name,
    port: started.port,
    /** Microseconds of CPU time so far, of the user and of the system. */
    async cpu() {
      const { user, system } = await ask('cpu');
      return user + system;
    },
    /** Milliseconds that the event loop was late since it was last asked, in 99 of 100 cases at most. */
    delay: () => ask('delay'),
    /** `process.memoryUsage()` once collected and settled. */
    memory: () => ask('memory'),
    stop: () => child.disconnect(),
  };
}

/**
 * Runs a load against each server in turn, interleaved.
 *
 * @param {{ port: number, cpu(): Promise<number>, delay(): Promise<number> }[]} servers
 * @param {number} rounds
 * @param {number} ms how long the load runs; a fifth of it to warm up
 * @param {(port: number) => { connect(): Promise<void>, run(ms: number): Promise<{ messages: number, elapsed: number }>, close(): void }} makeLoad
 * @returns {Promise<{ cpuPerMessage: number, rate: number, delay: number }[][]>} by server and round
 */
export async function contest(servers, rounds, ms, makeLoad, { delays = false } = {}) {
  const results = servers.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < servers.length; i++) {
      const turn = (i + round) % servers.length;
      results[turn].push(await measure(servers[turn], ms, makeLoad(servers[turn].port), delays));
    }
  }
  return results;
}

async function measure(server, ms, load, delays) {
  await load.connect();
  await load.run(ms / 5);
  if (delays) await server.delay();
  const before = await server.cpu();
  const { messages, elapsed } = await load.run(ms);
  const cpu = (await server.cpu()) - before;
  const delay = delays ? await server.delay() : 0;
  load.close();
  return { cpuPerMessage: cpu / messages, rate: (messages * 1000) / elapsed, delay };
}

/** Prints what `contest` found, against the first server. */
export function printContest(servers, results, { delays = false } = {}) {
  console.log(
    `| server | CPU µs a message | times as cheap (quartiles) | messages a second |${delays ? ' loop delay p99 |' : ''}`,
  );
  console.log(
    `| ------ | ---------------: | -------------------------: | ----------------: |${delays ? ' -------------: |' : ''}`,
  );
  results.forEach((rows, i) => {
    const cpu = median(rows.map((row) => row.cpuPerMessage));
    const ratios = rows.map((row, round) => results[0][round].cpuPerMessage / row.cpuPerMessage);
    const ratio = `${median(ratios).toFixed(2)} (${quantile(ratios, 0.25).toFixed(2)}–${quantile(ratios, 0.75).toFixed(2)})`;
    const rate = Math.round(median(rows.map((row) => row.rate)));
    const delay = delays ? ` ${median(rows.map((row) => row.delay)).toFixed(1)} ms |` : '';
    console.log(`| ${servers[i].name} | ${cpu.toFixed(2)} | ${i === 0 ? '1' : ratio} | ${rate} |${delay}`);
  });
  console.log();
}
