/** uWebSockets.js, from the binary that `UWS` names. */

import { createRequire } from 'node:module';
import { isDeflated, isRoom, report, tlsFiles } from './host.js';

// The binary itself: the package's own entry falls back to an emulation in JavaScript without a word.
const uws = createRequire(import.meta.url)(process.env.UWS);
const app = tlsFiles === null ? uws.App() : uws.SSLApp({ key_file_name: tlsFiles.key, cert_file_name: tlsFiles.cert });

app.ws('/*', {
  compression: isDeflated ? uws.SHARED_COMPRESSOR : uws.DISABLED,
  // Its defaults are below the largest message, and what is above them is dropped.
  maxPayloadLength: 16 * 1024 * 1024,
  maxBackpressure: 64 * 1024 * 1024,
  open(ws) {
    if (isRoom) ws.subscribe('room');
  },
  message(ws, message, isBinary) {
    if (isRoom) app.publish('room', message, isBinary, isDeflated);
    else ws.send(message, isBinary, isDeflated);
  },
});
app.listen('127.0.0.1', 0, (socket) => {
  if (!socket) throw new Error('no port to listen on');
  report(uws.us_socket_local_port(socket));
});
