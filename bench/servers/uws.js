/** An echo server on uWebSockets.js that compresses everything, from the binary that `UWS` names. */

import { createRequire } from 'node:module';
import { serveBenchmark } from './control.js';

// The binary itself: the package's own entry falls back to an emulation in JavaScript without a word.
const uws = createRequire(import.meta.url)(process.env.UWS);
const app = uws.App();

app.ws('/*', {
  compression: uws.SHARED_COMPRESSOR,
  maxPayloadLength: 16 * 1024 * 1024,
  maxBackpressure: 64 * 1024 * 1024,
  message(ws, message, isBinary) {
    ws.send(message, isBinary, true);
  },
});
app.listen('127.0.0.1', 0, (socket) => serveBenchmark(uws.us_socket_local_port(socket)));
