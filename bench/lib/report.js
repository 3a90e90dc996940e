/** Prints results as a table that fits a terminal and a Markdown page. */

/**
 * @param {string} title
 * @param {string} unit what the nanoseconds are for: `frame`, `call`
 */
export function table(title, unit) {
  let columns = null;
  const line = (cells) => console.log(`| ${cells.join(' | ')} |`);
  return {
    /**
     * @param {string} name the case
     * @param {import('./measure.js').Result[]} results of `compare`; the same contenders for every row
     */
    row(name, results) {
      if (columns === null) {
        columns = [title.padEnd(22)];
        results.forEach((result, i) => {
          columns.push(`${result.name} ns/${unit}`);
          if (i > 0) columns.push('times as fast (quartiles)'.padEnd(25));
        });
        line(columns);
        line(columns.map((column, i) => '-'.repeat(column.length - (i > 0 ? 1 : 0)) + (i > 0 ? ':' : '')));
      }
      const cells = [name];
      results.forEach(({ ns, speed, low, high }, i) => {
        cells.push(digits(ns));
        if (i > 0) cells.push(`${speed.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`);
      });
      line(cells.map((cell, i) => (i === 0 ? cell.padEnd(columns[i].length) : cell.padStart(columns[i].length))));
    },
    /** Ends the table. */
    end() {
      console.log();
    },
  };
}

function digits(ns) {
  return ns < 10 ? ns.toFixed(2) : ns < 100 ? ns.toFixed(1) : Math.round(ns).toString();
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${bytes / 1024} KiB` : `${bytes / 1024 / 1024} MiB`;
}
