/** What the scripts around the kernels share: where things are, and how programs are run and missed. */

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
// Not in build/: node-gyp empties that whenever it builds the addon.
export const cache = join(root, 'node_modules', '.cache', 'millrace');

/** Ends the script with a sentence for whoever started it. */
export function fail(message) {
  console.error(`millrace: ${message}`);
  process.exit(1);
}

/** Ends the script unless every program is there; `packages` names the Debian package of each. */
export function demand(packages) {
  for (const [program, name] of Object.entries(packages)) {
    if (spawnSync(program, ['--version']).error) fail(`${program} is not there; on Debian: apt-get install ${name}`);
  }
}

/** Runs a program that has to succeed; what it says is shown when it does not. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, ...options });
  if (result.error) fail(`${program} did not start: ${result.error.message}`);
  if (result.status === 0) return result.stdout;
  console.error((result.stdout ?? '') + (result.stderr ?? ''));
  fail(`${basename(program)} failed (${result.signal ?? result.status})`);
}

/** The sources of the kernels, relative to the folder that has `native/`. */
export function kernelSources() {
  const variants = readdirSync(join(root, 'native', 'variants')).filter((name) => name.endsWith('.cc'));
  return ['native/cpu.cc', ...variants.sort().map((name) => `native/variants/${name}`)];
}

/** As `binding.gyp` compiles them, but for what a caller adds. */
export const CXX_FLAGS = ['-std=c++17', '-fno-exceptions', '-fno-rtti', '-Wall', '-Wextra'];

/** The last line of these scripts; `.ci/run` adds it up. */
export function conclude(passed, failed) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
