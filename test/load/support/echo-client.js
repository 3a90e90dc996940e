/** Many connections that exchange small messages, some at a time, and how long each exchange takes. */

import { obey } from './orders.js';
import { frame, open } from './raw.js';

const OPENING_AT_ONCE = 50;
const PAYLOAD = Uint8Array.from({ length: 64 }, (_, i) => i);
const MESSAGE = frame(2, PAYLOAD);
const ECHO = Buffer.concat([Buffer.from([0x82, PAYLOAD.length]), PAYLOAD]);

const sockets = [];
let turn = 0;
let running = false;
let latencies = [];
let waiting = 0;
let allBack = null;

/** The connections take turns. */
function exchange() {
  const socket = sockets[turn++ % sockets.length];
  socket.sentAt = performance.now();
  waiting++;
  socket.write(MESSAGE);
}

function receive(socket, chunk) {
  // So few bytes, alone on their connection, come in one piece.
  if (!chunk.equals(ECHO)) throw new Error('an echo is not what was sent');
  latencies.push(performance.now() - socket.sentAt);
  waiting--;
  if (running) exchange();
  else if (waiting === 0) allBack();
}

obey({
  async open({ port, count }) {
    let left = count;
    const opener = async () => {
      while (left-- > 0) {
        const socket = await open(port);
        socket.on('data', (chunk) => receive(socket, chunk)).resume();
        sockets.push(socket);
      }
    };
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, opener));
  },
  /** Exchanges messages for a while; the latencies in milliseconds at some quantiles. */
  async measure({ ms, inFlight, quantiles }) {
    latencies = [];
    running = true;
    const done = new Promise((resolve) => {
      allBack = resolve;
    });
    for (let i = 0; i < inFlight; i++) exchange();
    setTimeout(() => {
      running = false;
    }, ms);
    await done;
    latencies.sort((a, b) => a - b);
    const at = quantiles.map((q) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))]);
    return { count: latencies.length, at };
  },
});
