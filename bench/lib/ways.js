/** How a load gets a WebSocket: a stream on which the server has accepted one, with nothing of ours between. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:tls';

/** A WebSocket on a connection of its own, with TLS. */
export async function h1Way(port) {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }).setNoDelay();
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  const [response] = await once(socket, 'data');
  if (!response.toString('latin1').startsWith('HTTP/1.1 101 ')) throw new Error('the handshake failed');
  return socket;
}

/** WebSockets on one session of HTTP/2 (RFC 8441). */
export class H2Way {
  #session;
  #ready;

  constructor(port) {
    this.#session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, maxSessionMemory: 1000 });
    this.#ready = once(this.#session, 'remoteSettings').then(() => this.#session.setLocalWindowSize(1024 * 1024));
  }

  async open(path = '/') {
    await this.#ready;
    const headers = {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':path': path,
      'sec-websocket-version': '13',
    };
    const stream = this.#session.request(headers, { endStream: false });
    const [response] = await once(stream, 'response');
    if (response[':status'] !== 200) throw new Error('the handshake failed');
    return stream;
  }

  close() {
    this.#session.destroy();
  }
}
