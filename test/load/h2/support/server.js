/**
 * The server under attack, in a process of its own so that what it holds can be measured. It echoes; a text that begins
 * with `!` is an order: `!close 4000`, `!terminate`, `!stall` (the handler does not settle before `!go` comes to any
 * connection), `!pause`, `!send 65536` (one message), `!pour 65536` (without end or regard), `!fill 65536` (until `send` says
 * false, and on at every drain). Targets: /slow is answered after `upgradeDelay` milliseconds, /never not at all, /no is
 * refused, /no/65536 with a body so long.
 *
 * Orders: see the end.
 */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http2';
import { setImmediate as turn } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { peakRss } from '../../support/memory.js';
import { obey } from '../../support/orders.js';

const { setTimeout, clearTimeout } = globalThis;

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

const { attach, reject, serve } = await import('../../../../dist/node/index.js');

const faults = { warnings: [], rejections: [], exceptions: [] };
const note = (list) => (what) => {
  if (list.length < 10) list.push(String(what?.stack ?? what));
};
process.on('warning', (warning) => warning.name !== 'ExperimentalWarning' && note(faults.warnings)(warning));
process.on('unhandledRejection', note(faults.rejections));
process.on('uncaughtException', note(faults.exceptions));

const calls = {};
const closeCodes = {};
const errorCodes = {};
const count = (table, key) => {
  table[key] = (table[key] ?? 0) + 1;
};

/** Those whose handler is stalled. */
const stalled = [];
/** The most bytes that any connection has had queued since the last report. */
let mostQueued = 0;
/** The most bytes and chunks that node:http2 has kept unread for any stream. */
let mostUnread = 0;

function order(ws, text) {
  const [name, value] = text.slice(1).split(' ');
  if (name === 'close') ws.close(Number(value));
  else if (name === 'terminate') ws.terminate();
  else if (name === 'pause') ws.pause();
  else if (name === 'send') ws.send(Buffer.alloc(Number(value), 'm'));
  else if (name === 'fill') ws.data.fill = Buffer.alloc(Number(value));
  else if (name === 'pour') pour(ws, Buffer.alloc(Number(value)));
  else if (name === 'stall') return new Promise((resolve) => stalled.push(resolve));
  else if (name === 'go') for (const resolve of stalled.splice(0)) resolve();
  fill(ws);
}

function fill(ws) {
  if (ws.data.fill !== undefined) while (ws.send(ws.data.fill));
}

function pour(ws, bytes) {
  if (!ws.isOpen) return;
  try {
    for (let i = 0; i < 10; i++) ws.send(bytes);
  } catch (error) {
    count(errorCodes, error.code);
  }
  setImmediate(pour, ws, bytes);
}

/** Of node:http2, which does not export them; known once there was a request. */
let classes = null;
const streams = new Set();
let sessions = 0;
/** How many listeners each event of a session and its socket has had at most. */
let mostListeners = 0;

function look(ws) {
  mostQueued = Math.max(mostQueued, ws.bufferedAmount);
}

function listenersOf(emitter) {
  return emitter.eventNames().reduce((most, name) => Math.max(most, emitter.listenerCount(name)), 0);
}

const handlers = (upgradeDelay) => ({
  async upgrade(request) {
    count(calls, 'upgrade');
    const { path, incoming, signal } = request;
    const { stream } = incoming;
    if (stream !== undefined) {
      classes ??= {
        streams: Object.getPrototypeOf(Object.getPrototypeOf(stream)).constructor,
        sessions: Object.getPrototypeOf(Object.getPrototypeOf(stream.session)).constructor,
      };
      mostListeners = Math.max(mostListeners, listenersOf(stream.session));
    }
    if (path === '/slow' || path === '/never') {
      signal.addEventListener('abort', () => count(calls, 'abort'));
      if (path === '/never') return new Promise(() => {});
      await later(upgradeDelay);
    }
    if (path.startsWith('/no')) return reject(403, 'n'.repeat(Number(path.split('/')[2] ?? 0)));
    return { data: { stream } };
  },
  open(ws) {
    count(calls, 'open');
    streams.add(ws);
  },
  message(ws, data) {
    count(calls, 'message');
    look(ws);
    if (typeof data === 'string' && data.startsWith('!')) return order(ws, data);
    ws.send(data);
  },
  drain(ws) {
    count(calls, 'drain');
    fill(ws);
  },
  close(ws, code) {
    count(calls, 'close');
    count(closeCodes, code);
    streams.delete(ws);
  },
  error(_ws, error) {
    count(calls, 'error');
    count(errorCodes, error.code ?? error.message);
  },
});

// One of those that are counted: what waits for it is kept by it.
const later = (delay) => new Promise((resolve) => globalThis.setTimeout(resolve, delay));

let endpoint = null;
let plain = null;

function resources() {
  const counted = {};
  for (const name of process.getActiveResourcesInfo()) {
    // A timer of this program's own, or a call under way, is nothing that stays.
    if (name !== 'Immediate' && name !== 'Timeout') count(counted, name);
  }
  return counted;
}

function state() {
  const { connections } = endpoint.stats();
  return { ...connections, sessions, timers: timers.size, resources: resources(), calls, errorCodes, closeCodes };
}

const fixture = (name) => readFileSync(new URL(`../../../fixtures/tls/${name}`, import.meta.url), 'utf8');

obey({
  /** Options of `serve`, as far as they can be told; with `h2c`, `attach` to a server of node:http2 without TLS. */
  async listen({ h2c = false, upgradeDelay = 0, ...options }) {
    const all = { ...options, ...handlers(upgradeDelay) };
    let port;
    if (h2c) {
      plain = createServer({ settings: { enableConnectProtocol: true } }, (_request, response) =>
        response.end('plain'),
      );
      endpoint = attach(plain, all);
      await new Promise((resolve) => plain.listen(0, '127.0.0.1', resolve));
      port = plain.address().port;
      plain.on('session', (session) => {
        sessions++;
        session.on('close', () => sessions--);
      });
    } else {
      const tls = { key: fixture('server-key.pem'), cert: fixture('server.pem') };
      endpoint = await serve({ hostname: '127.0.0.1', tls, ...all });
      port = endpoint.port;
    }
    setInterval(() => {
      for (const ws of streams) {
        look(ws);
        mostUnread = Math.max(mostUnread, ws.data.stream?.readableLength ?? 0);
      }
    }, 20).unref();
    return port;
  },
  state,
  version: () => process.versions.node,
  async report() {
    // What finalizers let go of is counted in the next round.
    for (let i = 0; i < 4; i++) {
      globalThis.gc();
      await turn();
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const objects = Object.fromEntries(
      Object.entries(classes ?? {}).map(([name, made]) => [name, queryObjects(made, { format: 'count' })]),
    );
    const memory = { rss, peakRss: peakRss(), held: heapUsed + external };
    const report = {
      ...state(),
      memory,
      objects,
      cpu: (user + system) / 1000,
      mostQueued,
      mostUnread,
      mostListeners,
      ...faults,
    };
    mostQueued = 0;
    mostUnread = 0;
    return report;
  },
  /** Milliseconds that closing took. */
  async close(options) {
    const start = performance.now();
    const closed = endpoint.close(options);
    if (plain !== null) plain.close();
    await closed;
    return performance.now() - start;
  },
});
// That of `obey` is not the server's. It would end a run that was told to be a long one.
if (process.env['MILLRACE_MINUTES'] !== undefined) for (const timer of timers) clearTimeout(timer);
timers.clear();
