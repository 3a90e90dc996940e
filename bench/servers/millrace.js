/** An echo server on millrace; `MILLRACE_KERNELS` chooses its tier. */

import { readFileSync } from 'node:fs';
import { serve } from '../../dist/node/index.js';
import { serveBenchmark } from './control.js';
import { tlsFiles } from './tls.js';

const tls = tlsFiles === null ? {} : { tls: { key: readFileSync(tlsFiles.key), cert: readFileSync(tlsFiles.cert) } };
const server = await serve({
  hostname: '127.0.0.1',
  ...tls,
  message(ws, data) {
    ws.send(data);
  },
});
serveBenchmark(server.port);
