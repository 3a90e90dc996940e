/** A program bundled with the package in it, and moved to a folder where no package is. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { echo } from './support.js';

const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

describe.each<[string, BuildOptions]>([
  ['CommonJS', { format: 'cjs', outExtension: { '.js': '.cjs' } }],
  ['an ES module', { format: 'esm', outExtension: { '.js': '.mjs' }, banner: { js: REQUIRE } }],
])('bundled by esbuild as %s', (_, options) => {
  const home = mkdtempSync(join(inject('scratch'), 'bundle-'));
  const folder = join(home, 'app', 'dist');
  const program = join(folder, `echo${options.outExtension?.['.js']}`);

  beforeAll(async () => {
    const { errors, warnings } = await build({
      ...options,
      entryPoints: [join(inject('project'), 'echo.mjs')],
      bundle: true,
      platform: 'node',
      loader: { '.node': 'copy' },
      outdir: folder,
      logLevel: 'silent',
    });
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
  });

  test('the native tier runs from a copy of the binary beside it, and from no other', async () => {
    // Where a checkout has the addon that it built, as seen from this bundle.
    mkdirSync(join(home, 'build', 'Release'), { recursive: true });
    writeFileSync(join(home, 'build', 'Release', 'millrace.node'), 'of somebody else');
    const info = await echo(program);
    expect(info).toMatchObject({ tier: 'native', reason: expect.stringContaining(`loaded from ${folder}`) });
  });

  test('without the binary the portable tier runs and tells why', async () => {
    const binaries = readdirSync(folder).filter((name) => name.endsWith('.node'));
    expect(binaries.length).toBeGreaterThan(0);
    for (const name of binaries) rmSync(join(folder, name));
    const reason = expect.stringMatching(/^the addon did not load: the prebuilt binary for \S+ is missing$/);
    expect(await echo(program)).toEqual({ tier: 'portable', reason, features: [] });
  });
});

test('an ES module that has no require runs with the portable tier', async () => {
  const folder = mkdtempSync(join(inject('scratch'), 'bundle-'));
  const outfile = join(folder, 'echo.mjs');
  await build({
    entryPoints: [join(inject('project'), 'echo.mjs')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    loader: { '.node': 'copy' },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
  });
  expect(readFileSync(outfile, 'utf8')).not.toContain('createRequire');
  const reason = expect.stringMatching(/^the addon did not load: Dynamic require of .+ is not supported$/);
  expect(await echo(outfile)).toEqual({ tier: 'portable', reason, features: [] });
});
