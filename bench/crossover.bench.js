/**
 * Finds the sizes from which one way of doing a thing is faster than another: the constants `SCAN_FROM`, `MASK_FROM`,
 * `UTF8_FROM` and `ASCII_FROM` in `src/kernels/index.ts` (addon or TypeScript), and `WORDS_FROM` (words or bytes),
 * `BUILT_IN_FROM` and `ASCII_BUILT_IN_FROM` (Node's validator or ours) in `src/kernels/portable` were read off here.
 */

import { isUtf8 } from 'node:buffer';
import { EXPECT_MASK, FrameBatch, ScanStatus, tiers } from '../dist/kernels/index.js';
import { maskInPlace } from '../dist/kernels/portable/mask.js';
import { validateBytes } from '../dist/kernels/portable/utf8.js';
import { rangeOf, wordsOf } from '../dist/kernels/portable/views.js';
import { BINARY, fill, frame, payloads } from './lib/frames.js';
import { compare } from './lib/measure.js';
import { size, table } from './lib/report.js';

const SIZES = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
const KEY = 0x5a3c_9f01;

const portable = tiers.find(({ tier }) => tier === 'portable');
const native = tiers.find(({ tier }) => tier === 'native');

function repeat(name, once) {
  return {
    name,
    run(iterations) {
      for (let i = 0; i < iterations; i++) once();
    },
  };
}

/** Measures every size; tells from which one on the second of two contenders always wins. */
async function find(title, options, contendersOf) {
  const report = table(title, 'call');
  let from = null;
  for (const bytes of SIZES) {
    const results = await compare({ ...options, contenders: contendersOf(bytes) });
    report.row(size(bytes), results);
    if (results[1].speed < 1) from = null;
    else from ??= bytes;
  }
  report.end();
  console.log(from === null ? 'the second never wins\n' : `the second wins from ${from} bytes\n`);
}

function scanning({ tier, scan }, chunk) {
  const batch = new FrameBatch(256);
  return repeat(tier, () => {
    scan(chunk, 0, chunk.length, batch, EXPECT_MASK, Number.POSITIVE_INFINITY);
    if (batch.status !== ScanStatus.END) throw new Error('the chunk is not whole');
  });
}

async function addonOrTypeScript(options) {
  // A chunk of a given size may be one frame or many; the more frames, the earlier the addon wins.
  await find('scan, one frame', options, (bytes) => {
    const { chunk } = fill(
      frame(payloads.binary(Math.max(0, bytes - 6 - (bytes > 131 ? 2 : 0))), { opcode: BINARY }),
      1,
    );
    return [scanning(portable, chunk), scanning(native, chunk)];
  });
  await find('scan, frames of 16 B', options, (bytes) => {
    const { chunk } = fill(frame(payloads.binary(Math.min(16, bytes - 6)), { opcode: BINARY }), bytes);
    return [scanning(portable, chunk), scanning(native, chunk)];
  });
  await find('mask in place', options, (bytes) => {
    const data = Buffer.from(payloads.binary(bytes));
    return [portable, native].map(({ tier, mask }) => repeat(tier, () => mask(data, 0, data, 0, bytes, KEY, 0)));
  });
  await find('mask and copy', options, (bytes) => {
    const from = Buffer.from(payloads.binary(bytes));
    const to = Buffer.alloc(bytes);
    return [portable, native].map(({ tier, mask }) => repeat(tier, () => mask(from, 0, to, 0, bytes, KEY, 0)));
  });
  for (const kind of ['ascii', 'cjk']) {
    await find(`utf8, ${kind}`, options, (bytes) => {
      const data = Buffer.from(payloads[kind](bytes));
      return [portable, native].map(({ tier, utf8 }) => repeat(tier, () => utf8(data, 0, bytes, 0)));
    });
  }
}

async function inTypeScript(options) {
  await find('mask, bytes or words', options, (bytes) => {
    const data = Buffer.from(payloads.binary(bytes));
    return [
      repeat('bytes', () => maskInPlace(data, null, 0, bytes, KEY)),
      repeat('words', () => maskInPlace(data, wordsOf(data), 0, bytes, KEY)),
    ];
  });
  for (const kind of ['ascii', 'cjk']) {
    await find(`utf8, ${kind}, ours or Node's`, options, (bytes) => {
      const data = Buffer.from(payloads[kind](bytes));
      return [
        repeat('automaton', () => validateBytes(data, 0, bytes, 0)),
        repeat('isUtf8', () => isUtf8(rangeOf(data, 0, bytes))),
      ];
    });
  }
}

export default {
  title: 'from which size the addon beats TypeScript, and words beat bytes',
  async run(options) {
    await inTypeScript(options);
    if (native === undefined) console.log('the addon is not built: nothing to compare it with\n');
    else await addonOrTypeScript(options);
  },
};
