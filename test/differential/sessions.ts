/** What happens to a connection in its life, drawn at random: what its peer sends, how it arrives, what its owner does. */

import fc from 'fast-check';
import type { ConnectionOptions } from '../../src/core/options.js';
import type { Frame } from '../kernels/support.js';
import { badFrame, controlFrame, cuts, masked, mutated, payload } from './arbitraries.js';
import { joined, noise } from './bytes.js';
import { placement } from './placements.js';

/** What the owner may do between two chunks; `Step.amount` says how much of it. */
export const STEPS = [
  'read all',
  'read some',
  'use the cursor',
  'pause',
  'resume',
  'send text',
  'send bytes',
  'send ping',
  'send pong',
  'send close',
  'take output',
  'tell the time',
  'end of stream',
  'abort',
] as const;

export interface Step {
  readonly what: (typeof STEPS)[number];
  readonly amount: number;
}

export type Session = typeof session extends fc.Arbitrary<infer Value> ? Value : never;

const RSV = [0, 0, 0x40, 0x20, 0x10, 0x60];

/** A message in one frame or in fragments, with control frames in between. */
const message = fc
  .record({
    opcode: fc.constantFrom(1, 1, 2),
    payload,
    cuts: fc.oneof({ weight: 2, arbitrary: fc.constant<number[]>([]) }, fc.array(fc.nat(400), { maxLength: 4 })),
    rsv: fc.constantFrom(...RSV),
    control: fc.option(controlFrame, { freq: 4 }),
  })
  .map(({ opcode, payload, cuts, rsv, control }): Frame[] => {
    const places = [...cuts.map((at) => Math.min(at, payload.length)).sort((a, b) => a - b), payload.length];
    return places.flatMap((to, i) => {
      const from = i === 0 ? 0 : places[i - 1];
      const first = i === 0 ? { opcode, rsv } : { opcode: 0 };
      const frame: Frame = { ...first, payload: payload.subarray(from, to), fin: i === places.length - 1 };
      return control === null || i === 0 ? [frame] : [control, frame];
    });
  });

/** A Close with a code, right or wrong, and a reason. */
const closing = fc
  .record({
    code: fc.constantFrom(1000, 1001, 1005, 1007, 999, 3000, 4999, 5000),
    reason: payload,
    short: fc.boolean(),
  })
  .map(({ code, reason, short }): Frame[] => {
    const whole = joined([Uint8Array.of(code >> 8, code & 0xff), reason.subarray(0, 123)]);
    return [{ opcode: 8, payload: short ? whole.subarray(0, 1) : whole }];
  });

const frames = fc
  .array(
    fc.oneof(
      { weight: 16, arbitrary: message },
      { weight: 3, arbitrary: controlFrame.map((frame): Frame[] => (frame.opcode === 8 ? [] : [frame])) },
      { weight: 1, arbitrary: closing },
      { weight: 1, arbitrary: badFrame.map((frame) => [frame]) },
    ),
    { maxLength: 7 },
  )
  .map((list) => list.flat());

const size = fc.oneof(
  { weight: 4, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
  fc.constantFrom(0, 125, 150, 1000, 5000),
);

/** What decides over events and is there in every kind of session. */
const receiving = fc.record({
  delivery: fc.constantFrom('messages', 'messages', 'frames', 'chunks'),
  autoPong: fc.boolean(),
  autoClose: fc.boolean(),
  maxMessageSize: size,
  maxFrameSize: size,
  maxFragments: fc.constantFrom(1000, 1000, 1000, 3, 1),
}) satisfies fc.Arbitrary<ConnectionOptions>;

const limits = fc.record({
  receiveHighWater: fc.constantFrom(65_536, 0, 100),
  sendHighWater: fc.constantFrom(65_536, 0, 500),
  sendHardLimit: fc.constantFrom(1e6, 1e6, 300),
  overflow: fc.constantFrom('refuse', 'drop', 'close'),
}) satisfies fc.Arbitrary<ConnectionOptions>;

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.oneof(
    { weight: 32, arbitrary: fc.constantFrom(...STEPS.slice(0, 12)) },
    { weight: 32, arbitrary: fc.constantFrom(...STEPS.slice(0, 3)) },
    { weight: 1, arbitrary: fc.constantFrom(...STEPS.slice(12)) },
  ),
  amount: fc.oneof(fc.nat(10), fc.nat(9000)),
});

interface ExtensionPlan {
  readonly kind: string;
  readonly rsv: number;
}

const extensions: fc.Arbitrary<ExtensionPlan[]> = fc.array(
  fc.record({ kind: fc.constantFrom('xor', 'double', 'picky'), rsv: fc.constantFrom(0x40, 0x20, 0x60) }),
  { maxLength: 2 },
);

const wire = fc.boolean().chain((isServer) =>
  fc.record({
    isServer: fc.constant(isServer),
    bytes: mutated(masked(frames, isServer), 1),
  }),
);

/** A connection that anything may happen to. */
export const session = fc.record({
  wire,
  cuts: cuts(1500),
  placement,
  options: receiving,
  limits,
  extensions: fc.oneof({ weight: 2, arbitrary: fc.constant<ExtensionPlan[]>([]) }, extensions),
  steps: fc.array(step, { minLength: 1, maxLength: 20 }),
});

/** A connection that is read to the end after every chunk, so that only the cuts could make a difference. */
export const reading = fc.record({ wire, cuts: cuts(1500), bytewise: fc.boolean(), options: receiving });
export type Reading = typeof reading extends fc.Arbitrary<infer Value> ? Value : never;

/** Text and bytes for the owner to send. */
export const outgoing = (amount: number): { text: string; bytes: Uint8Array } => ({
  text: ['x', 'é', '水', '🎉', '\ud83d'][amount % 5].repeat(amount % 1500),
  bytes: noise(amount, 1 + (amount % 7)),
});
