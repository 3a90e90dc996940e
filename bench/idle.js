/**
 * What an idle connection costs: `node bench/idle.js [--quick] [--deflate]`. Each server is a process of its own, a new
 * one in every round, and so is what connects to it. Memory is told by the server itself, once collected and settled:
 * before the first connection, with all of them open, and after each has exchanged one message of 1 KiB both ways.
 *
 * With `--deflate` everything is compressed, and memory is told twice more: after each has exchanged ten messages, and
 * after all were idle for longer than millrace keeps what it compresses with.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from './lib/measure.js';
import { versionOf } from './lib/peers.js';

const SERVERS = [
  { name: `ws ${versionOf('ws')} + bufferutil`, file: 'idle-ws.js', env: {} },
  { name: 'millrace, native', file: 'idle-millrace.js', env: { MILLRACE_KERNELS: 'native' } },
  { name: 'millrace, portable', file: 'idle-millrace.js', env: { MILLRACE_KERNELS: 'portable' } },
];

const FIGURES = ['rss', 'heapUsed', 'external', 'arrayBuffers'];

const quick = process.argv.includes('--quick');
const deflate = process.argv.includes('--deflate');
const count = quick ? 500 : deflate ? 2000 : 10_000;
/** More than `contextIdleTimeout`, and what is given up within it. */
const IDLE_MS = 25_000;

/** What is done before memory is told, by the name of what it is then. */
const PHASES = deflate
  ? [
      ['idle', { open: { count, deflate } }],
      ['one message each way', { exchange: 1 }],
      ['ten more', { exchange: 10 }],
      ['after idleness', { wait: IDLE_MS }],
    ]
  : [
      ['idle', { open: { count, deflate } }],
      ['used, then idle', { exchange: 1 }],
    ];
const rounds = quick ? 1 : 3;

function start(folder, file, env = {}) {
  const path = join(import.meta.dirname, folder, file);
  return fork(path, { env: { ...process.env, ...env }, execArgv: ['--expose-gc'] });
}

/** The next message of a child; asks for it first, where there is something to ask. */
async function answer(child, ask) {
  const abort = new AbortController();
  const answered = once(child, 'message', { signal: abort.signal });
  const ended = once(child, 'exit', { signal: abort.signal }).then(([code]) => {
    throw new Error(`${child.spawnargs.at(-1)} ended with ${code}`);
  });
  if (ask !== undefined) child.send(ask);
  try {
    return (await Promise.race([answered, ended]))[0];
  } finally {
    abort.abort();
    ended.catch(() => {});
    answered.catch(() => {});
  }
}

/** Bytes a connection, by phase. */
async function measure({ file, env }) {
  const server = start('servers', file, { ...env, ...(deflate && { BENCH_DEFLATE: '{}' }) });
  const client = start('clients', 'idle.js');
  try {
    const { port } = await answer(server);
    const before = await answer(server, 'memory');
    const results = [];
    for (const [, { open, exchange, wait = 0 }] of PHASES) {
      if (wait > 0) await sleep(wait);
      else await answer(client, { open: open && { port, ...open }, exchange });
      const now = await answer(server, 'memory');
      results.push(Object.fromEntries(FIGURES.map((name) => [name, (now[name] - before[name]) / count])));
    }
    return results;
  } finally {
    // The client goes first: what a server does about it is not measured.
    for (const child of [client, server]) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
  }
}

console.log(`Node ${process.version}, ${process.platform}-${process.arch}, ${cpus()[0]?.model ?? 'unknown CPU'}`);
console.log(`${count} connections, ${rounds} rounds, interleaved; medians${quick ? '; --quick: rough' : ''}\n`);

const servers = [];
for (const server of SERVERS) {
  if (server.env.MILLRACE_KERNELS === 'native' && !(await import('./lib/native.js')).available) continue;
  servers.push(server);
}
const results = servers.map(() => []);
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < servers.length; i++) {
    const turn = (i + round) % servers.length;
    results[turn].push(await measure(servers[turn]));
  }
}

PHASES.forEach(([phase], p) => {
  console.log(`${phase}, bytes a connection\n`);
  console.log('| server | RSS | of that of ws (each round) | heapUsed | external | arrayBuffers |');
  console.log('| ------ | --: | -------------------------: | -------: | -------: | -----------: |');
  results.forEach((rows, i) => {
    const [rss, ...rest] = FIGURES.map((name) => Math.round(median(rows.map((row) => row[p][name]))));
    const ratios = rows.map((row, round) => row[p].rss / results[0][round][p].rss);
    const each = ratios.map((ratio) => ratio.toFixed(2)).join(' ');
    const ratio = i === 0 ? '1' : `${median(ratios).toFixed(2)} (${each})`;
    console.log(`| ${servers[i].name} | ${[rss, ratio, ...rest].join(' | ')} |`);
  });
  console.log();
});
