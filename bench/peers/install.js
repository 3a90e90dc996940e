/** The packages of the peers, in a folder of their own: installed when they are first wanted, never a dependency. */

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export const FOLDER = import.meta.dirname;
const PATIENCE = 5 * 60_000;

function json(...path) {
  return JSON.parse(readFileSync(join(...path), 'utf8'));
}

/** Whether a package of the lock file is for this machine. */
function isForHere({ os, cpu, libc }) {
  const fits = (names, here) => names === undefined || names.includes(here);
  const libcHere = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  return fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, libcHere);
}

/**
 * The packages that the lock file names and that are not there, or in another version.
 *
 * @param {string} [folder]
 */
export function missing(folder = FOLDER) {
  return Object.entries(json(folder, 'package-lock.json').packages)
    .filter(([path, locked]) => path !== '' && isForHere(locked))
    .filter(([path, { version }]) => {
      const file = join(folder, path, 'package.json');
      return !existsSync(file) || json(file).version !== version;
    })
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
}

/**
 * Installs what the lock file names, where it is not there as it is named.
 *
 * @param {(line: string) => void} say is told once if there is something to do
 * @returns {Promise<string | null>} why it could not be done, or null
 */
export async function install(say) {
  const wanted = missing();
  if (wanted.length === 0) return null;
  say(`installing the peers into bench/peers/node_modules (${wanted.length} packages, once)`);
  // npm says where it is itself, so that none has to be searched for.
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm === undefined ? ['npm'] : [process.execPath, npm];
  const args = [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const child = spawn(command, args, { cwd: FOLDER, stdio: ['ignore', 'ignore', 'pipe'], timeout: PATIENCE });
  const failed = new Promise((resolve) => child.on('error', resolve));
  const ended = new Promise((resolve) => child.on('close', (code) => resolve(code === 0 ? null : code)));
  const [output, reason] = await Promise.all([text(child.stderr), Promise.race([failed, ended])]);
  if (reason === null) return null;
  const said =
    output
      .trim()
      .split('\n')
      .find((line) => line !== '') ?? String(reason.message ?? `npm ended with ${reason}`);
  return said.replace(/^npm (?:error|ERR!) (?:code )?/, '');
}
