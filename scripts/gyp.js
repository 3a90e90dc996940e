/** Runs node-gyp, for the addon of a checkout and for the prebuilt ones. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

export function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
}

export function hasCommand(name) {
  const { error, status } = run(name, ['--version']);
  return error === undefined && status === 0;
}

/** What node-gyp would need and does not find, or null; one of the compilers is enough. */
export function missingTool(compilers = [process.env.CXX, 'c++', 'g++', 'clang++']) {
  if (process.platform === 'win32') return null; // node-gyp looks for Visual Studio by itself, and says so
  if (!compilers.filter(Boolean).some(hasCommand)) return 'C++ compiler';
  if (!hasCommand('make')) return 'make';
  if (!hasCommand('python3')) return 'Python 3';
  return null;
}

/**
 * Builds the addon of a folder with a `binding.gyp` into its `build/Release`.
 * @returns null when it is built, otherwise what node-gyp printed
 */
export function rebuild(folder, { arch = process.arch, env = {} } = {}) {
  const args = [require.resolve('node-gyp/bin/node-gyp.js'), 'rebuild', `--arch=${arch}`];
  // The headers that came with this Node, where they did; otherwise node-gyp fetches them.
  const prefix = dirname(dirname(process.execPath));
  if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${prefix}`);
  const { status, stdout, stderr } = run(process.execPath, args, { cwd: folder, env: { ...process.env, ...env } });
  return status === 0 ? null : stdout + stderr;
}
