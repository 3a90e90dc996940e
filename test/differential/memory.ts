/** Memory to run a kernel on: a view with an offset of its own, and bytes around the range that nobody may touch. */

export interface Memory {
  /** All of it, to compare after a call. */
  readonly all: Uint8Array;
  readonly view: Uint8Array;
  readonly from: number;
  readonly to: number;
}

export interface Placement {
  /** `byteOffset` of the view. */
  readonly offset: number;
  /** Bytes in the view ahead of the range, and behind it. */
  readonly before: number;
  readonly behind: number;
}

export function place(bytes: Uint8Array, { offset, before, behind }: Placement): Memory {
  const inView = before + bytes.length + behind;
  const all = Uint8Array.from({ length: offset + inView + 16 }, (_, i) => (i * 37 + 0xa5) & 0xff);
  all.set(bytes, offset + before);
  return { all, view: all.subarray(offset, offset + inView), from: before, to: before + bytes.length };
}

/** What a call did, so that two of them can be compared: its value, or what it threw. */
export function outcome<Value>(call: () => Value): { value: Value } | { name: string; code: unknown; message: string } {
  try {
    return { value: call() };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    return { name, code, message };
  }
}
