/** An echo server on `ws`. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { WebSocketServer } from 'ws';
import { serveBenchmark } from './control.js';
import { tlsFiles } from './tls.js';

const http =
  tlsFiles === null
    ? createServer()
    : createTlsServer({ key: readFileSync(tlsFiles.key), cert: readFileSync(tlsFiles.cert) });
const perMessageDeflate = process.env.BENCH_DEFLATE === undefined ? false : { threshold: 0 };
const server = new WebSocketServer({ server: http, perMessageDeflate });
server.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});
http.listen(0, '127.0.0.1');
await once(http, 'listening');
serveBenchmark(http.address().port);
