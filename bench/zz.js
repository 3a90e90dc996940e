import { DeflateLoad } from './lib/deflate-load.js';
import { contest, pin, printContest, start, uws } from './lib/server-process.js';

const [size, rounds, ...variants] = process.argv.slice(2);
pin(process.pid, 1);
const servers = [];
for (const v of variants)
  servers.push(
    await start(
      v === 'ws'
        ? { name: 'ws', file: 'ws.js', env: { BENCH_DEFLATE: '{}' } }
        : v === 'uws'
          ? { ...uws()[0], env: { ...uws()[0].env, BENCH_DEFLATE: '{}' } }
          : {
              name: v,
              file: 'millrace.js',
              env: { BENCH_DEFLATE: v.split('@')[0], ...(v.includes('@') ? { BENCH_DIST: v.split('@')[1] } : {}) },
            },
    ),
  );
const r = await contest(servers, +rounds, 700, (port) => new DeflateLoad(port, { connections: 64, size: +size }));
printContest(servers, r);
for (const s of servers) s.stop();
