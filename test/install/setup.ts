/** Makes the tarball as it would be published, but for the binaries of other platforms, and installs it once. */

import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';

export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

export interface Packed {
  readonly filename: string;
  readonly files: readonly PackedFile[];
  readonly size: number;
  readonly unpackedSize: number;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The path of the tarball. */
    tarball: string;
    /** What `npm pack` says of it. */
    packed: Packed;
    /** A project with the package in it and the programs of these tests beside. */
    project: string;
    /** A folder for what the tests make, removed in the end. */
    scratch: string;
  }
}

export default function setup({ provide }: TestProject): () => void {
  const scratch = mkdtempSync(join(tmpdir(), 'millrace-install-'));
  const target = `${process.platform}-${process.arch}`;

  execFileSync(process.execPath, ['scripts/build.js', 'typescript'], { stdio: 'inherit' });
  // The other architecture is left out where there is no compiler for it, which the script tells.
  spawnSync(process.execPath, ['scripts/prebuild.js', '--stale'], { stdio: 'inherit' });
  if (!existsSync(join('prebuilds', target, 'millrace.node'))) throw new Error(`no binary was built for ${target}`);

  const [packed] = JSON.parse(npm(['pack', '--json', '--pack-destination', scratch])) as [Packed];
  const tarball = join(scratch, packed.filename);
  console.log(
    `${packed.filename}: ${packed.files.length} files, ${packed.size} bytes, ${packed.unpackedSize} unpacked`,
  );

  const project = join(scratch, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  // An empty PATH: nothing that an install might want to build with can be found.
  const env = { ...process.env, PATH: join(scratch, 'no-commands') };
  npm(['install', '--ignore-scripts', '--offline', '--no-audit', '--no-fund', tarball], { cwd: project, env });
  cpSync('test/install/programs', project, { recursive: true });

  provide('scratch', scratch);
  provide('packed', packed);
  provide('tarball', tarball);
  provide('project', project);
  return () => rmSync(scratch, { recursive: true, force: true });
}

/** Runs npm without a shell and without a search for it, and gives back what it prints. */
export function npm(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): string {
  const cli = process.env['npm_execpath'];
  if (cli === undefined) throw new Error('run these tests with "npm run test:install"');
  return execFileSync(process.execPath, [resolve(cli), ...args], { encoding: 'utf8', ...options });
}
