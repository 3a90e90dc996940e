/** Processes of a load test: each does one thing, is told what by messages, and is gone when the test ends. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';

const PATIENCE = 60_000;

if (!existsSync(new URL('../../../dist/node/index.js', import.meta.url))) {
  throw new Error('these tests run the built server: node scripts/build.js');
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

const running = new Set<Child>();

afterEach(async () => {
  await Promise.all([...running].map((child) => child.kill()));
});

/** A script of this folder that runs `obey`. */
export class Child {
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #asked = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #ids = 0;
  #keeper: ChildProcess | null = null;

  private constructor(name: string, flags: readonly string[], env: NodeJS.ProcessEnv) {
    this.#name = name;
    const path = fileURLToPath(new URL(name, import.meta.url));
    this.#process = fork(path, {
      execArgv: ['--expose-gc', ...flags],
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on('message', (answer: Answer) => this.#answered(answer));
    this.#process.on('exit', (code, signal) => {
      running.delete(this);
      for (const { reject } of this.#asked.values()) reject(new Error(`${name} ended: ${signal ?? code}`));
      this.#asked.clear();
    });
    running.add(this);
  }

  /**
   * @param name of the file
   * @param flags of Node
   * @param env what is different in its environment
   */
  static async start(name: string, flags: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Child> {
    const child = new Child(name, flags, env);
    await new Promise<unknown>((resolve, reject) => child.#asked.set(0, { resolve, reject }));
    return child;
  }

  /** Gives an order and waits for what comes of it. */
  async ask<Result = unknown>(order: string, argument?: unknown, patience = PATIENCE): Promise<Result> {
    const id = ++this.#ids;
    const abort = new AbortController();
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#process.send({ id, order, argument });
    });
    const late = sleep(patience, undefined, { signal: abort.signal, ref: false }).then(() => {
      throw new Error(`${this.#name} did not answer '${order}' in ${patience} ms`);
    });
    late.catch(() => {});
    answer.catch(() => {});
    try {
      return (await Promise.race([answer, late])) as Result;
    } finally {
      abort.abort();
      this.#asked.delete(id);
    }
  }

  /**
   * Stops the process where it stands: it runs no more, and its sockets stay open. Since it could not notice that its
   * parent died, another process does, and ends it.
   */
  async freeze(): Promise<void> {
    const script = 'kill -STOP "$1"; echo stopped; read -r _; kill -KILL "$1"';
    this.#keeper = spawn('sh', ['-c', script, 'sh', String(this.#process.pid)], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(this.#keeper.stdout as NodeJS.ReadableStream, 'data');
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    if (this.#keeper === null) this.#process.kill('SIGKILL');
    else this.#keeper.stdin?.end();
    await exited;
  }

  #answered({ id = 0, result, error }: Partial<Answer>): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error === undefined) asked?.resolve(result);
    else asked?.reject(new Error(`${this.#name}: ${error}`));
  }
}

/** Asks again and again until something holds of the answer, and returns that. */
export async function poll<Result>(
  what: string,
  ask: () => Promise<Result>,
  holds: (result: Result) => boolean,
  patience = PATIENCE,
): Promise<Result> {
  const end = performance.now() + patience;
  for (;;) {
    const result = await ask();
    if (holds(result)) return result;
    if (performance.now() > end)
      throw new Error(`waited ${patience} ms in vain for ${what}: ${JSON.stringify(result)}`);
    await sleep(20);
  }
}

/** The most bytes that the system holds for one connection, sent and not read, at both ends together. */
export function socketBuffers(): number {
  try {
    const most = (name: string) => Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'latin1').trim().split(/\s+/)[2]);
    return most('tcp_wmem') + most('tcp_rmem');
  } catch {
    return 16 * 1024 * 1024;
  }
}

/** How many files, sockets among them, a process that we start may have open. */
export function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
