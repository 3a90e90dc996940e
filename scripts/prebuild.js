/**
 * Builds the binaries that the package ships, `prebuilds/<platform>-<arch>/millrace.node`, and checks them.
 *
 * `node scripts/prebuild.js [linux-arm64 ...] [--stale]`; without a name it builds those of this platform, with
 * `--stale` only what is missing or older than its sources. Each is built in a folder of its own: `build/` stays as it
 * is, with the addon that the developer runs.
 */

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { prebuilt, problems, TARGETS } from './binary.js';
import { missingTool, rebuild, root, run } from './gyp.js';

const CROSS = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

class PrebuildError extends Error {}

/** The environment and the name of `strip` for a target; empty where the compiler serves every architecture itself. */
function toolchain(target, arch) {
  const prefix = process.platform === 'linux' && arch !== process.arch ? `${CROSS[arch]}-` : '';
  const tool = (name) => `${prefix}${name}`;
  const missing = missingTool(prefix === '' ? undefined : [tool('g++')]);
  if (missing !== null) {
    const what = prefix === '' ? missing : `${tool('g++')} (Debian package g++-${CROSS[arch].replace('_', '-')})`;
    throw new PrebuildError(`${target} needs ${what}`);
  }
  const env = prefix === '' ? {} : { CC: tool('gcc'), CXX: tool('g++'), AR: tool('ar'), LINK: tool('g++') };
  return { env, strip: tool('strip') };
}

function prebuild(target) {
  const [platform, arch] = target.split('-');
  if (platform !== process.platform) throw new PrebuildError(`${target} cannot be built on ${process.platform}`);
  const { env, strip } = toolchain(target, arch);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-prebuild-'));
  try {
    for (const source of ['binding.gyp', 'native'])
      cpSync(join(root, source), join(folder, source), { recursive: true });
    const failure = rebuild(folder, { arch, env });
    if (failure !== null) throw new PrebuildError(`${failure}\n${target} could not be built`);
    const binary = join(folder, 'build', 'Release', 'millrace.node');
    if (platform === 'linux' && run(strip, ['--strip-unneeded', binary]).status !== 0) {
      throw new PrebuildError(`${strip} failed`);
    }
    const wrong = problems(target, binary);
    if (wrong.length > 0) throw new PrebuildError(wrong.join('\n'));
    mkdirSync(dirname(prebuilt(target)), { recursive: true });
    cpSync(binary, prebuilt(target));
    console.log(`millrace: ${target}, ${statSync(binary).size} bytes`);
  } finally {
    // Windows may hold files of a compiler that has just ended.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Whether the binary is there and younger than all it is made from. */
function isFresh(target) {
  const made = statSync(prebuilt(target), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(join(root, 'native'), { recursive: true }).map((name) => join(root, 'native', name));
  return [...sources, join(root, 'binding.gyp')].every((source) => statSync(source).mtimeMs < made);
}

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const onlyStale = process.argv.includes('--stale');
const targets = named.length > 0 ? named : TARGETS.filter((target) => target.startsWith(`${process.platform}-`));
if (targets.length === 0) {
  console.error(`millrace: no binary is prebuilt for ${process.platform}`);
  process.exitCode = 1;
}
for (const target of targets) {
  try {
    if (!TARGETS.includes(target)) throw new PrebuildError(`there is no target ${target}: ${TARGETS.join(', ')}`);
    if (onlyStale && isFresh(target)) continue;
    // One that is left from before must not pass for the one that was asked for.
    rmSync(prebuilt(target), { force: true });
    prebuild(target);
  } catch (error) {
    if (!(error instanceof PrebuildError)) throw error;
    console.error(`millrace: ${error.message}`);
    process.exitCode = 1;
  }
}
