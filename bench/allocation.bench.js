/** What the cursor loop allocates: the growth of the heap over a million frames in which nobody asks for a payload. */

import { PerformanceObserver } from 'node:perf_hooks';
import { Connection, ConnectionType, Kind } from '../dist/core/index.js';
import { tiers } from '../dist/kernels/index.js';
import { fill, frame, payloads } from './lib/frames.js';

const FRAMES = 1_000_000;
const LENGTH = 32;

function read(connection, chunk, times) {
  let frames = 0;
  for (let i = 0; i < times; i++) {
    connection.receiveData(chunk);
    while (connection.poll() !== Kind.NEED_DATA) frames++;
  }
  return frames;
}

export default {
  title: `bytes allocated a frame of ${LENGTH} B in the cursor loop`,
  async run() {
    let collections = 0;
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().length;
    });
    observer.observe({ entryTypes: ['gc'] });
    console.log('| tier | frames | chunks | B a frame | B a chunk | collections |');
    console.log('| ---- | -----: | -----: | --------: | --------: | ----------: |');
    for (const kernels of tiers) {
      const { chunk, count } = fill(frame(payloads.binary(LENGTH)), 64 * 1024);
      const buffer = Buffer.from(chunk);
      const connection = new Connection(ConnectionType.SERVER, [], { kernels });
      const times = Math.ceil(FRAMES / count);
      read(connection, buffer, times);
      globalThis.gc?.();
      await new Promise(setImmediate);
      collections = 0;

      const before = process.memoryUsage().heapUsed;
      const frames = read(connection, buffer, times);
      const grown = process.memoryUsage().heapUsed - before;
      await new Promise(setImmediate);
      const cells = [kernels.tier, frames, times, (grown / frames).toFixed(3), (grown / times).toFixed(0), collections];
      console.log(`| ${cells.join(' | ')} |`);
    }
    observer.disconnect();
    console.log();
  },
};
