/** The rule that floors import downwards only is the linter's; this shows that it bites. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const FORBIDDEN = [
  ['src/kernels', '../core/index.js'],
  ['src/kernels/portable', '../../node/index.js'],
  ['src/core', '../node/index.js'],
  ['src/core/frames', '../../cli/main.js'],
  ['src/core/frames', '../../kernels/native.js'],
  ['src/core', 'node:net'],
  ['src/core', 'node:stream'],
  ['src/node', '../cli/main.js'],
  ['src/node', '../core/connection.js'],
  ['src/cli', '../core/connection.js'],
] as const;

const ALLOWED = [
  ['src/core', '../kernels/index.js'],
  ['src/core/frames', '../../kernels/index.js'],
  ['src/core', 'node:crypto'],
  ['src/node', '../core/index.js'],
  ['src/node', 'node:net'],
  ['src/cli', '../node/index.js'],
] as const;

const require = createRequire(import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'millrace-floors-'));
let found = '';

function fileOf(under: string, specifier: string): string {
  return `${under}/${specifier.replace(/\W/g, '_')}.ts`;
}

beforeAll(() => {
  cpSync('biome.json', join(folder, 'biome.json'));
  for (const [under, specifier] of [...FORBIDDEN, ...ALLOWED]) {
    const file = join(folder, fileOf(under, specifier));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `export * from '${specifier}';\n`);
  }
  const biome = require.resolve('@biomejs/biome/bin/biome');
  const options = [
    'lint',
    '--colors=off',
    '--vcs-enabled=false',
    '--max-diagnostics=none',
    '--only=noRestrictedImports',
  ];
  const { stdout, stderr } = spawnSync(process.execPath, [biome, ...options], { cwd: folder, encoding: 'utf8' });
  found = stdout + stderr;
});

afterAll(() => rmSync(folder, { recursive: true }));

test.each(FORBIDDEN)('%s may not import %s', (under, specifier) => {
  expect(found).toContain(`${fileOf(under, specifier)}:`);
});

test.each(ALLOWED)('%s may import %s', (under, specifier) => {
  expect(found).not.toContain(`${fileOf(under, specifier)}:`);
});
