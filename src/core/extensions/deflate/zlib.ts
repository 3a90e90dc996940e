/**
 * What knows node:zlib, and nothing else does.
 *
 * Behind its streams it has contexts that live from one message to the next, and whose handles can be run at once. That is
 * documented nowhere, and a handle ends the process when it is called with other arguments than it wants. So zlib is
 * watched once at its own work, and only what was seen is done.
 */

import type { Buffer } from 'node:buffer';
import zlib from 'node:zlib';

const { Z_SYNC_FLUSH, Z_BLOCK, Z_NO_FLUSH, DEFLATERAW, INFLATERAW } = zlib.constants;

/** How much of its output a run gives: what it likes, everything, or what comes before the next block. */
export const NO_FLUSH = Z_NO_FLUSH;
export const SYNC_FLUSH = Z_SYNC_FLUSH;
export const STOP_AT_BLOCK = Z_BLOCK;

/**
 * What the end of every message is fed (RFC 7692 §7.2.2), and one byte more: a run that stops at a block leaves just that
 * one, if the message was whole.
 */
export const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x00);
/** The bytes of `TAIL` that are not the message's. */
export const PROBE = 1;

export const COMPRESS = DEFLATERAW;
export const DECOMPRESS = INFLATERAW;

/** A handle of node:zlib. */
export interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    from: number,
    length: number,
    output: Uint8Array,
    at: number,
    room: number,
  ): void;
  write: Handle['writeSync'];
  reset(): void;
  close(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

interface Initialisable extends Handle {
  init(...args: unknown[]): void;
}

/** Makes a handle, whose runs leave the room and the input that are left in `state`. */
export type MakeHandle = (
  mode: number,
  windowBits: number,
  level: number,
  memLevel: number,
  state: Uint32Array,
  onDone: () => void,
  onError: Handle['onerror'],
) => Handle;

/** The arguments of `init`: windowBits, level, memLevel, strategy, state, callback, and what came later. */
const CALLBACK = 5;

function isInit(args: readonly unknown[]): boolean {
  const kinds = args.slice(0, CALLBACK + 1).map((arg) => (arg instanceof Uint32Array ? arg.length : typeof arg));
  return kinds.join() === 'number,number,number,number,2,function';
}

function isWrite(args: readonly unknown[]): boolean {
  const kinds = args.map((arg) => (arg instanceof Uint8Array ? 'bytes' : typeof arg));
  return kinds.join() === 'number,bytes,number,number,bytes,number,number';
}

/** How to make handles, or null where zlib does not use them as we know it. It may throw instead. */
export function handles(): MakeHandle | null {
  const sample = (zlib.createDeflateRaw() as unknown as { readonly _handle?: Initialisable })._handle;
  if (sample === undefined) return null;
  const prototype = Object.getPrototypeOf(sample) as Initialisable;
  const { init, writeSync } = prototype;
  let made: unknown[] = [];
  let written: unknown[] = [];
  try {
    prototype.init = function (...args) {
      made = args;
      init.apply(this, args);
    };
    prototype.writeSync = function (...args) {
      written = args;
      writeSync.apply(this, args);
    };
    zlib.deflateRawSync('a');
  } finally {
    prototype.init = init;
    prototype.writeSync = writeSync;
    sample.close();
  }
  if (!isInit(made) || !isWrite(written)) return null;
  const Handle = sample.constructor as new (mode: number) => Initialisable;
  const strategy = made[3];
  const others = made.slice(CALLBACK + 1);
  return (mode, windowBits, level, memLevel, state, onDone, onError) => {
    const handle = new Handle(mode);
    handle.onerror = onError;
    handle.init(windowBits, level, memLevel, strategy, state, onDone, ...others);
    return handle;
  };
}

/** The documented way to compress: what is whole, without what was before it. */
export function compressOnce(data: Uint8Array, windowBits: number, level: number, memLevel: number): Buffer {
  return zlib.deflateRawSync(data, { windowBits, level, memLevel, finishFlush: Z_SYNC_FLUSH });
}

/**
 * The documented way to decompress, up to the end of a final block, which there must be.
 *
 * @param dictionary what was decompressed before
 * @param limit the most bytes that may come out
 * @returns the output, and the bytes of `data` that were used
 * @throws RangeError for more output than that; another Error for what cannot be decompressed
 */
export function decompressOnce(
  data: Uint8Array,
  windowBits: number,
  dictionary: Uint8Array,
  limit: number,
): { output: Buffer; used: number } {
  const options = {
    windowBits,
    maxOutputLength: Math.max(1, limit),
    info: true,
    ...(dictionary.length > 0 && { dictionary }),
  };
  try {
    // With `info` it gives more than its type says.
    const result = zlib.inflateRawSync(data, options) as unknown as { buffer: Buffer; engine: zlib.Zlib };
    return { output: result.buffer, used: result.engine.bytesWritten };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error;
    throw new RangeError('more comes out than may', { cause: error });
  }
}
