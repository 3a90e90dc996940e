/**
 * A load of echoes with permessage-deflate over bare sockets. What is sent was compressed before, with
 * context takeover, so the client costs little; of what comes back headers are read and messages counted. The first
 * messages of one connection are kept, and decompressed and compared with what was sent when the load is over.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { constants, createDeflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib';
import { frame, TEXT } from './frames.js';
import { Load } from './load.js';
import { jsonMessage } from './messages.js';

const RSV1 = 0x40;
/** So many messages of a connection are looked at, as long as they are not more than so many bytes. */
const CHECKED = 1000;
const CHECKED_BYTES = 4 * 1024 * 1024;
const TAIL = Buffer.of(0x00, 0x00, 0xff, 0xff);
/** So many bytes of messages go around: none is in the window of a compressor any more when it comes again. */
const AROUND = 256 * 1024;

/**
 * Frames of compressed messages, and what they say. Each refers to those before it, the first to nothing: so they can be
 * sent around and around. To a server that does not keep a context for its client each goes alone.
 */
async function makeMessages(size) {
  const deflate = createDeflateRaw();
  const pieces = [];
  deflate.on('data', (data) => pieces.push(data));
  const messages = [];
  for (let seed = 0; seed < Math.max(4, AROUND / size); seed++) {
    const text = jsonMessage(size, seed);
    deflate.write(text);
    await new Promise((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    const alone = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
    messages.push({
      text,
      frame: compressedFrame(Buffer.concat(pieces.splice(0))),
      aloneFrame: compressedFrame(alone),
    });
  }
  deflate.destroy();
  return messages;
}

function compressedFrame(data) {
  const bytes = Buffer.from(frame(data.subarray(0, -TAIL.length), { opcode: TEXT }));
  bytes[0] |= RSV1;
  return bytes;
}

/** By size, for every load that wants them. */
const made = new Map();

export class DeflateLoad extends Load {
  #port;
  #connections;
  #size;

  /**
   * @param {number} port on the loopback address
   * @param {{ connections: number, size: number }} workload
   */
  constructor(port, { connections, size }) {
    super();
    this.#port = port;
    this.#connections = connections;
    this.#size = size;
  }

  async connect() {
    if (!made.has(this.#size)) made.set(this.#size, await makeMessages(this.#size));
    const messages = made.get(this.#size);
    for (let i = 0; i < this.#connections; i++) this.clients.push(new Client(this.#port, messages, i === 0));
    await super.connect();
  }
}

class Client {
  messages = 0;
  #socket;
  #kinds;
  #next = 0;
  #isAlone = false;
  #isClosed = false;
  #running = false;
  #isWaiting = false;
  #finished = null;
  /** What has come of a frame. */
  #chunks = [];
  #length = 0;
  #checks;
  #sent = [];
  #sentBytes = 0;
  #came = [];

  constructor(port, kinds, checks) {
    this.#kinds = kinds;
    this.#checks = checks;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
  }

  async connect() {
    const key = randomBytes(16).toString('base64');
    this.#socket.write(
      `GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n` +
        'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n',
    );
    const [response] = await once(this.#socket, 'data');
    const head = response.toString('latin1').toLowerCase();
    if (!head.startsWith('http/1.1 101 ')) throw new Error('the handshake failed');
    if (!head.includes('permessage-deflate')) throw new Error('nothing is compressed');
    this.#isAlone = head.includes('client_no_context_takeover');
    this.#socket.on('close', () => this.#isClosed || process.exit(1));
    this.#socket.on('data', (chunk) => this.#receive(chunk));
  }

  start() {
    this.#running = true;
    this.#send();
  }

  /** Sends no more, and resolves when the echo is back. */
  async finish() {
    this.#running = false;
    if (!this.#isWaiting) return;
    await new Promise((resolve) => {
      this.#finished = resolve;
    });
  }

  close() {
    this.#isClosed = true;
    this.#socket.destroy();
    if (this.#checks) this.#check();
  }

  #send() {
    const { text, frame, aloneFrame } = this.#kinds[this.#next++ % this.#kinds.length];
    if (this.#checks && this.#sent.length < CHECKED && this.#sentBytes < CHECKED_BYTES) {
      this.#sent.push(text);
      this.#sentBytes += text.length;
    }
    this.#isWaiting = true;
    this.#socket.write(this.#isAlone ? aloneFrame : frame);
  }

  #receive(chunk) {
    let first = chunk;
    if (this.#chunks.length > 0) {
      this.#chunks.push(chunk);
      if (this.#chunks[0].length < 10) this.#chunks = [Buffer.concat(this.#chunks)];
      first = this.#chunks[0];
    }
    this.#length += chunk.length;
    const short = first[1];
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    const isWhole = first.length >= header && this.#length >= header + payloadSize(first);
    if (!isWhole) {
      if (this.#chunks.length === 0) this.#chunks.push(chunk);
      return;
    }
    if (this.#length > header + payloadSize(first)) throw new Error('more echoes than messages');
    if (first[0] !== (0x80 | RSV1 | TEXT)) throw new Error('an echo that is not compressed text');
    if (this.#checks && this.#came.length < 2 * this.#sent.length) {
      const whole = this.#chunks.length === 0 ? chunk : Buffer.concat(this.#chunks);
      this.#came.push(whole.subarray(header), TAIL);
    }
    if (this.#chunks.length > 0) this.#chunks = [];
    this.#length = 0;
    this.messages++;
    this.#isWaiting = false;
    if (this.#running) this.#send();
    else this.#finished?.();
  }

  /** Compares what comes out of the echoes with what went into the messages, in order. */
  #check() {
    const came = inflateRawSync(Buffer.concat(this.#came), { finishFlush: constants.Z_SYNC_FLUSH });
    const sent = Buffer.concat(this.#sent.slice(0, this.#came.length / 2));
    if (came.length === 0 || !came.equals(sent)) throw new Error('an echo is not what was sent');
  }
}

/** The size that a frame without a masking key claims; its header must be whole. */
function payloadSize(frame) {
  if (frame[1] < 126) return frame[1];
  return frame[1] === 126 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
}
