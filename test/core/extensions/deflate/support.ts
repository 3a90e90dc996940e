/**
 * What the tests of permessage-deflate share: a peer written again out of the documented functions of node:zlib, connections
 * with the extension, and a way to wait for what leaves the thread.
 */

import { randomFillSync } from 'node:crypto';
import zlib from 'node:zlib';
import { Connection } from '../../../../src/core/connection.js';
import type { CloseConnection, FrameEvent } from '../../../../src/core/events.js';
import { type Codec, defaultCodec } from '../../../../src/core/extensions/deflate/codec.js';
import { wholeMessages } from '../../../../src/core/extensions/deflate/whole.js';
import { RSV1 } from '../../../../src/core/extensions/extension.js';
import { clientExtensionsHandshake, serverExtensionsHandshake } from '../../../../src/core/extensions/negotiation.js';
import {
  PerMessageDeflate,
  type PerMessageDeflateOptions,
} from '../../../../src/core/extensions/permessage-deflate.js';
import type { ConnectionOptions } from '../../../../src/core/options.js';
import type { ConnectionType } from '../../../../src/core/state.js';
import { bytesFor, drain, type FrameSpec, type Parsed, parseFrames } from '../../../conformance/support.js';
import { roleName, SERVER } from '../../support.js';

/** Both ways to compress. The first has contexts that last, wherever zlib is as it is in Node. */
export const CODECS: readonly (readonly [name: string, codec: Codec])[] = [
  ['contexts that last', defaultCodec()],
  ['whole messages', wholeMessages],
];

/** What §7.2.1 takes from the end of a message. */
export const END = Buffer.from('0000ffff', 'hex');

const { Z_SYNC_FLUSH } = zlib.constants;
const NOTHING = Buffer.alloc(0);

/** The data of a message (§7.2.1). */
export function deflated(data: string | Uint8Array, options: zlib.ZlibOptions = {}): Buffer {
  const output = zlib.deflateRawSync(data, { ...options, finishFlush: Z_SYNC_FLUSH });
  if (!output.subarray(-4).equals(END)) throw new Error('a flush does not end as it should');
  return output.subarray(0, -4);
}

/** What the data of a message comes to (§7.2.2). */
export function inflated(data: Uint8Array, options: zlib.ZlibOptions = {}): Buffer {
  return zlib.inflateRawSync(Buffer.concat([data, END]), { ...options, finishFlush: Z_SYNC_FLUSH });
}

/** One direction of a connection as a peer has it: what was said before is its dictionary. */
export class Peer {
  readonly #windowBits: number;
  readonly #takesOver: boolean;
  #history: Buffer = NOTHING;

  constructor(windowBits = 15, takesOver = true) {
    this.#windowBits = windowBits;
    this.#takesOver = takesOver;
  }

  get #options(): zlib.ZlibOptions {
    const dictionary = this.#history;
    return { windowBits: this.#windowBits, ...(dictionary.length > 0 && { dictionary }) };
  }

  #remember(data: Uint8Array): void {
    if (this.#takesOver) this.#history = Buffer.concat([this.#history, data]).subarray(-(1 << this.#windowBits));
  }

  compress(data: string | Uint8Array): Buffer {
    const bytes = Buffer.from(data as Uint8Array);
    const output = deflated(bytes, this.#options);
    this.#remember(bytes);
    return output;
  }

  decompress(data: Uint8Array): Buffer {
    const output = inflated(data, this.#options);
    this.#remember(output);
    return output;
  }
}

/** A connection with permessage-deflate, by an agreement of a configuration with itself, and its peer's frames. */
export function compressing(
  type: ConnectionType,
  deflate: PerMessageDeflate | PerMessageDeflateOptions = {},
  options: ConnectionOptions = {},
  codec: Codec = defaultCodec(),
) {
  const shared = deflate instanceof PerMessageDeflate ? deflate : new PerMessageDeflate(deflate, codec);
  const offers = shared.offers().map((params) => ({ name: shared.name, params }));
  const { header, extensions } = serverExtensionsHandshake(offers, [shared]);
  const agreed = type === SERVER ? extensions : clientExtensionsHandshake(header as string, [shared]);
  const connection = new Connection(type, agreed, options);
  const role = roleName(type);
  return {
    deflate: shared,
    connection,
    bytes: (...frames: readonly (FrameSpec | Uint8Array)[]) => bytesFor(role, frames),
    receive: (...frames: readonly (FrameSpec | Uint8Array)[]) => connection.receiveData(bytesFor(role, frames)),
    /** The frames that are to be written now. */
    written: (): Parsed[] => parseFrames(drain(connection)),
  };
}

/** A compressed message in one frame, or the first frame of one. */
export const squeezed = (opcode: number, payload: Uint8Array, fin = true): FrameSpec => ({
  opcode,
  payload,
  fin,
  rsv: RSV1,
});

/** Lets a connection do work elsewhere, and counts how often it has said that something is done. */
export function elsewhere(connection: Connection) {
  const told = { count: 0 };
  let wake: (() => void) | null = null;
  connection.onReady = () => {
    told.count++;
    wake?.();
  };
  /** Waits until `condition` holds, looking whenever something is done. */
  async function until(condition: () => boolean, what: string): Promise<void> {
    const late = Date.now() + 10_000;
    while (!condition()) {
      if (Date.now() > late) throw new Error(`waited too long for ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 250);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
  return { told, until };
}

/** Waits for anything, by looking again and again. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const late = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > late) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Messages, put together out of their pieces, and what else came, in order. */
export function gathered() {
  const found: [string, string | number][] = [];
  let parts: Buffer[] = [];
  let ending: CloseConnection | null = null;
  return {
    found,
    /** The close event. */
    get ending(): CloseConnection | null {
      return ending;
    },
    take(events: Iterable<FrameEvent>): void {
      for (const event of events) {
        if (event.type === 'text' || event.type === 'bytes') {
          parts.push(Buffer.from(event.data as Uint8Array));
          if (!event.messageFinished) continue;
          found.push([event.type, Buffer.concat(parts).toString(event.type === 'text' ? 'utf8' : 'latin1')]);
          parts = [];
        } else if (event.type === 'close') {
          found.push([event.type, event.code]);
          ending = event;
        } else {
          found.push([event.type, Buffer.from(event.payload).toString('latin1')]);
        }
      }
    },
    /** Bytes of a message that is not finished. */
    get unfinished(): number {
      return parts.reduce((sum, { length }) => sum + length, 0);
    },
  };
}

/** Bytes that cannot be compressed. */
export const random = (size: number): Buffer => randomFillSync(Buffer.allocUnsafe(size));

/** Text that can be, and does not repeat itself as a whole. */
export function prose(size: number, seed = 1): string {
  const words = ['a mill', 'race', 'the water', 'turns', 'wheel', 'under it', 'stone', 'and on', 'grain', 'flour'];
  const parts: string[] = [];
  let state = seed;
  for (let length = 0; length < size; ) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const word = `${words[(state >>> 16) % words.length]} ${state % 97} `;
    parts.push(word);
    length += word.length;
  }
  return parts.join('').slice(0, size);
}
