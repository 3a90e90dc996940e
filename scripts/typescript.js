/**
 * Runs a TypeScript file of `test/` in this process, from the sources: `node scripts/typescript.js <file> [arguments]`.
 * The file finds its arguments behind its own name in `process.argv`, as if Node had run it. `dist/` must be built.
 */

import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Vite's runner knows ES modules only: the one file that is CommonJS is required as it was compiled. */
const compiledCommonJs = {
  name: 'compiled-commonjs',
  enforce: 'pre',
  resolveId: (id) => (id.endsWith('/binary.cjs') ? '\0binary' : null),
  load(id) {
    if (id !== '\0binary') return null;
    const path = JSON.stringify(join(root, 'dist', 'kernels', 'binary.cjs'));
    return `import { createRequire } from 'node:module'; export default createRequire(${path})(${path});`;
  },
};

const file = resolve(process.argv[2]);
process.argv.splice(1, 2, file);
// Vite sets it where nobody did, and a program must not run otherwise for being run from here.
await runnerImport(file, { root, configFile: false, logLevel: 'error', plugins: [compiledCommonJs] });
