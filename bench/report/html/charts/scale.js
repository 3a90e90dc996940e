/** Scales and their ticks. */

/** @returns {(value: number) => number} that maps [from, to] to [start, end] */
export function linear(from, to, start, end) {
  return (value) => start + ((value - from) / (to - from || 1)) * (end - start);
}

/** The same with logarithms. */
export function logarithmic(from, to, start, end) {
  const scale = linear(Math.log(from), Math.log(to), start, end);
  return (value) => scale(Math.log(value));
}

/** Round numbers from 0 on, about as many as `count`; the last is the most or more. */
export function ticks(most, count = 4) {
  if (!(most > 0)) return [0, 1];
  const raw = most / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
  return Array.from({ length: Math.ceil((most / step) * 0.9999) + 1 }, (_, i) => i * step);
}

/**
 * Round numbers for a logarithmic axis, from at most `least` to at least `most`: 1, 2 and 5 of each power of ten, or
 * the powers alone where these would be too many.
 */
export function logTicks(least, most, count = 8) {
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const all = [];
    for (let power = Math.floor(Math.log10(least)) - 1; power <= Math.ceil(Math.log10(most)) + 1; power++) {
      for (const factor of factors) all.push(Number(`${factor}e${power}`));
    }
    const first = all.findLastIndex((tick) => tick <= least * 1.0001);
    const last = all.findIndex((tick) => tick >= most * 0.9999);
    const found = all.slice(first, Math.max(last, first + 1) + 1);
    if (found.length <= count || factors.length === 1) return found;
  }
  return [];
}
