/**
 * Tests the native kernels by themselves, outside of Node: `native/fuzz/self_test.cc` with every variant of a machine.
 *
 * `npm run test:native [-- --scale PERCENT] [--seed N]` does so for this machine. `npm run test:arm64` does so for
 * 64-bit ARM in an emulator, sees that it finds planted faults, and then compares the addon with the portable tier in a
 * Node for ARM.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { rebuild } from './gyp.js';
import { EMULATOR, emulate, installNode, TOOLS } from './native/arm64.js';
import { FAULTS, plant } from './native/faults.js';
import { CXX_FLAGS, conclude, demand, kernelSources, root, run } from './native/tools.js';

const { values } = parseArgs({
  options: {
    arm64: { type: 'boolean', default: false },
    scale: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
// In an emulator everything takes many times as long.
const scale = values.scale ?? (values.arm64 ? '20' : '100');
const work = mkdtempSync(join(tmpdir(), 'millrace-native-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

const compiler = values.arm64 ? TOOLS.CXX : (process.env.CXX ?? 'g++');
const start = values.arm64 ? emulate : (program, args) => spawnSync(program, args, { encoding: 'utf8' });
let passed = 0;
let failed = 0;

function count(holds, title, details = '') {
  if (holds) passed++;
  else failed++;
  console.log(`${holds ? 'ok' : 'FAILED'}: ${title}${holds ? '' : `\n${details}`}`);
}

function compile(sources, name) {
  const program = join(work, name);
  // Linked whole, so that the emulator needs no libraries of the other machine.
  const linking = values.arm64 ? ['-static'] : [];
  run(compiler, [...CXX_FLAGS, '-O3', ...linking, ...sources, '-o', program]);
  return program;
}

const SELF_TEST = 'native/fuzz/self_test.cc';

function testKernels() {
  const { status, stdout, stderr, signal } = start(compile([...kernelSources(), SELF_TEST], 'self_test'), [
    scale,
    values.seed,
  ]);
  count(status === 0, `self-test: ${stdout.trim()}`, `${stderr}${signal ?? status}`);
}

function findFaults() {
  for (const fault of FAULTS.filter(({ variant }) => variant === 'neon')) {
    const folder = mkdtempSync(join(work, 'fault-'));
    const right = kernelSources().filter((source) => !source.endsWith('/neon.cc'));
    const program = compile([...right, plant(fault, folder), SELF_TEST], 'planted');
    const { status, stderr } = start(program, ['1', values.seed]);
    const isFound = status !== 0 && stderr.includes('variant neon,');
    count(isFound, `found: neon, ${fault.found}: ${fault.title}`, stderr);
  }
}

/** Builds the addon for ARM in a copy, and lets a Node for ARM hold it against `dist/`. */
function compareTiers() {
  const { folder: node, problem } = installNode();
  if (problem !== undefined) {
    console.log(`skipped: Node for ARM could not be installed: ${problem}`);
    return;
  }
  const program = join(node, 'bin', 'node');
  const version = emulate(program, ['--version'], { timeout: 60_000 });
  if (version.status !== 0) {
    console.log(`skipped: Node for ARM does not start here: ${version.stderr || version.signal || version.error}`);
    return;
  }
  for (const name of ['native', 'binding.gyp', 'package.json']) {
    cpSync(join(root, name), join(work, 'addon', name), { recursive: true });
  }
  const broken = rebuild(join(work, 'addon'), { arch: 'arm64', env: TOOLS });
  if (broken !== null) {
    count(false, 'the addon for ARM', broken);
    return;
  }
  run(process.execPath, [join(root, 'scripts', 'build.js'), 'typescript']);
  const { status, stdout, stderr } = emulate(program, [join(root, 'scripts', 'native', 'tiers.js')], {
    timeout: 300_000,
    env: {
      ...process.env,
      MILLRACE_KERNELS: 'native',
      MILLRACE_ADDON: join(work, 'addon', 'build', 'Release', 'millrace.node'),
    },
  });
  count(status === 0, `Node ${version.stdout.trim()}: ${stdout.trim()}`, stderr);
}

demand({ [compiler]: values.arm64 ? 'g++-aarch64-linux-gnu' : 'g++' });
if (values.arm64 && EMULATOR.length > 0) demand({ [EMULATOR[0]]: 'qemu-user' });
testKernels();
if (values.arm64) {
  findFaults();
  compareTiers();
}
conclude(passed, failed);
