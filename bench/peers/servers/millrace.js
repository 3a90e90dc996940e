/** millrace; `MILLRACE_KERNELS` chooses its tier. */

import { readFileSync } from 'node:fs';
import { serve } from '../../../dist/node/index.js';
import { isDeflated, isRoom, report, tlsFiles } from './host.js';

const tls = tlsFiles && { tls: { key: readFileSync(tlsFiles.key), cert: readFileSync(tlsFiles.cert) } };

const server = await serve({
  hostname: '127.0.0.1',
  perMessageDeflate: isDeflated && { threshold: 0 },
  backlog: 1024,
  ...tls,
  open(ws) {
    if (isRoom) ws.subscribe('room');
  },
  message(ws, data) {
    if (isRoom) server.publish('room', data);
    else ws.send(data);
  },
});
if (isRoom && typeof server.publish !== 'function') throw new Error('this version has no topics');
report(server.port);
