/** The Markdown that is committed, and that others quote rows of. */

import { describe, expect, test } from 'vitest';
import { markdown, type Report } from '../../../bench/report/index.js';
import { sampleReport, small } from './samples.js';

/** The tables of a document, each line as its cells. */
function tables(document: string): string[][][] {
  const found: string[][][] = [];
  let last: string[][] | null = null;
  for (const line of document.split('\n')) {
    if (line.startsWith('|')) {
      if (last === null) {
        last = [];
        found.push(last);
      }
      // A sign that is escaped ends no cell.
      last.push(
        line
          .slice(1, -1)
          .split(/(?<!\\)(?:\\\\)*\|/)
          .map((cell) => cell.trim()),
      );
      expect(line.endsWith('|')).toBe(true);
    } else last = null;
  }
  return found;
}

const after = (document: string, heading: string) => document.slice(document.indexOf(heading));

const NASTY = '<script>alert(1)</script> | a\\|b `c` *d* _e_ [f](g) &amp;\nnext ~~h~~';

function nasty(): Report {
  const report = small({ base: [4, 4], ours: [2, 2], bad: `died: ${NASTY}` });
  return {
    ...report,
    command: 'npm run `x` ```',
    servers: report.servers.map((server) => ({ ...server, name: NASTY, version: NASTY, runtime: NASTY })),
    absent: [{ id: 'gone', name: NASTY, why: NASTY }],
    workloads: report.workloads.map((workload) => ({
      ...workload,
      group: NASTY,
      title: NASTY,
      metrics: workload.metrics.map((metric) => ({ ...metric, name: NASTY, unit: '|' })),
    })),
  };
}

describe('tables', () => {
  test.each<[string, Report]>([
    ['of a large report', sampleReport({ servers: 12 })],
    ['of one with a server alone', sampleReport({ servers: 1 })],
    ['of the smallest', small({ base: [1] })],
    ['of one with nasty names', nasty()],
  ])('are well-formed: %s', (_, report) => {
    const found = tables(markdown(report));
    expect(found.length).toBeGreaterThan(2);
    for (const [head = [], rule = [], ...rows] of found) {
      for (const cell of rule) expect(cell).toMatch(/^-{3,}:?$/);
      for (const row of [rule, ...rows]) expect(row).toHaveLength(head.length);
      expect(rows.length).toBeGreaterThan(0);
    }
  });
});

test('what is text stays text', () => {
  const document = markdown(nasty());
  expect(document).not.toContain('<script');
  const unescaped = document.replace(/\n````sh[\s\S]*?\n````\n/, '').replace(/\\[^a-z\d\s]|\*\*/g, '');
  expect(unescaped.match(/.{0,30}[*_`~<>[\]].{0,30}/)).toBeNull();
  expect(document).toContain(
    '&lt;script&gt;alert(1)&lt;/script&gt; \\| a\\\\\\|b \\`c\\` \\*d\\* \\_e\\_ \\[f\\](g) &amp;amp; next \\~\\~h\\~\\~',
  );
  expect(document).toContain('\n````sh\nnpm run `x` ```\n````\n');
});

test('begins with what was measured, where and when', () => {
  const [head = ''] = markdown(sampleReport()).split('\n## ');
  expect(head.startsWith('# millrace compared with other WebSocket servers\n\n```sh\nnpm run bench:peers\n```\n')).toBe(
    true,
  );
  for (const fact of [
    'AMD EPYC 7B13, 2 cores, 8 GiB of memory',
    'linux 6.1, x64',
    '2025-11-23 11:52 UTC',
    '25 min',
    'Rounds: 5',
    '| ws + bufferutil + utf-8-validate (baseline) | 8.23.0 | Node.js 20.20.0 | a room is a loop of send;',
    '| uWebSockets.js | 20.30.0 | Node.js 20.20.0 | – |',
    'picows (Python): Debian has no package of it',
  ]) {
    expect(head).toContain(fact);
  }
  expect(head).not.toContain('quick run');
});

test('a quick run, or one of few rounds, says so', () => {
  expect(markdown(sampleReport({ rounds: 3 }))).toContain('**Only 3 rounds');
  expect(markdown({ ...sampleReport(), quick: true })).toContain('**This is a quick run');
});

test('the overview has a line a workload: the baseline in its unit, the others as ratios', () => {
  const document = markdown(
    small({ base: [12, 12.6, 13], ours: [1.2, 1.26, 1.3], same: [12, 12.6, 13], bad: 'no', net: [1, 1.05, 1.1] }),
  );
  const [, rule, row] = tables(after(document, '## Echo'))[0] ?? [];
  expect(rule).toEqual(['---', '---:', '---:', '---:', '---:', '---:']);
  expect(row).toEqual(['one', '12.6 µs', '**10.0x**', '1.00x ≈', 'failed', '12.0x']);
});

test('a workload has every server, best first, with quartiles, and why one failed', () => {
  const document = markdown(small({ base: [10, 20, 30], ours: [5, 5, 5], bad: 'no answer', none: [null] }));
  const [head, , ...rows] = tables(after(document, '### one'))[0] ?? [];
  expect(head).toEqual(['server', 'server CPU a message (quartiles)', 'times as good as base (quartiles)']);
  expect(rows).toEqual([
    ['ours', '**5.00 µs (5.00)**', '4.0x (3.0–5.0x)'],
    ['base (baseline)', '20.0 µs (15.0–25.0)', '1x'],
    ['bad', 'failed: no answer', '–'],
    ['none', '–', '–'],
  ]);
  expect(document).toContain('\nbad failed: no answer.\n');
});

test('where the baseline failed the values are told instead', () => {
  const document = markdown(small({ base: 'gone', ours: [5, 5, 5], peer: [10, 10, 10] }));
  expect(tables(after(document, '## Echo'))[0]?.[2]).toEqual(['one', 'failed', '**5.00 µs**', '10.0 µs']);
});

test('losses are told, and counted', () => {
  const document = markdown(small({ base: [10, 10, 10], ours: [8, 8, 8], peer: [4, 4, 4] }));
  expect(document).toContain('| ours, against base | 1 | 0 | 0 | 0 |');
  expect(document).toContain('| the best of ours, against the best of the others | 0 | 0 | 1 | 0 |');
  expect(document).toContain('| echo: one | ours, 8.00 µs | peer, 4.00 µs | 0.50x (0.50x) |');
  expect(document).toContain('ours: 1.25x the baseline; 0.50x the best of the others, peer.');
});

test('the greatest loss comes first', () => {
  const { workloads, ...rest } = small({ base: [10, 10], ours: [8, 8], peer: [4, 4] });
  const [first] = workloads;
  if (first === undefined) throw new Error('there is no workload');
  const [base, ours] = first.results;
  if (base === undefined || ours === undefined) throw new Error('there are no results');
  const titled = (title: string, cpu: number) => ({
    ...first,
    title,
    results: [base, ours, { server: 'peer', values: { cpu: [cpu, cpu] } }],
  });
  const document = markdown({ ...rest, workloads: [titled('a', 6), titled('b', 2), titled('c', 4), titled('d', 9)] });
  const lost = [...document.matchAll(/^\| echo: (\w) .* (\S+) \(/gm)].map(([, title, ratio]) => [title, ratio]);
  expect(lost).toEqual([
    ['b', '0.25x'],
    ['c', '0.50x'],
    ['a', '0.75x'],
  ]);
});

test('ours and the best of the others within noise are told to be', () => {
  const document = markdown(small({ base: [10, 10, 10], ours: [4, 4, 4], peer: [4.1, 4.1, 4.1] }));
  expect(document).toContain('ours: 2.5x the baseline; within noise of the best of the others, peer.');
  expect(document).not.toContain('another server is better');
});

test('groups that are known come in their order, others after them under their own names', () => {
  const { workloads, ...rest } = small({ base: [1] });
  const groups = ['zebra', 'memory', 'echo', 'constructor'];
  const report = {
    ...rest,
    workloads: groups.flatMap((group) => workloads.map((workload) => ({ ...workload, group }))),
  };
  const headings = [...markdown(report).matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  expect(headings).toEqual(['Echo', 'Memory', 'Zebra', 'Constructor']);
});

test('workloads that measure different things are in different tables', () => {
  const { workloads, ...rest } = small({ base: [1], ours: [2] });
  const rate = { id: 'cpu', name: 'rate', unit: '/s', better: 'higher' as const };
  const report = { ...rest, workloads: workloads.flatMap((one) => [one, { ...one, title: 'two', metrics: [rate] }]) };
  const [first, second] = tables(after(markdown(report), '## Echo'));
  expect([first?.length, second?.length]).toEqual([3, 3]);
  expect(first?.[2]).toEqual(['one', '**1.00 µs**', '0.50x']);
  expect(second?.[2]).toEqual(['two', '1.00 /s', '**2.0x**']);
});
