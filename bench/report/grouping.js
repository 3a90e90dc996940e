/**
 * Things by what they have in common, in the order of their first. (Node.js 20 has no `Map.groupBy`.)
 *
 * @template T, K
 * @param {readonly T[]} things
 * @param {(thing: T) => K} keyOf
 * @returns {Map<K, T[]>}
 */
export function grouped(things, keyOf) {
  const found = new Map();
  for (const thing of things) {
    const key = keyOf(thing);
    const group = found.get(key);
    if (group === undefined) found.set(key, [thing]);
    else group.push(thing);
  }
  return found;
}
