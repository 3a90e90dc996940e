/** What comes of frames with compressed messages, by the documented functions of node:zlib and by nothing of ours. */

import { isUtf8 } from 'node:buffer';
import zlib from 'node:zlib';
import type { Frame } from '../kernels/support.js';
import { type Agreement, TAIL } from './compressed.js';

/** A message as it is expected to arrive. */
export interface Message {
  readonly isText: boolean;
  readonly data: Uint8Array;
}

/** What an owner must see. */
export interface Expected {
  readonly messages: readonly Message[];
  /** The names of what may be found wrong with the message after those; null where all are right. */
  readonly faults: readonly string[] | null;
  /** Whether that message is one of which anything may be made: see `endsWithinLastByte`. */
  readonly isDoubtful: boolean;
  /** Payloads of Pings and Pongs, and how many of them come before the message that is wrong. */
  readonly controls: readonly Uint8Array[];
  readonly controlsBefore: number;
}

const MAX_WINDOW = 1 << 15;
const NOTHING = Buffer.alloc(0);
/** A final block with a content that hardly any data gives by chance: only a whole message can be before it. */
const MARK = Buffer.from('the end, no more');
const SENTINEL = Buffer.concat([Buffer.from([1, MARK.length, 0, ~MARK.length & 0xff, 0xff]), MARK]);
/** BFINAL and BTYPE. */
const HEADER_BITS = 3;
/** The least that node:zlib takes for `chunkSize`. */
const LEAST_CHUNK = 64;

/** A message is not as it must be; `faults` has the names of what may be said of it. */
class Fault extends Error {
  readonly faults: readonly string[];
  isDoubtful = false;

  constructor(...faults: readonly string[]) {
    super(faults.join());
    this.faults = faults;
  }
}

interface Found {
  readonly buffer: Buffer;
  readonly engine: zlib.Zlib;
}

/**
 * One stream of DEFLATE, to its final block: what comes out, and how much of the data it takes.
 *
 * @param data a message, or the rest of one, and SENTINEL
 */
function stream(data: Uint8Array, dictionary: Uint8Array, windowBits: number, limit: number): Found {
  const options = { windowBits, info: true, ...(dictionary.length > 0 && { dictionary }) };
  const message = data.subarray(0, -SENTINEL.length);
  try {
    const most = { maxOutputLength: limit + MARK.length + 1 };
    const found = zlib.inflateRawSync(data, { ...options, ...most }) as unknown as Found;
    const { bytesWritten } = found.engine;
    // A block that takes the header of that one for data has not ended where it should.
    const isSwallowed = found.buffer.subarray(-SENTINEL.length).equals(SENTINEL);
    const endsInMark = found.buffer.subarray(-MARK.length).equals(MARK) && !isSwallowed;
    const isWhole = bytesWritten === data.length && endsInMark;
    if (bytesWritten <= message.length || isWhole) return found;
  } catch {
    // Told below.
  }
  const fault = wrong(message, options, limit);
  fault.isDoubtful = endsWithinLastByte(message, { windowBits, ...(dictionary.length > 0 && { dictionary }) });
  throw fault;
}

/**
 * Whether a block of a message that is wrong ends less than a byte before the end of what is appended to it: that there
 * is something left, zlib does not tell. Only data that is broken comes to that.
 */
function endsWithinLastByte(data: Uint8Array, options: zlib.ZlibOptions): boolean {
  for (let left = 1; left < 8; left++) {
    const head = Buffer.from(data);
    head[head.length - 1] &= (1 << (8 - left)) - 1;
    // In place of the bits that are left, the header of the block that only a whole message can be before.
    head[head.length - 1] |= 1 << (8 - left);
    const pad = Buffer.alloc(left < HEADER_BITS ? 1 : 0);
    try {
      const found = zlib.inflateRawSync(Buffer.concat([head, pad, SENTINEL.subarray(1)]), options);
      if (found.subarray(-MARK.length).equals(MARK)) return true;
    } catch {
      // It does not end there.
    }
  }
  return false;
}

/** Which is the case: that more comes out than may, before anything else is wrong, or that something else is. */
function wrong(data: Uint8Array, options: zlib.ZlibOptions, limit: number): Fault {
  // What came before a fault is lost up to a multiple of this.
  const chunkSize = Math.max(LEAST_CHUNK, limit + 1);
  const finishFlush = zlib.constants.Z_SYNC_FLUSH;
  try {
    zlib.inflateRawSync(data, { ...options, chunkSize, finishFlush, maxOutputLength: Math.max(1, limit) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return new Fault('MAX_MESSAGE_SIZE');
  }
  return chunkSize === limit + 1 ? new Fault('INVALID_PAYLOAD') : new Fault('INVALID_PAYLOAD', 'MAX_MESSAGE_SIZE');
}

/** Decompresses the messages of one peer. */
class Receiver {
  readonly #agreement: Agreement;
  #window: Buffer = NOTHING;

  constructor(agreement: Agreement) {
    this.#agreement = agreement;
  }

  /** @throws Fault */
  message(payload: Uint8Array, limit: number): Buffer {
    const { windowBits, takesOver } = this.#agreement;
    const data = Buffer.concat([payload, TAIL, SENTINEL]);
    const whole = data.length - SENTINEL.length;
    const parts: Buffer[] = [];
    let window = takesOver ? this.#window : NOTHING;
    let left = limit;
    for (let at = 0; at < whole; ) {
      const { buffer, engine } = stream(data.subarray(at), window, windowBits, left);
      at += engine.bytesWritten;
      const isLast = at > whole;
      const found = isLast ? buffer.subarray(0, -MARK.length) : buffer;
      if (found.length > left) throw new Fault('MAX_MESSAGE_SIZE');
      left -= found.length;
      parts.push(found);
      window = isLast ? Buffer.concat([window, found]).subarray(-MAX_WINDOW) : NOTHING;
    }
    this.#window = window;
    return Buffer.concat(parts);
  }
}

/** What must come of frames that keep to every rule but those of what is in them. */
export function expectedOf(frames: readonly Frame[], agreement: Agreement, limit: number): Expected {
  const receiver = new Receiver(agreement);
  const controls = frames.filter(({ opcode }) => opcode >= 8).map(({ payload }) => payload);
  const messages: Message[] = [];
  let controlsBefore = 0;
  let controlsSeen = 0;
  let open: Frame[] = [];
  for (const frame of frames) {
    if (frame.opcode >= 8) {
      controlsSeen++;
      continue;
    }
    if (frame.opcode !== 0) controlsBefore = controlsSeen;
    open.push(frame);
    if (frame.fin === false) continue;
    const isText = open[0].opcode === 1;
    const payload = Buffer.concat(open.map((each) => each.payload));
    const found = (open[0].rsv ?? 0) === 0 ? plain(payload, limit) : inflated(receiver, payload, limit);
    open = [];
    const isWrong = found instanceof Fault;
    const badText = isText && (isWrong || !isUtf8(found));
    if (!isWrong && !badText) {
      messages.push({ isText, data: found });
      continue;
    }
    const faults = [...(isWrong ? found.faults : []), ...(badText ? ['INVALID_UTF8'] : [])];
    return { messages, faults, isDoubtful: isWrong && found.isDoubtful, controls, controlsBefore };
  }
  return { messages, faults: null, isDoubtful: false, controls, controlsBefore: controls.length };
}

function plain(payload: Buffer, limit: number): Buffer | Fault {
  return payload.length > limit ? new Fault('MAX_MESSAGE_SIZE') : payload;
}

function inflated(receiver: Receiver, payload: Buffer, limit: number): Buffer | Fault {
  try {
    return receiver.message(payload, limit);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}
