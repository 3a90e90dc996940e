/**
 * A process that holds connections open over bare sockets: opens as many as it is told, has each exchange a message when
 * it is told, answers pings, and ends when it is let go.
 */

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { frame } from '../lib/frames.js';

/** Handshakes under way at a time, so that no queue of the system's overflows. */
const AT_ONCE = 100;
const MESSAGE_SIZE = 1024;

const PING = Buffer.from([0x89, 0]);
const PONG = Buffer.from(frame(new Uint8Array(0), { opcode: 10 }));
const payload = randomBytes(MESSAGE_SIZE);
const message = Buffer.from(frame(payload));
const echo = Buffer.from(frame(payload, { key: null }));

const request =
  'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';

class IdleClient {
  #socket;
  #received = Buffer.alloc(0);
  #done = null;

  open(port) {
    return new Promise((resolve, reject) => {
      this.#socket = connect({ port, host: '127.0.0.1' });
      this.#socket.once('error', reject);
      this.#socket.on('close', () => process.exit(1));
      this.#socket.write(request);
      this.#socket.once('data', (response) => {
        if (!response.toString('latin1').startsWith('HTTP/1.1 101 ')) reject(new Error('the handshake failed'));
        this.#socket.on('data', (chunk) => this.#receive(chunk));
        resolve();
      });
    });
  }

  exchange() {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#socket.write(message);
    });
  }

  #receive(chunk) {
    let bytes = Buffer.concat([this.#received, chunk]);
    if (bytes.length >= PING.length && bytes.compare(PING, 0, PING.length, 0, PING.length) === 0) {
      this.#socket.write(PONG);
      bytes = bytes.subarray(PING.length);
    }
    if (bytes.length === echo.length) {
      if (!bytes.equals(echo)) throw new Error('an echo is not what was sent');
      bytes = Buffer.alloc(0);
      this.#done();
    }
    this.#received = bytes;
  }
}

const clients = [];

/** Does something with every item, some at a time. */
async function each(items, work) {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

process.on('message', async ({ open, exchange }) => {
  if (open) {
    for (let i = 0; i < open.count; i++) clients.push(new IdleClient());
    await each(clients, (client) => client.open(open.port));
  }
  if (exchange) await each(clients, (client) => client.exchange());
  process.send('done');
});
process.on('disconnect', () => process.exit());
