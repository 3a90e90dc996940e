/**
 * Runs a TypeScript file of `test/` in this process, from the sources: `node scripts/typescript.js <file> [arguments]`.
 * The file finds its arguments behind its own name in `process.argv`, as if Node had run it.
 */

import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const file = resolve(process.argv[2]);
process.argv.splice(1, 2, file);
// Vite sets it where nobody did, and a program must not run otherwise for being run from here.
await runnerImport(file, { root, configFile: false, logLevel: 'error' });
