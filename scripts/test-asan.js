/**
 * Runs the tests with an addon that is compiled with AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 * `npm run test:asan [-- arguments for vitest]`. With the sanitizer's `malloc` in Node the memory around a typed array
 * of more than 64 bytes is poisoned, so a kernel that reads a byte too many is caught where it does.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rebuild } from './gyp.js';
import { cache, demand, fail, root, run } from './native/tools.js';

/**
 * The kernels, and what calls them with bytes from a peer. Left out is what hands them none or only a few (handshakes,
 * deadlines, states, options), what needs a peer or starts processes (cli, interop), and the two files that are about
 * which binary is loaded and what is in it.
 */
const TESTS = [
  'test/differential',
  'test/core/frames',
  'test/core/round-trip',
  'test/core/masking',
  'test/conformance/framing',
  'test/conformance/masking',
  'test/conformance/utf8',
  'test/node/handle',
  'test/node/kept',
  'test/node/link',
  'test/node/peer',
  'test/node/pressure',
];
const KERNELS = readdirSync(join(root, 'test', 'kernels'))
  .filter((name) => name.endsWith('.test.ts') && name !== 'index.test.ts' && name !== 'native.test.ts')
  .map((name) => `test/kernels/${name}`);

const SANITIZE = '-fsanitize=address,undefined -fno-sanitize-recover=all';
const require = createRequire(import.meta.url);
const home = join(cache, 'asan');
const addon = join(home, 'millrace.node');
const planted = join(home, 'planted.node');

/** Builds as `binding.gyp` says, in a copy of the sources: node-gyp empties the `build/` that it writes to. */
function build(to) {
  const problem = rebuild(home, { env: { CXX: 'g++', CXXFLAGS: `${SANITIZE} -g1`, LDFLAGS: SANITIZE } });
  if (problem !== null) fail(problem);
  copyFileSync(join(home, 'build', 'Release', 'millrace.node'), to);
}

function buildBoth() {
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  for (const name of ['native', 'binding.gyp', 'package.json']) {
    cpSync(join(root, name), join(home, name), { recursive: true });
  }
  build(addon);
  // The last word of a block one byte late, in the variant that every machine runs.
  const header = join(home, 'native', 'vectors', 'words.h');
  const parts = readFileSync(header, 'utf8').split('Load<uint64_t>(from + 8)');
  if (parts.length !== 2) fail('the over-read to plant has no place in native/vectors/words.h any more');
  writeFileSync(header, parts.join('Load<uint64_t>(from + 9)'));
  build(planted);
}

/** Node with the sanitizer in it, and the addon that it is to load. */
function environment(binary, more = {}) {
  const library = run('g++', ['-print-file-name=libasan.so']).trim();
  return {
    ...process.env,
    LD_PRELOAD: library,
    // V8 leaves memory behind when a process ends. What is freed is kept for a while, and a test bounds what may be.
    ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=16',
    UBSAN_OPTIONS: 'print_stacktrace=1',
    MILLRACE_ADDON: binary,
    MILLRACE_KERNELS: '',
    ...more,
  };
}

const MASK = `
  const { info, nativeVariants } = await import(process.argv[1]);
  const bytes = new Uint8Array(100);
  nativeVariants().get('scalar').mask(bytes, 0, bytes, 0, 100, 1, 0);
  console.log(info.reason);`;

function maskWith(binary) {
  const url = pathToFileURL(join(root, 'dist', 'kernels', 'index.js')).href;
  const args = ['--input-type=module', '--eval', MASK, url];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: environment(binary) });
}

/** That a sanitizer is in what is tested, and that it stops a process that reads a byte too many. */
function prove() {
  if (!run('nm', ['-D', addon]).includes('__asan_report_load')) fail('the addon is built without AddressSanitizer');
  const right = maskWith(addon);
  if (right.status !== 0 || right.stdout.trim() !== `the addon loaded from ${addon}`) {
    fail(`another addon would be tested: ${right.stdout}${right.stderr}`);
  }
  const wrong = maskWith(planted);
  if (wrong.status === 0 || !wrong.stderr.includes('ERROR: AddressSanitizer')) {
    fail(`a planted over-read was not found: ${wrong.stdout}${wrong.stderr}`);
  }
  console.log('millrace: the addon under test has AddressSanitizer, which finds a planted over-read');
}

if (process.platform !== 'linux') fail('test:asan preloads a library, as Linux does it');
demand({ 'g++': 'g++', make: 'make', python3: 'python3', nm: 'binutils' });
run(process.execPath, [join(root, 'scripts', 'build.js'), 'typescript']);
buildBoth();
prove();
const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', ...KERNELS, ...TESTS, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: environment(addon, { MILLRACE_KERNELS: 'native' }),
});
process.exit(status ?? 1);
