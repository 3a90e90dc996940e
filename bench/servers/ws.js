/** An echo server on `ws` that compresses everything. */

import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import { serveBenchmark } from './control.js';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } });
server.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});
await once(server, 'listening');
serveBenchmark(server.address().port);
