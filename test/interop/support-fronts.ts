/** Our servers as each kind of client may meet them, and what clients need to trust them. */

import { createServer as createHttpsServer } from 'node:https';
import { fileURLToPath } from 'node:url';
import { attach, type ServeOptions } from '../../src/node/index.js';
import { atEnd, next, start } from '../node/support.js';
import { serverTls } from '../node/support-streams.js';

/** For those that take no certificate but in a file. */
export const certificate = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/tls/${name}.pem`, import.meta.url));

/** A server of ours. */
export interface Front {
  readonly url: string;
  readonly port: number;
  /** Open connections. */
  size(): number;
}

export type OpenFront = (options?: ServeOptions) => Promise<Front>;

async function serving(options: ServeOptions): Promise<Front> {
  const server = await start(options);
  const scheme = options.tls === undefined ? 'ws' : 'wss';
  return { url: `${scheme}://127.0.0.1:${server.port}/`, port: server.port, size: () => server.size };
}

async function attached({ tls = serverTls, path, request, ...options }: ServeOptions = {}): Promise<Front> {
  const http = createHttpsServer(tls, request);
  const attachment = attach(http, { ...options, ...(path !== undefined && { path }) });
  http.listen(0, '127.0.0.1');
  atEnd(async () => {
    await attachment.close({ timeout: 0 });
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  await next(http, 'listening');
  const { port } = http.address() as { port: number };
  return { url: `wss://127.0.0.1:${port}/`, port, size: () => attachment.size };
}

export const secureFronts: readonly (readonly [name: string, open: OpenFront])[] = [
  ['serve over TLS', (options) => serving({ tls: serverTls, ...options })],
  ['attach on https', attached],
];

export const fronts: readonly (readonly [name: string, open: OpenFront])[] = [
  ['serve over TCP', (options = {}) => serving(options)],
  ...secureFronts,
];
