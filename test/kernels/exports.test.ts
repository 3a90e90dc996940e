/** The addon's own functions, called from JavaScript with anything at all: none may crash, whoever calls it. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { native, needsAddon } from './support.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const addon = here('../../build/Release/millrace.node');
const CALLS = Number(process.env['MILLRACE_RUNS'] ?? 20_000);

function run(seed: number, ...more: string[]) {
  const args = [here('../../scripts/typescript.js'), here('exports-child.ts'), addon, String(CALLS), String(seed)];
  return spawnSync(process.execPath, [...args, ...more], { encoding: 'utf8', maxBuffer: 2 ** 30 });
}

describe.skipIf(native === undefined || !existsSync(addon))(needsAddon('what the addon exports'), () => {
  test.each([1, (Math.random() * 2 ** 31) | 0])('survives any arguments, seed %i', (seed) => {
    const { status, signal, stdout, stderr } = run(seed);
    if (signal !== null) expect.fail(`${signal} in ${run(seed, 'trace').stderr.trim().split('\n').at(-1)}`);
    expect(status, stderr).toBe(0);
    const { calls, returned, threw, functions } = JSON.parse(stdout);
    expect(calls).toBe(CALLS);
    // Some calls must get as far as the work itself, or this would test a few checks and nothing else.
    expect(returned).toBeGreaterThan(CALLS / 100);
    expect(threw).toBeGreaterThan(CALLS / 100);
    expect(functions.length).toBeGreaterThan(0);
  });
});
