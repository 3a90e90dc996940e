/**
 * Contenders whose loops share nothing. V8 keeps what it learns of a function with its source: two contenders that ran
 * through one loop would be told apart on every call, and the shorter of them would seem slower than it is.
 */

let loops = 0;

/**
 * @param {string} name of the contender
 * @param {string} body statements done once an iteration; they see `i` and the names in `scope`
 * @param {Record<string, unknown>} scope
 * @returns {import('./measure.js').Contender}
 */
export function loop(name, body, scope) {
  const make = new Function(
    ...Object.keys(scope),
    `return (iterations) => { /* ${loops++} */ for (let i = 0; i < iterations; i++) { ${body} } };`,
  );
  return { name, run: make(...Object.values(scope)) };
}
