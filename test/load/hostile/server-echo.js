/**
 * The server under attack, in a process of its own so that what it holds can be measured. It echoes; a text that
 * begins with `!` is an order: `!close 4000`, `!pour 65536` sends without end or regard, `!fill 65536` sends until
 * `send` says false and goes on at every drain, `!throw`.
 *
 * Argument: options of `serve` as JSON, with `upgradeDelay`, milliseconds that `upgrade` takes for targets but /, and
 * `answerDelay`, milliseconds that an ordinary request takes. Over IPC it answers what `orders` has.
 */

import process from 'node:process';
import { peakRss } from '../support/memory.js';

const { setTimeout, clearTimeout, setInterval } = globalThis;

/** Timers that run, those without a reference too, of which `getActiveResourcesInfo` knows nothing. */
const timers = new Set();
globalThis.setTimeout = (callback, delay, ...rest) => {
  const timer = setTimeout(() => {
    timers.delete(timer);
    callback(...rest);
  }, delay);
  timers.add(timer);
  return timer;
};
globalThis.clearTimeout = (timer) => {
  timers.delete(timer);
  clearTimeout(timer);
};

const { serve } = await import('../../../dist/node/index.js');

const faults = { warnings: [], rejections: [], exceptions: [] };
const note = (list) => (what) => {
  if (list.length < 10) list.push(String(what?.stack ?? what));
};
process.on('warning', note(faults.warnings));
process.on('unhandledRejection', note(faults.rejections));
process.on('uncaughtException', note(faults.exceptions));

const calls = {};
const closeCodes = {};
const errorCodes = {};
const count = (table, key) => {
  table[key] = (table[key] ?? 0) + 1;
};

/** The most bytes that any connection has had queued since the last report. */
let mostQueued = 0;
function look(ws) {
  mostQueued = Math.max(mostQueued, ws.bufferedAmount);
}

function order(ws, text) {
  const [name, value] = text.slice(1).split(' ');
  if (name === 'close') ws.close(Number(value));
  else if (name === 'throw') throw new Error('as ordered');
  else if (name === 'fill') ws.data = { fill: Buffer.alloc(Number(value)) };
  else if (name === 'pour') pour(ws, Buffer.alloc(Number(value)));
  fill(ws);
}

function fill(ws) {
  if (ws.data?.fill !== undefined) while (ws.send(ws.data.fill));
}

function pour(ws, bytes) {
  if (!ws.isOpen) return;
  try {
    for (let i = 0; i < 100; i++) ws.send(bytes);
  } catch (error) {
    count(errorCodes, error.code);
  }
  setImmediate(pour, ws, bytes);
}

const { upgradeDelay = 0, answerDelay, ...options } = JSON.parse(process.argv[2]);
// Without a reference: the process must be able to end before.
const later = (delay) => new Promise((resolve) => setTimeout(resolve, delay).unref());
if (answerDelay !== undefined) {
  options.request = async (_request, response) => {
    count(calls, 'request');
    await later(answerDelay);
    response.end('late');
    count(calls, 'answer');
  };
}

const server = await serve({
  hostname: '127.0.0.1',
  ...options,
  upgrade({ target }) {
    count(calls, 'upgrade');
    return upgradeDelay > 0 && target !== '/' ? later(upgradeDelay) : undefined;
  },
  open() {
    count(calls, 'open');
  },
  message(ws, data) {
    count(calls, 'message');
    if (typeof data === 'string' && data.startsWith('!')) order(ws, data);
    else ws.send(data);
    look(ws);
  },
  ping(ws) {
    count(calls, 'ping');
    look(ws);
  },
  pong() {
    count(calls, 'pong');
  },
  drain(ws) {
    count(calls, 'drain');
    fill(ws);
  },
  close(_ws, code) {
    count(calls, 'close');
    count(closeCodes, code);
  },
  error(_ws, error) {
    count(calls, 'error');
    count(errorCodes, error.code ?? error.message);
  },
});

setInterval(() => {
  for (const ws of server.connections()) look(ws);
}, 20).unref();

function resources() {
  const counted = {};
  for (const name of process.getActiveResourcesInfo()) {
    // A timer of this program's own, or a call under way, is nothing that stays.
    if (name !== 'Immediate' && name !== 'Timeout') count(counted, name);
  }
  return counted;
}

const orders = {
  state: () => {
    const deflate = server.stats().perMessageDeflate ?? null;
    return { size: server.size, timers: timers.size, resources: resources(), calls, errorCodes, deflate };
  },
  async report() {
    // What finalizers let go of is counted in the next round.
    for (let i = 0; i < 4; i++) {
      globalThis.gc();
      await later(0);
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    const memory = { rss, peakRss: peakRss(), held: heapUsed + external };
    const report = { ...orders.state(), memory, mostQueued, closeCodes, ...faults };
    mostQueued = 0;
    return report;
  },
  close: async (closeOptions) => {
    const start = performance.now();
    await server.close(closeOptions);
    return performance.now() - start;
  },
};

process.on('message', async ({ id, name, argument }) => {
  process.send({ id, result: await orders[name](argument) });
});
process.on('disconnect', () => server.close({ timeout: 0 }));
process.send({ id: 0, result: server.port });
