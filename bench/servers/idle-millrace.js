/** An echo server on millrace for connections that are mostly idle: keep-alive is on, as it is by default. */

import { serve } from '../../dist/node/index.js';
import { serveMemory } from './memory.js';

const { BENCH_DEFLATE } = process.env;
const perMessageDeflate = BENCH_DEFLATE === undefined ? false : { threshold: 0, ...JSON.parse(BENCH_DEFLATE) };
const server = await serve({
  perMessageDeflate,
  hostname: '127.0.0.1',
  message(ws, data) {
    ws.send(data);
  },
});
serveMemory(server.port);
