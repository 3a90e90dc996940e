/**
 * Echo servers side by side: `node bench/echo.js [--quick] [--only 0,2] [--rounds 3]`. Each server is a process of its own, held to one core
 * where `taskset` is there, and the load comes from this process on another. What counts is the CPU time that a
 * server spends on a message, read from the server itself before and after each round; throughput is told beside it.
 */

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { EchoLoad } from './lib/echo-load.js';
import { versionOf } from './lib/peers.js';
import { size as bytes } from './lib/report.js';
import { contest, pin, printContest, start, uws } from './lib/server-process.js';

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
      servers.push(await start(server, { BENCH_TLS: workload.tls ? '1' : '0' }));
    }
    const results = await contest(servers, rounds, seconds * 1000, (port) => new EchoLoad(port, workload));
    const { connections, inFlight, size, text, tls } = workload;
    const kind = text ? 'text' : 'binary';
    console.log(
      `${connections} connections, ${inFlight} in flight each, ${bytes(size)} ${kind}${tls ? ', TLS' : ''}\n`,
    );
    printContest(servers, results);
  } finally {
    for (const server of servers) server.stop();
  }
}
