/**
 * Builds the package: `dist/` from TypeScript, and the addon where a C++ compiler is at hand.
 *
 * `node scripts/build.js [typescript|native] [--missing]`; without a name it builds both, with `--missing` only what
 * is not there. A machine without a compiler is no failure: the portable tier runs there, and one line says so.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const addon = join(root, 'build', 'Release', 'millrace.node');

function run(command, args) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8' });
}

function hasCommand(name) {
  const { error, status } = run(name, ['--version']);
  return error === undefined && status === 0;
}

/** What node-gyp would need and does not find, or null. */
function missingTool() {
  if (process.platform === 'win32') return null; // node-gyp looks for Visual Studio by itself, and says so
  const compilers = [process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean);
  if (!compilers.some(hasCommand)) return 'C++ compiler';
  if (!hasCommand('make')) return 'make';
  if (!hasCommand('python3')) return 'Python 3';
  return null;
}

function buildTypeScript() {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const { status, stdout, stderr } = run(process.execPath, [tsc, '-p', 'tsconfig.build.json']);
  if (status !== 0) {
    console.error(stdout + stderr);
    process.exit(1);
  }
  cpSync(join(root, 'src', 'cli', 'page'), join(root, 'dist', 'cli', 'page'), { recursive: true });
}

function buildNative() {
  const missing = missingTool();
  if (missing !== null) {
    console.log(`millrace: no ${missing} found, the portable tier will run`);
    return;
  }
  const args = [require.resolve('node-gyp/bin/node-gyp.js'), 'rebuild'];
  // The headers that came with this Node, where they did; otherwise node-gyp fetches them.
  const prefix = dirname(dirname(process.execPath));
  if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${prefix}`);
  const { status, stdout, stderr } = run(process.execPath, args);
  if (status === 0) {
    console.log('millrace: the addon is built, the native tier will run');
    return;
  }
  rmSync(addon, { force: true });
  console.error(stdout + stderr);
  console.error('millrace: the addon could not be built, the portable tier will run');
  // Somebody who asked for the addon alone wants to hear of it.
  if (only === 'native') process.exitCode = 1;
}

const only = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const onlyMissing = process.argv.includes('--missing');
const wants = (part, output) => (only ?? part) === part && !(onlyMissing && existsSync(output));

if (wants('typescript', join(root, 'dist', 'node', 'index.js'))) buildTypeScript();
if (wants('native', addon)) buildNative();
