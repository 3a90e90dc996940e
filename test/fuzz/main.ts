/**
 * The campaign itself, in a process of its own: `scripts/fuzz.js` starts it and hears of each batch, because the addon
 * can end a process without a word.
 */

import { info } from '../../src/kernels/index.js';
import { campaign } from './campaign.js';
import { type Flags, readFlags, USAGE } from './flags.js';

function flagsOrExit(): Flags {
  try {
    return readFlags(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const flags = flagsOrExit();
let stopped = false;
process.on('SIGINT', () => {
  stopped = true;
});

console.log(`seed ${flags.seed}; ${flags.against.map(([name]) => name).join(', ')}; ${info.reason}`);
const held = await campaign(flags, {
  say: (line) => console.log(line),
  entering: (property, seed) =>
    new Promise((resolve) => {
      if (process.send === undefined) resolve();
      else process.send({ property, seed }, () => resolve());
    }),
  every: 60,
  stopped: () => stopped,
});
if (process.connected) process.disconnect();
process.exitCode = held ? 0 : 1;
