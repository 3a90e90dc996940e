/**
 * Lives of worker threads, several at once: each loads the kernels, uses them and ends, every third one by being
 * terminated in the middle of its calls. Tells how much memory the process had when it was warm and at the end.
 *
 * Arguments: the kernels to load, the number of workers. Needs --expose-gc.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const [url, runs] = process.argv.slice(2);
const AT_ONCE = 4;

const SOURCE = `
  const { parentPort, workerData: { url, endless } } = require('node:worker_threads');
  import(url).then(({ kernels, tiers, FrameBatch }) => {
    const bytes = new Uint8Array(4096).fill(0x61);
    const batch = new FrameBatch(64);
    const frames = new Uint8Array(4096);
    const calls = (tier) => {
      for (let i = 0; i < 4; i++) {
        tier.mask(bytes, 0, bytes, 0, 4096, 0x01020304, i & 3);
        tier.mask(bytes, 0, bytes, 0, 4096, 0x01020304, i & 3);
        if (tier.utf8(bytes, i, 4096, 0) !== 0) throw new Error('not ASCII any more');
        frames.fill(0);
        for (let at = 0; at < 4096; at += 8) frames.set([0x82, 0x82, 1, 2, 3, 4, 0, 0], at);
        if (tier.scan(frames, 0, 4096, batch, 1, Infinity) !== 64) throw new Error('not 64 rows');
        try { tier.utf8(bytes, 0, 5000, 0); } catch (error) { if (error.code !== 'ERR_OUT_OF_RANGE') throw error; }
      }
    };
    for (const tier of [kernels, ...tiers]) calls(tier);
    parentPort.postMessage(tiers[0].tier);
    while (endless) for (const tier of tiers) calls(tier);
  });`;

async function life(number) {
  const endless = number % 3 === 0;
  const worker = new Worker(SOURCE, { eval: true, workerData: { url, endless } });
  const ended = once(worker, 'exit');
  const [tier] = await once(worker, 'message');
  if (endless) await worker.terminate();
  const [code] = await ended;
  if (code !== (endless ? 1 : 0)) throw new Error(`a worker ended with ${code}`);
  return tier;
}

function memory() {
  globalThis.gc();
  return process.memoryUsage().rss / 2 ** 20;
}

const tiers = new Set();
async function lives(from, to) {
  let next = from;
  const one = async () => {
    while (next < to) tiers.add(await life(next++));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

const warm = Math.ceil(Number(runs) / 3);
await lives(0, warm);
const before = memory();
await lives(warm, Number(runs));
console.log(JSON.stringify({ tiers: [...tiers], before, after: memory() }));
