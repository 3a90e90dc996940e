/** Holds many connections open, and answers pings on them or does not even read. */

import { obey } from './orders.js';
import { Frames, frame, open } from './raw.js';

const AT_ONCE = 100;
const PONG = frame(10);

const sockets = [];

obey({
  async open({ port, count, answers }) {
    let left = count;
    const opener = async () => {
      while (left-- > 0) {
        const socket = await open(port);
        sockets.push(socket);
        socket.on('error', () => {});
        // Otherwise it stays as it was opened, paused.
        if (!answers) continue;
        const frames = new Frames((opcode) => {
          if (opcode === 9) socket.write(PONG);
        });
        socket.on('data', (chunk) => frames.push(chunk)).resume();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, opener));
  },
  closeAll() {
    for (const socket of sockets.splice(0)) socket.resetAndDestroy();
  },
});
