/** An echo server on uWebSockets.js, from the binary that `UWS` names. */

import { createRequire } from 'node:module';
import { serveBenchmark } from './control.js';
import { tlsFiles } from './tls.js';

// The binary itself: the package's own entry falls back to an emulation in JavaScript without a word.
const uws = createRequire(import.meta.url)(process.env.UWS);
const { key, cert } = tlsFiles ?? {};
const app = tlsFiles === null ? uws.App() : uws.SSLApp({ key_file_name: key, cert_file_name: cert });

const compress = process.env.BENCH_DEFLATE !== undefined;

app.ws('/*', {
  compression: compress ? uws.SHARED_COMPRESSOR : uws.DISABLED,
  maxPayloadLength: 16 * 1024 * 1024,
  maxBackpressure: 64 * 1024 * 1024,
  message(ws, message, isBinary) {
    ws.send(message, isBinary, compress);
  },
});
app.listen('127.0.0.1', 0, (socket) => serveBenchmark(uws.us_socket_local_port(socket)));
