/** A watch over all slabs. It imports nothing that knows them, so that it can take the place of their module. */

import { expect } from 'vitest';
import type * as slabs from '../../src/core/frames/slab.js';

/** Every slab that was handed out, for `vi.mock` in place of the module. */
export const seenSlabs = new Set<slabs.Slab>();

/** The module of slabs, with an eye on each. */
export function watched(module: typeof slabs): typeof slabs {
  const note = (slab: slabs.Slab): slabs.Slab => {
    seenSlabs.add(slab);
    return slab;
  };
  return {
    ...module,
    slabFor: (size) => note(module.slabFor(size)),
    sharedSlabFor: (size) => note(module.sharedSlabFor(size)),
    ownSlabFor: (size, last) => note(module.ownSlabFor(size, last)),
  };
}

/** That nothing refers to any slab that was handed out so far. */
export function expectSlabsFree(): void {
  const inUse = [...seenSlabs].filter(({ pieces }) => pieces !== 0).map(({ pieces }) => pieces);
  seenSlabs.clear();
  expect(inUse, 'pieces of slabs that are still in use').toEqual([]);
}
