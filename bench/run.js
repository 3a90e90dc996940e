/**
 * Runs benchmarks: `node bench/run.js [--quick] [name ...]`, all of `bench/*.bench.js` when no name is given.
 *
 * A benchmark is a module whose default export is `{ title, run(options) }`; `options` is what `compare` takes
 * (`rounds`, `roundMs`), and `run` prints what it finds.
 */

import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { FULL, QUICK } from './lib/measure.js';

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.js'))
  .map((file) => file.slice(0, -'.bench.js'.length))
  .sort();
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const unknown = wanted.find((name) => !names.includes(name));

if (unknown !== undefined) {
  console.error(`no benchmark "${unknown}"; there are: ${names.join(', ')}`);
  process.exitCode = 1;
} else {
  const quick = process.argv.includes('--quick');
  console.log(`Node ${process.version}, ${process.platform}-${process.arch}, ${cpus()[0]?.model ?? 'unknown CPU'}`);
  console.log(`the ratios count, the nanoseconds vary with the machine${quick ? '; --quick: rough' : ''}\n`);
  for (const name of wanted.length > 0 ? wanted : names) {
    const { default: benchmark } = await import(`./${name}.bench.js`);
    console.log(`## ${name}: ${benchmark.title}\n`);
    await benchmark.run(quick ? QUICK : FULL);
  }
}
