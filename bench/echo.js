/**
 * Echo servers side by side: `node bench/echo.js [--quick] [--only 0,2] [--rounds 3]`. Each server is a process of its own, held to one core
 * where `taskset` is there, and the load comes from this process on another. What counts is the CPU time that a
 * server spends on a message, read from the server itself before and after each round; throughput is told beside it.
 */

import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EchoLoad } from './lib/echo-load.js';
import { fetched } from './lib/fetched.js';
import { median, quantile } from './lib/measure.js';
import { versionOf } from './lib/peers.js';
import { size as bytes } from './lib/report.js';

const UWS = { name: '@trufflesuite/uws-js-unofficial', version: '20.30.0-unofficial.0' };

const SERVERS = [
  { name: `ws ${versionOf('ws')} + bufferutil`, file: 'ws.js', env: {} },
  { name: 'millrace, native', file: 'millrace.js', env: { MILLRACE_KERNELS: 'native' } },
  { name: 'millrace, portable', file: 'millrace.js', env: { MILLRACE_KERNELS: 'portable' } },
];

const WORKLOADS = [
  { connections: 64, inFlight: 1, size: 64 },
  { connections: 64, inFlight: 16, size: 64 },
  { connections: 64, inFlight: 8, size: 1024, text: true },
  { connections: 64, inFlight: 1, size: 16 * 1024 },
  { connections: 64, inFlight: 1, size: 1024 * 1024 },
  { connections: 64, inFlight: 16, size: 64, tls: true },
];

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean' }, only: { type: 'string' }, rounds: { type: 'string' } },
});
const quick = options.quick ?? false;
const rounds = Number(options.rounds ?? (quick ? 2 : 7));
const seconds = quick ? 0.2 : 1;
const workloads = options.only === undefined ? WORKLOADS : options.only.split(',').map((at) => WORKLOADS[at]);
const pinned = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0;

function pin(pid, core) {
  if (pinned) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]);
}

/** uWebSockets.js, where there is a binary of it for this runtime. */
function uws() {
  const folder = fetched(UWS.name, UWS.version);
  const { platform, arch, versions } = process;
  const binary = join(folder ?? '', 'binaries', `uws_${platform}_${arch}_${versions.modules}.node`);
  return folder !== null && existsSync(binary)
    ? [{ name: `uWebSockets.js ${UWS.version.split('-')[0]}`, file: 'uws.js', env: { UWS: binary } }]
    : [];
}

async function start({ name, file, env }, tls) {
  const all = { ...process.env, ...env, BENCH_TLS: tls ? '1' : '0' };
  const child = fork(join(import.meta.dirname, 'servers', file), { env: all });
  pin(child.pid, 0);
  const [started] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} did not start (exit code ${code})`))),
  ]);
  return {
    name,
    port: started.port,
    /** Microseconds of CPU time so far, of the user and of the system. */
    async cpu() {
      child.send('cpu');
      const [{ user, system }] = await once(child, 'message');
      return user + system;
    },
    stop: () => child.disconnect(),
  };
}

async function measure(server, workload) {
  const load = new EchoLoad(server.port, workload);
  await load.connect();
  await load.run(seconds * 200);
  const before = await server.cpu();
  const { messages, elapsed } = await load.run(seconds * 1000);
  const cpu = (await server.cpu()) - before;
  load.close();
  return { cpuPerMessage: cpu / messages, rate: (messages * 1000) / elapsed };
}

pin(process.pid, 1);
console.log(`Node ${process.version}, ${process.platform}-${process.arch}, ${cpus()[0]?.model ?? 'unknown CPU'}`);
console.log(`${rounds} rounds of ${seconds} s, interleaved; medians${quick ? '; --quick: rough' : ''}\n`);

const contenders = [...SERVERS, ...uws()];
const nativeIsThere = (await import('./lib/native.js')).available;
for (const workload of workloads) {
  const servers = [];
  try {
    for (const server of contenders) {
      if (server.env.MILLRACE_KERNELS === 'native' && !nativeIsThere) continue;
      servers.push(await start(server, workload.tls ?? false));
    }
    await run(servers, workload);
  } finally {
    for (const server of servers) server.stop();
  }
}

async function run(servers, workload) {
  const results = servers.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < servers.length; i++) {
      const turn = (i + round) % servers.length;
      results[turn].push(await measure(servers[turn], workload));
    }
  }
  const { connections, inFlight, size, text, tls } = workload;
  const kind = text ? 'text' : 'binary';
  console.log(`${connections} connections, ${inFlight} in flight each, ${bytes(size)} ${kind}${tls ? ', TLS' : ''}\n`);
  console.log('| server | CPU µs a message | times as cheap (quartiles) | messages a second |');
  console.log('| ------ | ---------------: | -------------------------: | ----------------: |');
  results.forEach((rows, i) => {
    const cpu = median(rows.map((row) => row.cpuPerMessage));
    const ratios = rows.map((row, round) => results[0][round].cpuPerMessage / row.cpuPerMessage);
    const ratio = `${median(ratios).toFixed(2)} (${quantile(ratios, 0.25).toFixed(2)}–${quantile(ratios, 0.75).toFixed(2)})`;
    const rate = Math.round(median(rows.map((row) => row.rate)));
    console.log(`| ${servers[i].name} | ${cpu.toFixed(2)} | ${i === 0 ? '1' : ratio} | ${rate} |`);
  });
  console.log();
}
