/** The table that is printed as soon as a workload is measured. */

import { describe, expect, test } from 'vitest';
import { type SummaryWorkload, summarize, terminal } from '../../../bench/report/index.js';
import { sampleReport, small } from './samples.js';

function only(values: Parameters<typeof small>[0]): SummaryWorkload {
  const [workload] = summarize(small(values)).workloads;
  if (workload === undefined) throw new Error('there is no workload');
  return workload;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the start of a colour
const COLOUR = /\x1b\[\d+m/g;

test('has a row a server, best first, in columns', () => {
  const lines = terminal(only({ base: [10, 20, 30], ours: [5, 5, 5], same: [10, 20, 31], bad: 'no answer' }), {
    width: 70,
  }).split('\n');
  expect(lines.map((line) => line.replace(/[█▏▎▍▌▋▊▉]+$/, '').trimEnd())).toEqual([
    'one',
    'server CPU a message, less is better',
    '                  median (quartiles)         times as good',
    'ours                  5.00 µs (5.00)       4.0x (3.0–5.0x)',
    'base (baseline)  20.0 µs (15.0–25.0)                    1x',
    'same             20.0 µs (15.0–25.5)  1.00x (0.98–1.00x) ≈',
    'bad                           failed                     –',
    'bad failed: no answer',
    'ours: 4.0x the best of the others, base',
    '≈ within noise of base',
  ]);
});

describe('fits the terminal', () => {
  test.each([20, 40, 60, 80, 100, 132, 200])('of %d columns', (width) => {
    for (const workload of summarize(sampleReport({ servers: 12 })).workloads) {
      for (const line of terminal(workload, { width }).split('\n')) expect([...line].length).toBeLessThanOrEqual(width);
    }
  });
});

test('numbers are whole or not there', () => {
  for (const workload of summarize(sampleReport({ servers: 12 })).workloads) {
    for (const width of [30, 50, 70, 90]) {
      for (const line of terminal(workload, { width }).split('\n').slice(2)) expect(line).not.toMatch(/\s[\d.,]+…/);
    }
  }
});

test('bars are as long as the values', () => {
  const bars = terminal(only({ base: [80], ours: [20], net: [10] }), { width: 100 })
    .split('\n')
    .map((line) => line.match(/█/g)?.length ?? 0)
    .filter((length) => length > 0);
  expect(bars).toEqual([5, 10, 40]);
});

test('colours only where they are wanted, and nothing else changes', () => {
  for (const workload of summarize(sampleReport()).workloads) {
    const plain = terminal(workload, { width: 100 });
    const coloured = terminal(workload, { width: 100, colour: true });
    expect(plain).not.toMatch(COLOUR);
    expect(coloured).toMatch(COLOUR);
    expect(coloured.replace(COLOUR, '')).toBe(plain);
  }
});

test('a name does not move the cursor', () => {
  const [workload] = summarize(small({ 'a\x1b[2Jb\r\nc\x9b': [1], ours: 'no\x07\n' })).workloads;
  if (workload === undefined) throw new Error('there is no workload');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
  expect(terminal(workload).replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
});

test('a workload without metrics or results is a title', () => {
  const report = small({});
  const [workload] = summarize({
    ...report,
    workloads: report.workloads.map((one) => ({ ...one, metrics: [] })),
  }).workloads;
  if (workload === undefined) throw new Error('there is no workload');
  expect(terminal(workload)).toBe('one');
});
