/** `millrace serve`. */

import { info } from '../kernels/index.js';
import type { Server } from '../node/index.js';
import { type Role, startEcho } from './echo.js';
import { messageOf, UserError } from './errors.js';
import { authorityOf, isLoopback } from './hosts.js';
import { packageVersion } from './version.js';

const DEFAULT_PORT = 8080;

export interface ServeCommandOptions {
  /** The port that was asked for, or null. */
  readonly port: number | null;
  readonly host: string;
}

/** Serves until SIGINT or SIGTERM; resolves with the exit code. */
export async function serveCommand({ port, host }: ServeCommandOptions): Promise<number> {
  let server: Server<Role>;
  let moved = false;
  try {
    server = await startEcho({ port: port ?? DEFAULT_PORT, host });
  } catch (error) {
    if (port !== null || codeOf(error) !== 'EADDRINUSE') throw cannotListen(error, port ?? DEFAULT_PORT, host);
    moved = true;
    server = await startEcho({ port: 0, host }).catch((cause: unknown) => {
      throw cannotListen(cause, 0, host);
    });
  }
  const stopped = stopSignal();
  process.stdout.write(banner(server, moved));
  await stopped;
  await server.close();
  return 0;
}

/** Resolves at the first signal. The second one ends the process, for whoever does not want to wait. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(signal === 'SIGINT' ? 130 : 143);
      asked = true;
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

function banner(server: Server<Role>, moved: boolean): string {
  const authority = authorityOf(server.hostname, server.port);
  const { tier, reason, features } = info;
  const lines = [
    `millrace ${packageVersion()}`,
    '',
    `  page      http://${authority}/`,
    `  echo      ws://${authority}/echo`,
    `  kernels   ${tier}: ${reason}`,
  ];
  if (features.length > 0) lines.push(`  CPU       ${features.join(', ')}`);
  if (moved) lines.push(`  note      port ${DEFAULT_PORT} is taken, this is a free one`);
  if (!isLoopback(server.hostname)) lines.push('  note      other machines can reach this server');
  lines.push('', '  Ctrl-C closes every connection and stops.', '');
  return `${lines.join('\n')}\n`;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? '';
}

/** What went wrong with listening, in a sentence; anything else is a fault of ours and passes through. */
function cannotListen(error: unknown, port: number, host: string): unknown {
  const { syscall = '' } = error as NodeJS.ErrnoException;
  if (!['listen', 'getaddrinfo'].includes(syscall)) return error;
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new UserError(`port ${port} on ${host} is taken`);
    case 'EACCES':
      return new UserError(`port ${port} on ${host} is not for this user to take`);
    case 'EADDRNOTAVAIL':
      return new UserError(`${host} is no address of this machine`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new UserError(`the host name "${host}" is not known`);
    default:
      return new UserError(`cannot listen on ${host}: ${messageOf(error)}`);
  }
}
