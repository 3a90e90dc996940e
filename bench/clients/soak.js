/**
 * The traffic of a soak: clients that come and go, each checking what it gets back. Told to rest, it does so as soon as
 * nothing is under way; what is wrong is told, and everything goes on. Slow readers, and those who pause, never rest.
 * Ends when it is let go.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import zlib from 'node:zlib';
import { frame } from '../lib/frames.js';
import { Random } from '../lib/random.js';
import { RawPeer, RSV1, WsPeer } from './soak-peers.js';

const MiB = 1024 * 1024;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;

const EMPTY = new Uint8Array(0);
const NUMBERS_OF = {
  ws: 8,
  wsDeflate: 8,
  raw: 8,
  rawDeflate: 10,
  async: 8,
  asyncDeflate: 6,
  pausing: 6,
  faulty: 4,
  slow: 6,
};
/** What clients that compress offer, and `ws` asks for. */
const OFFERS = [
  '',
  '; client_max_window_bits',
  '; client_no_context_takeover',
  '; server_no_context_takeover; client_no_context_takeover',
  '; client_max_window_bits=10; server_max_window_bits=9',
  '; server_max_window_bits=12; server_no_context_takeover',
];
const WS_OPTIONS = [
  { threshold: 0 },
  { threshold: 0, clientNoContextTakeover: true },
  { threshold: 0, serverNoContextTakeover: true },
  { threshold: 0, clientMaxWindowBits: 9, serverMaxWindowBits: 11 },
];
/** Longer than the server lets a context be idle, which it looks at now and then. */
const IDLE_MS = 3500;
/** What a connection is cut off in the middle of. */
const LARGE = 1_000_000;
/** Slow readers take this many bytes a second, and then go, one way or the other. */
const SLOW_RATE = 300_000;

/** What breaks the protocol in any case, and the code that it must be answered with. */
const VIOLATIONS = [
  [frame(EMPTY, { opcode: TEXT, key: null }), 1002],
  [frame(EMPTY, { opcode: 3 }), 1002],
  [frame(EMPTY, { opcode: PING, fin: false }), 1002],
  [frame(EMPTY, { opcode: 0 }), 1002],
  [frame(Buffer.from([1005 >> 8, 1005 & 0xff]), { opcode: CLOSE }), 1002],
  [frame(Buffer.from([0xc3, 0x28]), { opcode: TEXT }), 1007],
  [Buffer.from([0x80 | BINARY, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 1, 2, 3, 4]), 1009],
];
/** The same on a connection without an extension, and on one with it. */
const PLAIN_VIOLATIONS = [[frame(EMPTY, { opcode: RSV1 | TEXT }), 1002], ...VIOLATIONS];
const DEFLATE_VIOLATIONS = [
  [frame(EMPTY, { opcode: RSV1 | TEXT }), 1007],
  [frame(Buffer.from([0xff]), { opcode: RSV1 | BINARY }), 1007],
  [frame(EMPTY, { opcode: RSV1 | PING }), 1002],
  [frame(zlib.deflateRawSync(Buffer.alloc(8 * MiB)), { opcode: RSV1 | BINARY }), 1009],
  ...VIOLATIONS,
];
const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167 + (i >> 8) * 31) & 0xff));
const characters = Buffer.from('The mill 水車 turns, día y noche, 🌊 and never stops. '.repeat(80));

let random = null;
let port = 0;
const done = { echoes: 0, lives: 0 };
const wrong = [];

// Resting.

let resting = null;
let resume = null;
let actors = 0;
let atRest = 0;
let allAtRest = null;

/** Between two exchanges: waits while there is to be rest. */
async function rest() {
  if (resting === null) return;
  if (++atRest === actors) allAtRest();
  await resting;
  atRest--;
}

// Messages.

/** Mostly small; now and then up to 1 MiB, or nothing at all. */
function size() {
  const chance = random.next();
  if (chance < 0.05) return 0;
  if (chance < 0.75) return random.below(200);
  if (chance < 0.95) return random.below(20_000);
  if (chance < 0.99) return random.below(200_000);
  return random.below(MiB + 1);
}

function message(length = size()) {
  if (random.next() < 0.5) return { opcode: BINARY, payload: Buffer.alloc(length, noise.subarray(random.below(4000))) };
  const bytes = Buffer.alloc(length, characters);
  // A character that is cut at the end is none.
  let end = length;
  while (end > 0 && end > length - 4 && !isEnd(bytes, end)) end--;
  return { opcode: TEXT, payload: bytes.subarray(0, end) };
}

function isEnd(bytes, end) {
  return end === bytes.length
    ? bytes[end - 1] < 0x80 ||
        Buffer.from(bytes.subarray(Math.max(0, end - 4)).toString()).equals(bytes.subarray(Math.max(0, end - 4)))
    : bytes[end] < 0x80 || bytes[end] >= 0xc0;
}

/** Cuts a message into frames: most often one. */
function parts({ opcode, payload }) {
  const count = random.next() < 0.7 ? 1 : 1 + random.below(6);
  const cuts = Array.from({ length: count - 1 }, () => random.below(payload.length + 1)).sort((a, b) => a - b);
  return [...cuts, payload.length].map((end, i) => ({
    opcode: i === 0 ? opcode : 0,
    payload: payload.subarray(i === 0 ? 0 : cuts[i - 1], end),
  }));
}

function check(sent, got) {
  const isRight = got !== null && got.opcode === sent.opcode && sent.payload.equals(got.payload);
  if (!isRight) throw new Error(`sent ${sent.opcode}, ${sent.payload.length} B; got ${describe(got)}`);
  done.echoes++;
}

function describe(got) {
  if (got === null) return 'the end';
  return 'code' in got ? `a Close with ${got.code}` : `${got.opcode}, ${got.payload.length} B`;
}

function expectClose(got, code) {
  if (got?.code !== code) throw new Error(`expected a Close with ${code}, got ${describe(got)}`);
}

async function expectPong(peer, payload) {
  const got = await peer.pongs.take('a pong');
  if (!payload.equals(got)) throw new Error('a pong is not that of the ping');
}

// Lives of connections.

async function liveWs(path, options) {
  const peer = await WsPeer.open(port, path, options);
  for (let left = 1 + random.below(60); left > 0; left--) {
    const sent = message();
    peer.send(parts(sent));
    check(sent, await peer.inbox.take('an echo'));
    if (random.next() < 0.1) {
      const payload = Buffer.alloc(random.below(126), left);
      peer.ping(payload);
      await expectPong(peer, payload);
    }
    await pause();
  }
  if (random.next() < 0.2) {
    peer.terminate();
    return;
  }
  peer.close(4000);
  expectClose(await peer.inbox.take('a Close'), 4000);
}

async function liveRaw(path, offer = null) {
  const peer = await RawPeer.open(port, path, offer);
  for (let left = 1 + random.below(60); left > 0; left--) {
    const messages = Array.from({ length: 1 + random.below(4) }, message);
    const frames = [];
    let ping = null;
    for (const one of messages) {
      const pieces = parts(packed(peer, one));
      pieces.forEach(({ opcode, payload }, i) => {
        const key = random.below(2 ** 32);
        frames.push(frame(payload, { opcode, fin: i === pieces.length - 1, key }));
        if (ping === null && random.next() < 0.05) {
          ping = Buffer.alloc(random.below(126), left);
          frames.push(frame(ping, { opcode: PING, key }));
        }
      });
    }
    await writeCut(peer, Buffer.concat(frames));
    for (const one of messages) check(one, await peer.inbox.take('an echo'));
    if (ping !== null) await expectPong(peer, ping);
    await pause();
  }
  await endRaw(peer);
}

/** The message as it is sent: now and then one goes uncompressed. */
function packed(peer, { opcode, payload }) {
  if (peer.deflate === null || random.next() < 0.15) return { opcode, payload };
  return { opcode: RSV1 | opcode, payload: peer.deflate.compress(payload, random.pick([1, 6, 9])) };
}

/** Is idle for so long that its contexts are given up, and goes on where it was. Nobody waits for it to rest. */
async function livePausing() {
  const peer = await RawPeer.open(port, '/', random.pick(OFFERS));
  for (let left = 2 + random.below(3); left > 0; left--) {
    for (let more = 3; more > 0; more--) {
      const one = message();
      const { opcode, payload } = packed(peer, one);
      await writeCut(peer, Buffer.from(frame(payload, { opcode, key: random.below(2 ** 32) })));
      check(one, await peer.inbox.take('an echo'));
    }
    await sleep(IDLE_MS);
  }
  await endRaw(peer);
}

/** Writes in pieces cut anywhere, with turns between them. */
async function writeCut(peer, bytes) {
  const cut = random.next() < 0.5 ? bytes.length : random.below(bytes.length);
  await peer.write(bytes.subarray(0, cut), cut < bytes.length);
  if (cut === bytes.length) return;
  await sleep(random.below(3));
  await peer.write(bytes.subarray(cut));
}

async function endRaw(peer) {
  const chance = random.next();
  if (chance < 0.3) {
    // In the middle of a message, as a peer that loses its line.
    if (peer.deflate === null) {
      await peer.write(frame(noise, { fin: false }));
    } else {
      const payload = peer.deflate.compress(message(LARGE).payload, 1);
      const bytes = frame(payload, { opcode: RSV1 | BINARY });
      await peer.write(bytes.subarray(0, random.below(bytes.length)));
    }
    peer.reset();
  } else if (chance < 0.6) {
    const [bytes, code] = random.pick(peer.deflate === null ? PLAIN_VIOLATIONS : DEFLATE_VIOLATIONS);
    await peer.write(bytes);
    expectClose(await peer.inbox.take('a Close'), code);
    peer.end();
  } else if (chance < 0.7) {
    peer.end();
    if ((await peer.inbox.take('the end')) !== null) throw new Error('a Close came after the end of the stream');
  } else {
    await peer.write(frame(Buffer.from([1000 >> 8, 1000 & 0xff]), { opcode: CLOSE }));
    expectClose(await peer.inbox.take('a Close'), 1000);
    peer.end();
  }
}

/** Makes a handler fail. */
async function liveFaulty() {
  const peer = await RawPeer.open(port, '/');
  await peer.write(frame(Buffer.from(random.pick(['throw', 'reject'])), { opcode: TEXT }));
  expectClose(await peer.inbox.take('a Close'), 1011);
  await peer.write(frame(Buffer.from([1011 >> 8, 1011 & 0xff]), { opcode: CLOSE }));
  peer.end();
  await sleep(20 + random.below(50));
}

async function liveSlow() {
  const peer = await RawPeer.open(port, '/stream', random.next() < 0.5 ? null : random.pick(OFFERS));
  peer.rate = SLOW_RATE;
  for (let i = 0, count = 50 + random.below(150); i < count; i++) {
    const { payload } = (await peer.inbox.take('a message of the stream')) ?? { payload: EMPTY };
    const isRight = payload.length > 4 && payload.readUInt32LE(0) === i && payload.at(-1) === (i & 0xff);
    if (!isRight) throw new Error(`message ${i} of a stream is not what was sent`);
  }
  peer.reset();
}

/** A little less than all that the machine can do. */
async function pause() {
  if (random.next() < 0.3) await sleep(random.below(5));
  await rest();
}

async function act(live, restful) {
  for (;;) {
    if (restful) await rest();
    try {
      await live();
      done.lives++;
    } catch (error) {
      wrong.push(String(error.stack));
      await sleep(100);
    }
  }
}

const orders = {
  start({ port: to, seed }) {
    port = to;
    random = new Random(seed);
    const lives = { ws: () => liveWs('/'), raw: () => liveRaw('/'), faulty: liveFaulty };
    lives.wsDeflate = () => liveWs('/', random.pick(WS_OPTIONS));
    lives.rawDeflate = () => liveRaw('/', random.pick(OFFERS));
    lives.async = () => (random.next() < 0.5 ? liveWs('/async') : liveRaw('/async'));
    lives.asyncDeflate = () =>
      random.next() < 0.5 ? liveWs('/async', random.pick(WS_OPTIONS)) : liveRaw('/async', random.pick(OFFERS));
    for (const [kind, live] of Object.entries(lives)) {
      for (let i = 0; i < NUMBERS_OF[kind]; i++, actors++) act(live, true);
    }
    for (let i = 0; i < NUMBERS_OF.slow; i++) act(liveSlow, false);
    for (let i = 0; i < NUMBERS_OF.pausing; i++) act(livePausing, false);
  },
  async rest() {
    resting = new Promise((resolve) => {
      resume = resolve;
    });
    await new Promise((resolve) => {
      allAtRest = resolve;
    });
    return { done, wrong };
  },
  resume() {
    resting = null;
    resume();
  },
};

process.on('message', async ({ order, argument }) => process.send((await orders[order](argument)) ?? {}));
process.on('disconnect', () => process.exit());
