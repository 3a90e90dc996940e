/**
 * The same package in other runtimes: which tier runs there, that both tiers agree there, an echo, and everything that
 * the ways of moving bytes could do otherwise there.
 */

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { bun, canEmulate, deno, emulated, runtimes } from './runtimes.js';
import { copyOfProject, echo, prebuiltIn, type Runtime, target, tell, tellOnceEnded, thisNode } from './support.js';

const compared = tell(join(inject('project'), 'compare.mjs'), thisNode) as { compared: number };
const native = { tier: 'native', reason: expect.stringMatching(/^the addon loaded from .+millrace.*\.node$/) };

/** What programs/transports.mjs prints. */
interface Told {
  readonly told: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

describe.skipIf(target !== 'linux-x64')('on linux-x64 (skipped elsewhere: the runtimes are fetched for it)', () => {
  describe.each(runtimes)('%s', (name, start) => {
    let runtime: Runtime = thisNode;

    beforeAll(() => {
      runtime = start();
    });

    test('serves an echo with the native tier', async () => {
      expect(await echo(join(inject('project'), 'echo.mjs'), runtime)).toMatchObject(native);
    });

    test('has tiers that agree', () => {
      const told = tell(join(inject('project'), 'compare.mjs'), runtime);
      expect(told).toMatchObject({ info: native, compared: compared.compared, different: [] });
    });

    test('can require the package', () => {
      expect(tell(join(inject('project'), 'require.cjs'), runtime)).toMatchObject({ info: native });
    });

    test('runs without the binary, and tells that it does', async () => {
      const project = copyOfProject();
      rmSync(prebuiltIn(project));
      const reason = 'the addon did not load: the prebuilt binary for linux-x64 is missing';
      expect(await echo(join(project, 'echo.mjs'), runtime)).toEqual({ tier: 'portable', reason, features: [] });
    });

    // Bun and Deno have streams over no handle of the kind: what is `stream` elsewhere is all there is.
    const isNode = name.startsWith('Node.js');
    test.concurrent.each([
      ['tcp', isNode ? 'handle' : 'stream'],
      ['unix', isNode ? 'handle' : 'stream'],
      ['tls', 'stream'],
      ...(isNode ? [['stream', 'stream']] : []),
    ])('moves bytes in order: %s', async (kind, inUse) => {
      const file = join(inject('project'), 'transports.mjs');
      const env = { TRANSPORT: kind, CERTIFICATES: resolve('test/fixtures/tls') };
      const { told, warnings } = (await tellOnceEnded(file, runtime, env, 100_000)) as Told;
      const { 'the transport in use': found, ...others } = told;
      expect(found).toBe(inUse);
      expect(Object.entries(others).filter(([, result]) => result !== 'passed')).toEqual([]);
      expect(Object.keys(others)).toHaveLength(8);
      expect(warnings).toEqual([]);
    });
  });

  test('Node.js with a kind of array that its Node-API does not know refuses it', () => {
    const [, start] = runtimes.find(([name]) => name === 'Node.js 22') ?? [];
    const runtime: Runtime = [...(start?.() ?? thisNode), '--js-float16array'];
    expect(tell(join(inject('project'), 'float16.mjs'), runtime)).toEqual({
      tier: 'native',
      told: ['TypeError ERR_INVALID_ARG_TYPE'],
      written: -1,
    });
  });

  test('Node.js whose permissions leave addons out falls back', async () => {
    const [, start] = runtimes.find(([name]) => name === 'Node.js 24') ?? [];
    const runtime: Runtime = [...(start?.() ?? thisNode), '--permission', '--allow-fs-read=*'];
    expect(await echo(join(inject('project'), 'echo.mjs'), runtime)).toMatchObject({
      tier: 'portable',
      reason: expect.stringMatching(/addons is disabled/),
    });
  });

  test('Deno that may not call into a library falls back', async () => {
    const [command, ...args] = deno();
    const runtime: Runtime = [command, ...args, '--allow-env', '--allow-read', '--allow-net', '--no-prompt'];
    expect(await echo(join(inject('project'), 'echo.mjs'), runtime)).toMatchObject({
      tier: 'portable',
      reason: expect.stringMatching(/^the addon did not load: Requires ffi access/),
    });
  });

  test.each([
    ['a bundle', ['--target=bun', '--outdir=out'], join('out', 'echo.js')],
    ['an executable', ['--compile', '--outfile=single'], 'single'],
  ])('Bun takes the binary along into %s', async (_, options, result) => {
    const project = copyOfProject();
    const [command] = bun();
    const { status, stderr } = spawnSync(command, ['build', './echo.mjs', ...options], {
      cwd: project,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    rmSync(join(project, 'node_modules'), { recursive: true });
    const started: Runtime = result === 'single' ? [join(project, result)] : [command];
    expect(await echo(join(project, result), started)).toMatchObject(native);
  });

  test.skipIf(!canEmulate)('Node.js 22 on linux-arm64 (needs qemu-user and g++-aarch64-linux-gnu)', async () => {
    const path = expect.stringContaining('prebuilds/linux-arm64/millrace.node');
    const told = tell(join(inject('project'), 'compare.mjs'), emulated());
    expect(told).toMatchObject({ info: { tier: 'native', reason: path }, compared: compared.compared, different: [] });
    expect(await echo(join(inject('project'), 'echo.mjs'), emulated())).toMatchObject({ reason: path });
  });
});
