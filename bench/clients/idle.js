/**
 * A process that holds connections open over bare sockets: opens as many as it is told, has each exchange a message when
 * it is told, answers pings, and ends when it is let go.
 */

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { frame, TEXT } from '../lib/frames.js';
import { jsonMessage } from '../lib/messages.js';

/** Handshakes under way at a time, so that no queue of the system's overflows. */
const AT_ONCE = 100;
const MESSAGE_SIZE = 1024;

const PING = Buffer.from([0x89, 0]);
const PONG = Buffer.from(frame(new Uint8Array(0), { opcode: 10 }));
const payload = randomBytes(MESSAGE_SIZE);
const message = Buffer.from(frame(payload));
const echo = Buffer.from(frame(payload, { key: null }));

const RSV1 = 0x40;
const TAIL = Buffer.of(0x00, 0x00, 0xff, 0xff);
const text = jsonMessage(MESSAGE_SIZE, 1);
const compressed = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -TAIL.length);
const compressedMessage = Buffer.from(frame(compressed, { opcode: TEXT }));
compressedMessage[0] |= RSV1;

const request =
  'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n';

class IdleClient {
  #socket;
  #received = Buffer.alloc(0);
  #done = null;
  #deflate;
  /** What has come, compressed, of all messages. */
  #came = [];

  open({ port, deflate }) {
    this.#deflate = deflate;
    return new Promise((resolve, reject) => {
      this.#socket = connect({ port, host: '127.0.0.1' });
      this.#socket.once('error', reject);
      this.#socket.on('close', () => process.exit(1));
      this.#socket.write(`${request}${deflate ? offer : ''}\r\n`);
      this.#socket.once('data', (response) => {
        const head = response.toString('latin1');
        if (!head.startsWith('HTTP/1.1 101 ')) reject(new Error('the handshake failed'));
        if (head.includes('permessage-deflate') !== deflate) reject(new Error('compressed, or not, as it should be'));
        this.#socket.on('data', (chunk) => this.#receive(chunk));
        resolve();
      });
    });
  }

  exchange() {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#socket.write(this.#deflate ? compressedMessage : message);
    });
  }

  #receive(chunk) {
    let bytes = Buffer.concat([this.#received, chunk]);
    if (bytes.length >= PING.length && bytes.compare(PING, 0, PING.length, 0, PING.length) === 0) {
      this.#socket.write(PONG);
      bytes = bytes.subarray(PING.length);
    }
    if (this.#deflate) {
      bytes = this.#receiveCompressed(bytes);
    } else if (bytes.length === echo.length) {
      if (!bytes.equals(echo)) throw new Error('an echo is not what was sent');
      bytes = Buffer.alloc(0);
      this.#done();
    }
    this.#received = bytes;
  }

  /** Returns what is not whole yet. */
  #receiveCompressed(bytes) {
    if (bytes.length < 4) return bytes;
    const header = bytes[1] < 126 ? 2 : 4;
    const size = header === 2 ? bytes[1] : bytes.readUInt16BE(2);
    if (bytes.length < header + size) return bytes;
    if (bytes[0] !== (0x80 | RSV1 | TEXT)) throw new Error('an echo that is not compressed text');
    this.#came.push(bytes.subarray(header, header + size), TAIL);
    const found = inflateRawSync(Buffer.concat(this.#came), { finishFlush: constants.Z_SYNC_FLUSH });
    if (!found.subarray(-MESSAGE_SIZE).equals(text)) throw new Error('an echo is not what was sent');
    this.#done();
    return bytes.subarray(header + size);
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
    await each(clients, (client) => client.open(open));
  }
  for (let i = 0; i < (exchange ?? 0); i++) await each(clients, (client) => client.exchange());
  process.send('done');
});
process.on('disconnect', () => process.exit());
