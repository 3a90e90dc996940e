/** Numbers as people read them: three digits that count, in the unit that keeps them short. */

const FAMILIES = [
  { units: ['ns', 'µs', 'ms', 's'], factor: 1000 },
  { units: ['B', 'KiB', 'MiB', 'GiB', 'TiB'], factor: 1024 },
  { units: ['kB', 'MB', 'GB', 'TB'], factor: 1000 },
];
const SPELLINGS = { us: 'µs', μs: 'µs', KB: 'kB', bytes: 'B' };

/**
 * @param {number} value
 * @returns {string} 3 digits that count at least; whole from 100 on, and in thousands from 10,000 on
 */
export function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.001 || size >= 1e15) return value.toExponential(1).replace('e+', 'e');
  if (size < 99.95) return value.toPrecision(3);
  const whole = size < 9999.5 ? Math.round(value) : Number(value.toPrecision(3));
  return String(whole).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** The same without the zeros that only tell how exact a number is. */
export function plain(value) {
  return digits(value)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}

/**
 * The unit in which a value is best told, and what to divide by for it.
 *
 * @param {number} value decides the unit, such as the greatest of a column
 * @param {string} unit that it is in
 * @returns {{ unit: string, divisor: number }}
 */
export function scaleOf(value, unit) {
  const spelt = SPELLINGS[unit] ?? unit;
  const family = FAMILIES.find(({ units }) => units.includes(spelt));
  if (family === undefined || value === 0) return { unit: spelt, divisor: 1 };
  const { units, factor } = family;
  let at = units.indexOf(spelt);
  let divisor = 1;
  // What would be rounded to 1,000 is told as 1 of the next unit.
  for (; at < units.length - 1 && Math.abs(value / divisor) >= factor - 0.5; at++) divisor *= factor;
  for (; at > 0 && Math.abs(value / divisor) < 0.9995; at--) divisor /= factor;
  return { unit: units[at], divisor };
}

/**
 * @param {number} value
 * @param {string} unit
 * @returns {string} `12.6 µs`, `1.1 ms`, `412,000 /s`
 */
export function quantity(value, unit) {
  return told(value, scaleOf(value, unit));
}

/** The same without zeros at the end, for what is no measurement: `8 GiB`. */
export function plainQuantity(value, unit) {
  const scale = scaleOf(value, unit);
  return withUnit(plain(value / scale.divisor), scale.unit);
}

/** The same in a scale that is given, so that a column has one unit. */
export function told(value, { unit, divisor }) {
  return withUnit(digits(value / divisor), unit);
}

/** From one to another: `0.68–0.7`, without the unit. */
export function span(low, high, { divisor }) {
  const [from, to] = [digits(low / divisor), digits(high / divisor)];
  return from === to ? from : `${from}–${to}`;
}

function withUnit(text, unit) {
  if (unit === '') return text;
  return unit === '%' ? `${text}%` : `${text} ${unit}`;
}

/** @param {number} ratio @returns {string} `11.5x`, `1.27x` */
export function times(ratio) {
  return `${ratioDigits(ratio)}x`;
}

/** @returns {string} `11.2–11.8x` */
export function timesRange(low, high) {
  const [from, to] = [ratioDigits(low), ratioDigits(high)];
  return from === to ? `${from}x` : `${from}–${to}x`;
}

function ratioDigits(ratio) {
  if (ratio >= 99.95) return digits(ratio);
  if (ratio >= 1.995) return ratio.toFixed(1);
  if (ratio === 0 || ratio >= 0.0995) return ratio.toFixed(2);
  return ratio >= 0.001 ? ratio.toPrecision(2) : digits(ratio);
}

/** @param {number} seconds @returns {string} `25 min`, `42 s` */
export function duration(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {string} iso @returns {string} `2025-11-23 11:52 UTC`; what is no date stays as it is */
export function date(iso) {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? String(iso) : `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
