/** What this process has of the machine's memory. */

import { readFileSync } from 'node:fs';

/**
 * The most that has been resident, in bytes; what is now where the system does not tell.
 * `process.resourceUsage().maxRSS` is no measure of it: on Linux a child's begins at what its parent had when it was
 * started.
 */
export function peakRss() {
  if (process.platform !== 'linux') return process.memoryUsage.rss();
  const status = readFileSync('/proc/self/status', 'latin1');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)[1]) * 1024;
}
