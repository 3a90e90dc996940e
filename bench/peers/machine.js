/** What the benchmark runs on, and who gets which core. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

/** The cores that this process may use; none where the system does not tell. */
function allowed() {
  try {
    const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
    return list.split(',').flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
  } catch {
    return [];
  }
}

const [serverCore, loadCore] = allowed();

/** Whether servers and load get cores of their own. */
export const isPinned = loadCore !== undefined && spawnSync('taskset', ['-c', String(serverCore), 'true']).status === 0;

/** A command that is held to the servers' core, with every thread that it will have. */
export function onServerCore(command) {
  return isPinned ? ['taskset', '-c', String(serverCore), ...command] : command;
}

/** Holds this process to the core of the load. */
export function takeLoadCore() {
  if (isPinned) spawnSync('taskset', ['-a', '-c', '-p', String(loadCore), String(process.pid)]);
}

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: totalmem(),
    os: `${type()} ${release()}`,
    arch: process.arch,
    pinned: isPinned,
  };
}

/** The most files, and so connections, that a process may have open. */
export function fileLimit() {
  const { status, stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  const limit = Number(stdout);
  return status === 0 && limit > 0 ? limit : Number.POSITIVE_INFINITY;
}
