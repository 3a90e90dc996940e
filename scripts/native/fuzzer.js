/** Builds and starts the libFuzzer targets of `native/fuzz/`. */

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CXX_FLAGS, cache, kernelSources, root, run } from './tools.js';

export const KERNELS = ['scan', 'mask', 'utf8'];
export const folder = join(cache, 'fuzz');

const SANITIZE = 'address,undefined';
// The harness itself is watched for coverage, which leads the fuzzer to what vectors decide without a branch, but not
// for memory, which would take longer than the kernels.
const KERNEL_FLAGS = [`-fsanitize=fuzzer-no-link,${SANITIZE}`, '-fno-sanitize-recover=all'];
const HARNESS_FLAGS = ['-fsanitize=fuzzer-no-link', '-DMILLRACE_POISONS'];

export function compile(source, object, flags = KERNEL_FLAGS) {
  run('clang++', [...CXX_FLAGS, '-O1', '-gline-tables-only', ...flags, '-c', source, '-o', object]);
  return object;
}

/** Compiles the kernels and the harnesses; returns the objects of the kernels by source, and those of the harnesses. */
export function compileAll(kernels, into = folder) {
  mkdirSync(into, { recursive: true });
  const object = (source) => join(into, `${basename(source, '.cc')}.o`);
  const variants = new Map(kernelSources().map((source) => [source, compile(source, object(source))]));
  const harnesses = new Map(
    kernels.map((kernel) => {
      const source = `native/fuzz/fuzz_${kernel}.cc`;
      return [kernel, compile(source, object(source), [...HARNESS_FLAGS, '-O2'])];
    }),
  );
  return { variants, harnesses };
}

export function link(objects, program) {
  run('clang++', [`-fsanitize=fuzzer,${SANITIZE}`, ...objects, '-o', program]);
  return program;
}

/** The arguments that every run of a target has. */
export function targetArguments(kernel, { seed, seconds, runs }) {
  const dictionary = kernel === 'mask' ? [] : [`-dict=${join(root, 'native', 'fuzz', `${kernel}.dict`)}`];
  return [
    ...dictionary,
    '-max_len=600',
    '-timeout=20',
    '-rss_limit_mb=2048',
    '-print_final_stats=1',
    ...(seed === undefined ? [] : [`-seed=${seed}`]),
    ...(runs === undefined ? [`-max_total_time=${seconds}`] : [`-runs=${runs}`]),
  ];
}

/** Runs a target to its end; resolves to its exit code and the end of what it wrote. */
export function start(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      text = (text + chunk).slice(-200_000);
    });
    child.on('error', reject).on('close', (code) => resolve({ code, text }));
  });
}
