/** What can be published, checked before it goes to anybody. */

import { isUtf8 } from 'node:buffer';
import { LocalProtocolError } from '../../core/index.js';

/** What can go to many at once: a string as text, everything else as binary. */
export type Publishable = string | Uint8Array | ArrayBufferLike | ArrayBufferView;

/** How it goes. */
export interface BroadcastOptions {
  /** False to send bytes as text, which must be UTF-8; true for everything but strings by default. */
  readonly binary?: boolean;
  /** False to leave the message uncompressed where others are compressed. */
  readonly compress?: boolean;
}

/** A message, and how it is sent. */
export interface Message {
  readonly data: string | Uint8Array;
  readonly isText: boolean;
  readonly compress: boolean;
}

/** @throws LocalProtocolError `INVALID_PAYLOAD`, `INVALID_UTF8` */
export function messageOf(data: Publishable, { binary, compress = true }: BroadcastOptions): Message {
  if (typeof data === 'string') {
    if (binary === true) throw new LocalProtocolError('INVALID_PAYLOAD', 'a string is sent as text');
    return { data, isText: true, compress };
  }
  const bytes = bytesOf(data);
  if (binary === false && !isUtf8(bytes)) {
    throw new LocalProtocolError('INVALID_UTF8', 'the bytes of a text are not UTF-8');
  }
  return { data: bytes, isText: binary === false, compress };
}

function bytesOf(data: Exclude<Publishable, string>): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  throw new LocalProtocolError('INVALID_PAYLOAD', 'what goes to many must be a string or bytes');
}
