/**
 * Mixed traffic for a long time: `node bench/soak.js [--minutes 15] [--seed 1]`. One server process, one of clients that
 * check every answer. Every ten seconds the clients rest, and the server collects and tells its memory: what is left then
 * must not grow.
 *
 * Clients of every kind are there with permessage-deflate and without it. Exits with 1 when the heap or RSS grows, when
 * the server's process had a warning, an unhandled rejection or an uncaught exception, when an answer was wrong or
 * missing, or when anything is left once the clients are gone, a context of compression among it.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const MiB = 1024 * 1024;
const SAMPLE_MS = 10_000;
/** Also of a short run there are enough to draw a line through. */
const LEAST_SAMPLES = 15;
/** The heap's growth over the last two thirds that is none yet. */
const MOST_GROWTH = 2 * MiB;
const MOST_SHARE = 0.05;
/** In a shorter run code is still being compiled, which takes memory too: the share, and RSS, say nothing then. */
const SETTLED_MS = 2 * 60_000;
/**
 * The same of RSS, which also has what was freed and not given back: in 3.5 minutes it was from 126 to 130 MiB, in another run
 * of 2 from 120 to 131.
 * A leak of a context for each connection (a compressor of 10 KiB, a decompressor of 40 KiB) is beyond it in a minute.
 */
const MOST_RSS_GROWTH = 12 * MiB;
/** How long the server may take to notice that the clients are gone. */
const GRACE_MS = 15_000;
const PATIENCE = 60_000;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '15' }, seed: { type: 'string', default: '1' } },
});
const total = Number(values.minutes) * 60_000;
const seed = Number(values.seed);
if (!(total > 0)) throw new RangeError(`--minutes ${values.minutes}: must be a number above 0`);
const isSettled = total >= SETTLED_MS;
const interval = Math.min(SAMPLE_MS, total / LEAST_SAMPLES);

function start(folder, file) {
  return fork(join(import.meta.dirname, folder, file), { execArgv: ['--expose-gc'] });
}

/** The next message of a child; what is asked for first, if anything. */
async function answer(child, ask) {
  const abort = new AbortController();
  const { signal } = abort;
  const answered = once(child, 'message', { signal });
  const ended = once(child, 'exit', { signal }).then(([code, by]) => {
    throw new Error(`${child.spawnargs.at(-1)} ended with ${by ?? code}`);
  });
  const late = sleep(PATIENCE, undefined, { signal, ref: false }).then(() => {
    throw new Error(`${child.spawnargs.at(-1)} did not answer ${JSON.stringify(ask)} in ${PATIENCE} ms`);
  });
  for (const promise of [answered, ended, late]) promise.catch(() => {});
  if (ask !== undefined) child.send(ask);
  try {
    return (await Promise.race([answered, ended, late]))[0];
  } finally {
    abort.abort();
  }
}

/** The line through some points that is nearest to them, as its values at the first and the last. */
function lineThrough(points) {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const up = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const across = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = across === 0 ? 0 : up / across;
  const at = (x) => meanY + slope * (x - meanX);
  return [at(points[0][0]), at(points.at(-1)[0])];
}

const inMiB = (bytes) => (bytes / MiB).toFixed(2);
const clock = (ms) => `${Math.floor(ms / 60_000)}:${String(Math.floor((ms / 1000) % 60)).padStart(2, '0')}`;

function line({ at, sample, client }) {
  const { heapUsed, rss, external, handles, delayP99, connections, deflate } = sample;
  console.log(
    `${clock(at)}  heap ${inMiB(heapUsed)} MiB, RSS ${inMiB(rss)}, external ${inMiB(external)}, ${handles} handles, ` +
      `${connections} connections, ${deflate.contexts} contexts, loop p99 ${delayP99.toFixed(1)} ms, ${client.done.echoes} echoes, ${client.done.lives} lives`,
  );
}

const server = start('servers', 'soak.js');
const client = start('clients', 'soak.js');
const failures = [];
try {
  const { port } = await answer(server);
  const before = await answer(server, 'sample');
  await answer(client, { order: 'start', argument: { port, seed } });
  console.log(`soaking for ${values.minutes} minutes, --seed ${seed}`);

  const began = performance.now();
  const rows = [];
  let printed = 0;
  while (performance.now() - began < total) {
    await sleep(interval);
    const told = await answer(client, { order: 'rest' });
    const row = { at: performance.now() - began, sample: await answer(server, 'sample'), client: told };
    await answer(client, { order: 'resume' });
    rows.push(row);
    if (row.at < printed + 60_000 && performance.now() - began < total) continue;
    line(row);
    printed = row.at;
  }

  client.disconnect();
  await once(client, 'exit');
  let after = await answer(server, 'sample');
  for (const end = performance.now() + GRACE_MS; after.connections > 0 && performance.now() < end; ) {
    await sleep(100);
    after = await answer(server, 'sample');
  }

  const { wrong, done } = rows.at(-1).client;
  const late = rows.filter(({ at }) => at >= rows.at(-1).at / 3);
  const [from, to] = lineThrough(late.map(({ at, sample }) => [at, sample.heapUsed]));
  const growth = to - from;
  const [rssFrom, rssTo] = lineThrough(late.map(({ at, sample }) => [at, sample.rss]));
  const rssGrowth = rssTo - rssFrom;
  const rssAll = late.map(({ sample }) => sample.rss);
  const { counts } = after;
  console.log(`\n${rows.length} samples, ${done.echoes} echoes, ${done.lives} lives`);
  console.log(`server: ${counts.opened} connections, ${counts.messages} messages, ${inMiB(counts.bytes)} MiB`);
  console.log(`closed with ${JSON.stringify(counts.closes)}; errors ${JSON.stringify(counts.errors)}`);
  const share = ((100 * growth) / from).toFixed(2);
  console.log(`heap after gc, last two thirds: ${inMiB(from)} to ${inMiB(to)} MiB, ${share} %`);
  const spread = `between ${inMiB(Math.min(...rssAll))} and ${inMiB(Math.max(...rssAll))}`;
  console.log(`RSS, last two thirds: ${inMiB(rssFrom)} to ${inMiB(rssTo)} MiB, ${spread}`);
  const { contexts, messagesCompressed, messagesDecompressed } = after.deflate;
  console.log(`compressed ${messagesCompressed} messages, decompressed ${messagesDecompressed}`);
  const left = `heap ${inMiB(after.heapUsed)} MiB, ${after.handles} handles, ${contexts} contexts`;
  console.log(`once the clients are gone: ${left}`);

  if (growth >= MOST_GROWTH || (isSettled && growth >= MOST_SHARE * from))
    failures.push(`the heap grew by ${inMiB(growth)} MiB`);
  if (isSettled && rssGrowth >= MOST_RSS_GROWTH) failures.push(`RSS grew by ${inMiB(rssGrowth)} MiB`);
  if (contexts > 0) failures.push(`${contexts} contexts are left`);
  if (messagesCompressed === 0 || messagesDecompressed === 0) failures.push('nothing was compressed');
  for (const what of wrong) failures.push(`wrong: ${what}`);
  for (const fault of after.faults) failures.push(`in the server: ${fault}`);
  if (after.connections > 0) failures.push(`${after.connections} connections are left`);
  if (after.handles > before.handles) failures.push(`${after.handles - before.handles} handles are left`);
  if (done.echoes === 0) failures.push('nothing was echoed');
} catch (error) {
  failures.push(error.stack);
} finally {
  client.kill('SIGKILL');
  server.kill('SIGKILL');
}
for (const failure of failures.slice(0, 20)) console.error(`FAILED: ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;
