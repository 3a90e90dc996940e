/** node:zlib as a peer. */

import { createConnection, type Socket } from 'node:net';
import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  type DeflateRaw,
  type InflateRaw,
  type ZlibOptions,
} from 'node:zlib';
import { encode } from '../kernels/support.js';
import { accepting } from '../node/client/support.js';
import { atEnd, request, until, within } from '../node/support.js';
import { type Combination, fieldOf, type Message, random } from './support-deflate.js';
import { headerOf, RSV1 } from './support-tap.js';

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** Everything that comes out of a stream of zlib for an input and a flush. */
function through(stream: DeflateRaw | InflateRaw, ...inputs: readonly Buffer[]): Promise<Buffer> {
  return within(
    new Promise((resolve, reject) => {
      const output: Buffer[] = [];
      const take = (chunk: Buffer) => output.push(chunk);
      stream.on('data', take);
      stream.once('error', reject);
      for (const input of inputs) stream.write(input);
      stream.flush(constants.Z_SYNC_FLUSH, () => {
        stream.off('data', take);
        stream.off('error', reject);
        resolve(Buffer.concat(output));
      });
    }),
    'zlib',
    20_000,
  );
}

/** A message as it came. */
export interface ZlibMessage {
  readonly data: Message;
  /** Whether it was compressed. */
  readonly compressed: boolean;
  /** Of its payload, on the wire. */
  readonly size: number;
  readonly fragments: number;
}

/** What both sides agree on where neither wants anything. */
export const NOTHING_SPECIAL: Combination = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};

interface ZlibPeerOptions {
  readonly isClient: boolean;
  readonly agreed: Combination;
  /** For its compressor. */
  readonly zlib?: ZlibOptions;
}

/** One side of a connection, of a bare socket and streams of node:zlib whose windows are no larger than was agreed. */
export class ZlibPeer {
  readonly socket: Socket;
  readonly received: ZlibMessage[] = [];
  readonly pongs: string[] = [];
  /** Of all frames, as they came. */
  readonly opcodes: number[] = [];
  closeCode: number | null = null;
  failure: unknown = null;
  readonly #isClient: boolean;
  readonly #own: { readonly bits: number; readonly anew: boolean };
  readonly #other: { readonly bits: number; readonly anew: boolean };
  readonly #zlib: ZlibOptions;
  #deflate: DeflateRaw | null = null;
  #inflate: InflateRaw | null = null;
  #rest: Buffer[] = [];
  #restSize = 0;
  #needed = 0;
  #parts: Buffer[] = [];
  #first = 0;
  #work = Promise.resolve();

  constructor(socket: Socket, { isClient, agreed, zlib = {} }: ZlibPeerOptions) {
    const server = { bits: agreed.serverMaxWindowBits, anew: agreed.serverNoContextTakeover };
    const client = { bits: agreed.clientMaxWindowBits, anew: agreed.clientNoContextTakeover };
    this.socket = socket;
    this.#isClient = isClient;
    [this.#own, this.#other] = isClient ? [client, server] : [server, client];
    this.#zlib = zlib;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    atEnd(() => {
      socket.destroy();
      this.#deflate?.close();
      this.#inflate?.close();
    });
  }

  /** A client of a server, which must answer as `agreed` says. */
  static async connect(
    port: number,
    offer: string,
    agreed: Combination,
    zlib: ZlibOptions = {},
  ): Promise<{ peer: ZlibPeer; answer: string }> {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.setNoDelay(true);
    atEnd(() => socket.destroy());
    socket.write(request({ 'Sec-WebSocket-Extensions': offer }));
    let head: Buffer = Buffer.alloc(0);
    await within(
      new Promise<void>((resolve, reject) => {
        const read = (chunk: Buffer) => {
          head = Buffer.concat([head, chunk]);
          if (!head.includes('\r\n\r\n')) return;
          socket.off('data', read);
          resolve();
        };
        socket.on('data', read);
        socket.once('error', reject);
      }),
      'the answer to a handshake',
    );
    const end = head.indexOf('\r\n\r\n');
    const [, answer = ''] = /^sec-websocket-extensions: (.*)$/im.exec(head.toString('latin1', 0, end)) ?? [];
    const peer = new ZlibPeer(socket, { isClient: true, agreed, zlib });
    peer.take(head.subarray(end + 4));
    return { peer, answer: answer.trim() };
  }

  /** The server's side of a request that came over a socket; answers it so. */
  static accept(socket: Socket, asked: string, agreed: Combination, answer = fieldOf(agreed)): ZlibPeer {
    socket.write(accepting(asked, { 'Sec-WebSocket-Extensions': answer }));
    return new ZlibPeer(socket, { isClient: false, agreed, zlib: { level: 1 } });
  }

  /** What its compressor makes of a message, without the tail. */
  async compress(data: Message): Promise<Buffer> {
    const { bits, anew } = this.#own;
    if (anew) this.#deflate?.close();
    // Where zlib cannot have a window of 256 bytes, it is asked for none at all.
    const options = bits < 9 ? { windowBits: 9, strategy: constants.Z_HUFFMAN_ONLY } : { windowBits: bits };
    if (anew || this.#deflate === null) this.#deflate = createDeflateRaw({ ...options, ...this.#zlib });
    const output = await through(this.#deflate, Buffer.from(data as string));
    return output.subarray(0, -TAIL.length);
  }

  /** Sends what is compressed already, in fragments that end there, with Pings in between if there is a name for them. */
  sendCompressed(opcode: number, payload: Buffer, cuts: readonly number[] = [], ping = ''): void {
    const ends = [...cuts, payload.length];
    let from = 0;
    const frames: Uint8Array[] = [];
    for (const [i, end] of ends.entries()) {
      const isLast = i === ends.length - 1;
      frames.push(
        this.#frame(i === 0 ? opcode : 0, payload.subarray(from, end), isLast, i === 0 ? RSV1 : 0),
        ...(ping === '' || isLast ? [] : [this.#frame(9, Buffer.from(`${ping}${i}`), true, 0)]),
      );
      from = end;
    }
    this.socket.write(Buffer.concat(frames));
  }

  /** Sends a message, compressed. */
  async send(data: Message, cuts: (size: number) => readonly number[] = () => [], ping = ''): Promise<void> {
    const payload = await this.compress(data);
    this.sendCompressed(typeof data === 'string' ? 1 : 2, payload, cuts(payload.length), ping);
  }

  sendFrame(opcode: number, payload: string | Uint8Array = '', rsv = 0, fin = true): void {
    this.socket.write(this.#frame(opcode, Buffer.from(payload as string), fin, rsv));
  }

  async count(messages: number, patience?: number): Promise<readonly ZlibMessage[]> {
    const isOver = () => this.failure !== null || this.closeCode !== null || this.socket.destroyed;
    await until(() => this.received.length >= messages || isOver(), `message ${messages}`, patience);
    // What came before a Close may still be decompressed.
    await this.#work;
    if (this.failure !== null) throw this.failure;
    if (this.received.length < messages) throw new Error(`the connection ended with ${this.closeCode}`);
    return this.received;
  }

  take(chunk: Buffer): void {
    this.#rest.push(chunk);
    this.#restSize += chunk.length;
    if (this.#restSize < this.#needed) return;
    let bytes = Buffer.concat(this.#rest);
    for (let found = headerOf(bytes); found !== null; found = headerOf(bytes)) {
      const { size, length, key } = found;
      this.#needed = size + length;
      if (bytes.length < this.#needed) break;
      const payload = Buffer.from(bytes.subarray(size, size + length));
      if (!this.#isClient) for (let i = 0; i < length; i++) payload[i] ^= key[i & 3];
      this.#takeFrame(bytes[0], payload);
      bytes = bytes.subarray(size + length);
      this.#needed = 0;
    }
    this.#rest = [bytes];
    this.#restSize = bytes.length;
  }

  #takeFrame(first: number, payload: Buffer): void {
    const opcode = first & 15;
    this.opcodes.push(opcode);
    if (opcode === 8) this.closeCode = payload.length === 0 ? 1005 : payload.readUInt16BE(0);
    else if (opcode === 10) this.pongs.push(`${payload}`);
    else if (opcode < 3) {
      if (opcode !== 0) this.#first = first;
      else if ((first & 0x70) !== 0) this.failure ??= new Error('RSV bits on a continuation');
      this.#parts.push(payload);
      if (first < 0x80) return;
      const parts = this.#parts;
      const message = this.#first;
      this.#parts = [];
      this.#work = this.#work
        .then(() => this.#takeMessage(message, parts))
        .catch((error: unknown) => {
          this.failure ??= error;
        });
    }
  }

  async #takeMessage(first: number, parts: readonly Buffer[]): Promise<void> {
    const whole = Buffer.concat(parts);
    const compressed = (first & RSV1) !== 0;
    const data = compressed ? await this.#decompress(whole) : whole;
    this.received.push({
      data: (first & 15) === 1 ? data.toString() : data,
      compressed,
      size: whole.length,
      fragments: parts.length,
    });
  }

  #decompress(data: Buffer): Promise<Buffer> {
    const { bits, anew } = this.#other;
    if (anew) this.#inflate?.close();
    if (anew || this.#inflate === null) this.#inflate = createInflateRaw({ windowBits: bits });
    return through(this.#inflate, data, TAIL);
  }

  #frame(opcode: number, payload: Buffer, fin: boolean, rsv: number): Uint8Array {
    return encode({ opcode, payload, fin, rsv, key: this.#isClient ? 0x21436587 : null });
  }
}

/** Where to cut so many bytes into so many fragments, empty ones among them; the same in every run. */
export function cutsOf(size: number, fragments: number, seed = 1): number[] {
  const numbers = random((fragments - 1) * 4, seed);
  const cuts = Array.from({ length: fragments - 1 }, (_, i) => numbers.readUInt32LE(i * 4) % (size + 1));
  return cuts.sort((a, b) => a - b);
}
