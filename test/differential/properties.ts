/**
 * What must hold of any kernels, told by running them beside the portable tier or beside themselves. Each property
 * takes the kernels it is about by name, so that wrong ones can be handed in: `planted.test.ts` does.
 */

import fc from 'fast-check';
import { FrameBatch, type Kernels } from '../../src/kernels/index.js';
import { portable, type Subject } from '../kernels/support.js';
import { outcome, same } from './alike.js';
import { anyStream, argument, goodStream, masking, validation } from './arbitraries.js';
import { live, readThrough } from './connection-driver.js';
import { walk } from './driver.js';
import { inflationHolds } from './inflation.js';
import { place } from './memory.js';
import { type Meter, Mismatch } from './mismatch.js';
import { reading, session } from './sessions.js';

export { type Meter, Mismatch };

/** A property of each of some kernels. */
export type Property = (subjects: readonly Subject[], meter?: Meter) => fc.IPropertyWithHooks<unknown>;

/**
 * A property that holds where `run` does the same with the portable tier as with each other subject.
 *
 * @param prepare makes, once for an input, what `run` is given
 */
export function agreement<Input>(
  arbitrary: fc.Arbitrary<Input>,
  run: (kernels: Kernels, input: Input) => unknown,
): Property {
  return (subjects, meter) =>
    fc.property(arbitrary, (input) => {
      const expected = run(portable, input);
      each(subjects, meter, (kernels) => same(expected, run(kernels, input)));
    }) as fc.IPropertyWithHooks<unknown>;
}

/** A property that each subject has or has not by itself: `run` throws where it has not. */
export function alone<Input>(arbitrary: fc.Arbitrary<Input>, run: (kernels: Kernels, input: Input) => void): Property {
  return (subjects, meter) =>
    fc.property(arbitrary, (input) =>
      each(subjects, meter, (kernels) => run(kernels, input)),
    ) as fc.IPropertyWithHooks<unknown>;
}

function each(subjects: readonly Subject[], meter: Meter | undefined, run: (kernels: Kernels) => void): void {
  for (const [name, kernels] of subjects) {
    const started = performance.now();
    try {
      run(kernels);
    } catch (error) {
      throw new Mismatch(name, error);
    }
    meter?.(name, performance.now() - started);
  }
}

/** Two tiers leave the same behind in every call of a stream. */
export const scanAgrees = agreement(anyStream, walk);

/** Two tiers mask alike, in place and into other memory. */
export const maskAgrees = agreement(masking, ({ mask }, { bytes, src, dst, key, phase }) => {
  const from = place(bytes, src);
  const to = dst === null ? from : place(new Uint8Array(bytes.length), dst, 1);
  const result = outcome(() => mask(from.view, from.from, to.view, to.from, bytes.length, key, phase));
  return { result, from: from.bytes(), to: dst === null ? null : to.bytes() };
});

/** Two tiers validate alike, from any state and over any split; and a split changes nothing. */
export const utf8Agrees = agreement(validation, ({ utf8 }, { bytes, placement, state, cuts }) => {
  const memory = place(bytes, placement);
  const { view, from, to } = memory;
  const whole = utf8(view, from, to, state);
  const states: number[] = [];
  let current = state;
  let at = from;
  for (const cut of [...cuts.map((place) => Math.min(from + place, to)), to].sort((x, y) => x - y)) {
    current = utf8(view, at, cut, current);
    states.push(current);
    at = cut;
  }
  same(whole, current);
  return { whole, states, all: memory.bytes() };
});

/** Two tiers refuse the same arguments with the same words. */
export const errorsAgree = agreement(
  fc.tuple(fc.array(argument, { minLength: 7, maxLength: 7 }), fc.nat(3)),
  (kernels, [[x, p, q, r, s, t], wrong]) => {
    // Mostly right in the places of the arrays, so that the numbers behind them are looked at.
    const bytes = () => (wrong === 0 ? x : new Uint8Array(64));
    const batch = wrong === 1 ? x : new FrameBatch(2);
    const call = (name: 'scan' | 'mask' | 'utf8', args: unknown[]) =>
      outcome(() => (kernels[name] as (...args: unknown[]) => unknown)(...args));
    return [
      call('scan', [bytes(), p, q, batch, r, s]),
      call('mask', [bytes(), p, bytes(), q, r, s, t]),
      call('utf8', [bytes(), p, q, r]),
    ];
  },
);

/** One tier finds the same frames and the same violation at the same byte, however the stream is cut. */
export const splitsDoNotMatter = alone(anyStream, (kernels, stream) => {
  const { frames, violation } = walk(kernels, { ...stream, cuts: [], capacity: 64 });
  const cut = walk(kernels, stream);
  same({ frames, violation }, { frames: cut.frames, violation: cut.violation });
});

/** One tier finds in a stream the frames that were put into it. */
export const whatIsSentArrives = alone(goodStream, (kernels, { frames, stream }) => {
  const { frames: received, violation } = walk(kernels, stream);
  const sent = frames.map(({ opcode, fin = true, rsv = 0, payload }) => ({
    first: (fin ? 0x80 : 0) | rsv | opcode,
    payload: Buffer.from(payload).toString('hex'),
  }));
  same(null, violation);
  same(
    sent,
    received.map(({ first, payload }) => ({ first, payload })),
  );
});

/** An owner of a connection sees the same, whatever happens to it. */
export const connectionAgrees = agreement(session, live);

/** A connection that is read to the end after every chunk gives the same, however its input is cut. */
export const cutsDoNotMatter = alone(reading, (kernels, input) => {
  const { wire, cuts, bytewise } = input;
  const whole = readThrough(kernels, input, []);
  same(whole, readThrough(kernels, input, cuts));
  if (bytewise) same(whole, readThrough(kernels, input, Array.from(wire.bytes.subarray(0, 600).keys())));
});

/** Every property that compares, and every one that kernels have by themselves, by the name that a campaign has for it. */
export const PROPERTIES = {
  scan: { property: scanAgrees, compares: true },
  mask: { property: maskAgrees, compares: true },
  utf8: { property: utf8Agrees, compares: true },
  errors: { property: errorsAgree, compares: true },
  connection: { property: connectionAgrees, compares: true },
  splits: { property: splitsDoNotMatter, compares: false },
  sent: { property: whatIsSentArrives, compares: false },
  cuts: { property: cutsDoNotMatter, compares: false },
  inflate: { property: inflationHolds(), compares: false },
} as const;
