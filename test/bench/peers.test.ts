/** The whole command, as short as it gets. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Report, summarize } from '../../bench/report/index.js';
import { load } from './support.js';

const { missing } = await load('install');
const { isReadable } = await load('proc');

const ONLY = ['echo-64B-64c-16f-binary', 'handshake-tcp', 'memory', 'latency-64B-64c-4000'];
const ROUNDS = 2;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `ws` is among the packages of this project: nothing is installed for a test. */
const packages = missing().length === 0 ? [] : ['--no-install'];

async function bench(script: string, args: string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...args], { timeout: 120_000 });
    return { code: 0, stdout, stderr };
  } catch (error) {
    return error as Ended;
  }
}

describe('bench:peers', () => {
  let folder: string;
  let ended: Ended;
  let report: Report;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-peers-'));
    const options = ['--quick', '--rounds', String(ROUNDS), '--out', folder, ...packages];
    const chosen = ['--only', ONLY.join(','), '--servers', 'ws,millrace-portable,net'];
    ended = await bench('test/bench/fixtures/peers.js', [...options, ...chosen]);
    report = JSON.parse(readFileSync(join(folder, 'peers.json'), 'utf8'));
  }, 150_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  function resultOf(workload: string, server: string) {
    return report.workloads.find(({ id }) => id.startsWith(workload))?.results.find((one) => one.server === server);
  }

  it('tells what it ran, and on what', () => {
    expect(ended.stderr).toBe('');
    expect(ended.code).toBe(0);
    expect(report).toMatchObject({ format: 1, quick: true, rounds: ROUNDS, baseline: 'ws', absent: [] });
    expect(report.command).toMatch(/^npm run bench:peers -- --quick/);
    expect(Date.parse(report.started)).toBeGreaterThan(0);
    expect(report.machine.cores).toBeGreaterThan(0);
    expect(report.servers.map(({ id }) => id).slice(0, 3)).toEqual(['ws', 'millrace-portable', 'net']);
    expect(report.servers.find(({ id }) => id === 'millrace-portable')).toMatchObject({ ours: true, ceiling: false });
    expect(report.servers.find(({ id }) => id === 'net')).toMatchObject({ ours: false, ceiling: true });
  });

  it('has every figure of every server, in every round', () => {
    expect(report.workloads.map(({ group }) => group)).toEqual(['echo', 'handshake', 'memory', 'latency']);
    for (const { id, metrics, results } of report.workloads) {
      for (const server of ['ws', 'millrace-portable', 'net']) {
        const { values, failed } = results.find((result) => result.server === server) ?? {};
        // A machine that does other things besides may be too slow for the rate, and that is what is told then.
        if (failed?.includes('does not keep the rate')) continue;
        for (const metric of metrics) {
          const row = values?.[metric.id];
          const rounds = metric.id === 'memory' ? ROUNDS / 2 : ROUNDS;
          expect([id, server, metric.id, row?.length]).toEqual([id, server, metric.id, rounds]);
          if (metric.id !== 'memory') expect(row?.every((value) => value !== null && value > 0)).toBe(true);
        }
      }
    }
    if (isReadable) {
      expect(report.workloads.map(({ metrics }) => metrics.find(({ main }) => main)?.id)).toEqual([
        'cpu',
        'cpu',
        'memory',
        'p99',
      ]);
    }
  });

  it('goes on without a server that is wrong, and says what was', () => {
    expect(resultOf('echo', 'planted-corrupt')?.failed).toMatch(/CORRUPT/);
    expect(resultOf('echo', 'planted-crash')?.failed).toMatch(/the server ended with code \d+: Error: planted/);
    for (const { results } of report.workloads) {
      const absent = results.find(({ server }) => server === 'planted-absent');
      expect(absent?.failed).toMatch(/the server ended with code 1: Error: Cannot find module/);
    }
    expect(resultOf('handshake', 'planted-corrupt')?.values).toBeDefined();
    expect(ended.stdout).toMatch(/planted-corrupt failed: .*CORRUPT/);
  });

  it('writes a report in every form', () => {
    expect(summarize(report).workloads).toHaveLength(ONLY.length);
    expect(readFileSync(join(folder, 'peers.md'), 'utf8')).toContain(report.command);
    readFileSync(join(folder, 'peers.html'), 'utf8');
    expect(ended.stdout).toMatch(/\[4\/4\] .* \(\d+:\d\d gone, about 0:00 left\)/);
    expect(ended.stdout).toMatch(/ws [\d.,]+ µs, millrace-portable \d+\.\d+×, net \d+\.\d+×/);
  });
});

describe('the options of bench:peers', () => {
  it('are told where one is wrong', async () => {
    for (const [args, message] of [
      [['--only', 'echos'], /no workload or group is called "echos"/],
      [['--servers', 'nginx'], /no server is called "nginx"/],
      [['--rounds', '0'], /--rounds must be a whole number from 1 up/],
      [['--fast'], /Unknown option '--fast'/],
    ] as const) {
      const { code, stderr } = await bench('bench/peers.js', [...args]);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toMatch(message);
    }
  });

  it('tell what there is without measuring', async () => {
    const { code, stdout } = await bench('bench/peers.js', ['--list', '--quick']);
    expect(code).toBe(0);
    expect(stdout).toContain('memory-2000c');
    expect(stdout).toMatch(/14 workloads, \d+ servers, 3 rounds of \d+ ms: about \d:\d\d/);
  });
});
