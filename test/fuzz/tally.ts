/** Counts what a campaign did, by property and kernels, and puts it into words. */

interface Count {
  runs: number;
  milliseconds: number;
}

export class Tally {
  readonly #started = performance.now();
  readonly #counts = new Map<string, Count>();

  add(property: string, subject: string, milliseconds: number): void {
    const key = `${property}\t${subject}`;
    const count = this.#counts.get(key) ?? { runs: 0, milliseconds: 0 };
    this.#counts.set(key, count);
    count.runs++;
    count.milliseconds += milliseconds;
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  /** One line: so many executions of each property with each kernels. */
  line(): string {
    const parts = new Map<string, string[]>();
    for (const [key, { runs }] of this.#counts) {
      const [property, subject] = key.split('\t');
      const list = parts.get(property) ?? [];
      list.push(`${subject} ${short(runs)}`);
      parts.set(property, list);
    }
    const memory = `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`;
    const counts = [...parts].map(([property, list]) => `${property}: ${list.join(', ')}`).join('; ');
    return `${Math.round(this.seconds)} s, ${memory}; ${counts}`;
  }

  /** @param spent by property, the milliseconds that all of it took, making the inputs included */
  summary(spent: ReadonlyMap<string, number>): string {
    let total = 0;
    const rows = [['property', 'kernels', 'executions', 'time in them', 'a second, of all time']];
    for (const [key, { runs, milliseconds }] of this.#counts) {
      const [property, subject] = key.split('\t');
      const rate = runs / ((spent.get(property) ?? 0) / 1000);
      rows.push([property, subject, String(runs), `${(milliseconds / 1000).toFixed(1)} s`, rate.toFixed(0)]);
      total += runs;
    }
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
    const table = rows.map((row) => row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))));
    const lines = table.map((row) => row.join('  ').trimEnd());
    const rate = (total / this.seconds).toFixed(0);
    return `${lines.join('\n')}\n${total} executions in ${this.seconds.toFixed(1)} s, ${rate} a second`;
  }
}

function short(runs: number): string {
  return runs < 10_000 ? String(runs) : runs < 1e7 ? `${Math.round(runs / 1000)}k` : `${(runs / 1e6).toFixed(1)}M`;
}
