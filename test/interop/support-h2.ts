/** Our servers as peers meet them that speak HTTP/2, what they have seen of each request, and what is needed besides. */

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createServer as createH2cServer, createSecureServer, type Http2Server } from 'node:http2';
import type { Socket } from 'node:net';
import { attach, type CloseOptions, type ServeOptions } from '../../src/node/index.js';
import { atEnd, next, start } from '../node/support.js';
import { serverTls } from '../node/support-streams.js';
import { PYTHON } from './support.js';

/** What a server saw of a request for a WebSocket. */
export interface Seen {
  readonly path: string;
  readonly httpVersion: string;
  /** The pseudo-header; undefined over HTTP/1.1. */
  readonly protocol: unknown;
  /** Tells one connection from another. */
  readonly remotePort: number;
}

/** A server of ours. */
export interface H2Front {
  readonly port: number;
  readonly seen: readonly Seen[];
  /** Connections accepted, whatever was spoken on them. */
  readonly connections: () => number;
  /** Open WebSockets. */
  size(): number;
  close(options?: CloseOptions): Promise<void>;
}

export type OpenH2Front = (options?: ServeOptions) => Promise<H2Front>;

/** The options with an `upgrade` that writes down what it is asked. */
function watched(options: ServeOptions, seen: Seen[]): ServeOptions {
  return {
    ...options,
    upgrade: (request) => {
      const { path, httpVersion, incoming, remotePort } = request;
      seen.push({ path, httpVersion, protocol: incoming.headers[':protocol'], remotePort });
      return options.upgrade?.(request);
    },
  };
}

async function serving(options: ServeOptions): Promise<H2Front> {
  const seen: Seen[] = [];
  const server = await start(watched(options, seen));
  return {
    port: server.port,
    seen,
    connections: () => new Set(seen.map(({ remotePort }) => remotePort)).size,
    size: () => server.size,
    close: (how) => server.close(how),
  };
}

async function attached(http: Http2Server, { request, ...options }: ServeOptions): Promise<H2Front> {
  const seen: Seen[] = [];
  const { path } = options;
  const attachment = attach(http, { ...watched(options, seen), ...(path !== undefined && { path }) });
  if (request !== undefined) http.on('request', request as never);
  const sockets = new Set<Socket>();
  http.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  http.listen(0, '127.0.0.1');
  atEnd(async () => {
    await attachment.close({ timeout: 0 });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => http.close(resolve));
  });
  await next(http, 'listening');
  return {
    port: (http.address() as { port: number }).port,
    seen,
    connections: () => new Set(seen.map(({ remotePort }) => remotePort)).size,
    size: () => attachment.size,
    close: (how) => attachment.close(how),
  };
}

/** Those that offer HTTP/2 and HTTP/1.1 by ALPN. */
export const secureH2Fronts: readonly (readonly [name: string, open: OpenH2Front])[] = [
  ['serve over TLS', (options = {}) => serving({ tls: serverTls, ...options })],
  [
    'attach on a secure http2 server',
    (options = {}) =>
      attached(createSecureServer({ ...serverTls, allowHTTP1: true }) as unknown as Http2Server, options),
  ],
];

/** Without TLS, and therefore HTTP/1.1 alone. */
export const openPlain: OpenH2Front = (options = {}) => serving(options);

/** Without TLS, for clients that know what is spoken. */
export const openH2c: OpenH2Front = (options = {}) => attached(createH2cServer(), options);

const onCi = process.env['CI'] !== undefined && process.env['CI'] !== '';

/** Why tests cannot run that need a Python module, or null. With `CI` set there is no excuse. */
export function moduleMissing(name: string, debian: string): string | null {
  const found = spawnSync(PYTHON, ['-c', `import ${name}`]);
  return found.status === 0 ? null : excuse(`${PYTHON} cannot import ${name} (apt-get install ${debian})`);
}

/** As `moduleMissing`, for a program. */
export function programMissing(path: string, debian: string): string | null {
  try {
    accessSync(path, constants.X_OK);
    return null;
  } catch {
    return excuse(`no ${path} (apt-get install ${debian})`);
  }
}

function excuse(reason: string): string {
  if (onCi) throw new Error(reason);
  return reason;
}

/** For the title of tests that may be skipped. */
export function titled(name: string, missing: string | null): string {
  return missing === null ? name : `${name} (skipped: ${missing})`;
}
