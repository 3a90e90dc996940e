/**
 * The addon several times in one process: two copies of its file, arrays of many contexts, and the calls of each in
 * between those of the other. Arguments: the kernels beside each copy.
 */

import assert from 'node:assert/strict';
import { createContext, runInContext } from 'node:vm';

const copies = await Promise.all(process.argv.slice(2).map((url) => import(url)));
assert.equal(new Set(copies.map(({ info }) => info.reason)).size, copies.length, 'one copy was loaded twice');

for (let round = 0; round < 200; round++) {
  const context = createContext({ copies });
  for (const { tiers, FrameBatch } of copies) {
    for (const tier of tiers) {
      context.tier = tier;
      context.batch = new FrameBatch(2);
      const seen = runInContext(
        `{
          const bytes = new Uint8Array([0x81, 0x83, 1, 2, 3, 4, 0x60, 0x60, 0x60]);
          const rows = tier.scan(bytes, 0, 9, batch, 1, Infinity);
          let code;
          try { tier.mask(bytes, 0, bytes, 1, 4, 1, 0); } catch (error) { code = [error.name, error.code].join(); }
          [rows, ...bytes.subarray(6), tier.utf8(bytes, 6, 9, 0), code].join();
        }`,
        context,
      );
      assert.equal(seen, '1,97,98,99,0,RangeError,ERR_OUT_OF_RANGE');
    }
  }
}
console.log(copies.map(({ info }) => info.tier).join());
