/** The two ways to compress, each by itself and against node's own functions; and which of them is chosen. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type Codec, type Context, defaultCodec } from '../../../../src/core/extensions/deflate/codec.js';
import { wholeMessages } from '../../../../src/core/extensions/deflate/whole.js';
import { handles, NO_FLUSH, STOP_AT_BLOCK, SYNC_FLUSH, TAIL } from '../../../../src/core/extensions/deflate/zlib.js';
import { CODECS, deflated, END, inflated, prose, random } from './support.js';

/** Runs a context until it has nothing more to give, with so much room at a time. */
function runAll(context: Context, flush: number, input: Uint8Array, room: number): Buffer {
  const output = Buffer.alloc(room);
  const parts: Buffer[] = [];
  let left = input.length;
  do {
    context.run(flush, input, input.length - left, left, output, 0, room);
    left = context.inputLeft;
    parts.push(Buffer.from(output.subarray(0, room - context.roomLeft)));
  } while (context.roomLeft === 0);
  return Buffer.concat(parts);
}

/** The same on the thread pool. */
async function startAll(context: Context, flush: number, input: Uint8Array, room: number): Promise<Buffer> {
  const output = Buffer.alloc(room);
  const parts: Buffer[] = [];
  let left = input.length;
  do {
    await new Promise<void>((resolve, reject) => {
      let isSync = true;
      context.start(flush, input, input.length - left, left, output, 0, room, (error) => {
        if (isSync) reject(new Error('done within the call'));
        else if (error === null) resolve();
        else reject(error);
      });
      isSync = false;
    });
    left = context.inputLeft;
    parts.push(Buffer.from(output.subarray(0, room - context.roomLeft)));
  } while (context.roomLeft === 0);
  return Buffer.concat(parts);
}

function messageOut(codec: ReturnType<Codec['decompressor']>, data: Uint8Array, room: number, limit = 1e9): Buffer {
  codec.limit = limit;
  const body = runAll(codec, SYNC_FLUSH, data, room);
  const end = runAll(codec, STOP_AT_BLOCK, TAIL, room);
  expect(codec.inputLeft).toBe(1);
  return Buffer.concat([body, end]);
}

const SIZES = [1, 2, 3, 10, 125, 126, 127, 1000, 4096, 16_383, 16_384, 65_535, 65_536, 65_537, 200_000];
const SAMPLES = SIZES.flatMap((size) => [Buffer.from(prose(size)), random(size), Buffer.alloc(size, 0x61)]);

describe.each(CODECS)('%s', (_, codec) => {
  test.each([9, 12, 15])('what it compresses with %i bits, node decompresses', (bits) => {
    for (const [level, memLevel] of [
      [1, 1],
      [1, 5],
      [9, 9],
    ]) {
      const compressor = codec.compressor(bits, level, memLevel);
      let dictionary = Buffer.alloc(0);
      for (const data of SAMPLES) {
        const output = runAll(compressor, SYNC_FLUSH, data, 777);
        if (!output.subarray(-4).equals(END)) throw new Error('it does not end as it should');
        const found = inflated(output.subarray(0, -4), { windowBits: bits, dictionary });
        if (!found.equals(data)) throw new Error(`${data.length} bytes come out wrong`);
        dictionary = Buffer.concat([dictionary, data]).subarray(-(1 << bits));
      }
      compressor.close();
    }
  });

  test.each([8, 9, 12, 15])('it decompresses with %i bits what node has compressed, in any room', (bits) => {
    for (const room of [1, 100, 65_536]) {
      const decompressor = codec.decompressor(bits);
      for (const data of room === 1 ? SAMPLES.slice(0, 12) : SAMPLES) {
        const payload = deflated(
          data,
          bits === 8 ? { windowBits: 9, strategy: zlib.constants.Z_HUFFMAN_ONLY } : { windowBits: bits },
        );
        const found = messageOut(decompressor, payload, room);
        if (!found.equals(data)) throw new Error(`${data.length} bytes come out wrong`);
      }
      decompressor.close();
    }
  });

  test('off the thread it does the same', async () => {
    const compressor = codec.compressor(12, 1, 5);
    const decompressor = codec.decompressor(12);
    for (const data of [Buffer.from(prose(150_000)), random(70_000), Buffer.alloc(1)]) {
      const half = data.length >> 1;
      const output = Buffer.concat([
        await startAll(compressor, NO_FLUSH, data.subarray(0, half), 5000),
        await startAll(compressor, SYNC_FLUSH, data.subarray(half), 5000),
      ]);
      expect(output.subarray(-4).equals(END)).toBe(true);
      decompressor.limit = data.length;
      const body = await startAll(decompressor, SYNC_FLUSH, output.subarray(0, -4), 5000);
      const end = await startAll(decompressor, STOP_AT_BLOCK, TAIL, 5000);
      expect(Buffer.concat([body, end]).equals(data)).toBe(true);
    }
    compressor.close();
    decompressor.close();
  });

  test('after reset it is as if new', () => {
    const text = Buffer.from('what is said twice is said once');
    const compressor = codec.compressor(15, 1, 8);
    const first = runAll(compressor, SYNC_FLUSH, text, 1000);
    compressor.reset();
    expect(runAll(compressor, SYNC_FLUSH, text, 1000).equals(first)).toBe(true);
    const decompressor = codec.decompressor(15);
    const early = deflated(text, { dictionary: text });
    messageOut(decompressor, deflated(text), 1000);
    decompressor.reset();
    expect(() => messageOut(decompressor, early, 1000)).toThrow(/too far back/);
  });

  test('what cannot be decompressed is an error, at once and off the thread', async () => {
    const garbage = Buffer.from('ffffffffffff', 'hex');
    expect(() => messageOut(codec.decompressor(15), garbage, 1000)).toThrow(Error);
    const decompressor = codec.decompressor(15);
    const failing = (async () => {
      await startAll(decompressor, SYNC_FLUSH, garbage, 1000);
      await startAll(decompressor, STOP_AT_BLOCK, TAIL, 1000);
    })();
    await expect(failing).rejects.toThrow(Error);
    decompressor.close();
  });
});

test('contexts that last refer to what went through them', () => {
  const codec = defaultCodec();
  expect(codec).not.toBe(wholeMessages);
  expect(handles()).not.toBe(null);
  const compressor = codec.compressor(15, 1, 8);
  const text = Buffer.from(prose(1000));
  const [first, second] = [0, 1].map(() => runAll(compressor, SYNC_FLUSH, text, 5000).length);
  expect(second).toBeLessThan(first / 4);
});

test('whole messages have a bound on what comes out, also where there is none', () => {
  const data = Buffer.alloc(10_000, 'a');
  const decompressor = wholeMessages.decompressor(15);
  expect(messageOut(decompressor, deflated(data), 20_000, 10_000)).toHaveLength(10_000);
  expect(messageOut(decompressor, deflated(data), 20_000, Number.POSITIVE_INFINITY)).toHaveLength(10_000);
  expect(() => messageOut(decompressor, deflated(data), 20_000, 9_999)).toThrow(RangeError);
});

describe('which is chosen where zlib is another', () => {
  /** Runs a program that does `before`, and then sends a message from one connection to another. */
  function run(before: string, flags: readonly string[] = []): { chosen: string; said: string; shorter: boolean } {
    const core = new URL('../../../../dist/core/', import.meta.url);
    if (!existsSync(core)) throw new Error('this test needs `npm run build`');
    const program = `
      import zlib from 'node:zlib';
      ${before}
      const { Connection, ConnectionType, PerMessageDeflate } = await import(${JSON.stringify(`${core}index.js`)});
      const { defaultCodec } = await import(${JSON.stringify(`${core}extensions/deflate/codec.js`)});
      const { wholeMessages } = await import(${JSON.stringify(`${core}extensions/deflate/whole.js`)});
      const deflate = new PerMessageDeflate({ threshold: 0 });
      const offer = deflate.offers()[0];
      const { params, extension } = deflate.accept(offer);
      const here = new Connection(ConnectionType.SERVER, [extension]);
      const there = new Connection(ConnectionType.CLIENT, [deflate.finalize(params)]);
      const sizes = [];
      let said = '';
      for (let i = 0; i < 3; i++) {
        here.queueText('what is said again is short '.repeat(3) + i);
        const out = [];
        sizes.push(here.takeOutput(out));
        for (const view of out) there.receiveData(Uint8Array.from(view));
        here.acknowledge(sizes[i]);
        for (const event of there.events()) said += event.data.slice(-1);
      }
      const chosen = defaultCodec() === wholeMessages ? 'whole' : 'lasting';
      console.log(JSON.stringify({ chosen, said, shorter: sizes[2] < sizes[0] / 2 }));
    `;
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [...flags, '--input-type=module', '--eval', program],
      { encoding: 'utf8', timeout: 20_000 },
    );
    if (status !== 0) throw new Error(`it ended with ${status}: ${stderr}`);
    return JSON.parse(stdout) as ReturnType<typeof run>;
  }
  const LASTING = { chosen: 'lasting', said: '012', shorter: true };
  const WHOLE = { chosen: 'whole', said: '012', shorter: false };
  const prototype = 'Object.getPrototypeOf(zlib.createDeflateRaw()._handle)';

  test('nothing is different', () => {
    expect(run('')).toEqual(LASTING);
  });

  test('intrinsics are frozen', () => {
    expect(run('', ['--frozen-intrinsics'])).toMatchObject({ said: '012' });
  });

  test.each([
    [
      'the streams have no handles',
      `const held = new WeakMap();
       let asked = 0;
       Object.defineProperty(zlib.DeflateRaw.prototype, '_handle', {
         get() { return asked++ === 0 ? undefined : held.get(this); },
         set(handle) { held.set(this, handle); },
       });`,
    ],
    [
      'it throws where it is watched',
      `const { deflateRawSync } = zlib;
       zlib.deflateRawSync = (data, options) => {
         if (data === 'a') throw new Error('not here');
         return deflateRawSync(data, options);
       };`,
    ],
    [
      'a handle wants other arguments',
      `const p = ${prototype};
       const { init } = p;
       const { deflateRawSync } = zlib;
       p.init = function (...args) {
         if (args.length > 1) init.apply(this, args);
       };
       zlib.deflateRawSync = (data, options) => (data === 'a' ? p.init({}) : deflateRawSync(data, options));`,
    ],
    [
      'a handle is written to in another way',
      `const { deflateRawSync } = zlib;
       zlib.deflateRawSync = (data, options) => (data === 'a' ? Buffer.alloc(0) : deflateRawSync(data, options));`,
    ],
    ...[
      ['a decompressor', 3],
      ['a compressor', 4],
    ].map(([what, which]) => [
      `${what} forgets what went through it`,
      `const p = ${prototype};
       const { writeSync } = p;
       let asked = 0;
       p.writeSync = function (...args) {
         // The first is what is watched, and the next are what is tried.
         if (asked++ === ${which}) this.reset();
         writeSync.apply(this, args);
       };`,
    ]),
  ])('%s', (_, before) => {
    expect(run(before)).toEqual(WHOLE);
  });
});
