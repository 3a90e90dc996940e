/**
 * How a server of `bench/peers` is told what to be, and how it talks to the benchmark, in Node and in Bun: its
 * environment says what it is, one line `PORT n` says where, a line `gc` asks for garbage to be collected, and it ends
 * when its input does, so that none outlives a benchmark that was killed.
 */

import { createInterface } from 'node:readline';

const { BENCH_MODE = 'echo', BENCH_DEFLATE, BENCH_TLS_KEY, BENCH_TLS_CERT } = process.env;

/** Whether what comes goes to every member, the sender too, and not back alone. */
export const isRoom = BENCH_MODE === 'room';
/** Whether everything is compressed. */
export const isDeflated = BENCH_DEFLATE === '1';
/** Paths of a key and its certificate, or null for a server without TLS. */
export const tlsFiles = BENCH_TLS_KEY === undefined ? null : { key: BENCH_TLS_KEY, cert: BENCH_TLS_CERT };

/** Tells the port; what is to be said to the server is listened to from then on. */
export function report(port) {
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    if (line !== 'gc') return;
    const collect = globalThis.Bun === undefined ? globalThis.gc : () => globalThis.Bun.gc(true);
    collect?.();
    console.log('GC');
  });
  input.on('close', () => process.exit());
  console.log(`PORT ${port}`);
}
