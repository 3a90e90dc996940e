/**
 * Echo servers with permessage-deflate side by side: `node bench/deflate.js [--quick] [--only 0,2] [--rounds 3]`. What
 * `bench/peers.js` compares as well, here with the parameters of compression: JSON in messages that differ, one in flight
 * on each of the connections. Every server compresses whatever comes; what they compress with is in the names.
 */

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { DeflateLoad } from './lib/deflate-load.js';
import { versionOf } from './lib/peers.js';
import { size as bytes } from './lib/report.js';
import { contest, pin, printContest, start, uws } from './lib/server-process.js';

const SAME = JSON.stringify({ level: 6, memLevel: 8, windowBits: 15 });

const ALONE = JSON.stringify({ serverNoContextTakeover: true, clientNoContextTakeover: true });

const SERVERS = [
  { name: `ws ${versionOf('ws')} + bufferutil`, file: 'ws.js', env: {} },
  { name: 'millrace, native', file: 'millrace.js', env: { MILLRACE_KERNELS: 'native' } },
  { name: 'millrace, portable', file: 'millrace.js', env: { MILLRACE_KERNELS: 'portable' } },
  {
    name: 'millrace, native, no context takeover',
    file: 'millrace.js',
    env: { MILLRACE_KERNELS: 'native', BENCH_DEFLATE: ALONE },
  },
  {
    name: 'millrace, native, level 6, memLevel 8, 15 bits, as ws',
    file: 'millrace.js',
    env: { MILLRACE_KERNELS: 'native', BENCH_DEFLATE: SAME },
  },
];

const WORKLOADS = [
  { connections: 64, size: 100 },
  { connections: 64, size: 1024 },
  { connections: 64, size: 64 * 1024 },
  { connections: 8, size: 1024 * 1024, delays: true },
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

const nativeIsThere = (await import('./lib/native.js')).available;
for (const workload of workloads) {
  const { connections, size, delays = false } = workload;
  const servers = [];
  try {
    for (const server of [...SERVERS, ...uws()]) {
      if (server.env.MILLRACE_KERNELS === 'native' && !nativeIsThere) continue;
      servers.push(await start(server, { BENCH_DEFLATE: '{}', ...server.env }));
    }
    const load = (port) => new DeflateLoad(port, workload);
    const results = await contest(servers, rounds, seconds * 1000, load, { delays });
    console.log(`${connections} connections, 1 in flight each, ${bytes(size)} of JSON, compressed\n`);
    printContest(servers, results, { delays });
  } finally {
    for (const server of servers) server.stop();
  }
}
