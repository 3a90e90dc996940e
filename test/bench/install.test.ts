import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { load } from './support.js';

const { missing, FOLDER } = await load('install');

describe('the packages of the peers', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-peers-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function lock(packages: object): void {
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages }));
  }

  function install(name: string, version: string): void {
    mkdirSync(join(folder, 'node_modules', name), { recursive: true });
    writeFileSync(join(folder, 'node_modules', name, 'package.json'), JSON.stringify({ name, version }));
  }

  it('are missing where they are not there, or are another version', () => {
    lock({ '': {}, 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0' } });
    expect(missing(folder)).toEqual(['a', 'b']);
    install('a', '1.0.0');
    install('b', '2.0.1');
    expect(missing(folder)).toEqual(['b']);
    install('b', '2.0.0');
    expect(missing(folder)).toEqual([]);
  });

  it('are not missing where they are for another machine', () => {
    const version = '1.0.0';
    lock({
      'node_modules/other-system': { version, os: ['plan9'] },
      'node_modules/other-processor': { version, os: [process.platform], cpu: ['pdp11'] },
      'node_modules/here': { version, os: [process.platform], cpu: [process.arch] },
    });
    expect(missing(folder)).toEqual(['here']);
  });

  it('are named with a version each, and without a registry', () => {
    const { dependencies } = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8'));
    expect(Object.values(dependencies).every((version) => /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version)))).toBe(
      true,
    );
    expect(readFileSync(join(FOLDER, 'package-lock.json'), 'utf8')).not.toMatch(
      /https?:\/\/(?!registry\.npmjs\.org)[^"]*\.tgz/,
    );
  });
});
