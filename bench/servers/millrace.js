/** An echo server on millrace that compresses everything: `MILLRACE_KERNELS` chooses its tier, `BENCH_DEFLATE` how it does. */

import { serve } from '../../dist/node/index.js';
import { serveBenchmark } from './control.js';

const server = await serve({
  hostname: '127.0.0.1',
  perMessageDeflate: { threshold: 0, ...JSON.parse(process.env.BENCH_DEFLATE) },
  message(ws, data) {
    ws.send(data);
  },
});
serveBenchmark(server.port);
