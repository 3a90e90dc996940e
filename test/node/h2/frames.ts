/** HTTP/2 by hand (RFC 9113 §4, RFC 7541): for what node:http2 would not send, and for saying when it is sent. */

import type { Duplex } from 'node:stream';
import { text, until } from '../support.js';

export const DATA = 0x0;
export const HEADERS = 0x1;
export const RST_STREAM = 0x3;
export const SETTINGS = 0x4;
export const PING = 0x6;
export const GOAWAY = 0x7;
export const WINDOW_UPDATE = 0x8;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;

export const PREFACE = text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const ENABLE_CONNECT_PROTOCOL = 0x8;
export const MAX_CONCURRENT_STREAMS = 0x3;
export const INITIAL_WINDOW_SIZE = 0x4;

export interface H2Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The bytes of a frame. */
export function h2Frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals that go into no table (RFC 7541 §6.2.2), in any order and with any names. */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const literal = (value: string) => {
    const bytes = text(value);
    return Buffer.concat([lengthOf(bytes.length), bytes]);
  };
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));
}

/** An integer with a prefix of seven bits (RFC 7541 §5.1). */
function lengthOf(length: number): Buffer {
  if (length < 127) return Buffer.of(length);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.of(...bytes, rest);
}

export function headersFrame(
  stream: number,
  fields: readonly (readonly [name: string, value: string])[],
  flags = 0,
): Buffer {
  return h2Frame(HEADERS, END_HEADERS | flags, stream, headerBlock(fields));
}

export function settingsFrame(settings: Readonly<Record<number, number>> = {}): Buffer {
  const payload = Object.entries(settings).map(([id, value]) => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(Number(id), 0);
    entry.writeUInt32BE(value, 2);
    return entry;
  });
  return h2Frame(SETTINGS, 0, 0, Buffer.concat(payload));
}

export function rstFrame(stream: number, code: number): Buffer {
  return h2Frame(RST_STREAM, 0, stream, word(code));
}

export function goawayFrame(lastStream: number, code: number): Buffer {
  return h2Frame(GOAWAY, 0, 0, Buffer.concat([word(lastStream), word(code)]));
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** One end of a connection, in frames. Settings and pings are answered by themselves, unless it is told not to. */
export class FramePeer {
  readonly socket: Duplex;
  readonly frames: H2Frame[] = [];
  closed = false;
  /** Called for each frame; true keeps it from being answered. */
  onFrame: (frame: H2Frame) => boolean | undefined = () => undefined;
  #rest: Buffer = Buffer.alloc(0);
  #prefaceLeft: number;

  /** @param expectsPreface whether this is the server's end */
  constructor(socket: Duplex, expectsPreface: boolean) {
    this.socket = socket;
    this.#prefaceLeft = expectsPreface ? PREFACE.length : 0;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.closed = true;
    });
  }

  write(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  of(type: number, stream?: number): H2Frame[] {
    return this.frames.filter((frame) => frame.type === type && (stream === undefined || frame.stream === stream));
  }

  /** The first frame of a type. */
  async frame(type: number, stream?: number): Promise<H2Frame> {
    await until(() => this.of(type, stream).length > 0 || this.closed, `a frame of type ${type}`);
    const [found] = this.of(type, stream);
    if (found === undefined) throw new Error(`the connection was closed before a frame of type ${type}`);
    return found;
  }

  /** The code of the RST_STREAM of a stream. */
  async reset(stream: number): Promise<number> {
    return (await this.frame(RST_STREAM, stream)).payload.readUInt32BE(0);
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const skip = Math.min(this.#prefaceLeft, this.#rest.length);
    this.#prefaceLeft -= skip;
    this.#rest = this.#rest.subarray(skip);
    while (this.#rest.length >= 9 && this.#prefaceLeft === 0) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const [type, flags] = [this.#rest[3], this.#rest[4]];
      const frame = { type, flags, stream: this.#rest.readUInt32BE(5), payload: this.#rest.subarray(9, end) };
      this.#rest = this.#rest.subarray(end);
      this.frames.push(frame);
      if (this.onFrame(frame) !== true) this.#answer(frame);
    }
  }

  #answer({ type, flags, payload }: H2Frame): void {
    if ((flags & ACK) !== 0) return;
    if (type === SETTINGS) this.write(h2Frame(SETTINGS, ACK, 0));
    else if (type === PING) this.write(h2Frame(PING, ACK, 0, payload));
  }
}
