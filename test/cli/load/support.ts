/** Servers with planted faults: written by hand, so that they can send anything. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { afterEach } from 'vitest';
import { LoadFault } from '../../../src/cli/load/index.js';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TAIL = Buffer.of(0, 0, 0xff, 0xff);
const RSV1 = 0x40;

export const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10];

export interface FrameInit {
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
}

export function frame(opcode: number, payload: Uint8Array, { fin = true, rsv = 0, masked = false }: FrameInit = {}) {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 0x1_0000 ? 4 : 10);
  header[0] = (fin ? 0x80 : 0) | rsv | opcode;
  header[1] = (masked ? 0x80 : 0) | (length < 126 ? length : length < 0x1_0000 ? 126 : 127);
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, ...(masked ? [Buffer.alloc(4)] : []), payload]);
}

export interface Message {
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface Behaviour {
  /** What is done with a message; it is echoed unless told otherwise. `index` counts those of its connection. */
  message?(client: Client, message: Message, index: number): void;
  open?(client: Client): void;
  /** Answers the request in a way of its own; or returns true to have it accepted. */
  request?(socket: Socket, head: string): unknown;
  /** Agrees to permessage-deflate, each message by itself. */
  readonly deflate?: boolean;
  /** Answers no Close. */
  readonly ignoresClose?: boolean;
  /** Answers no Ping. */
  readonly ignoresPing?: boolean;
}

/** One connection, as the server has it. */
export class Client {
  readonly socket: Socket;
  readonly server: Fake;
  index = 0;
  pongs = 0;
  closeCode = 0;
  /** What a fault has put aside. */
  held: Message | null = null;
  #isOpen = false;
  #bytes = Buffer.alloc(0);

  constructor(server: Fake, socket: Socket) {
    this.server = server;
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#take(chunk));
  }

  write(bytes: Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  send({ opcode, payload }: Message, init: FrameInit = {}): void {
    if (!this.server.behaviour.deflate) {
      this.write(frame(opcode, payload, init));
      return;
    }
    const data = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
    this.write(frame(opcode, data, { ...init, rsv: (init.rsv ?? 0) | RSV1 }));
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#isOpen) this.#accept();
    if (this.#isOpen) while (this.#takeFrame());
  }

  #accept(): void {
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#bytes.toString('latin1', 0, end);
    this.#bytes = this.#bytes.subarray(end + 4);
    const { behaviour } = this.server;
    this.server.requests.push(head);
    if (behaviour.request !== undefined && behaviour.request(this.socket, head) !== true) return;
    this.#isOpen = true;
    this.socket.write(acceptance(head, behaviour.deflate));
    this.server.clients.push(this);
    behaviour.open?.(this);
  }

  #takeFrame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    let length = bytes[1] & 0x7f;
    let start = length === 126 ? 8 : length === 127 ? 14 : 6;
    if (bytes.length < start) return false;
    if (length === 126) length = bytes.readUInt16BE(2);
    else if (length === 127) length = Number(bytes.readBigUInt64BE(2));
    if (bytes.length < start + length) return false;
    if ((bytes[1] & 0x80) === 0) throw new Error('the load has sent a frame without a mask');
    const key = bytes.subarray(start - 4, start);
    let payload: Buffer = Buffer.alloc(length);
    for (let i = 0; i < length; i++) payload[i] = bytes[start++] ^ key[i & 3];
    this.#bytes = bytes.subarray(start);
    const opcode = bytes[0] & 0x0f;
    if (opcode <= BINARY && (bytes[0] & RSV1) !== 0) {
      payload = inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH });
    }
    this.#handle({ opcode, payload });
    return true;
  }

  #handle(message: Message): void {
    const { behaviour } = this.server;
    const { opcode, payload } = message;
    if (opcode === CLOSE) {
      this.closeCode = payload.readUInt16BE(0);
      if (behaviour.ignoresClose !== true) this.socket.end(frame(CLOSE, payload));
    } else if (opcode === PONG) {
      this.pongs++;
    } else if (opcode === PING) {
      if (behaviour.ignoresPing !== true) this.write(frame(PONG, payload));
    } else {
      this.server.messages++;
      this.server.bytes += payload.length;
      const index = this.index++;
      if (behaviour.message === undefined) this.send(message);
      else behaviour.message(this, message, index);
    }
  }
}

function acceptance(head: string, deflate = false): string {
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  const takeover = 'client_no_context_takeover; server_no_context_takeover';
  const extension = deflate ? `Sec-WebSocket-Extensions: permessage-deflate; ${takeover}\r\n` : '';
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${extension}\r\n`;
}

/** A server on a free port of this machine. */
export class Fake {
  readonly behaviour: Behaviour;
  readonly clients: Client[] = [];
  readonly requests: string[] = [];
  /** What came over all connections. */
  messages = 0;
  bytes = 0;
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.connections++;
      this.#sockets.add(socket.on('close', () => this.#sockets.delete(socket)));
      new Client(this, socket);
    });
  }

  static async start(behaviour: Behaviour = {}): Promise<Fake> {
    const fake = new Fake(behaviour);
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    started.push(fake);
    return fake;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  get open(): number {
    return this.#sockets.size;
  }

  /** Sends to all, as a room does. */
  publish(message: Message): void {
    for (const client of this.clients) client.send(message);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const started: Fake[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((fake) => fake.stop()));
});

/** The fault that a load ends with. */
export async function faultOf(work: Promise<unknown>): Promise<LoadFault> {
  const outcome = await work.then(
    () => new Error('there was no fault'),
    (error: unknown) => error,
  );
  if (!(outcome instanceof LoadFault)) throw outcome;
  return outcome;
}
