/** A client of ours in a process of its own, whose WebSockets come and go on one session. */

import { connect } from 'node:http2';
import { setImmediate as turn } from 'node:timers/promises';
import { WebSocket } from '../../../../dist/node/index.js';
import { obey } from '../../support/orders.js';

const warnings = [];
process.on('warning', (warning) => warning.name !== 'ExperimentalWarning' && warnings.push(String(warning.stack)));

const WAVE = 100;
const tls = { rejectUnauthorized: false };

let url = '';
let http2 = true;
let opened = 0;
let ended = 0;

/** What becomes of a WebSocket once it is open, or of one that does not open. */
const LIVES = [
  (ws) => ws.close(1000),
  (ws) => ws.send('!close 4000'),
  (ws) => ws.send('!terminate'),
  (ws) => {
    ws.addEventListener('message', () => ws.close());
    ws.send('hello');
  },
];

function live(i) {
  opened++;
  const refused = i % 5 === 4;
  const ws = new WebSocket(refused ? `${url}/no/100` : url, [], { http2, tls });
  if (!refused) ws.addEventListener('open', () => LIVES[i % 5](ws));
  return new Promise((resolve) => {
    ws.addEventListener('close', () => {
      ended++;
      resolve();
    });
  });
}

function listenersOf(emitter) {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}

obey({
  async connect({ port, shared }) {
    url = `wss://127.0.0.1:${port}`;
    if (shared) return;
    http2 = connect(`https://127.0.0.1:${port}`, tls);
    await new Promise((resolve, reject) => http2.once('connect', resolve).once('error', reject));
  },
  async lives({ count }) {
    for (let i = 0; i < count; i += WAVE) await Promise.all(Array.from({ length: WAVE }, (_, j) => live(i + j)));
  },
  async report() {
    for (let i = 0; i < 4; i++) {
      globalThis.gc();
      await turn();
    }
    const { heapUsed, external } = process.memoryUsage();
    return { held: heapUsed + external, listeners: http2 === true ? 0 : listenersOf(http2), warnings, opened, ended };
  },
});
