/**
 * CPU-heavy work in worker threads. It is not the server that is spread over threads: worker threads of Node.js cannot
 * share a listening socket, and a socket cannot be handed from one to another (`cluster.js` spreads a server over
 * processes, which can). So the main thread moves the bytes, which is cheap, and the threads do the work, which is not.
 *
 * A handler awaits its work, and a connection whose handler is pending is not read from. So when the pool is busy,
 * TCP holds every client that waits, each with one message of its own in the queue: back-pressure from end to end.
 *
 *   node examples/workers.js [port] [threads]
 *
 * A message is answered with its PBKDF2 hash. The text `crash` kills the thread that gets it, for you to see
 * that nobody else is hurt; `hang` makes it work without end.
 */

import { pbkdf2Sync } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { CloseCode, serve } from 'millrace';

const { PORT = 8083, ROUNDS = 20_000, TASK_TIMEOUT = 5000 } = process.env;

/** What a thread does: one task at a time, in and out by transfer, so that no byte of it is copied. */
function work() {
  parentPort.on('message', ({ command, buffer }) => {
    if (command === 'crash') process.exit(1);
    while (command === 'hang');
    const hash = Uint8Array.from(pbkdf2Sync(new Uint8Array(buffer), 'millrace', Number(ROUNDS), 32, 'sha256'));
    parentPort.postMessage(hash.buffer, [hash.buffer]);
  });
  parentPort.postMessage('ready');
}

class PoolIsFull extends Error {}

/** Threads, and tasks that wait for one: `maxQueued` of them at the most. */
class Pool {
  #idle = [];
  #threads = new Set();
  #size;
  #queue = [];
  #maxQueued;

  constructor(size, maxQueued) {
    this.#size = size;
    this.#maxQueued = maxQueued;
  }

  /** Rejects with PoolIsFull when too much waits, or with what became of the thread. */
  run(command, buffer) {
    return new Promise((resolve, reject) => {
      if (this.#queue.length >= this.#maxQueued) throw new PoolIsFull('too much is waiting');
      this.#queue.push({ command, buffer, resolve, reject });
      this.#next();
    });
  }

  async close() {
    for (const { reject } of this.#queue.splice(0)) reject(new Error('the pool is closed'));
    await Promise.all([...this.#threads].map((thread) => thread.terminate()));
  }

  #next() {
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const thread = this.#idle.pop();
      const task = this.#queue.shift();
      thread.task = task;
      thread.timer = setTimeout(() => thread.terminate(), Number(TASK_TIMEOUT));
      thread.postMessage({ command: task.command, buffer: task.buffer }, [task.buffer]);
    }
    if (this.#queue.length > 0 && this.#threads.size < this.#size) this.#start();
  }

  /** A thread is started when a task needs one, so that one that died is replaced. */
  #start() {
    const thread = new Worker(new URL(import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 128 } });
    let isReady = false;
    let failure = new Error('the thread died');
    this.#threads.add(thread);
    thread.on('message', (result) => {
      clearTimeout(thread.timer);
      isReady = true;
      thread.task?.resolve(result); // there is none the first time, when it says that it is ready
      thread.task = null;
      this.#idle.push(thread);
      this.#next();
    });
    thread.on('error', (error) => {
      failure = error; // 'exit' follows
    });
    thread.on('exit', (code) => {
      console.log(`a thread ended with code ${code}`);
      clearTimeout(thread.timer);
      this.#threads.delete(thread);
      this.#idle = this.#idle.filter((other) => other !== thread);
      // Threads that cannot even start must not be started for ever: each takes a task down with it.
      const task = isReady ? thread.task : this.#queue.shift();
      task?.reject(failure);
      this.#next();
    });
  }
}

async function main() {
  const threads = Number(process.argv[3] ?? availableParallelism());
  const pool = new Pool(threads, threads * 16);
  const server = await serve({
    port: Number(process.argv[2] ?? PORT),
    hostname: '127.0.0.1',
    maxMessageSize: 1024 * 1024,
    maxConnections: 1000,

    async message(ws, data, isBinary) {
      try {
        const command = data === 'crash' || data === 'hang' ? data : 'hash';
        // What `data` shows lies in memory that other messages share: a copy is made, and the copy is given away.
        const bytes = isBinary ? Uint8Array.from(data) : new TextEncoder().encode(data);
        const result = await pool.run(command, bytes.buffer);
        ws.send(new Uint8Array(result)); // if the connection is closing by now, nothing is sent
      } catch (error) {
        if (error instanceof PoolIsFull) ws.close(CloseCode.TRY_AGAIN_LATER, error.message);
        else ws.send(`failed: ${error.message}`);
      }
    },
    error: (_ws, error) => console.log(`connection: ${error.message}`),
  });
  console.log(`listening on ws://${server.hostname}:${server.port}`);
  console.log(`${threads} threads`);

  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      console.log('closing');
      // A handler that waits for a thread is waited for. A second signal ends the process at once.
      await server.close();
      await pool.close();
    });
  }
}

if (isMainThread) await main();
else work();
