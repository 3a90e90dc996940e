/** `faye-websocket`; its compression is a package of its own and left out. */

import WebSocket from 'faye-websocket';
import { isRoom } from './host.js';
import { httpServer, listen } from './http.js';

const members = new Set();

const http = httpServer();
http.on('upgrade', (request, socket, head) => {
  const ws = new WebSocket(request, socket, head);
  members.add(ws);
  ws.on('message', ({ data }) => {
    if (!isRoom) return ws.send(data);
    for (const member of members) member.send(data);
  });
  ws.on('close', () => members.delete(ws));
});
await listen(http);
