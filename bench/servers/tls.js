/** The key and certificate of a benchmark's server: paths, or null for a server without TLS. */

import { join } from 'node:path';

const folder = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'tls');

export const tlsFiles =
  process.env.BENCH_TLS === '1' ? { key: join(folder, 'server-key.pem'), cert: join(folder, 'server.pem') } : null;
