/**
 * Finds the sizes from which one way of doing a thing is faster than another: the constants `SCAN_FROM`, `MASK_FROM`,
 * `COPY_FROM`, `UTF8_FROM` and `ASCII_FROM` in `src/kernels/index.ts` (addon or TypeScript), and `WORDS_FROM` (words or
 * bytes), `BUILT_IN_FROM` and `ASCII_BUILT_IN_FROM` (Node's validator or ours) in `src/kernels/portable` were read off
 * here.
 */

import { isUtf8 } from 'node:buffer';
import { EXPECT_MASK, FrameBatch, tiers } from '../dist/kernels/index.js';
import { maskInPlace } from '../dist/kernels/portable/mask.js';
import { validateBytes } from '../dist/kernels/portable/utf8.js';
import { rangeOf, wordsOf } from '../dist/kernels/portable/views.js';
import { BINARY, fill, frame, payloads } from './lib/frames.js';
import { loop } from './lib/loop.js';
import { compare } from './lib/measure.js';
import { size, table } from './lib/report.js';
import { text } from './lib/texts.js';

const SIZES = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
const KEY = 0x5a3c_9f01;

const portable = tiers.find(({ tier }) => tier === 'portable');
const native = tiers.find(({ tier }) => tier === 'native');

/**
 * Measures every size; tells from which one on the second of two ways always wins.
 *
 * @param {string} title
 * @param {object} options of `compare`
 * @param {(bytes: number) => [body: string, scopes: Record<string, object>]} waysOf what to do once, and what it sees
 */
async function find(title, options, waysOf) {
  const report = table(title, 'call');
  let from = null;
  for (const bytes of SIZES) {
    const [body, scopes] = waysOf(bytes);
    const contenders = Object.entries(scopes).map(([name, { body: own, ...scope }]) => loop(name, own ?? body, scope));
    const results = await compare({ ...options, contenders });
    report.row(size(bytes), results);
    if (results[1].speed < 1) from = null;
    else from ??= bytes;
  }
  report.end();
  console.log(from === null ? 'the second never wins\n' : `the second wins from ${from} bytes\n`);
}

/** The same work in each tier. */
function inEach(body, scopeOf) {
  return [body, { portable: scopeOf(portable), native: scopeOf(native) }];
}

function scanning(chunk) {
  return inEach('scan(chunk, 0, chunk.length, batch, EXPECT_MASK, Infinity);', ({ scan }) => ({
    scan,
    chunk: chunk.slice(),
    batch: new FrameBatch(256),
    EXPECT_MASK,
  }));
}

async function addonOrTypeScript(options) {
  // A chunk of a given size may be one frame or many; the more frames, the earlier the addon wins.
  await find('scan, one frame', options, (bytes) => {
    const payload = payloads.binary(Math.max(0, bytes - 6 - (bytes > 131 ? 2 : 0)));
    return scanning(fill(frame(payload, { opcode: BINARY }), 1).chunk);
  });
  await find('scan, frames of 16 B', options, (bytes) => {
    const payload = payloads.binary(Math.min(16, bytes - 6));
    return scanning(fill(frame(payload, { opcode: BINARY }), bytes).chunk);
  });
  await find('mask in place', options, (length) =>
    inEach('mask(data, 0, data, 0, length, KEY, 0);', ({ mask }) => ({
      mask,
      data: Buffer.alloc(length),
      length,
      KEY,
    })),
  );
  await find('mask in place, a new array each time', options, (length) =>
    inEach('const data = list[i & 63]; mask(data, 0, data, 0, length, KEY, 0);', ({ mask }) => ({
      mask,
      list: Array.from({ length: 64 }, () => Buffer.alloc(length)),
      length,
      KEY,
    })),
  );
  await find('mask and copy', options, (length) =>
    inEach('mask(from, 0, to, 0, length, KEY, 0);', ({ mask }) => ({
      mask,
      from: Buffer.alloc(length),
      to: Buffer.alloc(length),
      length,
      KEY,
    })),
  );
  for (const kind of ['ascii', 'latin', 'cjk']) {
    await find(`utf8, ${kind}`, options, (length) =>
      inEach('utf8(data, 0, length, 0);', ({ utf8 }) => ({ utf8, data: Buffer.from(text(kind, length)), length })),
    );
  }
}

async function inTypeScript(options) {
  await find('mask, bytes or words', options, (length) => {
    const scope = { maskInPlace, wordsOf, data: Buffer.alloc(length), length, KEY };
    return [
      '',
      {
        bytes: { ...scope, body: 'maskInPlace(data, null, 0, length, KEY);' },
        words: { ...scope, body: 'maskInPlace(data, wordsOf(data), 0, length, KEY);' },
      },
    ];
  });
  for (const kind of ['ascii', 'latin', 'cjk']) {
    await find(`utf8, ${kind}, ours or Node's`, options, (length) => {
      const scope = { isUtf8, rangeOf, data: Buffer.from(text(kind, length)), length };
      return [
        '',
        {
          // ASCII has a shorter way in `utf8`, below the size from which that asks Node.
          ours:
            kind === 'ascii'
              ? { ...scope, utf8: portable.utf8, body: 'utf8(data, 0, length, 0);' }
              : { ...scope, validateBytes, body: 'validateBytes(data, 0, length, 0);' },
          isUtf8: { ...scope, body: 'isUtf8(rangeOf(data, 0, length));' },
        },
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
