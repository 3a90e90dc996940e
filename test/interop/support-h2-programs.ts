/** Servers and proxies as child processes, which end with the test. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd, next, until } from '../node/support.js';

/** A port that nobody has just now. For programs that cannot be told to choose one, and say which. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await next(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A folder that goes with the test. */
export function folder(files: Readonly<Record<string, string | Buffer>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-'));
  atEnd(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

export interface Program {
  /** What it printed, whole lines or not. */
  output(): string;
}

/** Starts a program and waits until it takes connections on a port. */
export async function startProgram(
  path: string,
  args: readonly string[],
  port: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  let output = '';
  // In a process group of its own, for some have processes of their own.
  const child: ChildProcess = spawn(path, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let over = false;
  const closed = new Promise<void>((resolve) => {
    child.on('close', () => {
      over = true;
      resolve();
    });
  });
  child.on('error', (error) => {
    output += error.message;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const kill = () => {
    if (!over && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  process.once('exit', kill);
  atEnd(async () => {
    process.off('exit', kill);
    kill();
    await closed;
  });
  let listens = false;
  const knock = (): void => {
    const socket = createConnection(port, '127.0.0.1');
    socket.on('connect', () => {
      listens = true;
      socket.destroy();
    });
    socket.on('error', () => {
      if (!over && !listens) setTimeout(knock, 20);
    });
  };
  knock();
  await until(() => listens || over, `${path} to listen`).catch((error: unknown) => {
    throw new Error(`${error}\n${output}`);
  });
  if (over) throw new Error(`${path} ended: ${output}`);
  return { output: () => output };
}
