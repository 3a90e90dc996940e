/** Streams of frames: made by the grammar of RFC 6455 §5.2, then sometimes broken. And what else kernels are fed. */

import fc from 'fast-check';
import { encode, type Frame } from '../kernels/support.js';
import { bytes, fewBytes, joined, length, text } from './bytes.js';
import type { Stream } from './driver.js';
import type { Placement } from './memory.js';
import { placement } from './placements.js';

const key = fc.oneof(fc.constant(0), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));

export const payload: fc.Arbitrary<Uint8Array> = fc.oneof({ weight: 3, arbitrary: text }, bytes);

const dataFrame = fc.record({
  opcode: fc.constantFrom(0, 1, 1, 1, 2, 2),
  fin: fc.constantFrom(true, true, true, false),
  rsv: fc.constantFrom(0, 0, 0, 0x40),
  payload,
});
export const controlFrame = fc.record({
  opcode: fc.constantFrom(8, 9, 10),
  payload: fewBytes(125),
});
const wrongFrame = fc.record({
  opcode: fc.nat(15),
  fin: fc.boolean(),
  rsv: fc.constantFrom(0, 0, 0x10, 0x20, 0x40, 0x70),
  payload: fewBytes(130),
  lengthBytes: fc.constantFrom<1 | 2 | 8>(2, 8),
});
const claims = [
  0n,
  125n,
  126n,
  65535n,
  65536n,
  70000n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const claimingFrame = fc.record({
  opcode: fc.constantFrom(0, 1, 2),
  payload: fewBytes(40),
  claim: fc.constantFrom(...claims),
});

/** A frame with something wrong about its header. */
export const badFrame = fc.oneof(wrongFrame, claimingFrame) as fc.Arbitrary<Frame>;

const goodFrame: fc.Arbitrary<Frame> = fc.oneof({ weight: 5, arbitrary: dataFrame }, controlFrame);

/** The frames as the peer of a server, or of a client, sends them. */
export function masked(frames: fc.Arbitrary<Frame[]>, server: boolean): fc.Arbitrary<Frame[]> {
  return fc
    .tuple(frames, fc.array(key, { minLength: 1, maxLength: 4 }))
    .map(([list, keys]) => list.map((frame, i) => ({ ...frame, key: server ? keys[i % keys.length] : null })));
}

const limit = fc.oneof(
  { weight: 4, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
  { weight: 2, arbitrary: fc.nat(400) },
  { weight: 1, arbitrary: fc.constantFrom(0, 125.5, 65535, 65536, 2 ** 32, 2 ** 53 - 1) },
);

/** Places to cut a stream at: anywhere, and where blocks end. */
export const cuts = (size: number): fc.Arbitrary<number[]> =>
  fc.array(fc.oneof({ weight: 3, arbitrary: fc.nat(Math.max(1, size)) }, length), { maxLength: 6 });

function streamOf(content: fc.Arbitrary<Uint8Array>, server: boolean, limits = limit): fc.Arbitrary<Stream> {
  return content.chain((stream) =>
    fc.record({
      bytes: fc.constant(stream),
      cuts: cuts(stream.length),
      placement,
      rules: fc.constantFrom(0x40, 0x40, 0x40, 0, 0x70).map((rsv) => rsv | (server ? 1 : 0)),
      limit: limits,
      capacity: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(64)),
    }),
  );
}

export interface Sent {
  readonly frames: readonly Frame[];
  readonly stream: Stream;
}

/** What a peer that keeps to every rule sends, and the frames that it sent. */
export const goodStream: fc.Arbitrary<Sent> = fc.boolean().chain((server) =>
  masked(fc.array(goodFrame, { maxLength: 12 }), server).chain((frames) =>
    streamOf(fc.constant(joined(frames.map(encode))), server, fc.constant(2 ** 30)).map((stream) => ({
      frames,
      stream: { ...stream, rules: stream.rules | 0x40 },
    })),
  ),
);

const mostlyGood = fc.array(fc.oneof({ weight: 12, arbitrary: goodFrame }, badFrame), { maxLength: 12 });

/** Bytes of frames with a few of them changed, at most `most`. */
export function mutated(frames: fc.Arbitrary<Frame[]>, most = 3): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: most });
  return fc.tuple(frames, changes).map(([list, wrong]) => {
    const stream = joined(list.map(encode));
    for (const [at, byte] of wrong) if (stream.length > 0) stream[at % stream.length] ^= byte;
    return stream;
  });
}

/** Anything: good frames, frames that break a rule, changed bytes, noise. */
export const anyStream: fc.Arbitrary<Stream> = fc
  .boolean()
  .chain((server) =>
    fc.oneof(
      { weight: 6, arbitrary: streamOf(mutated(masked(mostlyGood, server)), server) },
      { weight: 1, arbitrary: streamOf(fewBytes(200), server) },
    ),
  );

export interface Masking {
  readonly bytes: Uint8Array;
  readonly src: Placement;
  readonly dst: Placement | null;
  readonly key: number;
  readonly phase: number;
}

export const masking: fc.Arbitrary<Masking> = fc.record({
  bytes,
  src: placement,
  dst: fc.option(placement),
  key: fc.oneof(key, fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  phase: fc.nat(3),
});

export interface Validation {
  readonly bytes: Uint8Array;
  readonly placement: Placement;
  readonly state: number;
  readonly cuts: readonly number[];
}

/** What may go on with a character: both ends of what may follow any lead. */
const continuations = fc.array(fc.constantFrom(0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf), { maxLength: 3 });

export const validation: fc.Arbitrary<Validation> = fc
  .record({
    first: continuations,
    rest: fc.oneof({ weight: 7, arbitrary: text }, fewBytes(100)),
    placement,
    state: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(8)),
    cuts: cuts(300),
  })
  .map(({ first, rest, state, ...others }) => ({
    bytes: state < 2 ? rest : joined([Uint8Array.from(first), rest]),
    state,
    ...others,
  }));

/** Arguments right and wrong, for any of the kernels. */
export const argument: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 256, 2 ** 31, 2 ** 32, -1, -0, 0.5, Number.NaN),
  fc.double(),
  fc.constantFrom(undefined, null, true, '', '1', 1n),
);
