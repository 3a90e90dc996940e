/** What a user of Node gets from `npm install`, with a binary that loads and without one. */

import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { copyOfProject, echo, prebuiltIn, tell, thisNode } from './support.js';

describe('the package as it is installed', () => {
  const native = { tier: 'native', reason: `the addon loaded from ${prebuiltIn(inject('project'))}` };

  test('serves an echo with the native tier', async () => {
    expect(await echo(join(inject('project'), 'echo.mjs'))).toMatchObject(native);
  });

  test('can be required', () => {
    expect(tell(join(inject('project'), 'require.cjs'))).toMatchObject({
      info: native,
      types: ['function', 'function'],
    });
  });

  test('falls back where Node loads no addons', async () => {
    const told = await echo(join(inject('project'), 'echo.mjs'), [...thisNode, '--no-addons']);
    const reason = expect.stringMatching(/^the addon did not load: .*addon/);
    expect(told).toEqual({ tier: 'portable', reason, features: [] });
  });

  test('runs in worker threads', () => {
    expect(tell(join(inject('project'), 'worker.mjs'))).toMatchObject([native, native]);
  });

  test('has tiers that agree', () => {
    const told = tell(join(inject('project'), 'compare.mjs'));
    expect(told).toMatchObject({ info: native, compared: expect.any(Number), different: [] });
  });
});

describe.each([
  ['missing', (file: string) => rmSync(file), /^the prebuilt binary for [\w-]+ is missing$/],
  ['empty', (file: string) => writeFileSync(file, ''), /millrace\.node/],
  ['a text', (file: string) => writeFileSync(file, '<html>Not Found</html>\n'.repeat(99)), /millrace\.node/],
  ['cut off', (file: string) => truncateSync(file, readFileSync(file).length - 1), /millrace\.node/],
  ['for another architecture', otherArchitecture, /millrace\.node/],
])('a prebuilt binary that is %s', (_name, damage, why) => {
  const project = copyOfProject();
  damage(prebuiltIn(project));
  const reason = /^the addon did not load: (.+)$/;

  test('leaves the portable tier, which tells why and serves an echo', async () => {
    const info = await echo(join(project, 'echo.mjs'));
    expect(info).toEqual({ tier: 'portable', reason: expect.stringMatching(reason), features: [] });
    expect(reason.exec(info.reason)?.[1]).toMatch(why);
  });

  test('is an error where the native tier is forced', () => {
    expect(tell(join(project, 'require.cjs'), undefined, { MILLRACE_KERNELS: 'native' })).toEqual({
      name: 'KernelsError',
      code: 'KERNELS_UNAVAILABLE',
      message: expect.stringMatching(/^MILLRACE_KERNELS=native, but the addon did not load: .+$/),
    });
  });
});

/** Changes the machine that the headers name, in the place where the format of this platform has it. */
function otherArchitecture(file: string): void {
  const bytes = readFileSync(file);
  const at = { linux: 18, darwin: 4 }[process.platform as string] ?? bytes.readUInt32LE(60) + 4;
  bytes.writeUInt16LE(bytes.readUInt16LE(at) ^ 0x00ff, at);
  writeFileSync(file, bytes);
}
