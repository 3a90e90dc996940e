/** Numbers and sizes as people read them. A unit stays on the line of its number. */

const SPACE = '\u00a0';

const whole = new Intl.NumberFormat('en');

/** 1234567 → 1,234,567 */
export function count(value) {
  return whole.format(value);
}

/** A number in a few characters: 950, 12.3k, 4.56M */
export function short(value) {
  if (value < 1000) return String(Math.round(value));
  const [scaled, unit] = value < 1e6 ? [value / 1e3, 'k'] : [value / 1e6, 'M'];
  return digits(scaled) + unit;
}

/** Bytes: 950 B, 12.3 KiB, 4.56 MiB */
export function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let scaled = bytes;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 ? scaled : digits(scaled)}${SPACE}${units[unit]}`;
}

/** Milliseconds: 0.042 ms, 3.14 ms, 1.2 s */
export function duration(milliseconds) {
  if (milliseconds >= 1000) return `${digits(milliseconds / 1000)}${SPACE}s`;
  return `${milliseconds < 0.1 ? milliseconds.toFixed(3) : digits(milliseconds)}${SPACE}ms`;
}

/** Seconds: 42 s, 3 min 7 s, 2 h 5 min */
export function span(seconds) {
  const total = Math.floor(seconds);
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min ${total % 60} s`;
  return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
}

/** Three digits that count. */
function digits(value) {
  if (value >= 99.95) return value.toFixed(0);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}
