/** Which lines of the kernels the inputs reach, by a second build without sanitizers that only runs the corpus. */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { folder } from './fuzzer.js';
import { CXX_FLAGS, kernelSources, root, run } from './tools.js';

const FLAGS = ['-O1', '-g', '-fprofile-instr-generate', '-fcoverage-mapping'];

/** Runs what `folder` and the repository have of inputs, and prints llvm-cov's table of the headers. */
export function tellCoverage(kernels) {
  const home = join(folder, 'coverage');
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const programs = kernels.map((kernel) => {
    const program = join(home, kernel);
    const sources = [...kernelSources(), `native/fuzz/fuzz_${kernel}.cc`];
    run('clang++', [...CXX_FLAGS, ...FLAGS, '-fsanitize=fuzzer', ...sources, '-o', program]);
    const inputs = [join(folder, 'corpus', kernel), join(root, 'native', 'fuzz', 'corpus', kernel)];
    run(program, ['-runs=0', ...inputs], { env: { ...process.env, LLVM_PROFILE_FILE: `${program}.profraw` } });
    return program;
  });
  const profile = join(home, 'all.profdata');
  run('llvm-profdata', ['merge', '-sparse', ...programs.map((program) => `${program}.profraw`), '-o', profile]);
  const [first, ...others] = programs;
  const objects = others.flatMap((program) => ['-object', program]);
  const report = [
    'report',
    first,
    ...objects,
    `-instr-profile=${profile}`,
    '-ignore-filename-regex=native/fuzz/|/usr/',
  ];
  console.log(run('llvm-cov', report).trimEnd());
}
