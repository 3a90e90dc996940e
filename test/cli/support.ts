/** Runs the built command as people do: as a child process. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const command = `${root}dist/cli/main.js`;

if (!existsSync(command)) throw new Error('these tests run the built command: node scripts/build.js');

/** Polls until a condition gives something other than false, null or undefined, and returns that. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeout = 60_000,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) {
      return value as Exclude<T, false | null | undefined>;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms in vain: ${what}`);
    await sleep(25);
  }
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whatever the tests' own environment forces is not passed on. */
function environment(changes: Record<string, string>): NodeJS.ProcessEnv {
  const { MILLRACE_KERNELS: _, MILLRACE_ADDON: __, MILLRACE_CPU: ___, ...rest } = process.env;
  return { ...rest, ...changes };
}

/** Runs to the end. */
export async function run(args: string[], env: Record<string, string> = {}, main = command): Promise<Outcome> {
  const child = spawn(process.execPath, [main, ...args], { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { code: code as number | null, stdout, stderr };
  } finally {
    child.kill('SIGKILL');
  }
}

/** A `millrace serve` that runs until it is stopped or disposed of. */
export class Serving {
  readonly url: string;
  readonly stdout: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, stdout: string) {
    this.#child = child;
    this.stdout = stdout;
    this.url = /http:\S+/.exec(stdout)?.[0] ?? '';
  }

  static async start(args: string[] = ['--port', '0'], env: Record<string, string> = {}): Promise<Serving> {
    const child = spawn(process.execPath, [command, 'serve', ...args], {
      env: environment(env),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8');
    let stdout = '';
    for await (const part of child.stdout.iterator({ destroyOnReturn: false })) {
      stdout += part;
      if (stdout.includes('Ctrl-C')) break;
    }
    child.stdout.resume();
    const serving = new Serving(child, stdout);
    if (serving.url !== '') return serving;
    child.kill('SIGKILL');
    throw new Error(`millrace serve printed no URL:\n${stdout}`);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Sends a signal and waits for the end; resolves with the exit code. */
  async stop(signal: NodeJS.Signals): Promise<number | null> {
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** An open WebSocket, or a rejection with the status code that refused it. */
  async connect(path: string, headers: Record<string, string> = {}): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}${path}`, { headers, perMessageDeflate: false });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, { statusCode }) => reject(new Error(`status ${statusCode}`)));
    });
    return socket;
  }

  /** A plain HTTP request; unlike `fetch` it can say any Host. */
  async get(
    path: string,
    { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ) {
    const sent = request({ host: '127.0.0.1', port: this.port, path, method, headers, agent: false });
    sent.end();
    const [response] = await once(sent, 'response');
    return {
      status: response.statusCode as number,
      headers: response.headers as Record<string, string>,
      body: await text(response),
    };
  }
}

export interface Message {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** The next message of a `ws` client. */
export async function nextMessage(socket: WebSocket): Promise<Message> {
  const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
  return { data, isBinary };
}
