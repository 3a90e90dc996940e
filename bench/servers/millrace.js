/** An echo server on millrace; `MILLRACE_KERNELS` chooses its tier. */

import { serve } from '../../dist/node/index.js';
import { serveBenchmark } from './control.js';

const server = await serve({
  hostname: '127.0.0.1',
  message(ws, data) {
    ws.send(data);
  },
});
serveBenchmark(server.port);
