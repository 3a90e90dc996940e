/**
 * Latencies in a histogram of fixed size, as HDR histograms have them: 128 buckets to each power of two, so that no value
 * is off by more than 0.4 %, whatever its magnitude. A number's bucket is the exponent and the first seven bits of the
 * mantissa of the number itself, so that recording is one addition and allocates nothing.
 */

/** Latencies, in milliseconds. */
export interface Latency {
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** @param p from 0 to 100; of no latencies at all everything is 0 */
  percentile(p: number): number;
  /** How many were from `from` to below `to`, as far as the buckets tell them apart: powers of two they do. */
  between(from: number, to: number): number;
}

const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);
/** Which of the two words has the exponent. */
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;
const SHIFT = 13;
/** The buckets of an octave. */
const PARTS = 2 ** (20 - SHIFT);

/** From 2⁻²⁰ ms, a nanosecond, to 2²³ ms, more than two hours. */
const FIRST = (1023 - 20) * PARTS;
const SIZE = 43 * PARTS;

export class Histogram implements Latency {
  readonly #counts = new Float64Array(SIZE);
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  get max(): number {
    return this.#max;
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** @param ms a latency; one below nothing, which only a clock that was set can give, counts as nothing */
  record(ms: number, times = 1): void {
    const value = ms > 0 ? ms : 0;
    this.#counts[bucketOf(value)] += times;
    this.#count += times;
    this.#sum += value * times;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** Adds what another has recorded. */
  merge(other: Histogram): void {
    for (let i = 0; i < SIZE; i++) this.#counts[i] += other.#counts[i];
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /** The value that `p` percent are not above: nearest rank. */
  percentile(p: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.ceil((p / 100) * this.#count);
    if (rank <= 1) return this.#min;
    if (rank >= this.#count) return this.#max;
    let seen = 0;
    for (let i = 0; i < SIZE; i++) {
      seen += this.#counts[i];
      if (seen >= rank) return Math.min(Math.max(middleOf(i), this.#min), this.#max);
    }
    return this.#max;
  }

  between(from: number, to: number): number {
    let found = 0;
    const end = bucketOf(to);
    for (let i = bucketOf(from); i < end; i++) found += this.#counts[i];
    return found;
  }
}

function bucketOf(value: number): number {
  number[0] = value;
  const bucket = (words[HIGH] >>> SHIFT) - FIRST;
  return bucket < 0 ? 0 : bucket < SIZE ? bucket : SIZE - 1;
}

/** In the first bucket nearly all that there is is nothing. */
function middleOf(bucket: number): number {
  if (bucket === 0) return 0;
  const low = startOf(bucket);
  return (low + startOf(bucket + 1)) / 2;
}

function startOf(bucket: number): number {
  words[1 - HIGH] = 0;
  words[HIGH] = (bucket + FIRST) << SHIFT;
  return number[0];
}
