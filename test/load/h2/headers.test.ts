/**
 * Header blocks that are wrong, or too large. nghttp2 and node:http2 answer some of them with a reset of the stream, some
 * with the end of the session; the rest gets a status from us. WebSockets beside them live on wherever the session does.
 */

import { expect, test } from 'vitest';
import * as f from './support/frames.js';
import type { RawPeer, RawStream } from './support/peer.js';
import { attack, frame, KiB, tally } from './support/target.js';

/** The pings are for sessions that nghttp2 has ended, of which node:http2 tells nobody. */
const LIMITS = { handshakeTimeout: 2000, http2: { sessionTimeout: 2000 }, pingInterval: 1500, pingTimeout: 1000 };

const without = (name: string) => f.connectFields().filter(([each]) => each !== name);
const having = (name: string, value: string): f.Fields =>
  f.connectFields().map(([each, old]) => (each === name ? [name, value] : [each, old]));
const and = (...more: readonly (readonly [string, string])[]) => f.connectFields('/', more);

/** What the stream gets: a status, or a reset; 'session' where nghttp2 ends that. */
type Answer = number | `reset ${number}` | 'session';

const PROTOCOL_ERROR = `reset ${f.Code.PROTOCOL_ERROR}` as const;
const TOO_MUCH = `reset ${f.Code.ENHANCE_YOUR_CALM}` as const;

const BLOCKS: readonly (readonly [name: string, block: Buffer, ...answers: Answer[]])[] = [
  ['an unknown pseudo-header', f.literals([[':x', 'y'], ...f.connectFields()]), PROTOCOL_ERROR],
  ['a pseudo-header of responses', f.literals([[':status', '200'], ...f.connectFields()]), PROTOCOL_ERROR],
  ['a pseudo-header twice', f.literals([[':path', '/'], ...f.connectFields()]), PROTOCOL_ERROR],
  ['a pseudo-header behind a field', f.literals([...without(':path'), [':path', '/']]), PROTOCOL_ERROR],
  ['no :path', f.literals(without(':path')), PROTOCOL_ERROR],
  ['no :scheme', f.literals(without(':scheme')), PROTOCOL_ERROR],
  ['no :authority', f.literals(without(':authority')), PROTOCOL_ERROR],
  ['no :method', f.literals(without(':method')), PROTOCOL_ERROR],
  [
    'no :protocol',
    f.literals([
      [':method', 'CONNECT'],
      [':authority', 'localhost'],
    ]),
    501,
    400,
  ],
  ['another :protocol', f.literals(having(':protocol', 'connect-udp')), 501],
  ['another :method', f.literals(having(':method', 'GET')), PROTOCOL_ERROR],
  ['another :scheme', f.literals(having(':scheme', 'ftp')), 400],
  ['an empty :path', f.literals(having(':path', '')), PROTOCOL_ERROR],
  ['a :path that is none', f.literals(having(':path', 'x')), 400, PROTOCOL_ERROR],
  ['an upper-case name', f.literals(and(['X-Field', 'y'])), PROTOCOL_ERROR, 200],
  ['a name that is none', f.literals(and(['x y', 'z'])), PROTOCOL_ERROR, 200],
  ['a value with a line', f.literals(and(['x', 'y\r\nz'])), PROTOCOL_ERROR, 200, 400],
  ['Connection', f.literals(and(['connection', 'upgrade'])), PROTOCOL_ERROR],
  ['Upgrade', f.literals(and(['upgrade', 'websocket'])), PROTOCOL_ERROR],
  ['Transfer-Encoding', f.literals(and(['transfer-encoding', 'chunked'])), PROTOCOL_ERROR],
  ['TE', f.literals(and(['te', 'gzip'])), PROTOCOL_ERROR],
  ['Content-Length', f.literals(and(['content-length', '5'])), 400, PROTOCOL_ERROR],
  ['another version', f.literals([...without('sec-websocket-version'), ['sec-websocket-version', '8']]), 426, 400],
  ['over maxHeaderSize', f.connectBlock('/', [['x', 'y'.repeat(17 * KiB)]]), 431],
  [
    'in many fields',
    f.connectBlock(
      '/',
      Array.from({ length: 150 }, (_, i) => [`x${i}`, 'y']),
    ),
    431,
    TOO_MUCH,
  ],
  ['over twice maxHeaderSize', f.connectBlock('/', [['x', 'y'.repeat(33 * KiB)]]), TOO_MUCH, 431],
  [
    'in twice as many fields',
    f.connectBlock(
      '/',
      Array.from({ length: 250 }, (_, i) => [`x${i}`, 'y']),
    ),
    TOO_MUCH,
  ],
  ['over a field of nghttp2', f.connectBlock('/', [['x', 'y'.repeat(80 * KiB)]]), TOO_MUCH, 'session'],
  // 4000 bytes that are said once, and meant thousands of times.
  [
    'an HPACK bomb',
    Buffer.concat([f.connectBlock(), f.remembered('x', 'y'.repeat(3900)), Buffer.alloc(16_000, f.NEWEST)]),
    TOO_MUCH,
  ],
  ['HPACK that refers to nothing', Buffer.of(0x80 | 100), 'session'],
  ['HPACK with a table too large', Buffer.of(0x3f, 0xff, 0xff, 0x7f), 'session'],
];

function answerOf(peer: RawPeer, { status, resetCode }: RawStream): Answer {
  if (status > 0) return status;
  return resetCode === null || peer.goAway !== null ? 'session' : `reset ${resetCode}`;
}

test.for([
  ['with TLS', false],
  ['without', true],
] as const)('%s: each gets its answer', async ([, h2c]) => {
  const seen: string[] = [];
  await attack({ ...(h2c ? {} : LIMITS), h2c }, async (target) => {
    // Without TLS the limits are the server's own, and such sessions stay for a minute.
    const blocks = h2c ? BLOCKS.filter((row) => !row.includes('session')) : BLOCKS;
    for (const [name, block, ...answers] of blocks) {
      const peer = await target.connect();
      const beside = await peer.open();
      const id = peer.nextId();
      const stream = peer.stream(id);
      peer.write(f.headerFrames(id, block));
      await peer.until(() => stream.status > 0 || stream.isOver || peer.goAway !== null || peer.isOver, name);
      const answer = answerOf(peer, stream);
      seen.push(`${name}: ${answer}`);
      expect(answers, name).toContain(answer);
      if (answer !== 'session') {
        beside.send(frame(1, name));
        await peer.until(() => beside.frames.length === 1, `an echo beside ${name}`);
        expect((await peer.answered(peer.ask())).status).toBe(200);
      }
      peer.socket.destroy();
    }
  });
  if (process.env['MILLRACE_FIGURES'] !== undefined) console.log(seen.join('\n'));
});

test('hundreds of each on one session', async () => {
  const rows = BLOCKS.filter(([, , answer]) => answer !== 'session' && answer !== TOO_MUCH);
  const { calls } = await attack(LIMITS, async (target) => {
    for (const [name, block] of rows) {
      const peer = await target.connect();
      const beside = await peer.open();
      const streams: RawStream[] = [];
      for (let i = 0; i < 200 && !peer.isOver; i++) {
        const id = peer.nextId();
        streams.push(peer.stream(id));
        await peer.flush(f.headerFrames(id, block));
      }
      for (const stream of streams) {
        await peer.until(() => stream.status > 0 || stream.isOver || peer.goAway !== null, `an answer to ${name}`);
      }
      expect(Object.keys(tally(streams.map((stream) => answerOf(peer, stream)))), name).toHaveLength(1);
      beside.send(frame(1, 'x'));
      await peer.until(() => beside.frames.length === 1, `an echo after ${name}`);
      peer.socket.destroy();
    }
  });
  expect(calls['upgrade'] ?? 0).toBeLessThanOrEqual(rows.length + 1 + 600);
});
