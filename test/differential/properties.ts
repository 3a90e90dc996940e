/**
 * What must hold of two tiers, and of one. Each property takes the kernels it is about, so that a wrong one can be
 * handed in: `planted.test.ts` does.
 *
 * `MILLRACE_RUNS` is the number of runs of each property; a failure prints the seed and the path to repeat it.
 */

import fc from 'fast-check';
import { expect } from 'vitest';
import { FrameBatch, type Kernels } from '../../src/kernels/index.js';
import { anyStream, argument, goodStream, masking, validation } from './arbitraries.js';
import { walk } from './driver.js';
import { outcome, place } from './memory.js';

const RUNS = Number(process.env['MILLRACE_RUNS'] ?? 1500);

/** Runs a property; throws with seed and counterexample when it does not hold. */
export function check<Values>(property: fc.IProperty<Values>, runs = RUNS): void {
  fc.assert(property, { numRuns: runs });
}

// `toEqual` on every run would take most of the time; it is asked only to tell a difference that is known.
function same(a: unknown, b: unknown): void {
  if (JSON.stringify(a, plain) !== JSON.stringify(b, plain)) expect(b).toEqual(a);
}

function plain(_key: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
  return Object.is(value, -0) ? '-0' : value;
}

/** Two tiers leave the same behind in every call of a stream. */
export const scanAgrees = (a: Kernels, b: Kernels) =>
  fc.property(anyStream, (stream) => same(walk(a, stream), walk(b, stream)));

/** Two tiers mask alike, in place and into other memory. */
export const maskAgrees = (a: Kernels, b: Kernels) =>
  fc.property(masking, ({ bytes, src, dst, key, phase }) => {
    const run = ({ mask }: Kernels) => {
      const from = place(bytes, src);
      const to = dst === null ? from : place(new Uint8Array(bytes.length), dst);
      const result = outcome(() => mask(from.view, from.from, to.view, to.from, bytes.length, key, phase));
      return { result, from: from.all, to: to.all };
    };
    same(run(a), run(b));
  });

/** Two tiers validate alike, from any state and over any split. */
export const utf8Agrees = (a: Kernels, b: Kernels) =>
  fc.property(validation, ({ bytes, placement, state, cuts }) => {
    const run = ({ utf8 }: Kernels) => {
      const { all, view, from, to } = place(bytes, placement);
      const states: unknown[] = [utf8(view, from, to, state)];
      let current = state;
      let at = from;
      for (const cut of [...cuts.toSorted((x, y) => x - y).map((place) => Math.min(from + place, to)), to]) {
        current = utf8(view, at, cut, current);
        states.push(current);
        at = cut;
      }
      return { states, all };
    };
    const [whole, ...parts] = run(b).states;
    same(run(a), run(b));
    same(whole, parts.at(-1));
  });

/** Two tiers refuse the same arguments with the same words. */
export const errorsAgree = (a: Kernels, b: Kernels) =>
  fc.property(fc.array(argument, { minLength: 7, maxLength: 7 }), fc.nat(3), ([x, ...rest], wrong) => {
    // Mostly right in the places of the arrays, so that the numbers behind them are looked at.
    const run = (kernels: Kernels) => {
      const bytes = () => (wrong === 0 ? x : new Uint8Array(64));
      const batch = wrong === 1 ? x : new FrameBatch(2);
      const call = (name: 'scan' | 'mask' | 'utf8', args: unknown[]) =>
        outcome(() => (kernels[name] as (...args: unknown[]) => unknown)(...args));
      const [p, q, r, s, t] = rest;
      return [
        call('scan', [bytes(), p, q, batch, r, s]),
        call('mask', [bytes(), p, bytes(), q, r, s, t]),
        call('utf8', [bytes(), p, q, r]),
      ];
    };
    same(run(a), run(b));
  });

/** One tier finds the same frames and the same violation at the same byte, however the stream is cut. */
export const splitsDoNotMatter = (kernels: Kernels) =>
  fc.property(anyStream, (stream) => {
    const { frames, violation } = walk(kernels, { ...stream, cuts: [], capacity: 64 });
    const cut = walk(kernels, stream);
    same({ frames, violation }, { frames: cut.frames, violation: cut.violation });
  });

/** One tier finds in a stream the frames that were put into it. */
export const whatIsSentArrives = (kernels: Kernels) =>
  fc.property(goodStream, ({ frames, stream }) => {
    const { frames: received, violation } = walk(kernels, stream);
    const sent = frames.map(({ opcode, fin = true, rsv = 0, payload }) => ({
      first: (fin ? 0x80 : 0) | rsv | opcode,
      payload: Buffer.from(payload).toString('hex'),
    }));
    same(violation, null);
    same(
      sent,
      received.map(({ first, payload }) => ({ first, payload })),
    );
  });
