/** Holds each variant of the addon in `dist/` against the portable tier; started by `test-native.js` in another Node. */

import { FrameBatch, info, nativeVariants, tiers } from '../../dist/kernels/index.js';

const variants = nativeVariants();
const ROUNDS = 1500;
const MOST = 700;

// The same in every run.
let state = 1;
function below(bound) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return Math.floor(((state >>> 8) / 2 ** 24) * bound);
}

const PIECES = ['a', 'plain ASCII ', 'é', '水車', '🎉', '\u07ff\u0800\uffff'].map((piece) => Buffer.from(piece));

/** Text as often as bytes that are none. */
function bytes(length) {
  const result = Buffer.alloc(length);
  for (let at = 0; at < length; ) at += PIECES[below(PIECES.length)].copy(result, at);
  for (let left = below(4) === 0 ? 3 : 0; left > 0 && length > 0; left--) result[below(length)] = below(256);
  return result;
}

function frames(isMasked) {
  const parts = [];
  for (let left = 1 + below(6); left > 0; left--) {
    const payload = bytes(below(below(3) === 0 ? MOST : 120));
    const long = payload.length > 125;
    const mask = isMasked ? 0x80 : 0;
    parts.push([[0x81, 0x81, 0x82, 0x01, 0x80, below(256)][below(6)], mask | (long ? 126 : payload.length)]);
    if (long) parts.push([payload.length >> 8, payload.length & 0xff]);
    if (isMasked) {
      const key = [below(256), below(256), below(256), below(256)];
      parts.push(key);
      for (let at = 0; at < payload.length; at++) payload[at] ^= key[at % 4];
    }
    parts.push(payload);
  }
  const all = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  return all.subarray(0, all.length - (below(4) === 0 ? below(all.length) : 0));
}

function scan(kernels, chunk, rules, capacity) {
  const batch = new FrameBatch(capacity);
  const copy = Uint8Array.from(chunk);
  const count = kernels.scan(copy, 0, copy.length, batch, rules, Number.POSITIVE_INFINITY);
  return [count, batch.table.join(), Buffer.from(copy).toString('hex')].join(' ');
}

function mask(kernels, data, at, key, phase) {
  const copy = Uint8Array.from(data);
  kernels.mask(copy, at, copy, at, copy.length - at, key, phase);
  return Buffer.from(copy).toString('hex');
}

const portable = tiers.find(({ tier }) => tier === 'portable');
if (info.tier !== 'native') throw new Error(`the ${info.tier} tier runs: ${info.reason}`);
let calls = 0;
for (let round = 0; round < ROUNDS; round++) {
  const data = bytes(below(MOST));
  const chunk = frames(round % 2 === 1);
  const capacity = 1 + below(8);
  const [at, key, phase, start] = [below(data.length), below(2 ** 24) * 251, below(4), [0, 0, 0, below(9)][below(4)]];
  const cases = {
    scan: (kernels) => scan(kernels, chunk, round % 2, capacity),
    mask: (kernels) => mask(kernels, data, at, key, phase),
    utf8: (kernels) => kernels.utf8(data, at, data.length, start),
  };
  for (const [name, call] of Object.entries(cases)) {
    const expected = call(portable);
    for (const [variant, kernels] of variants) {
      calls++;
      const found = call(kernels);
      if (found === expected) continue;
      const input = Buffer.from(name === 'scan' ? chunk : data).toString('hex');
      throw new Error(`${name}, ${variant}, round ${round}: ${found} instead of ${expected}; input ${input}`);
    }
  }
}
console.log(
  `${process.arch}: ${calls} calls agree with the portable tier, variants ${[...variants.keys()].join(', ')}`,
);
