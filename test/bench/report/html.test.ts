/** The page as text: what it holds, that it is well-formed, and how large it is. */

import { describe, expect, test } from 'vitest';
import { html, markdown, type Report } from '../../../bench/report/index.js';
import { sampleReport, small } from './samples.js';

const VOID = new Set(['meta', 'link']);

/** Elements that are open where something else is closed, or that are never closed; attributes that are no attributes. */
function faults(page: string): string[] {
  const found: string[] = [];
  const open: string[] = [];
  const body = page.replace(/<style>[\s\S]*?<\/style>/, '').replace('<!doctype html>', '');
  for (const [whole, closing, name = '', attributes = ''] of body.matchAll(/<(\/?)([\w-]*)([^>]*)>/g)) {
    if (!/^[a-z][a-z\d-]*$/i.test(name)) found.push(`no name: ${whole}`);
    else if (closing === '/') {
      const last = open.pop();
      if (last !== name) found.push(`</${name}> closes <${last}>`);
    } else {
      if (!/^(?: [a-zA-Z:-]+="[^"<>]*")*$/.test(attributes)) found.push(`attributes: ${whole}`);
      if (/ on\w*="/i.test(attributes)) found.push(`handler: ${whole}`);
      if (!VOID.has(name)) open.push(name);
    }
  }
  for (const text of body.split(/<[^>]*>/)) {
    if (/[<>]|&(?!(?:amp|lt|gt|quot|#39);)/.test(text)) found.push(`text: ${text}`);
  }
  return [...found, ...open.map((name) => `<${name}> is not closed`)];
}

/** A report in which every text is a name. */
function named(name: string): Report {
  const report = sampleReport({ workloads: 24 });
  return {
    ...report,
    command: name,
    started: name,
    machine: { ...report.machine, cpu: name, os: name, arch: name },
    servers: report.servers.map((server) => ({ ...server, name, version: name, runtime: name })),
    absent: [{ id: 'gone', name, why: name }],
    workloads: report.workloads.map((workload) => ({
      ...workload,
      title: name,
      group: workload.group === 'tls' ? name : workload.group,
      metrics: workload.metrics.map((metric) => ({
        ...metric,
        name,
        unit: metric.unit === '/s' ? name : (metric.unit ?? ''),
      })),
      results: workload.results.map((result, i) => (i === 3 ? { server: result.server, failed: name } : result)),
    })),
  };
}

describe('is well-formed, whatever names there are', () => {
  test.each([
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    '</style></svg></title><b>&amp;&lt;',
    'a\0b\x1b[2Jc\ufffe',
    '-->\u2028<!--',
    '$& $1 $$',
  ])('%j', (name) => {
    const page = html(named(name));
    expect(faults(page)).toEqual([]);
    expect(page.match(/<(?:script|img|b)\b.{0,40}/g)).toBeNull();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
    expect(page.match(/[\x00-\x08\x0b-\x1f\ufffe]/g)).toBeNull();
  });
});

describe.each<[string, Report]>([
  ['a large report', sampleReport({ servers: 12 })],
  ['a report of one server', sampleReport({ servers: 1 })],
  ['a report without workloads', sampleReport({ workloads: 0 })],
  ['a report of one round', sampleReport({ rounds: 1, workloads: 12 })],
  ['a report without rounds', sampleReport({ rounds: 0, workloads: 12 })],
  ['the smallest', small({ base: [1] })],
  ['one that is nearly empty', { format: 1, servers: [], workloads: [{ id: 'x' }] } as unknown as Report],
  ['one of failures', small({ base: 'no', ours: 'neither', peer: 'nor this' })],
  ['one of zeros', small({ base: [0], ours: [0], peer: [0] })],
  ['one of values below zero', small({ base: [-1], ours: [-2], peer: [3] })],
  ['one without a baseline', small({ base: [3], ours: [4], peer: [3] }, { baseline: 'nobody' })],
  ['one whose baseline is ours', small({ ours: [3], peer: [4] }, { baseline: 'ours' })],
])('%s', (_, report) => {
  const page = html(report);

  test('is well-formed', () => {
    expect(faults(page)).toEqual([]);
  });

  test('has no number that is none', () => {
    const none = /.{0,40}(?:NaN|Infinity|undefined|\[object).{0,40}/g;
    expect(page.match(none)).toBeNull();
    expect(markdown(report).match(none)).toBeNull();
  });

  test('asks for nothing', () => {
    expect(page.match(/.{0,40}(?:(?:src|srcset)=|@import|<script|<iframe|https?:).{0,40}/gi)).toBeNull();
    for (const [, target = ''] of page.matchAll(/href="([^"]*)"/g)) expect(target).toMatch(/^#|^data:,$/);
    for (const [, target = ''] of page.matchAll(/url\(([^)]*)\)/g)) expect(target).toBe('"#hatch"');
  });

  test('names every image, and once', () => {
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, first, second] of page.matchAll(/aria-labelledby="(\S+) (\S+)"/g)) {
      expect(ids).toContain(first);
      expect(ids).toContain(second);
    }
    const charts = page.match(/class="chart[ "]/g)?.length ?? 0;
    expect(page.match(/role="img"/g)?.length ?? 0).toBe(charts);
  });
});

test('60 workloads of 12 servers take less than a second and 2 MB', () => {
  const report = sampleReport({ servers: 12, workloads: 60 });
  const start = performance.now();
  const made = [html(report), markdown(report)];
  expect(performance.now() - start).toBeLessThan(1000);
  expect(Buffer.byteLength(made.join(''))).toBeLessThan(2_000_000);
});

test('the same report gives the same page', () => {
  expect(html(sampleReport())).toBe(html(sampleReport()));
});

test('every number of the Markdown is in the page too', () => {
  const report = sampleReport({ workloads: 30 });
  const page = html(report);
  const cells = markdown(report)
    .split('\n')
    .filter((line) => /^\| .*\d/.test(line))
    .flatMap((line) => line.split(' | ').slice(1))
    .map((cell) => cell.replace(/\*\*|\s*\|$/g, ''))
    .filter((cell) => /\d/.test(cell) && !cell.includes('\\'));
  expect(cells.length).toBeGreaterThan(500);
  for (const cell of cells) expect(page).toContain(cell);
});

test('who failed and who is absent are told with the reason', () => {
  const page = html(
    small({ base: [1], ours: 'lost message 7' }, { absent: [{ id: 'x', name: 'the absent', why: 'no package' }] }),
  );
  expect(page).toContain('<li>one: ours failed: lost message 7</li>');
  expect(page).toContain('<li>the absent: no package</li>');
});

test('a bar within noise is hatched and has the sign, another has neither', () => {
  const [same, other] = [
    [10, 10],
    [5, 5],
  ].map((values) => html(small({ base: [10, 10], one: values })));
  expect(same?.match(/class="hatched"/g)).toHaveLength(1);
  expect(same).toContain('1.00x \u00a0≈</text>');
  expect(other).not.toContain('class="hatched"');
});
