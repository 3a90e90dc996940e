/** An echo server on `ws` for connections that are mostly idle, with keep-alive as its README has it. */

import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import { serveMemory } from './memory.js';

/** As often as millrace asks. */
const PING_INTERVAL = 30_000;

const perMessageDeflate = process.env.BENCH_DEFLATE === undefined ? false : { threshold: 0 };
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate });

function heartbeat() {
  this.isAlive = true;
}

function fail(error) {
  console.error(error);
}

server.on('connection', (ws) => {
  ws.isAlive = true;
  ws.on('error', fail);
  ws.on('pong', heartbeat);
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});

setInterval(() => {
  for (const ws of server.clients) {
    if (ws.isAlive === false) {
      ws.terminate();
      continue;
    }
    ws.isAlive = false;
    ws.ping();
  }
}, PING_INTERVAL);

await once(server, 'listening');
serveMemory(server.address().port);
