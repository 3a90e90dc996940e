import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load } from './support.js';

const { CpuMeter, residentMemory, isReadable } = await load('proc');

describe.skipIf(!isReadable)('what a process costs', () => {
  let child: ChildProcessByStdio<Writable, Readable, null>;
  let lines: Interface;

  beforeAll(async () => {
    child = spawn(process.execPath, ['test/bench/fixtures/burn.js'], { stdio: ['pipe', 'pipe', 'inherit'] });
    lines = createInterface({ input: child.stdout });
    await once(lines, 'line');
  });

  afterAll(() => {
    child.kill();
  });

  /** Microseconds, by the process's own account. */
  async function burn(ms: number): Promise<number> {
    const told = once(lines, 'line');
    child.stdin.write(`${ms}\n`);
    return Number((await told)[0]);
  }

  it('is its CPU time, of all its threads, since it was last asked', async () => {
    const meter = new CpuMeter(child.pid);
    for (let i = 0; i < 2; i++) {
      const own = await burn(200);
      const read = meter.read();
      expect(own).toBeGreaterThan(20_000);
      expect(read / own).toBeGreaterThan(0.95);
      expect(read - own).toBeLessThan(20_000);
    }
    expect(meter.read()).toBeLessThan(20_000);
  });

  it('is told in ticks where it is not told exactly', async () => {
    const meter = new CpuMeter(child.pid, false);
    const own = await burn(300);
    expect(Math.abs(meter.read() - own)).toBeLessThan(40_000);
  });

  it('is its memory', async () => {
    const bytes = residentMemory(process.pid);
    expect(bytes).toBeGreaterThan(16 * 1024 * 1024);
    const held = Buffer.alloc(64 * 1024 * 1024, 1);
    const more = residentMemory(process.pid) - bytes;
    expect(more).toBeGreaterThan(0.8 * held.length);
    expect(more).toBeLessThan(1.5 * held.length);
  });
});
