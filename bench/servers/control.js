/**
 * How a benchmark's server talks to the benchmark: says its port, tells its CPU time, delays and memory, ends when it
 * is let go.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { settledMemory } from './memory.js';

const RESOLUTION = 2;

/** @param {number} port */
export function serveBenchmark(port) {
  let delay = null;
  process.on('message', async (question) => {
    if (question === 'memory') {
      process.send(await settledMemory());
      return;
    }
    if (question === 'cpu') {
      process.send(process.cpuUsage());
      return;
    }
    // It is late by its own period where nothing is late.
    const late = delay === null ? 0 : Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION);
    delay?.disable();
    delay = monitorEventLoopDelay({ resolution: RESOLUTION });
    delay.enable();
    process.send(late);
  });
  process.on('disconnect', () => process.exit());
  process.send({ port });
}
