/** Memory to run a kernel on: a view with an offset of its own, and bytes around the range that nobody may touch. */

export interface Memory {
  readonly view: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** The range and everything around it as they are now, to compare after a call. */
  bytes(): Uint8Array;
}

export interface Placement {
  /** Bytes in the memory ahead of the view. */
  readonly offset: number;
  /** Bytes in the view ahead of the range, and behind it. */
  readonly before: number;
  readonly behind: number;
  /** An end of the range at which there is no memory at all, so that whoever reads beyond it crashes. */
  readonly edge: 'start' | 'end' | null;
}

const GUARD = 16;
const BACKGROUND = Uint8Array.from({ length: 1 << 16 }, (_, i) => (i * 37 + 0xa5) & 0xff);

/**
 * Memory of WebAssembly lies between pages that cannot be read or written, where V8 relies on that for its bounds
 * checks (64-bit systems). It is made once: each takes gigabytes of address space.
 */
const PAGE = 1 << 16;
const { Memory } = (globalThis as unknown as { WebAssembly: WebAssemblyMemory }).WebAssembly;
const edges = [0, 1].map(() => new Uint8Array(new Memory({ initial: 1, maximum: 1 }).buffer));

/** What is used of it; the library that is compiled against has no types for it. */
interface WebAssemblyMemory {
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
}

/**
 * Puts bytes into memory with a known background.
 *
 * @param slot 0 or 1: two ranges that are in use at once must not be in the same
 */
export function place(bytes: Uint8Array, placement: Placement, slot = 0): Memory {
  const { offset, before, behind, edge } = placement;
  const room = offset + before + bytes.length + behind + GUARD;
  if (edge !== null && room <= PAGE) return placeAtEdge(bytes, placement, edges[slot], room);
  const all = background(room);
  all.set(bytes, offset + before);
  const view = all.subarray(offset, room - GUARD);
  return { view, from: before, to: before + bytes.length, bytes: () => all };
}

function placeAtEdge(bytes: Uint8Array, { offset, edge }: Placement, page: Uint8Array, room: number): Memory {
  const used = edge === 'start' ? page.subarray(0, room) : page.subarray(PAGE - room);
  used.set(BACKGROUND.subarray(0, room));
  const from = edge === 'start' ? 0 : room - bytes.length;
  used.set(bytes, from);
  // Where the edge leaves the choice, the view begins or ends where the range does not.
  const view = edge === 'start' ? used.subarray(0, bytes.length + offset) : used.subarray(from - offset);
  const start = edge === 'start' ? 0 : offset;
  return { view, from: start, to: start + bytes.length, bytes: () => used.slice() };
}

function background(length: number): Uint8Array {
  if (length <= BACKGROUND.length) return BACKGROUND.slice(0, length);
  return Uint8Array.from({ length }, (_, i) => BACKGROUND[i & 0xff]);
}
