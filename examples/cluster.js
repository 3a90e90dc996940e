/**
 * A chat on all cores: a process a core, one port. The primary process accepts no WebSocket; it keeps the workers alive
 * and passes on between them what somebody says.
 *
 *   node examples/cluster.js [port] [workers]
 *
 * Then try: kill one of the workers whose numbers it prints; `kill -HUP` the primary, which replaces all workers one
 * after the other; `kill -TERM` or Ctrl-C. Clients get 1001, which tells them to connect again.
 */

import cluster from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { serve } from 'millrace';

/** The most bytes on their way to one worker. What a worker that is stuck misses, it misses. */
const MAX_PENDING = Number(process.env.MAX_PENDING ?? 1024 * 1024);
/** Milliseconds that a worker must have lived to be replaced at once. One that cannot start shall not be a busy loop. */
const TOO_YOUNG = 1000;
/** Milliseconds until a worker that was asked to end is killed: longer than its connections may take to close. */
const STOP_TIMEOUT = 15_000;

// The primary.

let stopping = false;

async function primary() {
  const port = Number(process.argv[2] ?? process.env.PORT ?? 8084) || (await freePort());
  const size = Number(process.argv[3] ?? availableParallelism());

  cluster.on('message', (from, { text }) => {
    for (const worker of Object.values(cluster.workers)) if (worker !== from) pass(worker, text);
  });
  cluster.on('listening', (worker) => console.log(`worker ${worker.process.pid} listens`));
  cluster.on('exit', (worker, code, signal) => {
    console.log(`worker ${worker.process.pid} ended (${signal ?? code})`);
    if (stopping || worker.isExtra) return;
    const age = performance.now() - worker.born;
    setTimeout(() => stopping || fork(port), age < TOO_YOUNG ? TOO_YOUNG : 0);
  });
  await Promise.all(Array.from({ length: size }, () => listening(fork(port))));
  console.log(`listening on ws://127.0.0.1:${port}`);

  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      console.log('closing');
      stopping = true;
      for (const worker of Object.values(cluster.workers)) stop(worker);
    });
  }
  let rolling = Promise.resolve();
  process.on('SIGHUP', () => {
    rolling = rolling.then(() => replaceAll(port));
  });
}

function fork(port) {
  const worker = cluster.fork({ PORT: port });
  worker.born = performance.now();
  worker.pending = 0;
  worker.missed = 0;
  worker.on('error', (error) => console.log(`worker ${worker.process.pid}: ${error.message}`));
  return worker;
}

/** Resolves when a worker listens, or has ended before it could. */
function listening(worker) {
  return Promise.race([once(worker, 'listening'), once(worker, 'exit')]);
}

/** Workers read what is sent to them from a pipe. While one does not, what it has not read waits here. */
function pass(worker, text) {
  const size = Buffer.byteLength(text);
  if (worker.pending + size > MAX_PENDING) {
    if (worker.missed++ === 0) console.log(`worker ${worker.process.pid} does not keep up`);
    return;
  }
  worker.pending += size;
  worker.send({ text }, (error) => {
    worker.pending -= size;
    if (error) console.log(`worker ${worker.process.pid}: ${error.message}`);
  });
}

/** Asks a worker to close its connections and to end. One that does not is stuck, or its pipe is broken. */
function stop(worker) {
  worker.send({ stop: true }, () => {});
  setTimeout(() => worker.process.kill('SIGKILL'), STOP_TIMEOUT).unref();
}

/**
 * One after the other, and the new one first: there is always somebody to connect to. A client that was handed to a worker
 * in the moment in which that closes is refused, and finds another when it tries again.
 */
async function replaceAll(port) {
  for (const old of Object.values(cluster.workers)) {
    if (stopping || old.isDead()) continue;
    const fresh = fork(port);
    fresh.isExtra = old.isExtra = true; // whichever of the two dies now, the other is there
    await listening(fresh);
    if (fresh.isDead()) {
      old.isExtra = false;
      console.log('the new worker does not start, the old ones stay');
      return;
    }
    fresh.isExtra = false;
    if (old.isDead()) continue;
    const ended = once(old, 'exit');
    stop(old);
    await ended;
  }
  console.log('all workers are replaced');
}

/** A port that will still be ours when a worker, or all of them, have died; with 0 each new set would get another. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

// A worker.

async function worker() {
  const server = await serve({
    port: Number(process.env.PORT),
    hostname: '127.0.0.1',
    maxMessageSize: 64 * 1024,
    // Who reads too slowly is closed with 1013: others must not wait, and nothing is stored without a bound.
    sendHardLimit: 1024 * 1024,
    overflow: 'close',

    open: (ws) => ws.send(`you are with worker ${process.pid}`),
    message(_ws, data) {
      const text = String(data);
      say(text);
      // The next message of this connection waits until this one is in the pipe: so much for the bound on this side.
      return new Promise((resolve) => process.send({ text }, () => resolve()));
    },
    error: (_ws, error) => console.log(`connection: ${error.message}`),
  });

  function say(text) {
    for (const ws of server.connections()) ws.send(text);
  }

  async function close() {
    await server.close(); // 1001 for everybody, and a deadline
    if (process.connected) process.disconnect(); // nothing is left that keeps the process alive
  }
  process.on('message', ({ text, stop }) => {
    if (stop) close();
    else say(text);
  });
  // Where the primary is killed, node:cluster ends its workers at once: there is nothing to do here.
  process.once('SIGTERM', close);
  process.on('SIGINT', () => {}); // Ctrl-C is sent to every process at once: the primary says what to do
}

if (cluster.isPrimary) await primary();
else await worker();
