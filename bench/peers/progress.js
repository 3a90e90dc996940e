/** What a terminal shows while the benchmark runs: a line that moves at its end, and what is finished above it. */

import { median } from '../lib/measure.js';

const STEP = 1000;
const CLEAR = '\r\u001b[K';

export class Progress {
  #out;
  #line = '';
  #timer;
  #started = performance.now();
  #left = 0;
  #leftAt = 0;

  /** @param {import('node:tty').WriteStream} out */
  constructor(out = process.stdout) {
    this.#out = out;
    if (out.isTTY) this.#timer = setInterval(() => this.#draw(), STEP);
  }

  /** Something to stay. */
  say(text) {
    if (this.#out.isTTY) this.#out.write(CLEAR);
    this.#out.write(`${text}\n`);
    this.#draw();
  }

  /**
   * What is going on now.
   *
   * @param {string} line
   * @param {number} left milliseconds until all is done
   */
  now(line, left) {
    this.#line = line;
    this.#left = left;
    this.#leftAt = performance.now();
    this.#draw();
  }

  /** Milliseconds since the beginning. */
  get elapsed() {
    return performance.now() - this.#started;
  }

  end() {
    clearInterval(this.#timer);
    if (this.#out.isTTY) this.#out.write(CLEAR);
  }

  #draw() {
    if (!this.#out.isTTY || this.#line === '') return;
    const left = Math.max(0, this.#left - (performance.now() - this.#leftAt));
    const text = `${this.#line} · ${clock(this.elapsed)} gone, about ${clock(left)} left`;
    this.#out.write(CLEAR + text.slice(0, (this.#out.columns || 80) - 1));
  }
}

/** @param {number} ms */
export function clock(ms) {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/**
 * A workload's main figure in a line: that of the baseline, and how many times as good the others are.
 *
 * @param {{ metrics: object[], results: object[] }} workload
 * @param {string} baseline
 */
export function inShort({ metrics, results }, baseline) {
  const metric = mainOf(metrics, results);
  const isSome = (value) => value !== null;
  const valuesOf = ({ values }) => (values?.[metric.id]?.some(isSome) ? values[metric.id] : null);
  const base = results.find(({ server }) => server === baseline);
  const against = base === undefined ? null : valuesOf(base);
  return results
    .map((result) => {
      const values = valuesOf(result);
      if (values === null) return `${result.server} failed`;
      if (against === null || result === base)
        return `${result.server} ${figure(median(values.filter(isSome)))} ${metric.unit}`;
      const rounds = values.map((value, round) => [value, against[round]]).filter((pair) => pair.every(isSome));
      if (rounds.length === 0) return `${result.server} ?`;
      const ratios = rounds.map(([value, base]) => (metric.better === 'lower' ? base / value : value / base));
      return `${result.server} ${median(ratios).toFixed(2)}×`;
    })
    .join(', ');
}

/** The metric that counts; where CPU times are not told, the rate. */
function mainOf(metrics, results) {
  const isTold = ({ id }) => results.some(({ values }) => values?.[id] !== undefined);
  return metrics.find((metric) => metric.main && isTold(metric)) ?? metrics.find(isTold) ?? metrics[0];
}

function figure(value) {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}
