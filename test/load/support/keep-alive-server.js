/** A server that counts what becomes of its connections, and what they leave behind. */

import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '../../../dist/node/index.js';
import { obey } from './orders.js';

let server = null;
let counts = null;
/** What everybody gets who comes. */
let message = null;

function reset() {
  counts = { opened: 0, pongs: 0, closed: 0, lost: 0, errors: {}, most: 0 };
}

/** Handles of TCP connections; the one of the listening socket is named otherwise. */
function handles() {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}

function files() {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

obey({
  async listen(options) {
    reset();
    server = await serve({
      hostname: '127.0.0.1',
      ...options,
      open(ws) {
        counts.opened++;
        counts.most = Math.max(counts.most, server.size);
        if (message !== null) ws.send(message);
      },
      pong() {
        counts.pongs++;
      },
      error(_ws, error) {
        counts.errors[error.code] = (counts.errors[error.code] ?? 0) + 1;
      },
      close(_ws, code) {
        counts.closed++;
        if (code === 1006) counts.lost++;
      },
    });
    return server.port;
  },
  reset,
  welcome(size) {
    message = Buffer.alloc(size);
  },
  state: () => ({ ...counts, size: server.size, handles: handles() }),
  /** What is left when everything was collected that can be. */
  async settled() {
    let heapUsed = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 20; round++) {
      globalThis.gc();
      await sleep(50);
      const now = process.memoryUsage().heapUsed;
      if (Math.abs(now - heapUsed) < 4096) break;
      heapUsed = now;
    }
    return { heapUsed, external: process.memoryUsage().external, handles: handles(), files: files() };
  },
});
