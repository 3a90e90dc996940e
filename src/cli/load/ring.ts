/** Frames in a row that are sent around and around: any number of them is a slice or two of one buffer. */
export class Ring {
  readonly bytes: Buffer;
  /** Where each frame begins, and where the last one ends. */
  readonly #starts: Float64Array;
  readonly count: number;

  constructor(frames: readonly Uint8Array[]) {
    this.bytes = Buffer.concat(frames);
    this.count = frames.length;
    this.#starts = new Float64Array(frames.length + 1);
    for (let i = 0; i < frames.length; i++) this.#starts[i + 1] = this.#starts[i] + frames[i].length;
  }

  startOf(index: number): number {
    return this.#starts[index];
  }

  /** The frames from `from` up to but not including `to`, which do not go around the end. */
  slice(from: number, to: number): Buffer {
    return this.bytes.subarray(this.#starts[from], this.#starts[to]);
  }
}
