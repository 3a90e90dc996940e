/** Reads what it is sent at a rate that it is told, and notes what came. */

import { obey } from './orders.js';
import { Frames, frame, open } from './raw.js';

const STEP_MS = 20;

let socket = null;
let rate = Number.POSITIVE_INFINITY;
let budget = 0;
let bytes = 0;
let numbers = [];
let close = null;
let ended = false;
let firstWrong = null;

function receive(opcode, payload) {
  if (opcode === 8) {
    close = [payload.readUInt16BE(0), payload.toString('utf8', 2)];
    socket.end(frame(8, payload.subarray(0, 2)));
  } else if (opcode === 2) {
    const number = payload.readUInt32LE(0);
    numbers.push(number);
    const expected = Buffer.alloc(payload.length, number);
    expected.writeUInt32LE(number);
    if (!payload.equals(expected)) firstWrong ??= `message ${number} differs`;
  } else {
    firstWrong ??= `a frame of kind ${opcode}`;
  }
}

let since = performance.now();
setInterval(() => {
  const now = performance.now();
  // What was not read in time is not made up for.
  budget = Math.min(budget + (rate * (now - since)) / 1000, (rate * 2 * STEP_MS) / 1000);
  since = now;
  if (budget > 0) socket?.resume();
}, STEP_MS);

obey({
  async open({ port, bytesPerSecond }) {
    bytes = 0;
    numbers = [];
    close = null;
    ended = false;
    rate = bytesPerSecond;
    budget = 0;
    socket = await open(port, { path: '/slow' });
    const frames = new Frames(receive);
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      budget -= chunk.length;
      if (budget <= 0) socket.pause();
      frames.push(chunk);
    });
    socket.on('error', () => {});
    socket.on('end', () => {
      ended = true;
    });
  },
  /** From here on it reads as fast as it can. */
  hurry() {
    rate = budget = Number.POSITIVE_INFINITY;
    socket.resume();
  },
  state: () => ({ bytes, messages: numbers.length, close, ended, firstWrong }),
  numbers: () => numbers,
});
