/**
 * A server with handlers of every kind, which tells of itself what must not grow, and whatever went wrong in its process.
 * Needs --expose-gc.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '../../dist/node/index.js';

const STREAM_MESSAGE = 16 * 1024;
/** So short that connections which pause lose their contexts, and get new ones. */
const CONTEXT_IDLE = 2000;

/** What no process should have had. */
const faults = [];
for (const name of ['warning', 'unhandledRejection', 'uncaughtException']) {
  process.on(name, (error) => faults.push(`${name}: ${error?.stack ?? error}`));
}

const counts = { opened: 0, messages: 0, bytes: 0, errors: {}, closes: {} };

function count(what, key) {
  what[key] = (what[key] ?? 0) + 1;
}

async function echoLater(ws, data) {
  await null;
  if (counts.messages % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
  else await sleep(1);
  ws.send(data);
}

/** Sends numbered messages until it is asked to wait. */
function stream(ws) {
  for (let more = true; more; ) {
    const message = Buffer.alloc(STREAM_MESSAGE, ws.data.sent);
    message.writeUInt32LE(ws.data.sent++);
    more = ws.send(message);
  }
}

const server = await serve({
  hostname: '127.0.0.1',
  maxMessageSize: 2 * 1024 * 1024,
  pingInterval: 3000,
  pingTimeout: 10_000,
  // Fewer contexts than there are connections that want one.
  perMessageDeflate: { contextIdleTimeout: CONTEXT_IDLE, maxContexts: 12 },
  upgrade: ({ target }) => ({ data: { target, sent: 0 } }),
  open(ws) {
    counts.opened++;
    if (ws.data.target === '/stream') stream(ws);
  },
  drain(ws) {
    if (ws.data.target === '/stream' && ws.isOpen) stream(ws);
  },
  message(ws, data) {
    counts.messages++;
    counts.bytes += data.length;
    if (ws.data.target === '/async') return echoLater(ws, data);
    if (data === 'throw') throw new Error('asked for');
    if (data === 'reject') return sleep(1).then(() => Promise.reject(new Error('asked for')));
    // One answer in four goes uncompressed.
    ws.send(data, { compress: counts.messages % 4 !== 0 });
  },
  close(_ws, code) {
    count(counts.closes, code);
  },
  error(_ws, error) {
    count(counts.errors, error.message === 'asked for' ? error.message : (error.code ?? error.message));
  },
});

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

async function sample() {
  const delayP99 = delay.percentile(99) / 1e6;
  delay.disable();
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await sleep(30);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const handles = process.getActiveResourcesInfo().length;
  delay.reset();
  delay.enable();
  const { compressors, decompressors, messagesCompressed, messagesDecompressed } = server.stats().perMessageDeflate;
  const deflate = { contexts: compressors + decompressors, messagesCompressed, messagesDecompressed };
  return { rss, heapUsed, external, handles, delayP99, connections: server.size, counts, faults, deflate };
}

process.on('message', async () => process.send(await sample()));
process.on('disconnect', () => process.exit());
// Node makes these when the first socket is destroyed, and where they are pipes they count as handles.
void [process.stdout, process.stderr];
process.send({ port: server.port });
