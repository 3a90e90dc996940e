/**
 * A server that echoes to everybody but sends to whoever opens `/slow` until its limit stops it, and goes on as soon as
 * there is room.
 */

import { subscribe } from 'node:diagnostics_channel';
import { SendLimitError, serve } from '../../../dist/node/index.js';
import { obey } from './orders.js';

const REFILL_MS = 4;

let server = null;
let overflow = '';
let slow = null;
let size = 0;
/** What is sent, where messages need not be told from each other: making them costs time that others would wait for. */
let same = null;
let refilling = null;
/** Numbers of messages, by what became of them. */
let accepted = [];
let turnedAway = [];
let next = 0;
let bytesSent = 0;
let bufferedMost = 0;
/** How far `bufferedAmount` was from what the system had not taken, at least and at most. */
let least = 0;
let most = 0;
let firstWrong = null;
let closed = null;

/** The newest connection's handle: it alone knows what the system has taken. */
let newest = null;
let handle = null;
let bytesBefore = 0;
subscribe('net.server.socket', ({ socket }) => {
  newest = socket._handle;
});

function check() {
  const { bufferedAmount } = slow;
  bufferedMost = Math.max(bufferedMost, bufferedAmount);
  if (closed !== null) return;
  const notTaken = bytesSent - (handle.bytesWritten - bytesBefore - handle.writeQueueSize);
  least = Math.min(least, bufferedAmount - notTaken);
  most = Math.max(most, bufferedAmount - notTaken);
}

function numbered() {
  const payload = Buffer.alloc(size, next);
  payload.writeUInt32LE(next);
  return payload;
}

/** Sends a message; false when it was turned away. */
function sendOne() {
  const payload = same ?? numbered();
  const before = slow.bufferedAmount;
  try {
    const more = slow.send(payload);
    const queued = slow.bufferedAmount - before;
    if (queued > 0 && slow.isOpen) {
      accepted.push(next++);
      bytesSent += queued;
      return true;
    }
    if (more) firstWrong ??= `message ${next} was dropped, and send returned true`;
    if (overflow === 'refuse') firstWrong ??= `message ${next} was refused without an error`;
  } catch (error) {
    const { event, code, name } = error;
    const isRight = error instanceof SendLimitError && name === 'SendLimitError' && code === 'SEND_HARD_LIMIT';
    if (!isRight || event.data !== payload) firstWrong ??= `message ${next}: ${error.stack}`;
    if (overflow !== 'refuse') firstWrong ??= `message ${next} was refused with the policy '${overflow}'`;
  }
  turnedAway.push(next++);
  return false;
}

function refill() {
  check();
  while (slow.isOpen && sendOne()) check();
  check();
}

obey({
  async listen(options) {
    ({ overflow = 'refuse' } = options);
    server = await serve({
      hostname: '127.0.0.1',
      ...options,
      upgrade: ({ target }) => ({ data: { isSlow: target === '/slow' } }),
      open(ws) {
        if (!ws.data.isSlow) return;
        slow = ws;
        handle = newest;
        bytesBefore = handle.bytesWritten;
      },
      message(ws, data) {
        ws.send(data);
      },
      close(ws, code, reason) {
        if (ws === slow) closed = { code, reason };
      },
    });
    return server.port;
  },
  /** Begins to send messages of a size to the slow one, each with its number or all the same. */
  fill(what) {
    ({ size } = what);
    same = what.numbered ? null : Buffer.alloc(size);
    accepted = [];
    turnedAway = [];
    next = bytesSent = bufferedMost = least = most = 0;
    closed = null;
    refill();
    refilling = setInterval(refill, REFILL_MS);
  },
  stop() {
    clearInterval(refilling);
    check();
  },
  terminate() {
    clearInterval(refilling);
    slow.terminate();
  },
  state: () => ({
    bytesSent,
    buffered: slow.bufferedAmount,
    bufferedMost,
    least,
    most,
    firstWrong,
    closed,
    accepted: accepted.length,
    turnedAway: turnedAway.length,
    size: server.size,
  }),
  numbers: () => ({ accepted, turnedAway }),
});
