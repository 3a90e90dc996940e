/**
 * Compressed messages (RFC 7692) drawn at random: made with the documented functions of node:zlib as any peer might make
 * them, then sometimes broken, and sent in frames and chunks that are cut anywhere.
 */

import { isUtf8 } from 'node:buffer';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { encode, type Frame } from '../kernels/support.js';
import { controlFrame, cuts, masked, payload } from './arbitraries.js';
import { joined, noise } from './bytes.js';

const { Z_SYNC_FLUSH, Z_FINISH, Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED } = zlib.constants;

/** The most bytes of one message. */
const MOST = 400_000;
const MAX_WINDOW = 1 << 15;
export const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);
/** A final block of nothing, and one that is not final. */
const FINAL = Uint8Array.of(0x03, 0x00);
const STORED = Uint8Array.of(0x00, 0x00, 0x00, 0xff, 0xff);

/** A part of a message, and what follows it. */
const segment = fc.record({ at: fc.nat(MOST), isFinal: fc.boolean() });

const ENDINGS = ['final', 'final, bare', 'final, stripped', 'tail kept'] as const;

const change = fc.record({
  what: fc.constantFrom('flip', 'flip', 'cut', 'insert', 'double', 'finals', 'blocks', 'splice'),
  at: fc.nat(20_000),
  amount: fc.oneof({ weight: 3, arbitrary: fc.nat(20) }, fc.nat(3000)),
});
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

const message = fc.record({
  isText: fc.boolean(),
  payload,
  /** Whether it is the message before once more, to which it can then refer. */
  again: fc.constantFrom(false, false, true),
  times: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.nat(40), fc.nat(1000)),
  form: fc.constantFrom('plain', 'compressed', 'compressed', 'compressed', 'compressed', 'compressed', 'noise'),
  level: fc.constantFrom(0, 1, 1, 6, 9),
  memLevel: fc.constantFrom(1, 5, 8, 9),
  strategy: fc.constantFrom(Z_DEFAULT_STRATEGY, Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED),
  takesOver: fc.constantFrom(true, true, true, false),
  segments: fc.oneof(
    { weight: 2, arbitrary: fc.constant<{ at: number; isFinal: boolean }[]>([]) },
    fc.array(segment, { maxLength: 3 }),
  ),
  ending: fc.oneof({ weight: 9, arbitrary: fc.constant('stripped' as const) }, fc.constantFrom(...ENDINGS)),
  changes: fc.oneof(
    { weight: 5, arbitrary: fc.constant<Change[]>([]) },
    fc.array(change, { minLength: 1, maxLength: 2 }),
  ),
  cuts: fc.oneof({ weight: 2, arbitrary: fc.constant<number[]>([]) }, fc.array(fc.nat(3000), { maxLength: 6 })),
  control: fc.option(
    controlFrame.filter(({ opcode }) => opcode !== 8),
    { freq: 3 },
  ),
});
type Recipe = typeof message extends fc.Arbitrary<infer Value> ? Value : never;

/** What the two sides have agreed on, for the messages of the peer. */
export interface Agreement {
  readonly windowBits: number;
  readonly takesOver: boolean;
}

/** Frames with the message that each belongs to; a control frame belongs to none. */
interface Wire {
  readonly frames: readonly Frame[];
}

/** Compresses as a peer does that keeps its window from one message to the next. */
class Sender {
  readonly #bits: number;
  #window: Buffer = Buffer.alloc(0);
  #last: Uint8Array = FINAL;

  constructor(bits: number) {
    // Raw DEFLATE cannot be compressed with 8, and with 9 refers no further than it would.
    this.#bits = Math.max(9, bits);
  }

  payload(recipe: Recipe, data: Uint8Array): Uint8Array {
    if (!recipe.takesOver) this.#window = Buffer.alloc(0);
    const found = recipe.changes.reduce((bytes, each) => this.#changed(bytes, each), this.#compressed(recipe, data));
    this.#last = found;
    return found;
  }

  #compressed({ segments, ending, ...how }: Recipe, data: Uint8Array): Uint8Array {
    if (data.length === 0 && ending === 'stripped' && segments.length === 0) return Uint8Array.of(0);
    const parts: Uint8Array[] = [];
    let from = 0;
    const places = segments.map(({ at, isFinal }) => ({ at: Math.min(at, data.length), isFinal }));
    for (const { at, isFinal } of places.sort((a, b) => a.at - b.at)) {
      parts.push(this.#segment(how, data.subarray(from, at), isFinal));
      from = at;
    }
    const isFinal = ending.startsWith('final');
    parts.push(this.#segment(how, data.subarray(from), isFinal));
    const bytes = joined(parts);
    if (ending === 'tail kept' || ending === 'final, bare') return bytes;
    if (ending === 'final') return joined([bytes, Uint8Array.of(0)]);
    const endsInTail = Buffer.compare(bytes.subarray(-TAIL.length), TAIL) === 0;
    return endsInTail ? bytes.subarray(0, -TAIL.length) : bytes;
  }

  #segment(
    { level, memLevel, strategy }: Pick<Recipe, 'level' | 'memLevel' | 'strategy'>,
    data: Uint8Array,
    isFinal: boolean,
  ): Uint8Array {
    const windowBits = this.#bits;
    const dictionary = this.#window.subarray(-(1 << windowBits));
    const options = { level, memLevel, strategy, windowBits, finishFlush: isFinal ? Z_FINISH : Z_SYNC_FLUSH };
    const found = zlib.deflateRawSync(data, dictionary.length > 0 ? { ...options, dictionary } : options);
    this.#window = isFinal ? Buffer.alloc(0) : Buffer.concat([this.#window, data]).subarray(-MAX_WINDOW);
    return found;
  }

  #changed(bytes: Uint8Array, { what, at, amount }: Change): Uint8Array {
    const place = at % (bytes.length + 1);
    const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
    switch (what) {
      case 'flip': {
        const flipped = Uint8Array.from(bytes);
        if (flipped.length > 0) flipped[at % flipped.length] ^= 1 << (amount % 8);
        return flipped;
      }
      case 'cut':
        return before;
      case 'insert':
        return joined([before, noise(amount, 1 + (at % 97)), after]);
      case 'double':
        return joined([bytes, bytes]);
      case 'finals':
        return joined([Buffer.alloc(FINAL.length * amount, FINAL), bytes]);
      case 'blocks':
        return joined([Buffer.alloc(STORED.length * amount, STORED), bytes]);
      case 'splice':
        return joined([before, this.#last.subarray(Math.min(amount, this.#last.length))]);
    }
  }
}

function repeat(data: Uint8Array, times: number): Uint8Array {
  if (data.length === 0) return data;
  return new Uint8Array(Buffer.alloc(Math.min(data.length * Math.max(1, times), MOST), data));
}

function framesOf(recipes: readonly Recipe[], bits: number, isClean: boolean): Frame[] {
  const sender = new Sender(bits);
  let last: Uint8Array = new Uint8Array(0);
  return recipes.flatMap((recipe) => {
    const { form, control } = recipe;
    const fresh = form === 'noise' ? recipe.payload : repeat(recipe.payload, recipe.times);
    const data = recipe.again ? last : fresh;
    last = data;
    const isText = recipe.isText && (!isClean || isUtf8(data));
    const bytes = form === 'compressed' ? sender.payload(recipe, data) : data;
    const rsv = form === 'plain' ? 0 : 0x40;
    const places = [...recipe.cuts.map((at) => Math.min(at, bytes.length)).sort((a, b) => a - b), bytes.length];
    return places.flatMap((to, i): Frame[] => {
      const from = i === 0 ? 0 : places[i - 1];
      const head = i === 0 ? { opcode: isText ? 1 : 2, rsv } : { opcode: 0 };
      const frame: Frame = { ...head, payload: bytes.subarray(from, to), fin: i === places.length - 1 };
      return control === null || i === 0 ? [frame] : [control, frame];
    });
  });
}

/** Whether what refers further than the window reaches is in it: what comes of that depends on how it is cut. */
function isBroken({ form, changes, ending }: Recipe): boolean {
  return form === 'noise' || (form === 'compressed' && (changes.length > 0 || ending !== 'stripped'));
}

/** The same message with nothing wrong about it. */
function cleaned(recipe: Recipe): Recipe {
  const form = recipe.form === 'noise' ? 'compressed' : recipe.form;
  const ending = recipe.ending === 'final' ? 'final' : 'stripped';
  return { ...recipe, form, ending, changes: [] };
}

const wire = fc
  .record({
    isClean: fc.boolean(),
    isServer: fc.boolean(),
    windowBits: fc.constantFrom(15, 15, 15, 12, 9, 8),
    takesOver: fc.constantFrom(true, true, true, false),
    recipes: fc.array(message, { minLength: 1, maxLength: 6 }),
  })
  .chain(({ isClean, isServer, windowBits, takesOver, recipes: drawn }) => {
    const recipes = isClean ? drawn.map(cleaned) : drawn;
    const bits = recipes.some(isBroken) || !takesOver ? 15 : windowBits;
    const agreement: Agreement = { windowBits: bits, takesOver };
    return masked(fc.constant(framesOf(recipes, bits, isClean)), isServer).map((frames) => ({
      isServer,
      agreement,
      frames,
    }));
  });

const size = fc.oneof(
  { weight: 4, arbitrary: fc.constant(16 * 1024 * 1024) },
  fc.constantFrom(0, 1, 125, 300, 5000, 65_535, 65_536, 131_072, 200_000),
);

/** A connection whose peer compresses, and how what it sends arrives. */
export const compressed = fc
  .record({
    wire,
    cuts: cuts(20_000),
    delivery: fc.constantFrom('messages', 'messages', 'frames', 'chunks'),
    maxMessageSize: size,
    offThreadFrom: fc.constantFrom(0, 1, 500, 5000, 32_768),
    maxContexts: fc.constantFrom(1024, 1024, 1, 0),
    /** Whether memory of chunks is lent. */
    borrowed: fc.boolean(),
    /** Whether a chunk comes before what it goes on with is done. */
    eager: fc.boolean(),
    /** After which chunks a context that is idle is given up. */
    idle: fc.array(fc.boolean(), { maxLength: 6 }),
    /** Whether contexts are those that other connections had. */
    shared: fc.boolean(),
    /** Before which chunk the connection is given up, if at all. */
    abortAt: fc.option(fc.nat(5), { freq: 15 }),
  })
  .map(({ wire: { frames, ...rest }, ...others }) => ({
    ...rest,
    ...others,
    frames: frames as Wire['frames'],
    bytes: joined(frames.map(encode)),
  }));
export type Compressed = typeof compressed extends fc.Arbitrary<infer Value> ? Value : never;
