/** Runs the examples as people do: as child processes, on ports of their own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { atEnd, RawClient, until, within } from '../node/support.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

if (!existsSync(`${root}dist/node/index.js`))
  throw new Error('the examples run the built package: node scripts/build.js');

/** An example that runs until it ends by itself, is stopped, or the test is over. */
export class Example {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  stdout = '';
  stderr = '';
  /** The exit code, or the signal that ended it; null while it runs. */
  ending: number | string | null = null;
  readonly #closed: Promise<unknown>;

  private constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>>, input: boolean) {
    const child = spawn(process.execPath, [`${root}examples/${name}.js`, ...args], {
      env: { ...process.env, ...env },
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#closed = once(child, 'close').then(([code, signal]) => {
      this.ending = code ?? signal;
    });
    atEnd(async () => {
      child.kill('SIGKILL');
      await this.#closed;
    });
  }

  /** Runs one that ends by itself. @param input what comes from its stdin; with null stdin is left open */
  static run(
    name: string,
    args: readonly string[],
    input?: string | null,
    env: Readonly<Record<string, string>> = {},
  ): Example {
    const example = new Example(name, args, env, input !== undefined);
    if (typeof input === 'string') example.child.stdin?.end(input);
    return example;
  }

  /** Starts a server on a port of its own, and waits until it listens. */
  static async serve(name: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const example = new Example(name, ['0', ...args], env, false);
    await example.prints(/listening on ws:/);
    return example;
  }

  get port(): number {
    return Number(/listening on ws:\/\/127\.0\.0\.1:(\d+)$/m.exec(this.stdout)?.[1]);
  }

  /** Waits until it has printed something. */
  async prints(pattern: RegExp, patience?: number): Promise<RegExpExecArray> {
    await until(() => pattern.test(this.stdout) || this.ending !== null, `${pattern}`, patience).catch(() => {});
    const found = pattern.exec(this.stdout);
    if (found === null) throw new Error(`${pattern} was not printed (${this.ending}):\n${this.stdout}\n${this.stderr}`);
    return found;
  }

  /** Waits for the end: with exit code 0, and nothing said on stderr. */
  async endsWell(): Promise<void> {
    await this.ends(0);
    expect(this.stderr).toBe('');
  }

  async ends(ending: number | string): Promise<void> {
    await within(this.#closed, `the end of the example, which has printed:\n${this.stdout}\n${this.stderr}`);
    expect(this.ending, this.stderr).toBe(ending);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resident memory in bytes, 0 where it cannot be had. */
  get memory(): number {
    if (process.platform !== 'linux') return 0;
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  client(): Promise<RawClient> {
    return RawClient.open(this.port);
  }
}

/** Waits until a client can write no more: what it has written has not changed for a while. */
export async function held({ socket }: RawClient): Promise<number> {
  let last = -1;
  for (let same = 0; same < 20; ) {
    const taken = socket.bytesWritten - socket.writableLength;
    same = taken === last ? same + 1 : 0;
    last = taken;
    await sleep(10);
  }
  return last;
}
