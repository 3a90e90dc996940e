import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { info, kernels, nativeVariants, tiers } from '../../src/kernels/index.js';
import { loadAddon } from '../../src/kernels/native.js';
import { native, needsAddon } from './support.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What `millrace/kernels` tells in a process of its own, or how its loading failed. */
function load(from: string, tier?: string, cpu?: string): Record<string, unknown> {
  const { MILLRACE_KERNELS: _, MILLRACE_ADDON: __, MILLRACE_CPU: ___, ...env } = process.env;
  const source = `
    try {
      const { info, kernels, tiers } = await import(process.argv[1]);
      console.log(JSON.stringify({ info, tier: kernels.tier, tiers: tiers.map(({ tier }) => tier) }));
    } catch ({ name, code, message, cause }) {
      console.log(JSON.stringify({ name, code, message, cause: cause instanceof Error }));
    }`;
  const url = pathToFileURL(join(from, 'dist', 'kernels', 'index.js')).href;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', source, url], {
    env: {
      ...env,
      ...(tier === undefined ? {} : { MILLRACE_KERNELS: tier }),
      ...(cpu === undefined ? {} : { MILLRACE_CPU: cpu }),
    },
    encoding: 'utf8',
  });
  return JSON.parse(output);
}

beforeAll(() => {
  if (!existsSync(join(root, 'dist', 'kernels', 'index.js'))) {
    throw new Error('these tests load dist/: run "npm test", or "node scripts/build.js typescript" before vitest');
  }
});

describe('in this process', () => {
  test('the tier in use is the one that is told', () => {
    expect(info.tier).toBe(kernels.tier);
    expect(tiers.map(({ tier }) => tier)).toContain('portable');
    expect(tiers[0].tier).toBe(info.tier);
  });

  test('no kernel can be replaced', () => {
    for (const tier of [kernels, ...tiers]) expect(Object.isFrozen(tier)).toBe(true);
  });
});

describe('MILLRACE_KERNELS', () => {
  test('portable keeps the addon out', () => {
    expect(load(root, 'portable')).toEqual({
      info: { tier: 'portable', reason: 'MILLRACE_KERNELS=portable', features: [] },
      tier: 'portable',
      tiers: ['portable'],
    });
  });

  test.each(['nonsense', 'Native', ' '])('"%s" is refused', (value) => {
    expect(load(root, value)).toMatchObject({
      name: 'KernelsError',
      code: 'KERNELS_UNKNOWN',
      message: `MILLRACE_KERNELS is "${value}", it may be "native" or "portable"`,
    });
  });

  test('an empty value is none', () => {
    expect(load(root, '')).toEqual(load(root));
  });

  describe.skipIf(native === undefined)(needsAddon('with the addon'), () => {
    test.each([
      ['native', /^MILLRACE_KERNELS=native$/],
      [undefined, /^the addon loaded from .*millrace\.node$/],
    ])('%s: it is used', (value, reason) => {
      expect(load(root, value)).toEqual({
        info: { tier: 'native', reason: expect.stringMatching(reason), features: [expect.stringMatching(/^\w+$/)] },
        tier: 'native',
        tiers: ['native', 'portable'],
      });
    });
  });
});

describe('MILLRACE_CPU', () => {
  test.each(['nonsense', 'AVX2', ' '])('"%s" is refused', (value) => {
    expect(load(root, undefined, value)).toMatchObject({
      name: 'KernelsError',
      code: 'KERNELS_UNKNOWN',
      message: `MILLRACE_CPU is "${value}", it may be one of scalar, sse2, avx2, avx512, neon`,
    });
  });

  test('says nothing to the portable tier', () => {
    expect(load(root, 'portable', 'scalar')).toEqual(load(root, 'portable'));
  });

  describe.skipIf(native === undefined)(needsAddon('with the addon'), () => {
    const here = [...nativeVariants().keys()];

    test.each(here)('%s is used', (value) => {
      expect(load(root, undefined, value)).toMatchObject({ tier: 'native', info: { features: [value] } });
    });

    test('without it the best one is used', () => {
      expect(load(root, undefined, '')).toMatchObject({ info: { features: [here.at(-1)] } });
    });

    test('one of another architecture is refused', () => {
      const value = process.arch === 'arm64' ? 'sse2' : 'neon';
      expect(load(root, undefined, value)).toMatchObject({
        name: 'KernelsError',
        code: 'KERNELS_UNAVAILABLE',
        message: `MILLRACE_CPU=${value}, but this CPU runs ${here.join(', ')}`,
      });
    });
  });
});

describe('without an addon that loads', () => {
  const home = mkdtempSync(join(tmpdir(), 'millrace-kernels-'));
  const addon = join(home, 'build', 'Release', 'millrace.node');

  beforeAll(() => {
    cpSync(join(root, 'dist', 'kernels'), join(home, 'dist', 'kernels'), { recursive: true });
    writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
    mkdirSync(join(home, 'build', 'Release'), { recursive: true });
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  test.each([
    ['a missing one', null, /the prebuilt binary for \S+ is missing$|there is no prebuilt binary/],
    ['an empty file', '', /millrace\.node/],
    ['a file that is no binary', 'this is not a shared library, only text that stands in its place', /millrace\.node/],
  ])('%s: the portable tier runs and tells why, and a forced native one throws', (_name, content, why) => {
    rmSync(addon, { force: true });
    if (content !== null) writeFileSync(addon, content);
    expect(load(home)).toEqual({
      info: { tier: 'portable', reason: expect.stringMatching(/^the addon did not load: .+/), features: [] },
      tier: 'portable',
      tiers: ['portable'],
    });
    const failed = load(home, 'native');
    expect(failed).toMatchObject({ name: 'KernelsError', code: 'KERNELS_UNAVAILABLE', cause: true });
    expect(failed['message']).toMatch(/^MILLRACE_KERNELS=native, but the addon did not load: .+/);
    expect(failed['message']).toMatch(why);
    expect(load(home, 'portable')).toMatchObject({ tier: 'portable' });
  });

  test.skipIf(native === undefined)(needsAddon('one of another version'), () => {
    cpSync((loadAddon() as { path: string }).path, addon);
    const loader = join(home, 'dist', 'kernels', 'native.js');
    cpSync(join(root, 'dist', 'kernels', 'native.js'), loader);
    expect(load(home)).toMatchObject({ tier: 'native' });
    const source = readFileSync(loader, 'utf8');
    const newer = source.replace(/ADDON_VERSION = (\d+)/, (_, version) => `ADDON_VERSION = ${Number(version) + 1}`);
    expect(newer).not.toBe(source);
    writeFileSync(loader, newer);
    expect(load(home)).toMatchObject({
      info: { tier: 'portable', reason: expect.stringMatching(/the addon is of version \d+, this code needs \d+$/) },
    });
  });
});
