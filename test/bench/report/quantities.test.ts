/** How numbers are told, seen where they are: in a table. */

import { describe, expect, test } from 'vitest';
import { markdown } from '../../../bench/report/index.js';
import { small } from './samples.js';

/** The cell of the baseline in the overview, and of another server. */
function cells(base: number, other: number, unit = 'µs'): string[] {
  const report = small({ base: [base], one: [other] });
  const workloads = report.workloads.map((workload) => ({
    ...workload,
    title: 'told',
    metrics: [{ id: 'cpu', name: 'cost', unit, better: 'lower' as const }],
  }));
  const line = /^\| told \| (.*) \| (.*) \|$/m.exec(markdown({ ...report, workloads }));
  return (line?.slice(1) ?? []).map((cell) => cell.replaceAll('**', ''));
}

describe('quantities', () => {
  test.each([
    [12.64, 'µs', '12.6 µs'],
    [0.5, 'µs', '500 ns'],
    [811, 'µs', '811 µs'],
    [999.4, 'µs', '999 µs'],
    [999.6, 'µs', '1.00 ms'],
    [1100, 'µs', '1.10 ms'],
    [15_000, 'us', '15.0 ms'],
    [0.0004, 'ns', '4.0e-4 ns'],
    [7_200_000, 'ms', '7,200 s'],
    [9100, 'B', '8.89 KiB'],
    [1023, 'bytes', '1,023 B'],
    [1024, 'bytes', '1.00 KiB'],
    [900, 'KB', '900 kB'],
    [1234, '/s', '1,234 /s'],
    [412_345, '/s', '412,000 /s'],
    [1_234_567, '/s', '1,230,000 /s'],
    [12.5, '%', '12.5%'],
    [3, 'foos', '3.00 foos'],
    [0, 'µs', '0 µs'],
    [99.96, '', '100'],
    [-4.2, 'B', '-4.20 B'],
  ])('%d %s is %s', (value, unit, told) => {
    expect(cells(value, value, unit)[0]).toBe(told);
  });

  test.each([
    [100, 8.7, '11.5x'],
    [98, 10, '9.8x'],
    [127, 100, '1.27x'],
    [1990, 1000, '1.99x'],
    [1996, 1000, '2.0x'],
    [86, 100, '0.86x'],
    [1, 100, '0.010x'],
    [1, 3000, '3.3e-4x'],
    [12_300, 100, '123x'],
    [0, 3, '0.00x'],
  ])('%d by %d is %s', (base, other, told) => {
    expect(cells(base, other)[1]).toBe(told);
  });
});
