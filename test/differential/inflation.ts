/**
 * What must hold of compressed messages that arrive, whatever is in them: that what comes out is what node:zlib's
 * documented functions make of it, within the limit, on any kernels, with either codec, in the thread and off it; and
 * that no context is left.
 */

import fc from 'fast-check';
import { Connection } from '../../src/core/connection.js';
import { NEED_DATA } from '../../src/core/events.js';
import { type Codec, defaultCodec } from '../../src/core/extensions/deflate/codec.js';
import { wholeMessages } from '../../src/core/extensions/deflate/whole.js';
import type { Extension } from '../../src/core/extensions/extension.js';
import { PerMessageDeflate } from '../../src/core/extensions/permessage-deflate.js';
import { ConnectionType } from '../../src/core/state.js';
import type { Kernels } from '../../src/kernels/index.js';
import { portable, type Subject } from '../kernels/support.js';
import { same } from './alike.js';
import { type Compressed, compressed } from './compressed.js';
import { type Expected, expectedOf } from './inflate-oracle.js';
import { type Meter, Mismatch } from './mismatch.js';

/** How a run is done. */
export interface Way {
  readonly name: string;
  readonly codec: Codec;
  readonly offThread: boolean;
}

/** One message as an owner has seen it, whole or up to where it failed. */
interface Seen {
  readonly isText: boolean;
  readonly data: Uint8Array;
  /** Sizes of the pieces. */
  readonly pieces: readonly number[];
}

interface Run {
  readonly messages: readonly Seen[];
  /** What came of a message that was not finished. */
  readonly rest: Seen | null;
  readonly controls: readonly Uint8Array[];
  readonly end: string | null;
}

const HANG = 20_000;
const LONG = 3_600_000;

let clock = 0;

const shared = new Map<Codec, Map<string, PerMessageDeflate>>();

function deflateOf(input: Compressed, { codec }: Way): PerMessageDeflate {
  const { isServer, agreement, offThreadFrom, maxContexts } = input;
  const { windowBits, takesOver } = agreement;
  const own = isServer
    ? { clientMaxWindowBits: windowBits, clientNoContextTakeover: !takesOver }
    : { serverMaxWindowBits: windowBits, serverNoContextTakeover: !takesOver };
  const options = { ...own, offThreadFrom, maxContexts };
  if (!input.shared) return new PerMessageDeflate(options, codec);
  const ofCodec = shared.get(codec) ?? new Map<string, PerMessageDeflate>();
  shared.set(codec, ofCodec);
  const key = JSON.stringify(options);
  const found = ofCodec.get(key) ?? new PerMessageDeflate(options, codec);
  ofCodec.set(key, found);
  return found;
}

/** An instance by which the peer's messages are as the input says. */
function agreed(deflate: PerMessageDeflate, { isServer, agreement: { windowBits, takesOver } }: Compressed): Extension {
  if (isServer) {
    const accepted = deflate.accept([{ name: 'client_max_window_bits', value: null }]);
    if (accepted === null) throw new Error('the offer was declined');
    return accepted.extension;
  }
  return deflate.finalize([
    { name: 'server_max_window_bits', value: String(windowBits) },
    ...(takesOver ? [] : [{ name: 'server_no_context_takeover', value: null }]),
  ]);
}

function ends(size: number, cuts: readonly number[]): number[] {
  const inside = cuts.map((cut) => cut % size).filter((cut) => cut > 0);
  return [...new Set([...inside, size])].sort((a, b) => a - b);
}

class Reading {
  readonly messages: Seen[] = [];
  readonly controls: Uint8Array[] = [];
  end: string | null = null;
  #parts: Uint8Array[] = [];
  #isText = false;

  get rest(): Seen | null {
    return this.#parts.length === 0 ? null : this.#seen();
  }

  read(connection: Connection): void {
    for (let event = connection.nextEvent(); event !== NEED_DATA; event = connection.nextEvent()) {
      if (typeof event === 'symbol') throw new Error('nobody has paused it');
      if (event.type === 'text' || event.type === 'bytes') {
        this.#isText = event.type === 'text';
        this.#parts.push(event.type === 'text' ? Buffer.from(event.data) : Uint8Array.from(event.data));
        if (!event.messageFinished) continue;
        this.messages.push(this.#seen());
        this.#parts = [];
      } else if (event.type === 'close') {
        if (this.end !== null) throw new Error('two close events');
        this.end = event.error === null ? `${event.origin} ${event.code}` : String(event.error.code);
      } else {
        this.controls.push(Uint8Array.from(event.payload));
      }
    }
  }

  #seen(): Seen {
    const parts = this.#parts;
    return { isText: this.#isText, data: Buffer.concat(parts), pieces: parts.map(({ length }) => length) };
  }
}

/** Leads a connection through the input; what its owner sees. */
async function run(kernels: Kernels, input: Compressed, way: Way): Promise<Run> {
  const { bytes, cuts, delivery, maxMessageSize, borrowed, eager, idle, abortAt } = input;
  const deflate = deflateOf(input, way);
  const extension = agreed(deflate, input);
  // A frame that is too large is another matter.
  const limits = { maxMessageSize, maxFrameSize: 2 ** 30 };
  const type = input.isServer ? ConnectionType.SERVER : ConnectionType.CLIENT;
  const connection = new Connection(type, [extension], { ...limits, delivery, kernels });
  const reading = new Reading();
  let isInside = false;
  let wake: (() => void) | null = null;
  let isReady = true;
  if (way.offThread) {
    connection.onReady = () => {
      if (isInside) reentered = true;
      isReady = true;
      wake?.();
    };
  }
  let reentered = false;
  const inside = <Value>(call: () => Value): Value => {
    isInside = true;
    try {
      return call();
    } finally {
      isInside = false;
    }
  };
  // Between two calls of `onReady` nothing changes by itself.
  const settle = async (holds: () => boolean, what: string): Promise<void> => {
    while (!holds()) {
      isReady = false;
      inside(() => reading.read(connection));
      if (holds()) return;
      if (isReady) continue;
      if (!way.offThread) throw new Error(`waits in vain for ${what}`);
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve, reject) => {
        wake = resolve;
        timer = setTimeout(() => reject(new Error(`waits in vain for ${what}`)), HANG);
      });
      clearTimeout(timer);
      wake = null;
    }
  };

  let from = 0;
  for (const [i, to] of ends(bytes.length, cuts).entries()) {
    if (i === abortAt) break;
    const chunk = bytes.slice(from, to);
    from = to;
    inside(() => {
      if (borrowed) connection.receiveBorrowed(chunk);
      else connection.receiveData(chunk);
      reading.read(connection);
      connection.keep();
    });
    // Whoever lends memory writes into it again.
    if (borrowed) chunk.fill(0xa5);
    if (!eager && way.offThread) {
      const isRead = () => connection.bufferedBytes === 0 || reading.end !== null;
      if (!isRead()) await settle(isRead, 'a chunk to be read');
    }
    if (!idle[i]) continue;
    inside(() => {
      clock += LONG;
      deflate.handleTimeout(clock);
      clock += LONG;
      deflate.handleTimeout(clock);
    });
  }
  if (abortAt === null) {
    inside(() => connection.receiveData(null));
    await settle(() => reading.end !== null, 'the end');
  } else {
    inside(() => connection.abort());
    inside(() => reading.read(connection));
    if (reading.end === null) throw new Error('an aborted connection has not ended');
  }
  if (reentered) throw new Error('onReady was called within another call');
  same({ compressors: 0, decompressors: 0 }, contextsOf(deflate));
  return reading;
}

function contextsOf(deflate: PerMessageDeflate): unknown {
  const { compressors, decompressors } = deflate.stats();
  return { compressors, decompressors };
}

/** Holds a run to what was expected. A codec that knows whole messages only cannot see that one is not. */
function hold({ messages, rest, controls, end }: Run, expected: Expected, input: Compressed, isExact: boolean): void {
  const { faults } = expected;
  const isFreed = input.abortAt !== null;
  const found = messages.map(({ isText, data }) => ({ isText, data }));
  const count = isFreed ? Math.min(found.length, expected.messages.length) : expected.messages.length;
  same(
    expected.messages.slice(0, count).map(({ isText, data }) => ({ isText, data })),
    found.slice(0, count),
  );
  for (const { data } of [...messages, ...(rest === null ? [] : [rest])]) {
    if (data.length > input.maxMessageSize) throw new Error(`${data.length} bytes came out`);
  }
  same(expected.controls.slice(0, controls.length), controls);
  if (isFreed || (faults !== null && !isExact)) return;
  if (messages.length !== count) throw new Error(`${messages.length} messages in place of ${count}`);
  if (controls.length < expected.controlsBefore) throw new Error(`only ${controls.length} control frames`);
  const ending = faults === null ? ['eof 1006'] : faults;
  if (!ending.includes(end as string)) throw new Error(`ended with ${end} in place of ${ending.join(' or ')}`);
}

/** Both codecs, in the thread and off it. */
export function ways(codec: Codec = defaultCodec(), whole: Codec = wholeMessages): Way[] {
  return [
    { name: 'contexts', codec, offThread: false },
    { name: 'contexts, off the thread', codec, offThread: true },
    { name: 'whole', codec: whole, offThread: false },
    { name: 'whole, off the thread', codec: whole, offThread: true },
  ];
}

async function compare(subject: Subject, input: Compressed, all: readonly Way[]): Promise<void> {
  const expected = expectedOf(input.frames, input.agreement, input.maxMessageSize);
  let first: Run | null = null;
  for (const [i, way] of all.entries()) {
    // Which kernels decompression works with makes a difference once; the portable ones go with every other way.
    const kernels = i % 2 === 0 ? subject[1] : portable;
    const isExact = way.codec !== wholeMessages && !expected.isDoubtful;
    try {
      const found = await run(kernels, input, way);
      hold(found, expected, input, isExact);
      if (input.abortAt !== null || !isExact || input.delivery === 'chunks') continue;
      if (first === null) first = found;
      else if (expected.faults === null || expected.faults.length === 1) same(shape(first), shape(found));
    } catch (error) {
      throw new Mismatch(subject[0], new Error(`${way.name}: ${(error as Error).message}`, { cause: error }));
    }
  }
}

/** What does not depend on when something is done. */
function shape({ messages, end }: Run): unknown {
  return { messages, end };
}

/** A property of each of some kernels, whose runs take turns of the event loop. */
export function inflationHolds(all = ways()) {
  return (subjects: readonly Subject[], meter?: Meter): fc.IAsyncPropertyWithHooks<unknown> =>
    fc.asyncProperty(compressed, async (input) => {
      for (const subject of subjects) {
        const started = performance.now();
        await compare(subject, input, all);
        meter?.(subject[0], performance.now() - started);
      }
    }) as fc.IAsyncPropertyWithHooks<unknown>;
}
