/** `ws`: a room is a loop over its clients, as in its README. */

import WebSocket, { WebSocketServer } from 'ws';
import { isDeflated, isRoom } from './host.js';
import { httpServer, listen } from './http.js';

const http = httpServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: isDeflated && { threshold: 0 } });
server.on('connection', (ws) => {
  ws.on('error', console.error);
  ws.on('message', (data, isBinary) => {
    if (!isRoom) return ws.send(data, { binary: isBinary });
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
    }
  });
});
await listen(http);
