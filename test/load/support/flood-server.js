/** A server whose message handler is slow, on purpose, and which watches its own memory meanwhile. */

import { subscribe } from 'node:diagnostics_channel';
import { serve } from '../../../dist/node/index.js';
import { obey } from './orders.js';

const SAMPLE_MS = 3;
/** A turn of the event loop is waited for each time so many messages were handled. */
const MESSAGES_A_TURN = 16;

let size = 0;
let stallAt = 0;
let count = 0;
let handled = 0;
let firstWrong = null;
let release = null;
let stalled = null;
let finished = null;
let failed = null;

/** The handle of the only connection: what it has read is known to it alone. */
let handle = null;
subscribe('net.server.socket', ({ socket }) => {
  handle = socket._handle;
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

function numberIn(data) {
  if (typeof data !== 'string') {
    const number = data.readUInt32LE(0);
    return data.length === size && data.readUInt32LE(size - 4) === number ? number : -1;
  }
  const number = data.slice(0, 10);
  return Buffer.byteLength(data) === size && data.endsWith(number) ? Number(number) : -1;
}

const server = await serve({
  hostname: '127.0.0.1',
  async message(_ws, data) {
    const number = numberIn(data);
    if (number !== handled) firstWrong ??= `message ${handled} is ${number}`;
    handled++;
    if (handled === stallAt) {
      await new Promise((resolve) => {
        release = resolve;
        stalled();
      });
    } else if (handled % MESSAGES_A_TURN === 0) {
      await turn();
    }
    if (handled === count) finished();
  },
  close(_ws, code, reason) {
    failed(new Error(`closed after ${handled} messages: ${code} ${reason}`));
  },
});

const failing = new Promise((_, reject) => {
  failed = reject;
});
failing.catch(() => {});
const stalling = new Promise((resolve) => {
  stalled = resolve;
});
const finishing = new Promise((resolve) => {
  finished = resolve;
});

let rssBefore = 0;
let rssMost = 0;
let samples = 0;
let sampling = null;
/** How much may have become garbage, or be in use, since the last collection, before the next is asked for. */
let garbageLimit = Number.POSITIVE_INFINITY;
let collected = 0;

function sample() {
  samples++;
  const { rss, arrayBuffers } = process.memoryUsage();
  rssMost = Math.max(rssMost, rss);
  if (arrayBuffers < collected) collected = arrayBuffers;
  if (arrayBuffers - collected <= garbageLimit) return;
  globalThis.gc();
  collected = process.memoryUsage().arrayBuffers;
}

obey({
  port: () => server.port,
  /** From here on memory is watched. */
  expect(what) {
    ({ size, stallAt, count } = what);
    garbageLimit = what.garbageLimit ?? garbageLimit;
    globalThis.gc();
    rssBefore = process.memoryUsage.rss();
    collected = process.memoryUsage().arrayBuffers;
    sample();
    sampling = setInterval(sample, SAMPLE_MS);
  },
  stalled: () => Promise.race([stalling, failing]),
  release: () => release(),
  finished: () => Promise.race([finishing, failing]),
  async state() {
    return { handled, firstWrong, bytesRead: handle.bytesRead, size: server.size };
  },
  memory() {
    clearInterval(sampling);
    sample();
    return { grown: rssMost - rssBefore, samples };
  },
});
