import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadAddon } from '../../src/kernels/native.js';
import { root, run } from './support.js';

// Not from the index: what the tests' own process is told to use is not passed on to the command.
const loaded = loadAddon();
const hasAddon = 'variants' in loaded;

describe('millrace doctor', () => {
  test('tells what runs here', async () => {
    const { code, stdout, stderr } = await run(['doctor', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { uv, v8, node, modules: _, ...versions } = process.versions;
    expect(JSON.parse(stdout)).toMatchObject({
      tier: hasAddon ? 'native' : 'portable',
      reason: expect.stringContaining('the addon'),
      features: hasAddon ? [loaded.variants.at(-1)] : [],
      deflate: 'persistent',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      platform: process.platform,
      arch: process.arch,
      node,
      v8,
      napi: versions['napi'],
      libuv: uv,
    });
  });

  test('prints the same for people', async () => {
    const { code, stdout } = await run(['doctor']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^kernels +${hasAddon ? 'native' : 'portable'}$`, 'm'));
    expect(stdout).toMatch(/^why +the addon/m);
    expect(stdout).toMatch(/^deflate +persistent$/m);
    expect(stdout).toContain(`${process.platform} ${process.arch}`);
    expect(stdout).toContain(process.versions.v8);
  });

  test.runIf(process.platform === 'linux')('names the C library', async () => {
    const { libc } = JSON.parse((await run(['doctor', '--json'])).stdout) as { libc: string };
    expect(libc).toMatch(/^(?:glibc \d|musl$)/);
  });

  test('says that a tier is forced', async () => {
    const { code, stdout } = await run(['doctor', '--json'], { MILLRACE_KERNELS: 'portable' });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ tier: 'portable', reason: 'MILLRACE_KERNELS=portable', features: [] });
  });

  test('exits with 1 for a tier that does not exist', async () => {
    const message = 'MILLRACE_KERNELS is "fast", it may be "native" or "portable"';
    const { code, stdout, stderr } = await run(['doctor', '--json'], { MILLRACE_KERNELS: 'fast' });
    expect({ code, stderr }).toEqual({ code: 1, stderr: `millrace: ${message}\n` });
    expect(JSON.parse(stdout)).toMatchObject({ tier: null, reason: message, deflate: null });
  });
});

describe('where no addon is', () => {
  let copy: string;
  let main: string;

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'millrace-no-addon-'));
    main = join(copy, 'dist', 'cli', 'main.js');
    await cp(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
    await cp(join(root, 'package.json'), join(copy, 'package.json'));
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  test('doctor reports the portable tier and why', async () => {
    const { code, stdout } = await run(['doctor', '--json'], {}, main);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      tier: 'portable',
      reason: expect.stringContaining('the addon did not load'),
      features: [],
    });
  });

  test('doctor exits with 1 when native is forced', async () => {
    const { code, stdout, stderr } = await run(['doctor'], { MILLRACE_KERNELS: 'native' }, main);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^kernels +none$/m);
    expect(stderr).toMatch(/^millrace: MILLRACE_KERNELS=native, but the addon did not load: .+\n$/);
  });

  test('serve does not start when native is forced, and says so in one line', async () => {
    const { code, stdout, stderr } = await run(['serve', '--port', '0'], { MILLRACE_KERNELS: 'native' }, main);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^millrace: MILLRACE_KERNELS=native, but the addon did not load: .+\n$/);
  });
});
