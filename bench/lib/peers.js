/** The peers to compare with, as they come from npm. */

import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const require = createRequire(import.meta.url);

/**
 * The `Receiver` of `ws`, with `bufferutil` or with its own loops: which, it decides once, when it is loaded.
 *
 * @param {{ bufferutil: boolean }} options
 */
export function wsReceiver({ bufferutil }) {
  const folder = dirname(require.resolve('ws'));
  for (const path of Object.keys(require.cache)) {
    if (path.startsWith(folder)) delete require.cache[path];
  }
  if (bufferutil) delete process.env.WS_NO_BUFFER_UTIL;
  else process.env.WS_NO_BUFFER_UTIL = '1';
  return require(`${folder}/lib/receiver.js`);
}

/** @param {string} name of a package */
export function versionOf(name) {
  return require(`${name}/package.json`).version;
}

/** The loop with which `ws` unmasks where it has no bufferutil. */
export function wsUnmask() {
  const folder = dirname(require.resolve('ws'));
  const path = `${folder}/lib/buffer-util.js`;
  delete require.cache[path];
  process.env.WS_NO_BUFFER_UTIL = '1';
  const { unmask } = require(path);
  delete process.env.WS_NO_BUFFER_UTIL;
  return unmask;
}
