/**
 * How a server that holds connections talks to what measures it: says its port, tells its memory once that is settled,
 * ends when it is let go. Needs --expose-gc.
 */

import { setTimeout as sleep } from 'node:timers/promises';

/** Rounds of collecting after which memory that still moves is taken as it is. */
const MOST_ROUNDS = 20;
/** The change of RSS between two rounds, in bytes, that counts as none. */
const STILL = 64 * 1024;

/** @param {number} port */
export function serveMemory(port) {
  process.on('message', async () => process.send(await settledMemory()));
  process.on('disconnect', () => process.exit());
  process.send({ port });
}

/** Memory that was freed goes back to the system bit by bit, from other threads: collects until RSS stands still. */
export async function settledMemory() {
  let last = Number.NaN;
  for (let round = 0, still = 0; round < MOST_ROUNDS && still < 3; round++) {
    globalThis.gc();
    await sleep(150);
    const { rss } = process.memoryUsage();
    still = Math.abs(rss - last) < STILL ? still + 1 : 0;
    last = rss;
  }
  return process.memoryUsage();
}
