/**
 * Starts the differential campaign (`test/fuzz/main.ts`) in another process, and says which inputs it was at when that
 * process died: a crash in the addon leaves no other trace.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const child = fork(here('typescript.js'), [here('../test/fuzz/main.ts'), ...process.argv.slice(2)]);
let last = null;
child.on('message', (batch) => {
  last = batch;
});
// A terminal signals the whole group, a supervisor only this process. The child ends by itself, and so does this.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGINT'));
child.on('exit', (code, signal) => {
  if (signal === null) {
    process.exitCode = code;
    return;
  }
  process.exitCode = 1;
  const where =
    last === null ? '' : ` in ${last.property}: npm run fuzz -- --only ${last.property} --seed ${last.seed}`;
  console.log(`\nFAILED: the process died of ${signal}${where}`);
});
