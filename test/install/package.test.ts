/** What is in the tarball, and whether its entry points and types are what other tools expect. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { load } from './scripts.js';

const { contentProblems } = await load('contents');
const { problems } = await load('binary');
const packed = inject('packed');
const manifest = JSON.parse(readFileSync(join(inject('project'), 'node_modules/millrace/package.json'), 'utf8'));

describe('the tarball', () => {
  test('has the files that are wanted, no install script, and less than 1 MB', () => {
    expect(contentProblems(packed, manifest)).toEqual([]);
    expect(packed.files.map(({ path }) => path)).toContain(
      `prebuilds/${process.platform}-${process.arch}/millrace.node`,
    );
  });

  test('refers to no source map that is not there', () => {
    const folder = join(inject('project'), 'node_modules', 'millrace');
    const scripts = packed.files.map(({ path }) => path).filter((path) => /\.c?js$/.test(path));
    expect(scripts.filter((path) => readFileSync(join(folder, path), 'utf8').includes('sourceMappingURL'))).toEqual([]);
  });

  test.each([
    ['a file', { files: [...packed.files, { path: 'binding.gyp' }] }, {}, 'binding.gyp is not wanted'],
    ['a source map', { files: [...packed.files, { path: 'dist/a.js.map' }] }, {}, 'dist/a.js.map is not wanted'],
    ['an install script', {}, { scripts: { install: 'node-gyp rebuild' } }, 'there is a script install'],
    ['a dependency', {}, { dependencies: { ws: '8' } }, 'there is a dependency, ws'],
    ['too much', { unpackedSize: 1_000_001 }, {}, '1000001 bytes are more than 1000000'],
  ])('with %s too many is refused', (_, more, moreManifest, problem) => {
    expect(contentProblems({ ...packed, ...more }, { ...manifest, ...moreManifest })).toEqual([problem]);
  });

  test('without a needed file is refused', () => {
    const files = packed.files.filter(({ path }) => path !== 'dist/kernels/binary.cjs');
    expect(contentProblems({ ...packed, files }, manifest)).toEqual(['dist/kernels/binary.cjs is missing']);
  });
});

describe('the binaries in it', () => {
  const binaries = packed.files.map(({ path }) => path).filter((path) => path.endsWith('.node'));

  test.each(binaries)('%s is what its name says, and needs no more than it may', (path) => {
    expect(problems(path.split('/')[1], join(inject('project'), 'node_modules', 'millrace', path))).toEqual([]);
  });
});

describe('its entry points', () => {
  const bin = (name: string, file: string) => join('node_modules', name, file);
  const check = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8' });

  test('publint finds nothing', () => {
    const { status, stdout, stderr } = check(bin('publint', 'src/cli.js'), 'run', '--strict', inject('tarball'));
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
  });

  // esm-only: to require ES modules is what every version of Node does that the package admits, and TypeScript knows
  // that as module nodenext; attw goes by node16, which forbids it.
  test('the types resolve as the modules do', () => {
    const cli = bin('@arethetypeswrong/cli', 'dist/index.js');
    expect(existsSync(cli)).toBe(true);
    const { status, stdout, stderr } = check(cli, inject('tarball'), '--profile', 'esm-only');
    expect(status, stdout + stderr).toBe(0);
  });
});
