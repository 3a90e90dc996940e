/** Many subscribers: fast ones, of which every byte is checked, and some that do not read until they are told. */

import { obey } from './orders.js';
import { payloadOf, Stream } from './published.js';
import { Frames, frame, open } from './raw.js';

const OPENING_AT_ONCE = 50;

const stream = new Stream();
const fast = [];
const slow = [];
let done = 0;
let firstWrong = null;

function follow(socket) {
  const one = { socket, position: stream.size, isDone: true };
  const name = fast.push(one) - 1;
  socket.on('data', (chunk) => {
    if (firstWrong === null && !stream.matches(chunk, one.position)) {
      firstWrong = `connection ${name} at ${one.position}: ${chunk.length} bytes, ${chunk.toString('hex', 0, 40)}`;
    }
    one.position += chunk.length;
    if (one.position === stream.size) done++;
  });
  socket.on('error', (error) => {
    firstWrong ??= `connection ${name}: ${error.message}`;
  });
  socket.on('close', () => {
    firstWrong ??= `connection ${name} was closed`;
  });
  socket.resume();
}

function stall(socket) {
  const one = { numbers: 0, last: -1, code: null, ended: false, firstWrong: null };
  slow.push({ socket, one });
  const frames = new Frames((opcode, payload) => {
    if (opcode === 8) {
      one.code = payload.readUInt16BE(0);
      socket.end(frame(8, payload.subarray(0, 2)));
    } else if (opcode === 2) {
      const number = payload.readUInt32LE(0);
      if (number <= one.last) one.firstWrong ??= `${number} behind ${one.last}`;
      if (!payloadOf(number, payload.length).equals(payload)) one.firstWrong ??= `${number} differs`;
      one.last = number;
      one.numbers++;
    } else {
      one.firstWrong ??= `a frame of kind ${opcode}`;
    }
  });
  socket.on('data', (chunk) => frames.push(chunk));
  socket.on('error', () => {});
  socket.on('end', () => {
    one.ended = true;
  });
  socket.pause();
}

obey({
  async open({ port, count, path = '/' }) {
    let left = count;
    const opener = async () => {
      while (left-- > 0) {
        const socket = await open(port, { path });
        if (path === '/slow') stall(socket);
        else follow(socket);
      }
    };
    await Promise.all(Array.from({ length: Math.min(count, OPENING_AT_ONCE) }, opener));
  },
  /** What is going to be published. */
  expect(phases) {
    stream.add(phases);
    done = 0;
  },
  state: () => ({
    done,
    firstWrong,
    least: fast.reduce((least, { position }) => Math.min(least, position), Number.POSITIVE_INFINITY),
    size: stream.size,
  }),
  hurry() {
    for (const { socket } of slow) socket.resume();
  },
  slow: () => slow.map(({ one }) => one),

  /** Reads texts from here on, whatever they are, and tells how many came, and how many of them were out of order. */
  listen() {
    for (const { socket } of fast) {
      const seen = { published: 0, direct: -1 };
      socket.seen = seen;
      socket.removeAllListeners('data');
      const frames = new Frames((_opcode, payload) => {
        const text = payload.toString('latin1');
        if (!text.startsWith('direct ')) {
          seen.published++;
          return;
        }
        const number = Number(text.slice(7));
        if (number <= seen.direct) firstWrong ??= `${text} behind ${seen.direct}`;
        seen.direct = number;
      });
      socket.on('data', (chunk) => frames.push(chunk)).resume();
    }
  },
  heard: () => fast.map(({ socket }) => socket.seen.published),
});
