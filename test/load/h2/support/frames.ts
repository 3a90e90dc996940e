/**
 * Frames of HTTP/2 by hand (RFC 9113 §4, §6), right ones and wrong ones: node:http2 would not send the latter. Header
 * blocks are HPACK without its table (RFC 7541 §6.2.2); of those that come, only the status is read.
 */

export const DATA = 0x0;
export const HEADERS = 0x1;
export const PRIORITY = 0x2;
export const RST_STREAM = 0x3;
export const SETTINGS = 0x4;
export const PUSH_PROMISE = 0x5;
export const PING = 0x6;
export const GOAWAY = 0x7;
export const WINDOW_UPDATE = 0x8;
export const CONTINUATION = 0x9;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;

/** Names of settings (RFC 9113 §6.5.2, RFC 8441 §3). */
export const HEADER_TABLE_SIZE = 0x1;
export const ENABLE_PUSH = 0x2;
export const MAX_CONCURRENT_STREAMS = 0x3;
export const INITIAL_WINDOW_SIZE = 0x4;
export const MAX_FRAME_SIZE = 0x5;
export const ENABLE_CONNECT_PROTOCOL = 0x8;

/** Error codes (RFC 9113 §7). */
export const Code = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  ENHANCE_YOUR_CALM: 0xb,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** The window of a stream or session before anybody says otherwise. */
export const WINDOW = 65_535;
/** The largest payload of a frame before anybody says otherwise. */
export const FRAME_SIZE = 16_384;

const NOTHING = Buffer.alloc(0);

/** Any frame. @param length what its header claims */
export function h2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = NOTHING,
  length = payload.length,
): Buffer {
  const bytes = Buffer.allocUnsafe(9 + payload.length);
  bytes.writeUIntBE(length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}

export function settings(values: readonly (readonly [name: number, value: number])[] = []): Buffer {
  const payload = Buffer.alloc(6 * values.length);
  for (const [i, [name, value]] of values.entries()) {
    payload.writeUInt16BE(name, 6 * i);
    payload.writeUInt32BE(value, 6 * i + 2);
  }
  return h2Frame(SETTINGS, 0, 0, payload);
}

export function data(stream: number, payload: string | Uint8Array = NOTHING, flags = 0): Buffer {
  return h2Frame(DATA, flags, stream, typeof payload === 'string' ? Buffer.from(payload) : payload);
}

export function rstStream(stream: number, code: number): Buffer {
  return h2Frame(RST_STREAM, 0, stream, uint32(code));
}

export function windowUpdate(stream: number, increment: number): Buffer {
  return h2Frame(WINDOW_UPDATE, 0, stream, uint32(increment));
}

/** @param payload of eight bytes */
export function ping(flags = 0, payload: Uint8Array = Buffer.from('12345678')): Buffer {
  return h2Frame(PING, flags, 0, payload);
}

export function goAway(code: number, lastStream = 0): Buffer {
  return h2Frame(GOAWAY, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
}

/** A stream that depends on another one (RFC 7540 §6.3). */
export function priority(stream: number, on: number): Buffer {
  return h2Frame(PRIORITY, 0, stream, Buffer.concat([uint32(on), Buffer.of(15)]));
}

export function headers(stream: number, block: Uint8Array, flags = END_HEADERS): Buffer {
  return h2Frame(HEADERS, flags, stream, block);
}

export function continuation(stream: number, block: Uint8Array, flags = END_HEADERS): Buffer {
  return h2Frame(CONTINUATION, flags, stream, block);
}

/** A header block of any size: HEADERS, and as many CONTINUATION frames as it takes. */
export function headerFrames(stream: number, block: Uint8Array, flags = 0): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += FRAME_SIZE) {
    const piece = block.subarray(at, at + FRAME_SIZE);
    const last = at + FRAME_SIZE >= block.length ? END_HEADERS : 0;
    frames.push(at === 0 ? headers(stream, piece, flags | last) : continuation(stream, piece, last));
  }
  return Buffer.concat(frames);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

// HPACK.

export type Fields = readonly (readonly [name: string, value: string])[];

/** A header block, each field a literal that no table remembers. */
export function literals(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));
}

/** A field that the table remembers, as its newest (RFC 7541 §6.2.1). */
export function remembered(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), literal(name), literal(value)]);
}

/** The newest field of the table (RFC 7541 §6.1): a byte that stands for all of it. */
export const NEWEST = 0x80 | 62;

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541 §5.1, the bits before the prefix all 0. */
function integer(value: number, prefix: number): Buffer {
  const most = 2 ** prefix - 1;
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** What asks for a WebSocket. */
export function connectFields(path = '/', more: Fields = []): Fields {
  return [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'https'],
    [':path', path],
    [':authority', 'localhost'],
    ['sec-websocket-version', '13'],
    ...more,
  ];
}

export function connectBlock(path = '/', more: Fields = []): Buffer {
  return literals(connectFields(path, more));
}

/** The statuses that have a number in HPACK's static table, from 8 on. */
const STATIC_STATUSES = [200, 204, 206, 304, 400, 404, 500];

/** Huffman codes of the digits (RFC 7541 Appendix B): 0 to 2 in five bits, the others in six. */
const DIGITS = new Map<string, string>(
  Array.from({ length: 10 }, (_, digit) => [
    digit < 3 ? digit.toString(2).padStart(5, '0') : (0b011001 + digit - 3).toString(2).padStart(6, '0'),
    String(digit),
  ]),
);

/** The status that a header block begins with, where our settings allow no table; 0 where there is none. */
export function statusIn(block: Buffer): number {
  let at = 0;
  // Changes of the size of the table.
  while (at < block.length && (block[at] & 0xe0) === 0x20) {
    if ((block[at++] & 0x1f) === 0x1f) while ((block[at++] & 0x80) !== 0);
  }
  const first = block[at];
  if (first >= 0x88 && first <= 0x8e) return STATIC_STATUSES[first - 0x88];
  // A literal by the name of any of these, which all have `:status`.
  if ((first & 0x0f) < 8 || (first & 0x0f) > 14 || first >= 0x20) return 0;
  const length = block[at + 1] & 0x7f;
  const value = block.subarray(at + 2, at + 2 + length);
  return Number((block[at + 1] & 0x80) === 0 ? value.toString('latin1') : huffmanDigits(value));
}

function huffmanDigits(bytes: Buffer): string {
  let digits = '';
  let code = '';
  for (const bit of [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')) {
    code += bit;
    const digit = DIGITS.get(code);
    if (digit === undefined) continue;
    digits += digit;
    code = '';
  }
  return digits;
}

// Reading.

export interface H2Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Takes frames out of bytes, as they become whole. */
export class FrameParser {
  #chunks: Buffer[] = [];
  #size = 0;
  #wanted = 9;

  *push(chunk: Buffer): Generator<H2Frame> {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return;
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#size);
    for (;;) {
      const size = bytes.length < 9 ? 9 : 9 + bytes.readUIntBE(0, 3);
      if (bytes.length < size) {
        this.#chunks = [bytes];
        this.#size = bytes.length;
        this.#wanted = size;
        return;
      }
      yield {
        type: bytes[3],
        flags: bytes[4],
        stream: bytes.readUInt32BE(5) % 2 ** 31,
        payload: bytes.subarray(9, size),
      };
      bytes = bytes.subarray(size);
    }
  }
}
