/** Runs programs in an installed project. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { inject } from 'vitest';
import { WebSocket } from 'ws';
import type { KernelsInfo } from '../../src/kernels/index.js';

export const target = `${process.platform}-${process.arch}`;

/** How a runtime is started: a command and the arguments ahead of the program. */
export type Runtime = readonly [command: string, ...args: string[]];
export const thisNode: Runtime = [process.execPath];

/** A project of its own, for tests that break something. */
export function copyOfProject(): string {
  const folder = mkdtempSync(join(inject('scratch'), 'copy-'));
  cpSync(inject('project'), folder, { recursive: true });
  return folder;
}

export function prebuiltIn(project: string): string {
  return join(project, 'node_modules', 'millrace', 'prebuilds', target, 'millrace.node');
}

/** Nothing of what the tests' own environment forces, and no command to be found but by its path. */
function environment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:MILLRACE_|NODE_|VITE|FORCE_COLOR)/.test(name));
  const scratch = inject('scratch');
  return {
    ...Object.fromEntries(own),
    PATH: join(scratch, 'no-commands'),
    NO_COLOR: '1',
    DENO_DIR: join(scratch, 'deno'),
    DENO_NO_UPDATE_CHECK: '1',
    ...more,
  };
}

/** What a program prints as JSON. */
export function tell(file: string, [command, ...args]: Runtime = thisNode, env: NodeJS.ProcessEnv = {}): unknown {
  const options = { cwd: join(file, '..'), env: environment(env), encoding: 'utf8' } as const;
  const { status, stdout, stderr, error, signal } = spawnSync(command, [...args, file], options);
  if (status !== 0 || stderr !== '') throw new Error(`${file}: ${error ?? signal ?? status}\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/**
 * What a program prints as JSON, without a halt to other tests meanwhile. It must end by itself, in so many
 * milliseconds, and say nothing on stderr.
 */
export async function tellOnceEnded(
  file: string,
  [command, ...args]: Runtime,
  env: NodeJS.ProcessEnv,
  timeout: number,
): Promise<unknown> {
  const child = spawn(command, [...args, file], { cwd: join(file, '..'), env: environment(env), timeout });
  const printed = Promise.all([text(child.stdout), text(child.stderr)]);
  const [status, signal] = await once(child, 'close');
  const [stdout, stderr] = await printed;
  if (status !== 0 || stderr !== '') throw new Error(`${file}: ${signal ?? status}\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/** Starts a program that serves an echo, talks to it, and gives back which kernels it says it runs with. */
export async function echo(file: string, [command, ...args]: Runtime = thisNode): Promise<KernelsInfo> {
  const child = spawn(command, [...args, file], { cwd: join(file, '..'), env: environment({}) });
  const errors = text(child.stderr);
  try {
    const [line] = await Promise.race([
      once(createInterface(child.stdout), 'line'),
      errors.then((printed) => Promise.reject(new Error(`${file} ended: ${printed}`))),
    ]);
    const { port, info } = JSON.parse(line) as { port: number; info: KernelsInfo };
    await converse(port);
    return info;
  } finally {
    child.kill();
  }
}

/** Sends messages of each length encoding, the largest in more than one chunk, and wants each of them back. */
async function converse(port: number): Promise<void> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(ws, 'open');
  for (const sent of ['hello', 'é€😀'.repeat(100), Buffer.alloc(300_000, 'bytes')]) {
    ws.send(sent);
    const [data, isBinary] = await once(ws, 'message');
    const same = isBinary ? data.equals(sent) : String(data) === sent;
    if (!same) throw new Error(`${sent.length} bytes came back as ${data.length} others`);
  }
  ws.close(4000, 'enough');
  const [code] = await once(ws, 'close');
  if (code !== 4000) throw new Error(`closed with ${code}`);
}
