// Runs the same calls on both tiers and tells what differs; the full comparison is in test/differential.
import { FrameBatch, info, tiers } from 'millrace/kernels';

const noise = (length, seed) => Uint8Array.from({ length }, (_, i) => Math.imul(i + seed, 0x9e37_79b1) >>> 23);
const text = new TextEncoder().encode('é€😀 plain '.repeat(500));
const frames = Buffer.concat([
  Buffer.from([0x82, 0xfe, 0x01, 0x00, 1, 2, 3, 4]),
  noise(256, 1),
  Buffer.from([0x81, 0x85, 9, 9, 9, 9, 97, 98, 99, 100, 101, 0x89, 0x80, 0, 0, 0, 0, 0x82, 0xff]),
]);

function attempt(call) {
  try {
    return String(call());
  } catch ({ name, code, message }) {
    return `${name} ${code} ${message}`;
  }
}

function results(tier) {
  const all = [];
  for (const length of [0, 1, 3, 31, 64, 125, 1000, 65_537]) {
    for (const at of [0, 1, 3]) {
      const from = noise(length + at, 7);
      const to = new Uint8Array(length + at);
      tier.mask(from, at, to, at, length, 0xdead_beef, at);
      tier.mask(from, at, from, at, length, -5, 3 - at);
      all.push(String(to), String(from));
      all.push(tier.utf8(from, at, at + length, 0), tier.utf8(text, at, Math.min(at + length, text.length), 0));
    }
  }
  for (let end = 0; end <= frames.length; end++) {
    const chunk = Uint8Array.from(frames);
    const batch = new FrameBatch(4);
    all.push(tier.scan(chunk, 0, end, batch, 1, 1000), String(batch.table), String(chunk));
  }
  all.push(attempt(() => tier.mask(1)));
  all.push(attempt(() => tier.mask(new Uint8Array(2), 0, new Uint8Array(2), 0, 3, 0, 0)));
  all.push(attempt(() => tier.utf8(new Float32Array(2), 0, 1, 0)));
  all.push(attempt(() => tier.utf8(new Uint8Array(2), 0, 'x', 0)));
  all.push(attempt(() => tier.utf8(new Uint8Array(2), 0, 1, 99)));
  all.push(attempt(() => tier.scan(new Uint8Array(4), 0, 4, {}, 1, 1)));
  all.push(attempt(() => tier.scan(new Uint8Array(4), 0, 4, new FrameBatch(1), 1, Number.NaN)));
  return all;
}

const [first, second = []] = tiers.map(results);
const different = first.map((value, i) => [value, second[i]]).filter(([a, b]) => a !== b);
console.log(JSON.stringify({ info, compared: first.length, different }));
