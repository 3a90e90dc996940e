/** Masking in place, against bufferutil, against copying as many bytes, and in TypeScript against the loop of `ws`. */

import bufferUtil from 'bufferutil';
import { kernels, tiers } from '../../dist/kernels/index.js';
import { loop } from '../lib/loop.js';
import { compare } from '../lib/measure.js';
import { wsUnmask } from '../lib/peers.js';
import { size, table } from '../lib/report.js';
import { claimed, SIZES } from './claims.js';

const KEY = 0x5a3c_9f01;
const KEY_BYTES = Buffer.from([0x01, 0x9f, 0x3c, 0x5a]);
const portable = tiers.at(-1);

/** What stays in the second-level cache of any CPU of today. */
const IN_L2 = 256 * 1024;

export async function measureMasking(options) {
  const faster = claimed('mask in place against bufferutil, every size', 1);
  const twice = claimed('mask in place against bufferutil, from 4 KiB', 2);
  const copying = claimed('mask in place against a copy of as many bytes, 4 KiB to 128 KiB, in L2', 0.9);
  const loops = claimed("mask in TypeScript against ws's own loop, from 64 B", 3);
  const lines = { native: [], copy: [], portable: [] };

  console.log('## mask in place\n');
  // First, as in a process without the addon: V8 compiles a function for the calls that it has seen.
  const inTypeScript = table('without the addon', 'call');
  for (const length of SIZES.filter((one) => one <= 65536)) {
    const bytes = Buffer.alloc(length, 0x61);
    const scope = { bytes, length, KEY, KEY_BYTES, unmask: wsUnmask(), mask: portable.mask };
    const results = await compare({
      ...options,
      contenders: [
        loop("ws's loop", 'unmask(bytes, KEY_BYTES);', scope),
        loop('portable', 'mask(bytes, 0, bytes, 0, length, KEY, 0);', scope),
      ],
    });
    inTypeScript.row(size(length), results);
    if (length >= 64) loops.see(results[1].speed, size(length));
    lines.portable.push([length, results[1].speed]);
  }
  inTypeScript.end();

  const calls = table('the same bytes again', 'call');
  for (const length of SIZES) {
    const bytes = Buffer.alloc(length, 0x61);
    const scope = { bytes, length, KEY, KEY_BYTES, unmask: bufferUtil.unmask, mask: kernels.mask };
    const results = await compare({
      ...options,
      contenders: [
        loop('bufferutil', 'unmask(bytes, KEY_BYTES);', scope),
        loop('millrace', 'mask(bytes, 0, bytes, 0, length, KEY, 0);', scope),
      ],
    });
    calls.row(size(length), results);
    const { speed } = results[1];
    faster.see(speed, size(length));
    if (length >= 4096) twice.see(speed, size(length));
    lines.native.push([length, speed]);
  }
  calls.end();

  const inCache = table(`other bytes every time, ${size(IN_L2)} in all`, 'call');
  for (const length of [4096, 8192, 16384, 32768, 65536, 131072]) {
    const count = IN_L2 / length;
    const list = Array.from({ length: count }, () => Buffer.alloc(length, 0x61));
    const scope = { list, last: count - 1, half: count / 2, length, KEY, mask: kernels.mask };
    const results = await compare({
      ...options,
      contenders: [
        loop('copy', 'list[i & last].set(list[(i + half) & last]);', scope),
        loop('millrace', 'const bytes = list[i & last]; mask(bytes, 0, bytes, 0, length, KEY, 0);', scope),
      ],
    });
    inCache.row(size(length), results);
    copying.see(results[1].speed, size(length));
    lines.copy.push([length, results[1].speed]);
  }
  inCache.end();

  const panel = (title, against, named) => ({
    title,
    against,
    lines: named.map(([name, points]) => ({ name, points })),
  });
  return {
    claims: [faster, twice, copying, loops],
    panels: [
      panel('Masking in place', 'its peer', [
        ['native, bufferutil', lines.native],
        ['portable, ws', lines.portable],
        ['native, copying in L2', lines.copy],
      ]),
    ],
  };
}
