/** Markup as strings: what is given as text is text, whatever it holds. */

const SIGNS = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** @param {unknown} content @returns {string} */
export function text(content) {
  return (
    String(content)
      // Signs that no document may hold.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]/g, ' ')
      .replace(/[&<>"']/g, (sign) => SIGNS[sign])
  );
}

/**
 * @param {string} name
 * @param {Record<string, unknown>} attributes numbers are rounded to a tenth; null and undefined are left out
 * @param {...string} content markup
 * @returns {string}
 */
export function element(name, attributes, ...content) {
  let start = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    start += ` ${key}="${typeof value === 'number' ? round(value) : text(value)}"`;
  }
  return `${start}>${content.join('')}</${name}>`;
}

/** @param {number} value @returns {string} a coordinate */
export function round(value) {
  return String(Math.round(value * 10) / 10);
}
