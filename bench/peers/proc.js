/**
 * What a process costs, read from outside and so in the same way whatever it is written in: from /proc of Linux. Where
 * there is none, nothing is told.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Whether CPU times and memory of other processes can be read. */
export const isReadable = existsSync('/proc/self/stat');
/** Nanoseconds; where a kernel was built without the statistics of its scheduler, there are ticks of 10 ms. */
const isExact = existsSync('/proc/self/task') && existsSync('/proc/self/schedstat');
const TICK = 1e4;
const PAGE = 4096;

/** Reads the CPU time of a process, all its threads together. */
export class CpuMeter {
  #pid;
  #isExact;
  /** Nanoseconds by thread. */
  #threads = new Map();
  #ticks = 0;

  /**
   * @param {number} pid
   * @param {boolean} [exact] whether by the scheduler's statistics
   */
  constructor(pid, exact = isExact) {
    this.#pid = pid;
    this.#isExact = exact;
    this.read();
  }

  /**
   * What it has used since the last reading. Of a thread that ended meanwhile, what it used after that reading is
   * lost; of one that began, everything counts.
   *
   * @returns {number | null} microseconds; null where that cannot be read
   */
  read() {
    if (!isReadable) return null;
    return this.#isExact ? this.#readThreads() : this.#readTicks();
  }

  #readThreads() {
    const threads = new Map();
    let used = 0;
    for (const id of readdirSync(`/proc/${this.#pid}/task`)) {
      const line = readGone(`/proc/${this.#pid}/task/${id}/schedstat`);
      if (line === null) continue;
      const time = Number(line.split(' ', 1)[0]);
      threads.set(id, time);
      used += time - (this.#threads.get(id) ?? 0);
    }
    this.#threads = threads;
    return used / 1000;
  }

  #readTicks() {
    const stat = readFileSync(`/proc/${this.#pid}/stat`, 'utf8');
    // Behind the name, which may hold anything: utime and stime are the fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const used = ticks - this.#ticks;
    this.#ticks = ticks;
    return used * TICK;
  }
}

/**
 * The memory of a process that is resident.
 *
 * @param {number} pid
 * @returns {number | null} bytes; null where that cannot be read
 */
export function residentMemory(pid) {
  if (!isReadable) return null;
  const exact = readGone(`/proc/${pid}/smaps_rollup`);
  const found = exact === null ? null : /^Rss: *(\d+) kB$/m.exec(exact);
  if (found !== null) return Number(found[1]) * 1024;
  // Some kernels count this by processor, and it is a little behind.
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE;
}

/** A file of /proc, or null where it has just gone, or may not be read. */
function readGone(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
