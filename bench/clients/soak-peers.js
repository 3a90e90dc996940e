/** The two kinds of client of a soak: one of bare sockets, which can do what no client should, and one of `ws`. */

import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { frame } from '../lib/frames.js';
import { Deflate } from './soak-deflate.js';

const PATIENCE = 20_000;
/** Says that a message is compressed. */
export const RSV1 = 0x40;

/** The promise, or an error when it takes too long: an echo that never comes is one that was lost. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come in ${PATIENCE} ms`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What both kinds have: a queue of what came, and whoever waits for it. */
class Inbox {
  #items = [];
  #waiting = null;

  put(item) {
    if (this.#waiting === null) {
      this.#items.push(item);
      return;
    }
    this.#waiting(item);
    this.#waiting = null;
  }

  take(what) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    const item = new Promise((resolve) => {
      this.#waiting = resolve;
    });
    return within(item, what);
  }
}

export class RawPeer {
  /** Bytes a second that are read; Infinity is all that comes. */
  rate = Number.POSITIVE_INFINITY;
  /** Messages `{ opcode, payload }`, and at the end a Close, or null where the stream ended without one. */
  inbox = new Inbox();
  pongs = new Inbox();
  #socket;
  #chunks = [];
  #length = 0;
  #isOver = false;
  #isCut = false;
  #owed = [];
  /** What compresses, where that was offered. */
  deflate = null;

  /** @param {string | null} offer of permessage-deflate, its parameters */
  static open(port, path, offer = null) {
    const peer = new RawPeer();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    peer.#socket = socket;
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
        `${offer === null ? '' : `Sec-WebSocket-Extensions: permessage-deflate${offer}\r\n`}\r\n`,
    );
    const opened = new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.once('data', (chunk) => {
        const end = chunk.indexOf('\r\n\r\n') + 4;
        if (!chunk.toString('latin1').startsWith('HTTP/1.1 101 ')) reject(new Error('the handshake failed'));
        if (offer !== null) {
          const answer = /^sec-websocket-extensions: permessage-deflate(.*)\r$/im.exec(chunk.toString('latin1'));
          if (answer === null) reject(new Error('permessage-deflate was not agreed to'));
          else peer.deflate = new Deflate(answer[1]);
        }
        socket.on('data', (next) => peer.#receive(next));
        socket.on('close', () => peer.#over(null));
        if (end < chunk.length) peer.#receive(chunk.subarray(end));
        resolve(peer);
      });
    });
    return within(opened, 'a handshake');
  }

  /**
   * Resolves when the system has taken it.
   *
   * @param {boolean} isCut whether it ends in the middle of a frame: Pongs wait then for what follows
   */
  write(bytes, isCut = false) {
    const written = new Promise((resolve) => this.#socket.write(bytes, resolve));
    this.#isCut = isCut;
    if (!isCut) for (const pong of this.#owed.splice(0)) this.#socket.write(pong);
    return within(written, 'room for a message');
  }

  reset() {
    this.#socket.resetAndDestroy();
  }

  end() {
    this.#socket.end();
  }

  #over(close) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.inbox.put(close);
  }

  #receive(chunk) {
    this.#hold(chunk.length);
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (;;) {
      if (this.#length < 2) return;
      if (this.#chunks[0].length < 10 && this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
      const [first] = this.#chunks;
      if (first.length < 2) return;
      const short = first[1];
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (first.length < header) return;
      const size = short < 126 ? short : short === 126 ? first.readUInt16BE(2) : Number(first.readBigUInt64BE(2));
      if (this.#length < header + size) return;
      const bytes = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
      const rest = bytes.subarray(header + size);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
      this.#handle(first[0], bytes.subarray(header, header + size));
    }
  }

  #handle(first, payload) {
    const opcode = first & 0x0f;
    if (opcode === 9 && this.#isCut) this.#owed.push(frame(payload, { opcode: 10 }));
    else if (opcode === 9) this.#socket.write(frame(payload, { opcode: 10 }));
    else if (opcode === 10) this.pongs.put(payload);
    else if (opcode === 8) this.#over({ code: payload.length === 0 ? 1005 : payload.readUInt16BE(0) });
    else if ((first & RSV1) === 0) this.inbox.put({ opcode, payload });
    else this.inbox.put({ opcode, payload: this.deflate.decompress(payload) });
  }

  /** Does not read on before the time for what came is over. */
  #hold(bytes) {
    if (this.rate === Number.POSITIVE_INFINITY) return;
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), (bytes / this.rate) * 1000);
  }
}

export class WsPeer {
  inbox = new Inbox();
  pongs = new Inbox();
  #ws;

  /** @param {false | object} perMessageDeflate as `ws` has it */
  static open(port, path, perMessageDeflate = false) {
    const peer = new WsPeer();
    const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate });
    peer.#ws = ws;
    ws.on('message', (payload, isBinary) => peer.inbox.put({ opcode: isBinary ? 2 : 1, payload }));
    ws.on('pong', (payload) => peer.pongs.put(payload));
    ws.on('close', (code) => peer.inbox.put({ code }));
    const opened = new Promise((resolve, reject) => {
      ws.once('open', () => resolve(peer));
      ws.on('error', reject);
    });
    return within(opened, 'a handshake');
  }

  /** @param {{ opcode: number, payload: Buffer }[]} parts of one message, in order */
  send(parts) {
    const binary = parts[0].opcode === 2;
    parts.forEach(({ payload }, i) => {
      this.#ws.send(payload, { binary, fin: i === parts.length - 1 });
    });
  }

  ping(payload) {
    this.#ws.ping(payload);
  }

  close(code) {
    this.#ws.close(code);
  }

  terminate() {
    this.#ws.terminate();
  }
}
