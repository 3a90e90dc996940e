/**
 * Compressed messages that come to far more than they are, and those that come to nothing: neither may cost the server
 * more than a message may cost, nor hold up anybody else.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { PerMessageDeflateOptions } from '../../../src/core/index.js';
import { Attacker, all, closeFrame, frame, KiB, MiB, Target, tally, Witness } from './support.js';

const LIMIT = MiB;
/** What the process may grow by, over what it was before, for one message. */
const MOST_GROWTH = 8 * MiB;
/**
 * What nobody needs any more, V8 leaves until so much has gathered: 200 messages that were too large, one after the other,
 * came to 25 to 30 MiB, and so do as many of 1 MiB that are not compressed.
 */
const MOST_GARBAGE = 40 * MiB;
/** What a message may hold while it comes: its memory doubles, and the old is there until the new is filled. */
const MOST_HELD = 2 * LIMIT;
/** The longest, in milliseconds, that others may wait for an echo, on a machine that has other things to do. */
const MOST_DELAY = 1000;
const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
const RSV1 = 0x40;
/** What never is; `Infinity` does not go through JSON. */
const NEVER = 2 ** 40;

/** 64 MiB, at a thousandth of it. */
const bomb = zlib.deflateRawSync(Buffer.alloc(64 * MiB), { level: 9 });

/** A message in frames of so many bytes. */
function fragmented(opcode: number, payload: Uint8Array, size: number): Buffer {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const options = { fin: at + size >= payload.length, rsv: at === 0 ? RSV1 : 0 };
    frames.push(frame(at === 0 ? opcode : 0, payload.subarray(at, at + size), options));
  }
  return Buffer.concat(frames);
}

/** The most memory that a process has had since it was asked to forget that, in bytes. */
class Peak {
  readonly #pid: number;

  constructor(pid: number) {
    this.#pid = pid;
  }

  forget(): void {
    writeFileSync(`/proc/${this.#pid}/clear_refs`, '5');
  }

  get bytes(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'latin1');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * KiB;
  }
}

const figures = process.env['MILLRACE_FIGURES'] !== undefined;

/** A message, or the rest of one, that does not end its stream. */
function flushed(data: Uint8Array): Uint8Array {
  return zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** Has a server do a little of everything, so that what is made once is there; of nothing so much that it is missed later. */
async function warmUp(port: number): Promise<void> {
  const small = flushed(Buffer.alloc(2000));
  const attackers = await Attacker.openMany(port, 50, DEFLATE);
  for (const attacker of attackers) {
    for (let i = 0; i < 10; i++) attacker.write(frame(2, small, { rsv: RSV1 }));
    attacker.write(frame(2, Uint8Array.of(0xff), { rsv: RSV1 }));
    await attacker.closeCode();
    attacker.socket.destroy();
  }
}

/** What a process has once it stands still: memory that was freed goes back to the system bit by bit. */
async function settledRss(target: Target): Promise<number> {
  let last = Number.NaN;
  for (let round = 0, still = 0; round < 30 && still < 3; round++) {
    const { rss } = (await target.report()).memory;
    still = Math.abs(rss - last) < 64 * KiB ? still + 1 : 0;
    last = rss;
  }
  return last;
}

/**
 * Attacks a server that allows messages of 1 MiB.
 *
 * @returns what it has grown by at most, in bytes
 */
async function attacked(deflate: PerMessageDeflateOptions, work: (target: Target) => Promise<void>): Promise<number> {
  const target = await Target.start({ maxMessageSize: LIMIT, perMessageDeflate: deflate });
  await warmUp(target.port);
  await target.settled(({ size }) => size === 0, 'the warm-up to be over');
  const before = await settledRss(target);
  const witness = await Witness.start(target.port);
  const peak = new Peak(target.pid);
  peak.forget();
  const started = performance.now();
  await work(target);
  const took = Math.round(performance.now() - started);
  await witness.end();
  const grown = peak.bytes - before;
  const gone = await target.settled(({ size, timers }) => size + timers === 0, 'every connection to be gone');
  expect(gone.deflate).toMatchObject({ compressors: 0, decompressors: 0 });
  const after = await target.report();
  if (figures) {
    const rssAfter = await settledRss(target);
    const MB = (bytes: number) => (bytes / MiB).toFixed(1);
    const line = `${took} ms, peak +${MB(grown)} MiB, afterwards ${MB(rssAfter - before)} MiB`;
    console.log(`${expect.getState().currentTestName}: ${line}; ${witness.told()}`);
  }
  expect({ ...after, memory: null }).toMatchObject({ warnings: [], rejections: [], exceptions: [] });
  expect(witness.slowest, 'milliseconds that others have waited').toBeLessThan(MOST_DELAY);
  await target.end();
  return grown;
}

/** Sends the bytes from so many connections, which all must be closed with 1009 and be gone. */
async function blown({ port }: Target, count: number, bytes: Uint8Array): Promise<void> {
  const attackers = await Attacker.openMany(port, count, DEFLATE);
  for (const attacker of attackers) attacker.write(bytes);
  const codes = await all(attackers, async (attacker) => {
    const code = await attacker.closeCode();
    await attacker.ended;
    attacker.socket.destroy();
    return code;
  });
  expect(tally(codes)).toEqual({ 1009: count });
}

describe.each([
  ['in the thread', { offThreadFrom: NEVER }],
  ['off the thread', {}],
  ['off the thread from the first byte', { offThreadFrom: 0 }],
] as [string, PerMessageDeflateOptions][])('a bomb, %s', (_, deflate) => {
  const shapes: [string, (opcode: number) => Uint8Array][] = [
    ['in one frame', (opcode) => frame(opcode, bomb, { rsv: RSV1 })],
    ['in thousands of fragments', (opcode) => fragmented(opcode, bomb, 13)],
    ['in fragments that come to half a message each', (opcode) => fragmented(opcode, bomb, 512)],
    ['ten times over', (opcode) => Buffer.concat(Array(10).fill(frame(opcode, bomb, { rsv: RSV1 })))],
  ];
  describe.each([
    ['binary', 2],
    ['text', 1],
  ] as const)('%s', (_, opcode) => {
    test.each(shapes)('%s', async (_, make) => {
      const bytes = make(opcode);
      const grown = await attacked(deflate, (target) => blown(target, 1, bytes));
      expect(grown, 'bytes that the process has grown by').toBeLessThan(MOST_GROWTH);
    });
  });

  test('twenty of them one after the other, each on a connection of its own', async () => {
    const bytes = frame(2, bomb, { rsv: RSV1 });
    const grown = await attacked(deflate, async (target) => {
      for (let i = 0; i < 20; i++) await blown(target, 1, bytes);
    });
    expect(grown, 'bytes that the process has grown by').toBeLessThan(MOST_GARBAGE);
  });

  test('on fifty connections at once: each may hold a message, or leave one to be collected', async () => {
    const bytes = frame(2, bomb, { rsv: RSV1 });
    const grown = await attacked(deflate, (target) => blown(target, 50, bytes));
    expect(grown, 'bytes that the process has grown by').toBeLessThan(MOST_GARBAGE + 50 * MOST_HELD);
  });
});

describe('input without output', () => {
  const COUNT = 10;
  /** Each pair of bytes that is a final block costs a new stream: about as much as an empty message, of six bytes, does. */
  const SIZE = 64 * KiB;

  test.each([
    ['final blocks of nothing', Buffer.concat([Buffer.alloc(SIZE, Uint8Array.of(0x03, 0x00)), Buffer.alloc(1)])],
    [
      'blocks of nothing',
      Buffer.concat([Buffer.alloc(SIZE - (SIZE % 5), Uint8Array.of(0, 0, 0, 0xff, 0xff)), Buffer.alloc(1)]),
    ],
  ])('%s, and an echo of nothing', async (_, payload) => {
    for (const bytes of [frame(2, payload, { rsv: RSV1 }), fragmented(2, payload, 100)]) {
      const grown = await attacked({}, async ({ port }) => {
        const attackers = await Attacker.openMany(port, COUNT, DEFLATE);
        for (const attacker of attackers) attacker.write(bytes);
        await all(attackers, async (attacker) => {
          await attacker.until(() => attacker.frames.length > 0, 'the echo of an empty message');
          expect(attacker.frames).toMatchObject([{ opcode: 2, payload: { length: 0 } }]);
          attacker.write(closeFrame(1000));
          await attacker.ended;
          attacker.socket.destroy();
        });
      });
      expect(grown, 'bytes that the process has grown by').toBeLessThan(MOST_GROWTH);
    }
  });
});

describe('half a message, and no more of it', () => {
  const COUNT = 300;
  /** A decompressor with its window of 32 KiB, and what has come out of it. */
  const MOST_EACH = 96 * KiB;

  test.each([
    ['hardly begun', 10],
    ['of some size', 20 * KiB],
  ])('%s, on three hundred connections', async (_, size) => {
    let each = 0;
    await attacked({}, async (target) => {
      const attackers = await Attacker.openMany(target.port, COUNT, DEFLATE);
      const before = await settledRss(target);
      // What the echo of a message tells is that what comes before it was read.
      const bytes = frame(2, flushed(Buffer.alloc(size, 'held')), { rsv: RSV1, fin: false });
      for (const attacker of attackers) attacker.write(Buffer.concat([bytes, frame(9, 'x')]));
      await all(attackers, (attacker) => attacker.until(() => attacker.frames.length === 1, 'a Pong'));
      each = ((await settledRss(target)) - before) / COUNT;
      for (const { socket } of attackers) socket.resetAndDestroy();
    });
    if (figures) console.log(`${size} bytes: ${(each / KiB).toFixed(1)} KiB each`);
    expect(each, 'bytes that each connection holds').toBeLessThan(MOST_EACH);
  });
});

test('a message whose last block ends a bit too early, and then nothing: the server lives on', async () => {
  const payload = Buffer.from(
    'ec91311100301083b446e95ba9947ae08e8dec61804dddbb53f9c18181a20069f6a528b661c02f0a90665f8a621b06fca2' +
      '0069f6a528b661c02f0a90665f8a621b06fca2',
    'hex',
  );
  await attacked({ contextIdleTimeout: 200 }, async (target) => {
    const [attacker] = await Attacker.openMany(target.port, 1, DEFLATE);
    attacker.write(frame(2, payload, { rsv: RSV1 }));
    await attacker.until(() => attacker.frames.length === 1, 'an echo');
    await target.settled(({ deflate }) => deflate?.decompressors === 0, 'the context to be given up');
    attacker.write(frame(2, flushed(Buffer.from('later')), { rsv: RSV1 }));
    expect(await attacker.closeCode()).toBe(1007);
    attacker.socket.destroy();
  });
});
