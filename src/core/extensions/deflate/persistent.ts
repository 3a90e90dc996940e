/** Contexts on the handles of node:zlib: run at once for microseconds' worth of work, on the thread pool for more. */

import { Buffer } from 'node:buffer';
import type { Codec, Context, Decompressor } from './codec.js';
import { MAX_WINDOW, repeatWindow, storedHeader } from './window.js';
import { COMPRESS, DECOMPRESS, type Handle, type MakeHandle, SYNC_FLUSH } from './zlib.js';

class HandleContext implements Context {
  readonly #handle: Handle;
  /** Where a run leaves the room and the input that are left. */
  readonly #state = new Uint32Array(2);
  #error: Error | null = null;
  #done: ((error: Error | null) => void) | null = null;
  /** What a run on the pool uses, which nobody else need keep. */
  protected used: readonly Uint8Array[] | null = null;

  constructor(makeHandle: MakeHandle, mode: number, windowBits: number, level: number, memLevel: number) {
    this.#handle = makeHandle(
      mode,
      windowBits,
      level,
      memLevel,
      this.#state,
      () => this.#finish(),
      (message, _errno, code) => {
        this.#error = new Error(`${message} (${code})`);
        this.#finish();
      },
    );
  }

  get roomLeft(): number {
    return this.#state[0];
  }

  get inputLeft(): number {
    return this.#state[1];
  }

  run(
    flush: number,
    input: Uint8Array,
    from: number,
    length: number,
    output: Uint8Array,
    at: number,
    room: number,
  ): void {
    this.#handle.writeSync(flush, input, from, length, output, at, room);
    if (this.#error !== null) throw this.#error;
  }

  start(
    flush: number,
    input: Uint8Array,
    from: number,
    length: number,
    output: Uint8Array,
    at: number,
    room: number,
    done: (error: Error | null) => void,
  ): void {
    this.#done = done;
    this.used = [input, output];
    this.#handle.write(flush, input, from, length, output, at, room);
  }

  reset(): void {
    this.#handle.reset();
  }

  close(): void {
    this.#handle.close();
  }

  #finish(): void {
    const done = this.#done;
    this.#done = null;
    this.used = null;
    done?.(this.#error);
  }
}

/** What primes a window comes out again, where nobody wants it. */
let unwanted: Buffer | null = null;
const NOTHING: Buffer = Buffer.alloc(0);

class HandleDecompressor extends HandleContext implements Decompressor {
  /** Not needed: a run stops when its room is used up. */
  limit = 0;

  constructor(makeHandle: MakeHandle, windowBits: number) {
    // A decompressor takes no notice of the others.
    super(makeHandle, DECOMPRESS, windowBits, 1, 8);
  }

  window(size: number): Buffer {
    const found = Buffer.allocUnsafeSlow(size);
    if (size > 0) {
      const program = repeatWindow(size);
      this.run(SYNC_FLUSH, program, 0, program.length, found, 0, size);
      // A final block was the end of what came before.
      if (this.roomLeft === size && this.inputLeft === program.length) return NOTHING;
      if (this.roomLeft > 0) throw new Error('the window could not be read');
    }
    return found;
  }

  prime(window: Uint8Array): void {
    if (window.length === 0) return;
    unwanted ??= Buffer.allocUnsafeSlow(MAX_WINDOW);
    const header = storedHeader(window.length);
    this.run(SYNC_FLUSH, header, 0, header.length, unwanted, 0, MAX_WINDOW);
    this.run(SYNC_FLUSH, window, 0, window.length, unwanted, 0, MAX_WINDOW);
  }
}

/** The codec with persistent contexts. */
export function persistentContexts(makeHandle: MakeHandle): Codec {
  return {
    compressor: (windowBits, level, memLevel) => new HandleContext(makeHandle, COMPRESS, windowBits, level, memLevel),
    decompressor: (windowBits) => new HandleDecompressor(makeHandle, windowBits),
  };
}
