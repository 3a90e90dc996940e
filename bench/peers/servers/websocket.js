/** `websocket` (WebSocket-Node), which has no compression. */

import websocket from 'websocket';
import { isRoom } from './host.js';
import { httpServer, listen } from './http.js';

const http = httpServer();
const server = new websocket.server({
  httpServer: http,
  autoAcceptConnections: true,
  // Its defaults are below the largest message.
  maxReceivedFrameSize: 16 * 1024 * 1024,
  maxReceivedMessageSize: 16 * 1024 * 1024,
});
server.on('connect', (connection) => {
  connection.on('message', ({ type, utf8Data, binaryData }) => {
    const data = type === 'utf8' ? utf8Data : binaryData;
    if (isRoom) server.broadcast(data);
    else connection.send(data);
  });
});
await listen(http);
