/**
 * WebSockets over HTTP/2 beside those over HTTP/1.1: `node bench/http2.js [--quick] [--rounds N]`. Everything goes over
 * TLS to an echo server of ours, a process of its own; the load is bare, with nothing of ours in it.
 *
 *  1. Memory: what a thousand WebSockets cost the server on one session, and on connections of their own.
 *  2. CPU time of the server for a message, on the same.
 *  3. A hundred WebSockets on one session: how fast 99 of them are while the server has stopped to read the hundredth,
 *     whose client has sent all that it may, against how fast they are without.
 */

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { EchoLoad } from './lib/echo-load.js';
import { frame } from './lib/frames.js';
import { median, quantile } from './lib/measure.js';
import { size as bytes } from './lib/report.js';
import { contest, pin, printContest, start } from './lib/server-process.js';

const { values: options } = parseArgs({ options: { quick: { type: 'boolean' }, rounds: { type: 'string' } } });
const quick = options.quick ?? false;
const rounds = Number(options.rounds ?? (quick ? 1 : 5));
const seconds = quick ? 0.2 : 1;
const count = quick ? 200 : 1000;

const WAYS = [
  { name: 'HTTP/1.1, a connection each', http2: false },
  { name: 'HTTP/2, one session', http2: true },
];
const WORKLOADS = [
  { connections: count, inFlight: 1, size: 64 },
  { connections: count, inFlight: 8, size: 64 },
  { connections: count, inFlight: 1, size: 16 * 1024 },
];
const FIGURES = ['rss', 'heapUsed', 'external', 'arrayBuffers'];

const startServer = ({ name }) => start({ name, file: 'http2.js', env: {} });

/** Bytes a WebSocket, each used once. */
async function memoryOf(way) {
  const server = await startServer(way);
  const before = await server.memory();
  const load = new EchoLoad(server.port, { connections: count, inFlight: 1, size: 1024, http2: way.http2 });
  await load.connect();
  await load.run(0);
  const after = await server.memory();
  load.close();
  server.stop();
  return Object.fromEntries(FIGURES.map((name) => [name, (after[name] - before[name]) / count]));
}

async function printMemory() {
  const results = WAYS.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, way] of WAYS.entries()) results[i].push(await memoryOf(way));
  }
  console.log(`${count} WebSockets, one message each: bytes a WebSocket\n`);
  console.log('| | RSS | of that of HTTP/1.1 | heapUsed | external | arrayBuffers |');
  console.log('| - | --: | ------------------: | -------: | -------: | -----------: |');
  results.forEach((rows, i) => {
    const [rss, ...rest] = FIGURES.map((name) => Math.round(median(rows.map((row) => row[name]))));
    const ratio = median(rows.map((row, round) => row.rss / results[0][round].rss)).toFixed(2);
    console.log(`| ${WAYS[i].name} | ${[rss, i === 0 ? 1 : ratio, ...rest].join(' | ')} |`);
  });
  console.log();
}

async function printCpu(workload) {
  const servers = [];
  try {
    for (const way of WAYS) servers.push(await startServer(way));
    const http2 = new Map(servers.map(({ port }, i) => [port, WAYS[i].http2]));
    const makeLoad = (port) => new EchoLoad(port, { ...workload, http2: http2.get(port) });
    const results = await contest(servers, rounds, seconds * 1000, makeLoad);
    const { connections, inFlight, size } = workload;
    console.log(`${connections} WebSockets, ${inFlight} in flight each, ${bytes(size)} binary\n`);
    printContest(servers, results);
  } finally {
    for (const server of servers) server.stop();
  }
}

/** How fast 99 WebSockets are beside a stalled one, against before and after it. */
async function stall(server) {
  const load = new EchoLoad(server.port, { connections: 99, inFlight: 4, size: 1024, http2: true });
  const rate = async () => {
    const { messages, elapsed } = await load.run(seconds * 1000);
    return messages / elapsed;
  };
  try {
    await load.connect();
    await rate();
    const before = await rate();
    const stalled = await load.session.open('/stalled');
    // As much as will go; the rest waits for a window that does not come.
    stalled.write(Buffer.concat(Array(256).fill(Buffer.from(frame(new Uint8Array(4096))))));
    const beside = await rate();
    stalled.on('error', () => {}).destroy();
    return (2 * beside) / (before + (await rate()));
  } finally {
    load.close();
  }
}

async function printStall() {
  const server = await startServer({ name: 'millrace' });
  const ratios = [];
  try {
    for (let round = 0; round < rounds; round++) ratios.push(await stall(server));
  } finally {
    server.stop();
  }
  const [low, high] = [0.25, 0.75].map((q) => quantile(ratios, q).toFixed(2));
  console.log('| a hundred WebSockets on one session | times as many messages a second (quartiles) |');
  console.log('| - | -: |');
  console.log(
    `| the others while one stalls, and before and after it | ${median(ratios).toFixed(2)} (${low}–${high}) |\n`,
  );
}

pin(process.pid, 1);
console.log(`Node ${process.version}, ${process.platform}-${process.arch}, ${cpus()[0]?.model ?? 'unknown CPU'}`);
console.log(`${rounds} rounds of ${seconds} s, interleaved; medians${quick ? '; --quick: rough' : ''}\n`);
await printMemory();
for (const workload of WORKLOADS) await printCpu(workload);
await printStall();
