/** How a benchmark's server talks to the benchmark: says its port, tells its CPU time, ends when it is let go. */

/** @param {number} port */
export function serveBenchmark(port) {
  process.on('message', () => process.send(process.cpuUsage()));
  process.on('disconnect', () => process.exit());
  process.send({ port });
}
