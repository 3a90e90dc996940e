/** An echo server on millrace; `MILLRACE_KERNELS` chooses its tier, `BENCH_DEFLATE` how it compresses. */

import { readFileSync } from 'node:fs';
import { serve } from '../../dist/node/index.js';
import { serveBenchmark } from './control.js';
import { tlsFiles } from './tls.js';

const tls = tlsFiles === null ? {} : { tls: { key: readFileSync(tlsFiles.key), cert: readFileSync(tlsFiles.cert) } };
const { BENCH_DEFLATE } = process.env;
const perMessageDeflate = BENCH_DEFLATE === undefined ? false : { threshold: 0, ...JSON.parse(BENCH_DEFLATE) };
const server = await serve({
  perMessageDeflate,
  hostname: '127.0.0.1',
  ...tls,
  message(ws, data) {
    ws.send(data);
  },
});
serveBenchmark(server.port);
