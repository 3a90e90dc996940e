/** The line that shows how a run goes, rewritten while it does; where there is no terminal, nothing. */

import type { Progress } from '../load/index.js';
import { bar } from './bars.js';
import { digits, milliseconds, seconds } from './format.js';

const WIDTH = 20;
const RATE_WIDTH = 9;
/** Goes to the start of the line, and clears what is behind it. */
const REWRITE = '\r\x1b[K';

export class LiveLine {
  readonly #out: NodeJS.WriteStream;
  #isShown = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  say(text: string): void {
    if (!this.#out.isTTY) return;
    this.#isShown = true;
    const room = (this.#out.columns || 80) - 1;
    this.#out.write(REWRITE + [...text].slice(0, room).join(''));
  }

  show({ elapsed, rate, latency }: Progress, duration: number): void {
    const share = Math.min(1, elapsed / duration);
    const time = `${(elapsed / 1000).toFixed(1)} of ${seconds(duration)}`;
    const parts = [`  ${bar(share, WIDTH).padEnd(WIDTH, '·')}`, time, `${digits(rate).padStart(RATE_WIDTH)} /s`];
    if (latency !== null && latency.count > 0) {
      parts.push(`p50 ${milliseconds(latency.percentile(50))}`, `p99 ${milliseconds(latency.percentile(99))}`);
    }
    this.say(parts.join('   '));
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#isShown) this.#out.write(REWRITE);
    this.#isShown = false;
  }
}
