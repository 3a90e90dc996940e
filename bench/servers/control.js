/** How a benchmark's server talks to the benchmark: says its port, tells its CPU time and delays, ends when it is let go. */

import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION = 2;

/** @param {number} port */
export function serveBenchmark(port) {
  let delay = null;
  process.on('message', (question) => {
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
