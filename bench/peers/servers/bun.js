/** Bun: its own server and its own topics. Runs in Bun alone. */

import { isDeflated, isRoom, report, tlsFiles } from './host.js';

const { Bun } = globalThis;
const tls = tlsFiles && { tls: { key: Bun.file(tlsFiles.key), cert: Bun.file(tlsFiles.cert) } };

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  ...tls,
  fetch(request, self) {
    return self.upgrade(request) ? undefined : new Response(null, { status: 404 });
  },
  websocket: {
    perMessageDeflate: isDeflated,
    // Above its default, which is the largest message, whatever waits is dropped.
    backpressureLimit: 64 * 1024 * 1024,
    open(ws) {
      if (isRoom) ws.subscribe('room');
    },
    message(ws, message) {
      if (isRoom) server.publish('room', message, isDeflated);
      else ws.send(message, isDeflated);
    },
  },
});
report(server.port);
