/** The addon in many threads, contexts and copies, loaded and left again. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { native, needsAddon } from './support.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const root = here('../../');
const kernels = pathToFileURL(join(root, 'dist/kernels/index.js')).href;

/** How many workers live; a leak that the short form cannot tell shows with thousands. */
const WORKERS = Number(process.env['MILLRACE_WORKERS'] ?? 120);
/** What the memory of a process may differ by that leaks nothing, with room to spare. */
const MOST_GROWTH = 64;

function node(args: string[], env = process.env) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  expect({ status, signal }, stderr).toEqual({ status: 0, signal: null });
  return stdout;
}

describe.skipIf(native === undefined)(needsAddon('the addon'), () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-copies-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test(`${WORKERS} workers come and go, a third of them in the middle of a call`, { timeout: 1000 * WORKERS }, () => {
    const { tiers, before, after } = JSON.parse(
      node(['--expose-gc', here('workers-child.js'), kernels, String(WORKERS)]),
    );
    expect(tiers).toEqual(['native']);
    expect(after - before, `MiB of growth, from ${before}`).toBeLessThan(MOST_GROWTH);
  });

  test('works in two copies and many contexts of one process', () => {
    const copies = ['one', 'two'].map((name) => {
      for (const part of ['dist', 'package.json', 'build/Release/millrace.node']) {
        cpSync(join(root, part), join(folder, name, part), { recursive: true });
      }
      return pathToFileURL(join(folder, name, 'dist/kernels/index.js')).href;
    });
    // Each is to find the binary beside it, and to tell where that was.
    const { MILLRACE_ADDON: _, MILLRACE_KERNELS: __, ...env } = process.env;
    expect(node([here('copies-child.js'), ...copies, kernels], env).trim()).toBe('native,native,native');
  });
});
