/** The checks that every prebuilt binary goes through: each is shown to refuse what it is there for. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { load } from './scripts.js';
import { prebuiltIn, target } from './support.js';

const { problems, targetOf, TARGETS } = await load('binary');
const folder = mkdtempSync(join(inject('scratch'), 'binary-'));
const has = (command: string) => spawnSync(command, ['--version']).status === 0;

/** The first bytes of a library. */
function header(...fields: readonly (readonly [at: number, bytes: string | number[]])[]): Buffer {
  const bytes = Buffer.alloc(256);
  for (const [at, value] of fields) Buffer.from(value as string, 'latin1').copy(bytes, at);
  return bytes;
}

test.each([
  ['linux-x64', header([0, '\x7fELF'], [18, [62, 0]])],
  ['linux-arm64', header([0, '\x7fELF'], [18, [183, 0]])],
  ['darwin-x64', header([0, [0xcf, 0xfa, 0xed, 0xfe]], [4, [7, 0, 0, 1]])],
  ['darwin-arm64', header([0, [0xcf, 0xfa, 0xed, 0xfe]], [4, [12, 0, 0, 1]])],
  ['win32-x64', header([0, 'MZ'], [60, [128]], [128, 'PE\0\0'], [132, [0x64, 0x86]])],
  ['win32-arm64', header([0, 'MZ'], [60, [128]], [128, 'PE\0\0'], [132, [0x64, 0xaa]])],
  [null, header([0, '\x7fELF'], [18, [40, 0]])],
  [null, header([0, 'MZ'], [60, [0, 0, 1]])],
  [null, Buffer.from('a text')],
])('the header of %s is known', (expected, bytes) => {
  expect(targetOf(bytes)).toBe(expected);
});

test('a binary that is missing, foreign or large is refused', () => {
  const file = prebuiltIn(inject('project'));
  const other = TARGETS.find((name: string) => name !== target);
  expect(problems(target, join(folder, 'none'))).toEqual([`${target}: there is no binary`]);
  expect(problems(other, file)).toEqual([`${other}: it is for ${target}`]);
  const large = join(folder, 'large.node');
  copyFileSync(file, large);
  writeFileSync(large, Buffer.alloc(300_000), { flag: 'a' });
  expect(problems(target, large)).toEqual([expect.stringMatching(/it has \d+ bytes, more than 300000$/)]);
});

const canCompile = process.platform === 'linux' && has('g++') && has('readelf');
describe.skipIf(!canCompile)('a Linux binary (needs Linux, g++ and readelf)', () => {
  const entry = 'extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(char* p)';

  test.each([
    ['a C++ runtime', '#include <string>', 'return new std::string(p);', [], /NEEDED libstdc\+\+|it wants _Zn/],
    ['another library', '#include <math.h>', 'return (void*)(long)tgamma(*p);', ['-lm'], /NEEDED libm\.so\.6/],
    ['a newer glibc', '#include <stdlib.h>', 'return reallocarray(p, 2, 3);', [], /reallocarray of GLIBC_2\.26/],
    [
      'what musl has not',
      '#include <stdio.h>',
      'char b[9]; sprintf(b, p); return b + sprintf(b, p);',
      ['-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2', '-w'],
      /it wants __sprintf_chk/,
    ],
    ['a folder of the machine', '', 'return p;', ['-Wl,-rpath,/opt/lib'], /RUNPATH \/opt\/lib/],
  ])('that wants %s is refused', (_, include, body, flags, problem) => {
    const found = check(`${include}\n${entry} { ${body} }`, flags);
    expect(found.join('\n')).toMatch(problem);
  });

  test('without the entry point is refused', () => {
    const found = check('int other;', []);
    expect(found).toEqual([`${target}: it does not export napi_register_module_v1`]);
  });

  test('of C alone passes', () => {
    expect(check(`${entry} { return p; }`, [])).toEqual([]);
  });

  function check(code: string, flags: readonly string[]): string[] {
    const source = join(folder, 'source.cc');
    const file = join(folder, 'source.node');
    writeFileSync(source, code);
    const args = ['-shared', '-fPIC', '-O1', source, '-o', file, ...flags];
    const { status, stderr } = spawnSync('g++', args, { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    return problems(target, file);
  }
});

const hasMusl = target === 'linux-x64' && has('readelf') && spawnSync('musl-gcc', ['-dumpversion']).status === 0;
describe.skipIf(!hasMusl)('with musl (needs linux-x64 and musl-gcc, package musl-tools)', () => {
  test('every symbol resolves, and the entry point is found', () => {
    const binary = prebuiltIn(inject('project'));
    const { stdout } = spawnSync('readelf', ['--wide', '--dyn-syms', binary], { encoding: 'utf8' });
    const names = [...stdout.matchAll(/ UND (napi_\w+|node_api_\w+)/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(5);
    const source = join(folder, 'host.c');
    const host = join(folder, 'host');
    writeFileSync(
      source,
      `#include <dlfcn.h>
       #include <stdio.h>
       ${names.map((name) => `int ${name}(void) { return 0; }`).join('\n')}
       int main(int argc, char** argv) {
         void* library = dlopen(argv[1], RTLD_NOW);
         if (library == NULL) return printf("%s\\n", dlerror()), 1;
         return dlsym(library, "napi_register_module_v1") == NULL ? 2 : 0;
       }`,
    );
    const compiled = spawnSync('musl-gcc', ['-rdynamic', source, '-o', host], { encoding: 'utf8' });
    expect(compiled.status, compiled.stderr).toBe(0);
    const interpreter = spawnSync('readelf', ['--wide', '--program-headers', host], { encoding: 'utf8' }).stdout;
    expect(interpreter).toContain('ld-musl-');
    const ran = spawnSync(host, [binary], { encoding: 'utf8' });
    expect({ status: ran.status, stdout: ran.stdout, stderr: ran.stderr }).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });

  test('the other architecture wants nothing that musl has not', () => {
    const project = join(inject('project'), 'node_modules', 'millrace', 'prebuilds');
    const symbols = (file: string, pattern: RegExp) => {
      const { stdout } = spawnSync('readelf', ['--wide', '--dyn-syms', file], { encoding: 'utf8' });
      return [...stdout.matchAll(pattern)].map(([, name]) => name);
    };
    // musl's loader is its libc; that of the other architecture has the same functions.
    const known = new Set(symbols('/lib/ld-musl-x86_64.so.1', / DEFAULT +\d+ (\w+)/g));
    expect(known.size).toBeGreaterThan(1000);
    for (const name of ['linux-x64', 'linux-arm64']) {
      const file = join(project, name, 'millrace.node');
      if (!existsSync(file)) continue;
      const wanted = symbols(file, / GLOBAL +DEFAULT +UND ((?!napi_|node_api_)\w+)/g);
      expect(wanted.filter((symbol) => !known.has(symbol))).toEqual([]);
    }
  });
});

test('the binary in the tarball is the one that was built', () => {
  const built = readFileSync(join('prebuilds', target, 'millrace.node'));
  expect(readFileSync(prebuiltIn(inject('project'))).equals(built)).toBe(true);
});
