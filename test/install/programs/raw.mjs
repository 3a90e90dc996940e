// A client of nothing but bytes, and waiting on what happens.
import { createConnection } from 'node:net';
import { connect as connectTls } from 'node:tls';

const PATIENCE = 15_000;

export async function until(what, condition) {
  const end = performance.now() + PATIENCE;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export const turn = () => new Promise((resolve) => setImmediate(resolve));

// Whether a number has been the same for a while: only to see a peer held, never to see that all went well.
export async function untilStill(what, number) {
  let last = number();
  let same = 0;
  await until(what, () => {
    const now = number();
    same = now === last ? same + 1 : 0;
    last = now;
    return same > 20;
  });
}

export function noise(length, seed = 1) {
  const unit = Uint8Array.from({ length: 251 }, (_, i) => Math.imul(i + seed, 0x9e37_79b1) >>> 23);
  return Buffer.alloc(length, unit);
}

function header(opcode, length, mask) {
  const bytes = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  bytes[0] = 0x80 | opcode;
  bytes[1] = mask | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (bytes.length === 4) bytes.writeUInt16BE(length, 2);
  else if (bytes.length === 10) bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes;
}

// A frame as a client sends it.
export function frame(opcode, payload = '') {
  const masked = Buffer.from(payload);
  const key = Buffer.from([0x87, 0x65, 0x43, 0x21]);
  for (let i = 0; i < masked.length; i++) masked[i] ^= key[i & 3];
  return Buffer.concat([header(opcode, masked.length, 0x80), key, masked]);
}

export function closePayload(code, reason = '') {
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
}

export const REQUEST = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n');

export class Raw {
  frames = [];
  head = '';
  ended = false;
  closed = false;
  error = null;
  #chunks = [];
  #length = 0;
  #need = 1;

  // With `ca` over TLS.
  constructor(target, ca) {
    this.below = createConnection({ ...target, allowHalfOpen: true });
    this.below.setNoDelay(true);
    this.socket = this.below;
    if (ca !== undefined) {
      this.socket = connectTls({ socket: this.below, servername: 'localhost', ca, allowHalfOpen: true });
      this.below.on('error', (error) => this.socket.destroy(error));
    }
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  static async open(target, ca, early = '') {
    const client = new Raw(target, ca);
    client.socket.write(Buffer.concat([Buffer.from(REQUEST), Buffer.from(early)]));
    await client.opened();
    return client;
  }

  async opened() {
    await until('the answer to a handshake', () => this.head !== '' || this.closed);
    if (!this.head.startsWith('HTTP/1.1 101 ')) throw new Error(`not opened: ${this.error} ${this.head}`);
  }

  async count(frames) {
    await until(`${frames} frames`, () => this.frames.length >= frames || this.closed);
    return this.frames;
  }

  #take(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#need) return;
    let rest = Buffer.concat(this.#chunks);
    if (this.head === '') {
      const end = rest.indexOf('\r\n\r\n');
      if (end >= 0) {
        this.head = rest.toString('latin1', 0, end);
        rest = rest.subarray(end + 4);
      }
    }
    this.#need = rest.length + 1;
    while (this.head !== '' && rest.length >= 2) {
      const short = rest[1];
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (rest.length < start) break;
      const length = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
      this.#need = start + length;
      if (rest.length < this.#need) break;
      this.frames.push({ first: rest[0], payload: rest.subarray(start, this.#need) });
      rest = rest.subarray(this.#need);
      this.#need = rest.length + 1;
    }
    this.#chunks = [rest];
    this.#length = rest.length;
  }
}
