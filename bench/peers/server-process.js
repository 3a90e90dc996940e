/** A server to be measured: a process of its own, told through its input and output alone, measured from outside. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { onServerCore } from './machine.js';
import { CpuMeter, residentMemory } from './proc.js';

const START_PATIENCE = 20_000;
const END_PATIENCE = 3000;
/** How much of what a server says of its errors is kept. */
const SAID = 2000;

const tls = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'tls');

/** Memory that was freed goes back to the system bit by bit, from other threads: it is settled when it stands still. */
const SETTLE_STEP = 100;
const SETTLE_STEPS = 20;
const STILL = 64 * 1024;

export class ServerProcess {
  port = 0;
  #child;
  #cpu = null;
  #lines = [];
  #waiting = null;
  #stderr = '';
  #end = null;

  /**
   * @param {import('./catalogue.js').Server} server
   * @param {{ mode?: 'echo' | 'room', tls?: boolean, deflate?: boolean }} workload
   */
  constructor({ command, env }, { mode = 'echo', tls: secure = false, deflate = false }) {
    const [file, ...args] = onServerCore(command);
    // What is said to this process is not meant for them.
    const { NODE_OPTIONS, MILLRACE_KERNELS, ...inherited } = process.env;
    this.#child = spawn(file, args, {
      env: {
        ...inherited,
        ...env,
        BENCH_MODE: mode,
        ...(deflate && { BENCH_DEFLATE: '1' }),
        ...(secure && { BENCH_TLS_KEY: join(tls, 'server-key.pem'), BENCH_TLS_CERT: join(tls, 'server.pem') }),
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.setEncoding('utf8').on('data', (data) => {
      this.#stderr = (this.#stderr + data).slice(-SAID);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.#waiting?.();
    });
    this.#child.on('error', (error) => this.#ended(error.message));
    this.#child.on('close', (code, signal) => this.#ended(`ended with ${signal ?? `code ${code}`}`));
  }

  /** Resolves once it listens. */
  async ready() {
    const line = await this.#line('PORT ', START_PATIENCE);
    this.port = Number(line.slice('PORT '.length));
    this.#cpu = new CpuMeter(this.pid);
  }

  get pid() {
    return this.#child.pid;
  }

  /** Why it has ended, and what it said last; null while it runs. */
  get end() {
    if (this.#end === null) return null;
    const last = this.#stderr.split('\n').find((line) => /^\w*(?:Error|Exception)\b/.test(line));
    return last === undefined ? this.#end : `${this.#end}: ${last.trim()}`;
  }

  /** `end`, when it has ended, or null after so many milliseconds. */
  async endWithin(ms) {
    if (this.#end === null) {
      const abort = new AbortController();
      const options = { signal: abort.signal };
      await Promise.race([once(this.#child, 'close', options), sleep(ms, undefined, options)]).catch(() => {});
      abort.abort();
    }
    return this.end;
  }

  /** Microseconds of CPU time since this was last asked, or null. */
  cpu() {
    return this.#cpu.read();
  }

  /** Bytes that are resident, once it has collected its garbage and stands still; null where that is not told. */
  async memory() {
    let last = Number.NaN;
    for (let step = 0, still = 0; step < SETTLE_STEPS && still < 2; step++) {
      this.#child.stdin.write('gc\n');
      await this.#line('GC', START_PATIENCE);
      await sleep(SETTLE_STEP);
      const now = residentMemory(this.pid);
      if (now === null) return null;
      still = Math.abs(now - last) < STILL ? still + 1 : 0;
      last = now;
    }
    return last;
  }

  /** Ends it, and waits until it is gone. */
  async stop() {
    if (this.#end !== null) return;
    const gone = once(this.#child, 'close');
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_PATIENCE);
    await gone;
    clearTimeout(timer);
  }

  async #line(start, patience) {
    const until = performance.now() + patience;
    for (;;) {
      const found = this.#lines.findIndex((line) => line.startsWith(start));
      if (found >= 0) return this.#lines.splice(found, 1)[0];
      if (this.#end !== null) throw new Error(this.end);
      const left = until - performance.now();
      if (left <= 0) throw new Error(`did not answer within ${patience / 1000} s`);
      const waited = new Promise((resolve) => {
        this.#waiting = resolve;
      });
      const timer = setTimeout(this.#waiting, left);
      await waited;
      clearTimeout(timer);
    }
  }

  #ended(why) {
    this.#end ??= why;
    this.#waiting?.();
  }
}
