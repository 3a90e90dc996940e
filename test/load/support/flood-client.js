/** Sends numbered messages over one socket as fast as they are taken, and tells how many bytes were. */

import { once } from 'node:events';
import { obey } from './orders.js';
import { frame, open } from './raw.js';

const KEY = 0x5a3c9f01;
/** Written at once. */
const BATCH = 64 * 1024;
/** Frames of different keys, so that a mistake with one cannot hide. */
const KEYS = 64;

const TEXT = 1;
/** How a text's number is written. */
const DIGITS = 10;

/** What a mistake would not leave as it is, with room for a number at both ends. */
function payloadOf(kind, size) {
  if (kind !== TEXT) return Uint8Array.from({ length: size }, (_, i) => (i * 167 + 13) & 0xff);
  const filling = 'füllung水車 ';
  const text = filling.repeat(Math.floor((size - 2 * DIGITS) / Buffer.byteLength(filling)));
  const bytes = Buffer.alloc(size, '.');
  bytes.write(text, DIGITS);
  return bytes;
}

let socket = null;
let bytesDone = 0;
let lastProgress = 0;
let refused = 0;
let isHeld = false;

async function flood({ kind, size, count }) {
  const header = (size < 126 ? 2 : size < 0x1_0000 ? 4 : 10) + 4;
  const frameSize = header + size;
  const perBatch = Math.max(1, Math.floor(BATCH / frameSize));
  const keys = Array.from({ length: KEYS }, (_, i) => Math.imul(KEY, i + 1));
  const digits = kind === TEXT ? DIGITS : 4;
  const number = Buffer.alloc(digits);
  for (let next = 0; next < count; ) {
    const some = Math.min(perBatch, count - next);
    const batch = template(kind, size, keys, next % KEYS, some);
    for (let i = 0; i < some; i++, next++) {
      if (kind === TEXT) number.latin1Write(`${next}`.padStart(digits, '0'));
      else number.writeUInt32LE(next);
      const start = i * frameSize + header;
      put(batch, start, 0, number, keys[next % KEYS]);
      put(batch, start, size - digits, number, keys[next % KEYS]);
    }
    const more = socket.write(batch, () => {
      bytesDone += batch.length;
      lastProgress = performance.now();
    });
    if (more) continue;
    refused++;
    isHeld = true;
    await once(socket, 'drain');
    isHeld = false;
  }
}

/** Writes bytes into a masked payload. */
function put(batch, start, at, bytes, key) {
  for (let i = 0; i < bytes.length; i++) batch[start + at + i] = bytes[i] ^ (key >>> (((at + i) & 3) * 8));
}

const templates = new Map();

/** A copy of some frames, the first with the key at `first`; numbers are still to be put in. */
function template(kind, size, keys, first, some) {
  let all = templates.get(kind);
  if (all === undefined) {
    const payload = payloadOf(kind, size);
    const frames = keys.map((key) => frame(kind, payload, { key }));
    all = Buffer.concat([...frames, ...frames]);
    templates.set(kind, all);
  }
  const frameSize = all.length / (2 * KEYS);
  return Buffer.from(all.subarray(first * frameSize, (first + some) * frameSize));
}

obey({
  async open(port) {
    socket = (await open(port)).resume();
    return socket.bytesWritten;
  },
  /** Starts; `state` tells how far it is. */
  flood(what) {
    lastProgress = performance.now();
    flood(what);
  },
  state() {
    return {
      bytesWritten: socket.bytesWritten,
      bytesDone,
      refused,
      isHeld,
      stillFor: performance.now() - lastProgress,
    };
  },
});
