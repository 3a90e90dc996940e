/** millrace; `MILLRACE_KERNELS` chooses its tier. Texts are handed out as `ws` does it: validated, and not made a string. */

import { readFileSync } from 'node:fs';
import { serve } from '../../../dist/node/index.js';
import { isDeflated, isRoom, report, tlsFiles } from './host.js';

const tls = tlsFiles && { tls: { key: readFileSync(tlsFiles.key), cert: readFileSync(tlsFiles.cert) } };

const server = await serve({
  hostname: '127.0.0.1',
  perMessageDeflate: isDeflated && { threshold: 0 },
  textFormat: 'bytes',
  backlog: 1024,
  ...tls,
  open(ws) {
    if (isRoom) ws.subscribe('room');
  },
  message(ws, data, isBinary) {
    if (isRoom) server.publish('room', data, { binary: isBinary });
    else ws.send(data, { binary: isBinary });
  },
});
if (isRoom && typeof server.publish !== 'function') throw new Error('this version has no topics');
report(server.port);
