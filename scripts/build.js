/**
 * Builds the package: `dist/` from TypeScript, and the addon where a C++ compiler is at hand.
 *
 * `node scripts/build.js [typescript|native] [--missing]`; without a name it builds both, with `--missing` only what
 * is not there. A machine without a compiler is no failure: the portable tier runs there, and one line says so.
 */

import { cpSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { missingTool, rebuild, root, run } from './gyp.js';

const require = createRequire(import.meta.url);
const addon = join(root, 'build', 'Release', 'millrace.node');

/** Comments are for declarations, where editors show them: in the programs they would be a quarter of the bytes. */
const PROGRAMS = ['--declaration', 'false', '--removeComments'];
const DECLARATIONS = ['--emitDeclarationOnly'];

function buildTypeScript() {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  for (const part of [PROGRAMS, DECLARATIONS]) {
    const { status, stdout, stderr } = run(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...part]);
    if (status === 0) continue;
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
  const failure = rebuild(root);
  if (failure === null) {
    console.log('millrace: the addon is built, the native tier will run');
    return;
  }
  rmSync(addon, { force: true });
  console.error(failure);
  console.error('millrace: the addon could not be built, the portable tier will run');
  // Somebody who asked for the addon alone wants to hear of it.
  if (only === 'native') process.exitCode = 1;
}

const only = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const onlyMissing = process.argv.includes('--missing');
const wants = (part, output) => (only ?? part) === part && !(onlyMissing && existsSync(output));

if (wants('typescript', join(root, 'dist', 'node', 'index.js'))) buildTypeScript();
if (wants('native', addon)) buildNative();
