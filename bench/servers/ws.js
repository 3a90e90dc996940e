/** An echo server on `ws`. */

import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import { serveBenchmark } from './control.js';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
server.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});
await once(server, 'listening');
serveBenchmark(server.address().port);
