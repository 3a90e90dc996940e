/**
 * A server whose connections subscribe to a topic. It publishes numbered messages as fast as those take them that do not
 * ask for `/slow`, and tells what that costs.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { sendAll } from '../../../dist/kernels/index.js';
import { serve } from '../../../dist/node/index.js';
import { peakRss } from './memory.js';
import { obey } from './orders.js';
import { payloadOf } from './published.js';

/** So much may be queued for any of the fast ones when more is published. */
const AHEAD = 256 * 1024;
const SAMPLE_MS = 5;

let server = null;
const fast = new Set();
const errors = [];
const closes = {};
let refusals = 0;
let bufferedMost = 0;

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The most memory that the process has had since `forgetPeak`, where the system tells. */
let sampled = 0;
setInterval(() => {
  sampled = Math.max(sampled, process.memoryUsage.rss());
}, SAMPLE_MS);
const peak = () => Math.max(sampled, peakRss());
function forgetPeak() {
  sampled = 0;
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    return false;
  }
  return true;
}

function systemWrites() {
  return Number(/^syscw: (\d+)/m.exec(readFileSync('/proc/self/io', 'latin1'))[1]);
}

/** Waits until no fast one has more than so much queued. */
async function untilTaken(most) {
  for (;;) {
    let isBehind = false;
    for (const ws of fast) {
      if (ws.bufferedAmount > most) {
        isBehind = true;
        break;
      }
    }
    if (!isBehind) return;
    await turn();
  }
}

/** Publishes messages of a size, some a turn. */
async function publish(first, { size, count, aTurn }) {
  let payload = null;
  for (let i = 0; i < count; ) {
    await untilTaken(Math.max(0, AHEAD - size * aTurn));
    for (const end = Math.min(count, i + aTurn); i < end; i++) {
      payload = payloadOf(first + i, size, payload);
      server.publish('all', payload);
    }
    for (const ws of server.connections()) bufferedMost = Math.max(bufferedMost, ws.bufferedAmount);
    await turn();
  }
}

obey({
  async listen(options) {
    server = await serve({
      hostname: '127.0.0.1',
      // Nobody is to be lost but by the policy, and nothing to be sent but what is published.
      pingInterval: Number.POSITIVE_INFINITY,
      ...options,
      upgrade: ({ target }) => ({ data: { isSlow: target === '/slow' } }),
      open(ws) {
        ws.subscribe('all');
        if (!ws.data.isSlow) fast.add(ws);
      },
      close(ws, code) {
        fast.delete(ws);
        closes[code] = (closes[code] ?? 0) + 1;
      },
      error(_ws, error) {
        if (error.code === 'SEND_HARD_LIMIT') refusals++;
        // Who does not read does not see our Close.
        else if (error.code !== 'CLOSE_TIMEOUT') errors.push(String(error.stack ?? error));
      },
    });
    return server.port;
  },
  /** Publishes in phases, and tells by how much the memory of the process has grown at most. */
  async publish({ first = 0, phases }) {
    await turn();
    globalThis.gc();
    const before = process.memoryUsage.rss();
    const isExact = forgetPeak();
    bufferedMost = 0;
    const started = performance.now();
    let number = first;
    for (const phase of phases) {
      await publish(number, phase);
      number += phase.count;
    }
    const ms = performance.now() - started;
    return { before, rise: peak() - before, isExact, ms };
  },
  /** Publishes some messages in each of some turns, and tells how many system calls write them. */
  async publishTurns({ turns, aTurn, size }) {
    await untilTaken(0);
    for (let i = 0; i < 3; i++) await turn();
    const before = systemWrites();
    const started = performance.now();
    let number = 0;
    let inTurns = 0;
    for (let i = 0; i < turns; i++) {
      const began = performance.now();
      for (let j = 0; j < aTurn; j++) server.publish('all', payloadOf(number++, size));
      await turn();
      inTurns += performance.now() - began;
      await untilTaken(0);
    }
    const writes = systemWrites() - before;
    return { writes, ms: performance.now() - started, inTurns, hasAddon: sendAll !== null };
  },
  state: () => ({
    size: server.size,
    subscribers: server.subscriberCount('all'),
    topics: server.stats().topics,
    bufferedMost,
    buffered: server.stats().bufferedAmount,
    refusals,
    errors,
    closes,
    rss: process.memoryUsage.rss(),
  }),

  /** Subscribes every connection to so many topics of its own, and tells how long that takes. */
  subscribe({ topics }) {
    const started = performance.now();
    let number = 0;
    for (const ws of server.connections()) for (let i = 0; i < topics; i++) ws.subscribe(`own ${number++}`);
    return { ms: performance.now() - started, topics: server.stats().topics };
  },
  unsubscribe() {
    const started = performance.now();
    for (const ws of server.connections()) for (const topic of ws.topics) ws.unsubscribe(topic);
    return { ms: performance.now() - started, topics: server.stats().topics };
  },
  /** Publishes to each topic in one turn, the number of the topic; with a direct message to each connection between. */
  async publishToEach({ direct }) {
    const started = performance.now();
    const peers = [...server.connections()];
    let number = 0;
    for (const topic of server.topics()) {
      if (!topic.startsWith('own ')) continue;
      server.publish(topic, topic);
      if (direct) peers[number % peers.length].send(`direct ${number}`);
      number++;
    }
    await turn();
    return { ms: performance.now() - started, published: number };
  },
});
