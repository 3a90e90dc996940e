/** Packages that only a benchmark needs: installed when it first runs, kept beside other caches, never a dependency. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const cache = resolve(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'millrace-bench');

/**
 * @param {string} name
 * @param {string} version
 * @returns {string | null} the folder of the package, or null where it cannot be had
 */
export function fetched(name, version) {
  const project = join(cache, `${name.replace(/\W+/g, '-')}@${version}`);
  const folder = join(project, 'node_modules', name);
  if (existsSync(folder)) return folder;
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const options = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--loglevel=error'];
  // npm says where it is itself, so that none has to be searched for.
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm === undefined ? ['npm'] : [process.execPath, npm];
  try {
    execFileSync(command, [...first, ...options, `${name}@${version}`], { cwd: project, stdio: 'pipe' });
  } catch (error) {
    console.log(`${name}@${version} cannot be installed and is left out: ${error.stderr ?? error.message}`);
  }
  return existsSync(folder) ? folder : null;
}
