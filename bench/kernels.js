/**
 * The kernels in use against what they replace, over sizes and contents, and what is claimed of them:
 * `node bench/kernels.js [--quick] [--chart FILE]`.
 *
 * Every ratio is of one run, both sides measured in turns. A claim that does not hold is told, and fails nothing: a
 * machine that does other things as well is no reason to reject a change.
 */

import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { info } from '../dist/kernels/index.js';
import { measureFusion } from './kernels/fusion.js';
import { measureMasking } from './kernels/masking.js';
import { measureValidation } from './kernels/validation.js';
import { lineChart } from './lib/line-chart.js';
import { FULL, QUICK } from './lib/measure.js';
import { size } from './lib/report.js';

const quick = process.argv.includes('--quick');
const chart = process.argv.indexOf('--chart');
console.log(`Node ${process.version}, ${process.platform}-${process.arch}, ${cpus()[0]?.model ?? 'unknown CPU'}`);
console.log(`kernels: ${info.tier} ${info.features.join(' ')}, ${info.reason}`);
console.log(`the ratios count, the nanoseconds vary with the machine${quick ? '; --quick: rough' : ''}\n`);

const parts = [];
for (const measure of [measureMasking, measureValidation, measureFusion])
  parts.push(await measure(quick ? QUICK : FULL));

console.log('## claims\n');
console.log('| claim, times as fast | at least | least of all | at | |');
console.log('| - | -: | -: | - | - |');
for (const { claim, bound, worst } of parts.flatMap(({ claims }) => claims)) {
  const verdict = worst.ratio >= bound ? 'holds' : '**does not hold**';
  console.log(`| ${claim} | ${bound} | ${worst.ratio.toFixed(2)} | ${worst.at} | ${verdict} |`);
}

if (chart !== -1) {
  const panels = parts.flatMap((part) => part.panels);
  writeFileSync(process.argv[chart + 1], lineChart('Kernels of millrace against what they replace', panels, size));
}
