/** An echo server on millrace with TLS and both versions of HTTP. What comes for `/stalled` is never done with. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serve } from '../../dist/node/index.js';
import { serveBenchmark } from './control.js';

const certificates = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'tls');
const file = (name) => readFileSync(join(certificates, name));

const server = await serve({
  hostname: '127.0.0.1',
  tls: { key: file('server-key.pem'), cert: file('server.pem') },
  http2: { maxConcurrentStreams: 2000 },
  upgrade: ({ path }) => ({ data: path }),
  message(ws, data) {
    if (ws.data === '/stalled') return new Promise(() => {});
    ws.send(data);
  },
});
serveBenchmark(server.port);
