/** What the servers on node:http have in common: http or https, whichever is asked for, on a port of the loopback address. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { report, tlsFiles } from './host.js';

/** A server of node:http or node:https that answers whatever is no upgrade with 404. */
export function httpServer() {
  const notFound = (_request, response) => response.writeHead(404).end();
  if (tlsFiles === null) return createServer(notFound);
  return createTlsServer({ key: readFileSync(tlsFiles.key), cert: readFileSync(tlsFiles.cert) }, notFound);
}

/** @param {import('node:net').Server} server */
export async function listen(server) {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
  await once(server, 'listening');
  report(server.address().port);
}
