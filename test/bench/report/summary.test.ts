/** Every number here is computed by hand. */

import { describe, expect, test } from 'vitest';
import { compareRows, ReportError, type RowMetric, summarize } from '../../../bench/report/index.js';
import { sampleReport, small } from './samples.js';

type Values = Parameters<typeof small>[0];

/** The one workload of a report of one. */
function only(values: Values, changes: Parameters<typeof small>[1] = {}) {
  const { workloads } = summarize(small(values, changes));
  const [workload] = workloads;
  if (workload === undefined) throw new Error('there is no workload');
  return workload;
}

function metricOf(values: Values, server: string, changes: Parameters<typeof small>[1] = {}): RowMetric {
  const found = only(values, changes).rows.find((row) => row.server === server)?.metrics['cpu'];
  if (found === undefined) throw new Error(`${server} has no value`);
  return found;
}

/** The same with a metric of which more is better. */
function higher(values: Values): Parameters<typeof small>[1] {
  const [workload] = small(values).workloads;
  if (workload === undefined) throw new Error('there is no workload');
  return { workloads: [{ ...workload, metrics: [{ id: 'cpu', name: 'rate', unit: '/s', better: 'higher' }] }] };
}

describe('medians and quartiles', () => {
  test.each([
    { what: 'an odd number of rounds', values: [3, 1, 2, 5, 4], median: 3, low: 2, high: 4 },
    { what: 'an even number', values: [4, 1, 3, 2], median: 2.5, low: 1.75, high: 3.25 },
    { what: 'two', values: [10, 20], median: 15, low: 12.5, high: 17.5 },
    { what: 'one', values: [7], median: 7, low: 7, high: 7 },
    { what: 'zeros', values: [0, 0, 0], median: 0, low: 0, high: 0 },
    { what: 'less than zero', values: [-2, 0, 2], median: 0, low: -1, high: 1 },
  ])('of $what', ({ what: _, values, ...expected }) => {
    expect(metricOf({ base: values }, 'base')).toMatchObject({ ...expected, rounds: values.length });
  });

  test('rounds that are missing do not count', () => {
    const { median, rounds } = metricOf({ base: [1, null, 3, Number.NaN, 100] }, 'base');
    expect({ median, rounds }).toEqual({ median: 3, rounds: 3 });
  });

  test('the spread is the quartiles by the median', () => {
    expect(metricOf({ base: [8, 10, 12] }, 'base').spread).toBeCloseTo(0.2, 12);
    expect(metricOf({ base: [0, 0, 0] }, 'base').spread).toBe(0);
  });

  test('a server with no value at all has a row and no metric', () => {
    const [row] = only({ base: [null, null] }).rows;
    expect(row?.metrics).toEqual({});
  });
});

describe('ratios', () => {
  test('are of the same round: drift cancels', () => {
    // Each round is twice as slow as the one before; the other is always twice as good.
    const { ratio, median } = metricOf({ base: [2, 4, 8, 16], fast: [1, 2, 4, 8] }, 'fast');
    expect(ratio).toEqual({ median: 2, low: 2, high: 2, rounds: 4 });
    expect(median).toBe(3);
  });

  test('are the baseline by the value where less is better', () => {
    // 10/5 = 2, 10/4 = 2.5, 10/2.5 = 4
    expect(metricOf({ base: [10, 10, 10], one: [5, 4, 2.5] }, 'one').ratio).toEqual({
      median: 2.5,
      low: 2.25,
      high: 3.25,
      rounds: 3,
    });
  });

  test('are the value by the baseline where more is better', () => {
    const values = { base: [10, 10, 10], one: [20, 25, 40] };
    expect(metricOf(values, 'one', higher(values)).ratio).toEqual({ median: 2.5, low: 2.25, high: 3.25, rounds: 3 });
  });

  test('are of the rounds that both have', () => {
    const values = { base: [10, null, 30, 40], one: [5, 1, null, 10] };
    // 10/5 = 2 and 40/10 = 4
    expect(metricOf(values, 'one').ratio).toEqual({ median: 3, low: 2.5, high: 3.5, rounds: 2 });
  });

  test('are null where no round has both', () => {
    expect(metricOf({ base: [1, null], one: [null, 1] }, 'one')).toMatchObject({ ratio: null, noise: false });
  });

  test('are null for the baseline itself', () => {
    expect(metricOf({ base: [1, 2], one: [1, 2] }, 'base')).toMatchObject({ ratio: null, noise: false });
  });

  test('are null where the baseline failed, whatever it did before', () => {
    expect(metricOf({ base: 'crashed', one: [1, 2] }, 'one')).toMatchObject({ ratio: null, noise: false, median: 1.5 });
    const report = small({ base: [1, 1], one: [1, 2] });
    const [workload] = report.workloads;
    if (workload === undefined) throw new Error('there is no workload');
    const results = workload.results.map((result) =>
      result.server === 'base' ? { ...result, failed: 'late' } : result,
    );
    const [base, one] = only({}, { servers: report.servers, workloads: [{ ...workload, results }] }).rows;
    expect(base).toMatchObject({ failed: 'late', metrics: {} });
    expect(one?.metrics['cpu']?.ratio).toBeNull();
  });

  test('are null where there is no baseline', () => {
    const workload = only({ base: [1], one: [2] }, { baseline: 'nobody' });
    expect(workload.baseline).toBeNull();
    expect(workload.rows.map(({ metrics }) => metrics['cpu']?.ratio)).toEqual([null, null]);
  });

  test('with zero: of nothing and nothing 1, of something and nothing none, of nothing and something 0', () => {
    expect(metricOf({ base: [0, 0], one: [0, 0] }, 'one')).toMatchObject({ ratio: { median: 1 }, noise: true });
    expect(metricOf({ base: [5, 5], one: [0, 0] }, 'one')).toMatchObject({ ratio: null, noise: false });
    expect(metricOf({ base: [0, 0], one: [5, 5] }, 'one')).toMatchObject({ ratio: { median: 0 }, noise: false });
    // A round in which it cannot be said does not hide those in which it can.
    expect(metricOf({ base: [6, 6, 6], one: [0, 2, 3] }, 'one').ratio).toMatchObject({ median: 2.5, rounds: 2 });
  });

  test('are null for values below zero', () => {
    expect(metricOf({ base: [-1, -1], one: [1, 1] }, 'one').ratio).toBeNull();
  });

  test('are null where nothing says what is better', () => {
    const report = small({ base: [1], one: [2] });
    const workloads = report.workloads.map((workload) => ({ ...workload, metrics: [{ id: 'cpu' }] }));
    const { main, rows } = only({}, { servers: report.servers, workloads });
    expect(main).toEqual({ id: 'cpu', name: 'cpu', unit: '', better: null, main: false });
    expect(rows.map(({ metrics }) => metrics['cpu'])).toMatchObject([{ median: 1 }, { median: 2, ratio: null }]);
  });
});

describe('within noise', () => {
  test.each([
    { what: 'medians that differ by a little less than 3 %', one: [102.9, 102.9, 102.9], noise: true },
    { what: 'medians that differ by 3 %', one: [103, 103, 103], noise: false },
    { what: 'medians that differ by more', one: [104, 104, 104], noise: false },
    { what: 'the other way, by less', one: [97.1, 97.1, 97.1], noise: true },
    { what: 'the other way, by more', one: [97, 97, 97], noise: false },
    // 100/80 = 1.25, 100/100 = 1, 100/125 = 0.8; quartiles 0.9 and 1.125
    { what: 'quartiles around 1', one: [80, 100, 125], noise: true },
    // 100/90, 100/90, 1, 1, 100/80 -> low 1, median 1.11
    { what: 'a quartile that is 1', one: [90, 90, 100, 100, 80], noise: true },
    // 100/90 three times, 100/99, 100/80: the low quartile is 1.11
    { what: 'quartiles that do not reach 1', one: [90, 90, 90, 99, 80], noise: false },
  ])('$what: $noise', ({ one, noise }) => {
    expect(metricOf({ base: one.map(() => 100), one }, 'one').noise).toBe(noise);
  });

  test('between two rows that are named', () => {
    const workload = only({ base: [100, 100, 100], ours: [10, 10, 10], peer: [10.2, 10.2, 10.2], slow: [20, 20, 20] });
    expect(compareRows(workload, 'cpu', 'ours', 'peer')).toMatchObject({ noise: true, ratio: { median: 1.02 } });
    expect(compareRows(workload, 'cpu', 'ours', 'slow')).toMatchObject({ noise: false, ratio: { median: 2 } });
    expect(compareRows(workload, 'cpu', 'slow', 'ours')).toMatchObject({ noise: false, ratio: { median: 0.5 } });
    expect(compareRows(workload, 'cpu', 'ours', 'nobody')).toBeNull();
    expect(compareRows(workload, 'toString', 'ours', 'peer')).toBeNull();
  });
});

describe('who is best', () => {
  const best = (values: Values) =>
    only(values)
      .rows.filter(({ metrics }) => metrics['cpu']?.best)
      .map(({ server }) => server);

  test('is the best row and what is within noise of it', () => {
    expect(best({ base: [9, 9], ours: [3, 3], peer: [3.05, 3.05], late: [3.2, 3.2] })).toEqual(['ours', 'peer']);
  });

  test('is never the ceiling', () => {
    expect(best({ base: [9, 9], ours: [3, 3], net: [1, 1] })).toEqual(['ours']);
  });

  test('is nobody where there is one alone', () => {
    expect(best({ base: [9, 9], net: [1, 1] })).toEqual([]);
  });

  test('ours against the best of the others, the baseline among them', () => {
    const { rivalry } = only({ base: [3, 3], 'ours-a': [9, 9], 'ours-b': [6, 6], peer: [4, 4], net: [1, 1] });
    expect(rivalry).toMatchObject({
      ours: { server: 'ours-b' },
      other: { server: 'base' },
      ratio: { median: 0.5 },
      noise: false,
    });
  });

  test.each<[string, Values]>([
    ['ours failed', { base: [1], ours: 'no' }],
    ['there is nobody else', { ours: [1] }],
    ['there is nobody else but the ceiling', { ours: [1], net: [1] }],
    ['none of ours was measured', { base: [1], peer: [1] }],
  ])('ours against nobody where %s', (_, values) => {
    expect(only(values).rivalry).toBeNull();
  });
});

describe('what is not known', () => {
  test('a server that has results and no description is a row', () => {
    const report = small({ base: [2], ghost: [1] });
    const { rows } = only({}, { servers: report.servers.slice(0, 1), workloads: report.workloads });
    expect(rows.map(({ about }) => about.name)).toEqual(['base', 'ghost']);
    expect(rows[1]?.metrics['cpu']?.ratio?.median).toBe(2);
  });

  test('a server that has no part in a workload has no row', () => {
    const report = small({ base: [2], one: [1] });
    const [workload] = report.workloads;
    if (workload === undefined) throw new Error('there is no workload');
    const workloads = [{ ...workload, results: workload.results.slice(0, 1) }];
    expect(only({}, { servers: report.servers, workloads }).rows.map(({ server }) => server)).toEqual(['base']);
  });

  test.each([
    [null, 'FORMAT'],
    [{}, 'FORMAT'],
    [{ ...sampleReport({ workloads: 0 }), format: 2 }, 'FORMAT'],
    [{ ...sampleReport({ workloads: 0 }), workloads: {} }, 'CONTENT'],
    [{ format: 1, workloads: [] }, 'CONTENT'],
  ])('what is no report is said to be none (%#)', (report, code) => {
    const read = () => summarize(report as never);
    expect(read).toThrow(ReportError);
    expect(read).toThrow(expect.objectContaining({ name: 'ReportError', code }) as Error);
  });
});

test('the same seed gives the same report, another seed another', () => {
  expect(sampleReport({ seed: 7 })).toEqual(sampleReport({ seed: 7 }));
  expect(sampleReport({ seed: 7 })).not.toEqual(sampleReport({ seed: 8 }));
});
