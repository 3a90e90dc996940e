/** Which file the addon is loaded from, and what is told when it cannot be. */

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const built = join(root, 'build', 'Release', 'millrace.node');
const target = `${process.platform}-${process.arch}`;
const home = mkdtempSync(join(tmpdir(), 'millrace-binary-'));
const local = join(home, 'build', 'Release', 'millrace.node');

function prebuilt(name = target): string {
  return join(home, 'prebuilds', name, 'millrace.node');
}

function put(file: string, content: string | Buffer = ''): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

interface Options {
  /** The platform and architecture to find. */
  readonly on?: string;
  /** MILLRACE_ADDON */
  readonly named?: string;
  /** Whether files are loaded for what they are; without it every file is a good addon but those that say "broken". */
  readonly really?: boolean;
}

/** What a process of its own loads: the path, or the reason why nothing. */
function load({ on = target, named, really = false }: Options = {}): { path?: string; error?: string } {
  const { MILLRACE_ADDON: _, ...env } = process.env;
  const source = `
    const [loader, on, really] = process.argv.slice(1);
    const [platform, arch] = on.split('-');
    Object.defineProperties(process, { platform: { value: platform }, arch: { value: arch } });
    if (really === 'false') {
      require('node:module')._extensions['.node'] = (module, file) => {
        if (require('node:fs').readFileSync(file, 'utf8') === 'broken') throw new Error('broken\\nin two lines');
        module.exports = { file };
      };
    }
    const { addon, path, error } = require(loader)();
    if (addon?.file && addon.file !== path) throw new Error('loaded from ' + addon.file + ', told ' + path);
    console.log(JSON.stringify({ path, error: error?.message }));`;
  const loader = join(home, 'dist', 'kernels', 'binary.cjs');
  const output = execFileSync(process.execPath, ['--eval', source, loader, on, String(really)], {
    cwd: home,
    env: named === undefined ? env : { ...env, MILLRACE_ADDON: named },
    encoding: 'utf8',
  });
  return JSON.parse(output);
}

beforeEach(() => {
  rmSync(home, { recursive: true, force: true });
  put(join(home, 'package.json'), '{ "type": "module" }');
  cpSync(join(root, 'dist', 'kernels'), join(home, 'dist', 'kernels'), { recursive: true });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('a prebuilt binary', () => {
  const targets = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

  test.each(targets)('of %s is loaded there', (on) => {
    for (const name of targets) put(prebuilt(name));
    expect(load({ on })).toEqual({ path: prebuilt(on) });
  });

  test.each(targets)('of %s is told to be missing', (on) => {
    for (const name of targets) if (name !== on) put(prebuilt(name));
    expect(load({ on })).toEqual({ error: `the prebuilt binary for ${on} is missing` });
  });

  test('does not exist for a platform that is not known', () => {
    expect(load({ on: 'sunos-sparc' })).toEqual({ error: 'there is no prebuilt binary for sunos-sparc' });
  });

  test('that fails is told in one line', () => {
    put(prebuilt(), 'broken');
    expect(load()).toEqual({ error: 'broken' });
  });
});

describe('a local binary', () => {
  test('comes before a prebuilt one', () => {
    put(prebuilt());
    put(local);
    expect(load()).toEqual({ path: local });
  });

  test('that fails is told, and no other is taken in its place', () => {
    put(prebuilt());
    put(local, 'broken');
    expect(load()).toEqual({ error: 'broken' });
  });
});

describe('MILLRACE_ADDON', () => {
  beforeEach(() => {
    put(prebuilt());
    put(local);
  });

  test('names the file', () => {
    const file = put(join(home, 'elsewhere', 'special.node'));
    expect(load({ named: file })).toEqual({ path: file });
    expect(load({ named: join('elsewhere', 'special.node') })).toEqual({ path: file });
  });

  test.each([
    ['a missing file', 'none.node', 'there is no such file'],
    ['a file that fails', 'broken.node', 'broken'],
  ])('%s: no other is taken in its place', (_, name, reason) => {
    put(join(home, 'broken.node'), 'broken');
    expect(load({ named: name })).toEqual({ error: `MILLRACE_ADDON is "${name}": ${reason}` });
  });

  test('runs no JavaScript', () => {
    put(join(home, 'addon.cjs'), 'process.exit(1)');
    expect(load({ named: 'addon.cjs' })).toEqual({ error: 'MILLRACE_ADDON is "addon.cjs", which is no .node file' });
  });

  test('an empty value is none', () => {
    expect(load({ named: '' })).toEqual({ path: local });
  });
});

describe('for real', () => {
  const content = existsSync(built) ? readFileSync(built) : undefined;

  test.each([
    ['an empty file', ''],
    ['a text', 'this is not a shared library, only text that stands in its place'],
    ['a header alone', content?.subarray(0, 1000) ?? '\x7fELF'],
    ['all but the last byte of a binary', content?.subarray(0, -1) ?? '\x7fELF'],
  ])('%s is no binary, and the reason is one line that names the file', (_, bytes) => {
    put(prebuilt(), bytes);
    const { path, error } = load({ really: true });
    expect(path).toBeUndefined();
    expect(error).toContain('millrace.node');
    expect(error).not.toContain('\n');
  });

  test.skipIf(content === undefined)('a good binary loads from each place (needs the addon)', () => {
    put(prebuilt(), content);
    expect(load({ really: true })).toEqual({ path: prebuilt() });
    put(local, content);
    expect(load({ really: true })).toEqual({ path: local });
    expect(load({ really: true, named: prebuilt() })).toEqual({ path: prebuilt() });
  });
});
