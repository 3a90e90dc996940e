/** A message that many connections send: framed once, and compressed once for each agreement that they have. */

import { Buffer, isUtf8 } from 'node:buffer';
import { kernels } from '../kernels/index.js';
import { LocalProtocolError } from './errors.js';
import type { EncodedPayload, SharedEncoder } from './extensions/extension.js';
import { SharedFrames } from './frames/log.js';
import { BINARY, FIN, TEXT } from './frames/opcodes.js';
import { OutputQueue } from './frames/output.js';
import { FrameWriter } from './frames/writer.js';

/** How a prepared message is sent. */
export interface PreparedMessageOptions {
  /** False for a text whose UTF-8 is given as bytes; true for all bytes by default. */
  readonly binary?: boolean;
  /** False to leave the message uncompressed everywhere. */
  readonly compress?: boolean;
}

const frameWriter = new FrameWriter(kernels, null, new OutputQueue());

/** To be given to `Connection.queuePrepared`, of any number of connections and as often as one likes. */
export class PreparedMessage {
  /** The payload, which must not change. */
  readonly payload: Buffer;
  /** Whether it is a text. */
  readonly isText: boolean;
  /** Whether it may be compressed. */
  readonly compress: boolean;
  /** Frames by what has encoded them; null for nothing. */
  readonly #frames = new Map<SharedEncoder | null, SharedFrames>();
  /** What could not be encoded elsewhere. */
  readonly #failures = new Map<SharedEncoder, unknown>();
  /** Who waits for what is being encoded. */
  readonly #waiting = new Map<SharedEncoder, (() => void)[]>();

  /**
   * @param data a string for a text; bytes, which are copied, for a binary message
   * @throws LocalProtocolError `INVALID_PAYLOAD`, `INVALID_UTF8`
   */
  constructor(data: string | Uint8Array, options: PreparedMessageOptions = {}) {
    const { binary = typeof data !== 'string', compress = true } = options;
    if (typeof data === 'string' ? binary : !(data instanceof Uint8Array)) {
      throw new LocalProtocolError('INVALID_PAYLOAD', 'a message is a string for a text, or a Uint8Array');
    }
    if (!binary && typeof data !== 'string' && !isUtf8(data)) {
      throw new LocalProtocolError('INVALID_UTF8', 'the bytes of a text are not UTF-8');
    }
    this.payload = Buffer.from(data as Uint8Array);
    this.isText = !binary;
    this.compress = compress;
  }

  /**
   * The frame for connections of servers, encoded by `encoder` or, where that is null, not at all.
   *
   * @param whenReady called once where null is returned: then this will have it
   * @throws what the encoder throws
   */
  framesFor(encoder: SharedEncoder | null, whenReady: (() => void) | null): SharedFrames | null {
    const by = this.compress ? encoder : null;
    const found = this.#frames.get(by);
    if (found !== undefined) return found;
    if (by !== null && this.#failures.has(by)) throw this.#failures.get(by);
    const waiting = by === null ? undefined : this.#waiting.get(by);
    if (waiting !== undefined && whenReady !== null) {
      waiting.push(whenReady);
      return null;
    }
    return this.#encode(by, whenReady);
  }

  #encode(by: SharedEncoder | null, whenReady: (() => void) | null): SharedFrames | null {
    const { payload } = this;
    const encoder = by?.forMessage(payload.length) ?? null;
    if (by === null || encoder === null) return this.#made(by, { payload, rsv: 0 });
    const waiting: (() => void)[] = [];
    const done = () => {
      this.#waiting.delete(by);
      try {
        this.#made(by, encoder.encoded());
      } catch (error) {
        // Each of those who wait is to fail, and not to wait for ever.
        if (!this.#frames.has(by)) this.#failures.set(by, error);
      }
      // None of them must keep the others from being told.
      for (const tell of waiting) queueMicrotask(tell);
    };
    const encoded = encoder.encode(payload, true, true, whenReady === null ? null : done);
    if (encoded !== null) return this.#made(by, encoded);
    waiting.push(whenReady as () => void);
    this.#waiting.set(by, waiting);
    return null;
  }

  #made(by: SharedEncoder | null, { payload, rsv }: EncodedPayload): SharedFrames {
    const memory = frameWriter.frame(FIN | (this.isText ? TEXT : BINARY) | rsv, payload);
    const run = { memory, start: 0, end: memory.length, slab: null, endsFrame: true };
    const frames = new SharedFrames([run], memory.length, 1, rsv === 0 ? null : by);
    this.#frames.set(by, frames);
    return frames;
  }
}
