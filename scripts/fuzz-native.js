/**
 * Fuzzes the native kernels: every variant that this CPU runs against a plain reference, under sanitizers and between
 * guard pages.
 *
 * `npm run fuzz:native -- [--minutes N | --seconds N | --runs N] [--only scan,mask,utf8] [--jobs N] [--seed N]
 * [--coverage] [--planted]`; the time is that of each kernel. `--coverage` also tells which lines of `native/` the
 * inputs reach. `--planted` puts faults into copies of the kernels instead, and fails unless each is found.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tellCoverage } from './native/coverage.js';
import { FAULTS, plant } from './native/faults.js';
import { compile, compileAll, folder, KERNELS, link, start, targetArguments } from './native/fuzzer.js';
import { conclude, demand, fail, root } from './native/tools.js';

const PLANTED_SECONDS = 20;
const AVX2 = ['avx2', 'bmi1', 'bmi2'];
const AVX512 = [...AVX2, 'avx512f', 'avx512dq', 'avx512bw', 'avx512vl', 'avx512vbmi'];

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seconds: { type: 'string' },
    runs: { type: 'string' },
    only: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    seed: { type: 'string' },
    coverage: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
  },
});

function number(name, least) {
  const value = values[name];
  if (value === undefined) return undefined;
  if (value.trim() === '' || !(Number(value) >= least)) fail(`--${name} is "${value}", it must be at least ${least}`);
  return Number(value);
}

const minutes = number('minutes', 0);
const seconds = Math.max(1, Math.round(minutes === undefined ? (number('seconds', 1) ?? 60) : minutes * 60));
const runs = number('runs', 1);
const seed = number('seed', 0);
const jobs = number('jobs', 1);
const kernels = values.only === undefined ? KERNELS : values.only.split(',');
for (const kernel of kernels) {
  if (!KERNELS.includes(kernel)) fail(`--only is "${values.only}", it may name ${KERNELS.join(', ')}`);
}

demand({ 'clang++': 'clang', 'llvm-symbolizer': 'llvm' });
if (values.coverage) demand({ 'llvm-cov': 'llvm', 'llvm-profdata': 'llvm' });

function statistic(text, name) {
  return Number(text.match(new RegExp(`stat::${name}:\\s+(\\d+)`))?.[1] ?? 0);
}

/** What a run found, where it found something. */
function tellCrash(kernel, text) {
  console.log(text.trimEnd());
  const path = text.match(/Test unit written to (.+)/)?.[1];
  console.log(`${kernel}: FAILED${path === undefined ? '' : `, the input is in ${path}`}`);
  if (path !== undefined) console.log(`${kernel}: ${readFileSync(path).toString('hex')}`);
}

async function fuzz(kernel, program) {
  const corpus = join(folder, 'corpus', kernel);
  const artifacts = join(folder, 'failures', kernel);
  for (const each of [corpus, artifacts]) mkdirSync(each, { recursive: true });
  const args = [
    ...targetArguments(kernel, { seed, seconds, runs }),
    `-artifact_prefix=${artifacts}/`,
    corpus,
    join(root, 'native', 'fuzz', 'corpus', kernel),
  ];
  const { code, text } = await start(program, args);
  const [, edges, features] = [...text.matchAll(/cov: (\d+) ft: (\d+)/g)].at(-1) ?? [];
  if (code !== 0) tellCrash(kernel, text);
  const executions = statistic(text, 'number_of_executed_units');
  const rate = statistic(text, 'average_exec_per_sec');
  console.log(`${kernel}: ${executions} executions, ${rate}/s, ${edges ?? 0} edges, ${features ?? 0} features`);
  return code === 0;
}

/** Runs `work` on each of `list`, `jobs` at a time, and counts those for which it resolves to true. */
async function inTurn(list, work) {
  const left = [...list];
  let passed = 0;
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      if (await work(next)) passed++;
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return [passed, list.length - passed];
}

async function fuzzAll() {
  const { variants, harnesses } = compileAll(kernels);
  const program = (kernel) => link([...variants.values(), harnesses.get(kernel)], join(folder, `fuzz_${kernel}`));
  const programs = new Map(kernels.map((kernel) => [kernel, program(kernel)]));
  const counts = await inTurn(kernels, (kernel) => fuzz(kernel, programs.get(kernel)));
  if (values.coverage) tellCoverage(kernels);
  conclude(...counts);
}

/** Whether this CPU runs a variant: what `native/cpu.cc` asks for, as Linux names it. */
function runsHere(variant) {
  const flags = readFileSync('/proc/cpuinfo', 'utf8');
  const needs = { sse2: ['sse2'], avx2: AVX2, avx512: AVX512 }[variant];
  return process.arch === 'x64' ? needs?.every((flag) => new RegExp(`\\b${flag}\\b`).test(flags)) : variant === 'neon';
}

/** A fault counts as found when the run ends by itself and tells of that variant, or of the memory it touched. */
async function findFault(fault, objects, home) {
  const work = mkdtempSync(join(home, 'fault-'));
  const source = `native/variants/${fault.variant}.cc`;
  const changed = compile(plant(fault, work), join(work, 'planted.o'));
  const others = [...objects.variants].filter(([name]) => name !== source).map(([, object]) => object);
  const program = link([...others, changed, objects.harnesses.get(fault.found)], join(work, 'fuzz'));
  // libFuzzer writes to the first corpus that it is given. Those of the repository lead the way to what is rare.
  const corpus = join(work, 'corpus');
  mkdirSync(corpus);
  const began = Date.now();
  const { code, text } = await start(
    program,
    [
      ...targetArguments(fault.found, { seed: seed ?? 1, seconds: PLANTED_SECONDS, runs }),
      `-artifact_prefix=${work}/`,
      corpus,
      join(root, 'native', 'fuzz', 'corpus', fault.found),
    ],
    { cwd: work },
  );
  const isFound = code !== 0 && (text.includes(`variant ${fault.variant},`) || text.includes(`/${fault.file}:`));
  const took = ((Date.now() - began) / 1000).toFixed(1);
  console.log(`${isFound ? 'found' : 'NOT FOUND'} after ${took} s: ${fault.variant}, ${fault.found}: ${fault.title}`);
  if (!isFound) console.log(text.slice(-2000));
  return isFound;
}

async function findFaults() {
  const home = mkdtempSync(join(tmpdir(), 'millrace-faults-'));
  process.on('exit', () => rmSync(home, { recursive: true, force: true }));
  const chosen = FAULTS.filter(({ found }) => kernels.includes(found));
  const here = chosen.filter(({ variant }) => runsHere(variant));
  const elsewhere = new Set(chosen.filter((fault) => !here.includes(fault)).map(({ variant }) => variant));
  for (const variant of elsewhere) console.log(`skipped: this CPU does not run ${variant}`);
  const objects = compileAll(kernels, join(home, 'right'));
  conclude(...(await inTurn(here, (fault) => findFault(fault, objects, home))));
}

await (values.planted ? findFaults() : fuzzAll());
