/** Where in memory an input lies: at every alignment to a vector, and at the very ends of the memory. */

import fc from 'fast-check';
import type { Placement } from './memory.js';

const few = fc.oneof({ weight: 3, arbitrary: fc.nat(9) }, fc.nat(64));

export const placement: fc.Arbitrary<Placement> = fc.record({
  offset: few,
  before: few,
  behind: few,
  edge: fc.constantFrom(null, null, null, 'start' as const, 'end' as const),
});
