/**
 * Decompresses the messages of one peer (RFC 7692 §7.2.2), a slice of output at a time: what a message comes to is bounded
 * while it is decompressed, and input that is left over waits.
 *
 * Between two messages it has a window and most often no decompressor: one that goes around is primed with it. Only who
 * has much to refer to gets one of its own.
 */

import { Buffer } from 'node:buffer';
import { viewOf } from '../../views.js';
import type { Decompressor } from './codec.js';
import { type Contexts, Holder } from './contexts.js';
import { beginSlice, borrowMemory, returnMemory, SLICE, sliceDone } from './off-thread.js';
import type { Traffic } from './traffic.js';
import { PROBE, STOP_AT_BLOCK, SYNC_FLUSH, TAIL } from './zlib.js';

const NOTHING: Buffer = Buffer.alloc(0);

/** From so large a window on, to prime with it costs more than to keep a decompressor. */
const OWN_FROM = 4 * 1024;

/** What small messages are decompressed into, one behind the other: a view of one keeps all of it. */
const SLAB_SIZE = 64 * 1024;
const LEAST_ROOM = 1024;
/** How many times its size a message is expected to come to. */
const EXPECTED = 8;
let slab: Buffer = NOTHING;
let slabMemory: ArrayBufferLike = NOTHING.buffer;
let slabUsed = 0;

/** Makes room for what so much input may come to, within bounds. */
function reserve(input: number): void {
  const wanted = Math.min(Math.max(LEAST_ROOM, input * EXPECTED), SLAB_SIZE);
  if (slab.length - slabUsed >= wanted) return;
  slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
  slabMemory = slab.buffer;
  slabUsed = 0;
}

const IDLE = 0;
const BODY = 1;
const END = 2;

/** A slice that was decompressed on the thread pool. */
interface Slice {
  readonly output: Buffer;
  readonly error: Error | null;
}

export class Inflater extends Holder {
  readonly kind = 'decompressors';
  readonly #contexts: Contexts;
  readonly #traffic: Traffic;
  readonly #windowBits: number;
  readonly #takesOver: boolean;
  readonly #offThreadFrom: number;
  #context: Decompressor | null = null;
  #owns = false;
  /** What a context has to be primed with. */
  #window: Buffer = NOTHING;
  /** The bytes that the context could give back as its window. */
  #windowSize = 0;
  #inMessage = false;
  /** Bytes of the message so far. */
  #size = 0;
  #stage: typeof IDLE | typeof BODY | typeof END = IDLE;
  #input: Uint8Array = NOTHING;
  #at = 0;
  #finished = false;
  /** Whether `#input` may be kept. */
  #ownsInput = false;
  #wasReset = false;
  #pending = false;
  #slice: Slice | null = null;
  #closed = false;
  /** Why nothing can be decompressed any more. */
  #fault: Error | null = null;

  /** @param takesOver whether messages may refer to earlier ones */
  constructor(contexts: Contexts, traffic: Traffic, windowBits: number, takesOver: boolean, offThreadFrom: number) {
    super();
    this.#contexts = contexts;
    this.#traffic = traffic;
    this.#windowBits = windowBits;
    this.#takesOver = takesOver;
    this.#offThreadFrom = offThreadFrom;
  }

  /** As `Extension.decode`. */
  decode(data: Uint8Array, finished: boolean, limit: number, whenReady: (() => void) | null): Uint8Array | null {
    if (!this.#inMessage) this.#begin();
    this.#traffic.bytesToDecompress += data.length;
    this.#input = data;
    this.#ownsInput = false;
    this.#at = 0;
    this.#finished = finished;
    this.#stage = BODY;
    const output = this.more(limit, whenReady);
    return output === undefined ? NOTHING : output;
  }

  /** As `Extension.more`. */
  more(limit: number, whenReady: (() => void) | null): Uint8Array | null | undefined {
    if (this.#pending) return null;
    try {
      while (this.#slice !== null || this.#stage !== IDLE) {
        const isLarge = this.#size >= this.#offThreadFrom && this.#at < this.#input.length;
        if (this.#slice === null && whenReady !== null && isLarge) {
          this.#start(limit, whenReady);
          return null;
        }
        const output = this.#slice === null ? this.#run(limit, whenReady !== null) : this.#take(this.#slice);
        if (output.length > limit) throw new RangeError('the message is too large');
        this.#settle(output.length);
        if (output.length > 0) return output;
      }
    } catch (error) {
      this.#drop();
      throw error;
    }
    return undefined;
  }

  release(): boolean {
    if (this.#inMessage) return false;
    try {
      this.#giveBack();
    } catch (error) {
      // The last message has not ended as it must, and nothing showed it. Whose time this is has no part in that.
      this.#drop();
      this.#fault = error as Error;
    }
    return true;
  }

  /** Nothing will be decompressed any more. */
  close(): void {
    this.#closed = true;
    this.#window = NOTHING;
    if (!this.#pending) {
      this.#drop();
    } else if (this.#owns) {
      this.#contexts.disown(this);
      this.#owns = false;
    }
  }

  #begin(): void {
    if (this.#fault !== null) throw this.#fault;
    this.#inMessage = true;
    this.#size = 0;
    if (this.#owns) {
      this.#contexts.used(this);
    } else {
      this.#context = this.#contexts.borrowDecompressor(this.#windowBits);
      this.#context.prime(this.#window);
      this.#windowSize = this.#window.length;
      this.#window = NOTHING;
    }
  }

  /** Runs over what is left of the input; at most `limit` bytes and one more come out. */
  #run(limit: number, canLeave: boolean): Uint8Array {
    const context = this.#context as Decompressor;
    const input = this.#stage === END ? TAIL : this.#input;
    const length = input.length - this.#at;
    reserve(length);
    const most = canLeave ? Math.max(LEAST_ROOM, this.#offThreadFrom - this.#size) : Number.POSITIVE_INFINITY;
    const room = Math.min(slab.length - slabUsed, limit + 1, most);
    context.limit = limit;
    context.run(this.#stage === END ? STOP_AT_BLOCK : SYNC_FLUSH, input, this.#at, length, slab, slabUsed, room);
    const made = room - context.roomLeft;
    if (made === 0) return NOTHING;
    const output = viewOf(slabMemory, slabUsed, made);
    // Where words begin, the kernels are fastest.
    slabUsed = Math.min((slabUsed + made + 7) & ~7, SLAB_SIZE);
    return output;
  }

  /** Runs over what is left of the body on the thread pool. */
  #start(limit: number, whenReady: () => void): void {
    const context = this.#context as Decompressor;
    // The memory that it came in is used again.
    if (!this.#ownsInput) {
      this.#input = Buffer.from(this.#input.subarray(this.#at));
      this.#ownsInput = true;
      this.#at = 0;
    }
    const input = this.#input;
    const at = this.#at;
    const room = Math.min(SLICE, limit + 1);
    this.#pending = true;
    context.limit = limit;
    const done = (output: Buffer, error: Error | null): void => {
      sliceDone();
      this.#pending = false;
      if (this.#closed) {
        this.#drop();
        return;
      }
      this.#slice = { output, error };
      whenReady();
    };
    beginSlice(() => {
      if (this.#closed) {
        done(NOTHING, null);
        return;
      }
      const memory = borrowMemory();
      context.start(SYNC_FLUSH, input, at, input.length - at, memory, 0, room, (error) => {
        const output = error === null ? Buffer.from(memory.subarray(0, room - context.roomLeft)) : NOTHING;
        returnMemory(memory);
        done(output, error);
      });
    });
  }

  #take({ output, error }: Slice): Uint8Array {
    this.#slice = null;
    if (error !== null) throw error;
    return output;
  }

  /** What the last run, which gave so many bytes, means. */
  #settle(made: number): void {
    const { inputLeft, roomLeft } = this.#context as Decompressor;
    const length = this.#stage === END ? TAIL.length : this.#input.length;
    const isStuck = this.#wasReset && made === 0 && inputLeft === length - this.#at;
    this.#at = length - inputLeft;
    this.#size += made;
    this.#windowSize = Math.min(this.#windowSize + made, 1 << this.#windowBits);
    this.#traffic.bytesDecompressed += made;
    this.#wasReset = false;
    if (roomLeft === 0) return;
    if (this.#stage === END) {
      if (inputLeft !== PROBE) throw new Error('the data of the message is not whole');
      this.#end();
    } else if (inputLeft === 0) {
      this.#input = NOTHING;
      this.#at = 0;
      this.#stage = this.#finished ? END : IDLE;
    } else {
      // A block was marked as the last one (§7.2.3.4): what follows is a new stream, with an empty window.
      if (isStuck) throw new Error('the data cannot be decompressed');
      this.#context?.reset();
      this.#windowSize = 0;
      this.#wasReset = true;
    }
  }

  #end(): void {
    this.#traffic.messagesDecompressed++;
    this.#inMessage = false;
    this.#stage = IDLE;
    this.#at = 0;
    if (this.#owns) return;
    const isWorthOne = this.#takesOver && !this.#closed && this.#windowSize >= OWN_FROM;
    if (isWorthOne && this.#contexts.adopt(this)) this.#owns = true;
    else this.#giveBack();
  }

  /** Keeps the window in place of the context. */
  #giveBack(): void {
    const context = this.#context as Decompressor;
    if (this.#takesOver) this.#window = context.window(this.#windowSize);
    this.#context = null;
    if (this.#owns) this.#contexts.disown(this);
    this.#owns = false;
    this.#contexts.returnDecompressor(context, this.#windowBits);
  }

  /** Closes the context, which is of no more use. */
  #drop(): void {
    if (this.#owns) this.#contexts.disown(this);
    this.#owns = false;
    if (this.#context !== null) this.#contexts.discard(this.#context);
    this.#context = null;
    this.#slice = null;
    this.#stage = IDLE;
    this.#input = NOTHING;
  }
}
