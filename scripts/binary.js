/** What a prebuilt binary must be; each check reads the file and believes no name. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './gyp.js';

export const TARGETS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

/** Bytes; one that is larger has something in it that it does not need. */
export const SIZE_LIMIT = 300_000;

/** The oldest glibc that is served, that of RHEL 7; symbols of a newer one do not load there. */
const GLIBC = [2, 17];

export function prebuilt(target) {
  return join(root, 'prebuilds', target, 'millrace.node');
}

/** The platform and architecture that a shared library is for, or null. */
export function targetOf(bytes) {
  if (bytes.length < 64) return null;
  if (bytes.readUInt32BE(0) === 0x7f454c46) {
    return { 62: 'linux-x64', 183: 'linux-arm64' }[bytes.readUInt16LE(18)] ?? null;
  }
  if (bytes.readUInt32LE(0) === 0xfeedfacf) {
    return { 16777223: 'darwin-x64', 16777228: 'darwin-arm64' }[bytes.readUInt32LE(4)] ?? null;
  }
  const pe = bytes.readUInt32LE(60);
  if (bytes.toString('latin1', 0, 2) === 'MZ' && bytes.toString('latin1', pe, pe + 4) === 'PE\0\0') {
    return { 34404: 'win32-x64', 43620: 'win32-arm64' }[bytes.readUInt16LE(pe + 4)] ?? null;
  }
  return null;
}

/** What is wrong with the binary of a target, in sentences. */
export function problems(target, file) {
  let bytes;
  try {
    bytes = readFileSync(file);
  } catch {
    return [`${target}: there is no binary`];
  }
  const found = [];
  const actual = targetOf(bytes);
  if (actual !== target) found.push(`it is for ${actual ?? 'an unknown platform'}`);
  else if (target.startsWith('linux-')) found.push(...linkage(file));
  if (bytes.length > SIZE_LIMIT) found.push(`it has ${bytes.length} bytes, more than ${SIZE_LIMIT}`);
  return found.map((problem) => `${target}: ${problem}`);
}

/** What keeps a Linux binary from loading with an old glibc, with musl, or without a C++ runtime. */
function linkage(file) {
  const { status, stdout } = run('readelf', ['--wide', '--dynamic', '--dyn-syms', file], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (status !== 0) return ['readelf could not read it (package binutils)'];
  const found = [];
  for (const [, tag, value] of stdout.matchAll(/\((NEEDED|RPATH|RUNPATH)\)[^[\n]*\[([^\]\n]*)\]/g)) {
    if (tag !== 'NEEDED' || value !== 'libc.so.6') found.push(`${tag} ${value}`);
  }
  if (!/ DEFAULT +\d+ napi_register_module_v1$/m.test(stdout)) found.push('it does not export napi_register_module_v1');
  for (const [, name, version] of stdout.matchAll(/ UND ([^\s@]+)(?:@+(\S+))?/g)) {
    // C++, and what glibc's headers put in the place of plain functions: musl has neither.
    if (/^(?:_Z|__cxa_(?!finalize$)|__gxx|_Unwind|__isoc\d)|_chk$/.test(name)) found.push(`it wants ${name}`);
    if (version !== undefined && !isOldEnough(version)) found.push(`it wants ${name} of ${version}`);
  }
  return found;
}

function isOldEnough(version) {
  const [, major, minor] = /^GLIBC_(\d+)\.(\d+)(?:\.\d+)?$/.exec(version) ?? [];
  return Number(major) === GLIBC[0] && Number(minor) <= GLIBC[1];
}
