/** Several extensions that undo their work one behind the other, however much each gives at a time, and whenever. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decoderOf } from '../../../src/core/extensions/chain.js';
import { type Extension, RSV1, RSV2, RSV3 } from '../../../src/core/extensions/extension.js';
import { cont, type FrameSpec, ping, text, utf8 } from '../../conformance/support.js';
import { connected, kept, SERVER } from '../support.js';
import { elsewhere } from './deflate/support.js';

/** How an extension gives what it has: so many bytes at a time, at once or later, all but the last byte before the end. */
interface Manner {
  readonly step: number;
  readonly later: boolean;
  readonly holdsBack: boolean;
  /** How many times each byte comes out. */
  readonly times: number;
}

/** Adds to each byte; tells what it was given. */
function adding(number: number, rsv: number, manner: Partial<Manner> = {}) {
  const { step = 1e9, later = false, holdsBack = false, times = 1 } = manner;
  const given: [size: number, finished: boolean][] = [];
  const rest: number[] = [];
  let finished = false;
  let ready: Uint8Array | null = null;
  const next = (limit: number): Uint8Array | undefined => {
    const until = holdsBack && !finished ? rest.length - 1 : rest.length;
    if (until <= 0) return undefined;
    const part = rest.splice(0, Math.min(step, until));
    if (part.length > limit) throw new RangeError('too much');
    return Uint8Array.from(part);
  };
  const give = (limit: number, whenReady: (() => void) | null): Uint8Array | null | undefined => {
    if (ready !== null) {
      const found = ready;
      ready = null;
      return found;
    }
    const found = next(limit);
    if (found === undefined || !later || whenReady === null) return found;
    ready = found;
    setImmediate(whenReady);
    return null;
  };
  const extension: Extension = {
    name: `adding-${number}`,
    rsv,
    decode(data, _rsv, isLast, limit, whenReady) {
      given.push([data.length, isLast]);
      for (const byte of data) rest.push(...Array<number>(times).fill((byte - number) & 255));
      finished = isLast;
      const found = give(limit, whenReady);
      return found === undefined ? new Uint8Array(0) : found;
    },
    more: give,
    encode: (payload) => ({ payload, rsv: 0 }),
  };
  return { extension, given };
}

test('one is itself, and none is nothing', () => {
  const { extension } = adding(1, RSV1);
  expect(decoderOf([extension])).toBe(extension);
  expect(decoderOf([])).toBe(null);
});

/** Everything that comes out of a decoder for these pieces. */
async function decodeAll(
  extensions: readonly Extension[],
  pieces: readonly Uint8Array[],
  limit = 1e6,
): Promise<number[]> {
  const decoder = decoderOf(extensions);
  if (decoder === null) throw new Error('no decoder');
  const output: number[] = [];
  let wake: () => void = () => {};
  const whenReady = () => wake();
  for (const [i, piece] of pieces.entries()) {
    let found: Uint8Array | null | undefined;
    let woken = new Promise<void>((resolve) => (wake = resolve));
    found = decoder.decode(piece, RSV1, i === pieces.length - 1, limit - output.length, whenReady);
    while (found !== undefined) {
      if (found === null) await woken;
      else output.push(...found);
      woken = new Promise<void>((resolve) => (wake = resolve));
      found = decoder.more?.(limit - output.length, whenReady);
    }
  }
  return output;
}

const manner = fc.record({
  step: fc.constantFrom(1, 3, 1e9),
  later: fc.boolean(),
  holdsBack: fc.boolean(),
  times: fc.constantFrom(1, 1, 3),
});

test('all of it comes through all of them, in order, and each is told of the end once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(manner, { minLength: 2, maxLength: 4 }),
      fc.array(fc.uint8Array({ maxLength: 6 }), { minLength: 1, maxLength: 4 }),
      async (manners, pieces) => {
        const stages = manners.map((one, i) => adding(i + 1, RSV1, one));
        const found = await decodeAll(
          stages.map(({ extension }) => extension),
          pieces,
        );
        const sum = manners.reduce((total, _one, i) => total + i + 1, 0);
        const times = manners.reduce((product, one) => product * one.times, 1);
        const expected = pieces.flatMap((piece) =>
          [...piece].flatMap((byte) => Array<number>(times).fill((byte - sum) & 255)),
        );
        expect(found).toEqual(expected);
        for (const { given } of stages) {
          expect(given.filter(([, finished]) => finished)).toHaveLength(1);
          expect(given.at(-1)?.[1]).toBe(true);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('what comes is bounded, wherever it becomes too much', async () => {
  for (const place of [0, 1]) {
    const stages = [0, 1].map((i) => adding(1, RSV1, { times: i === place ? 50 : 1 }).extension);
    await expect(decodeAll(stages, [new Uint8Array(2)], 100)).resolves.toHaveLength(100);
    await expect(decodeAll(stages, [new Uint8Array(2)], 99)).rejects.toThrow(RangeError);
  }
});

describe.each(['messages', 'frames', 'chunks'] as const)('a connection with two of them, delivering %s', (delivery) => {
  const WIDE = 'a\u00e9\u20ac\u{1f600}z'.repeat(5);
  /** As it is on the wire once both were applied. */
  const wired = (data: string, number: number) => utf8(data).map((byte) => byte + number);

  test.each([
    ['both', RSV1 | RSV3, 3],
    ['the first', RSV1, 1],
    ['the second', RSV3, 2],
    ['neither', 0, 0],
  ])('undoes what %s of them did, at once and later', async (_, rsv, number) => {
    for (const manner of [{}, { step: 3 }, { later: true, step: 5 }, { later: true, holdsBack: true }]) {
      const stages = [adding(1, RSV1, manner), adding(2, RSV3, manner)];
      const extensions = stages.map(({ extension }) => extension);
      const { connection, receive } = connected(SERVER, { delivery }, extensions);
      const { until } = elsewhere(connection);
      const data = wired(WIDE, number);
      const first: FrameSpec = { ...text(data.slice(0, 17), false), rsv };
      receive(first, ping('p'), cont(data.slice(17)), text('plain'));
      let told = '';
      let whole = 0;
      const done = () => {
        for (const event of connection.events()) {
          kept(event);
          if (event.type === 'ping') continue;
          told += event.type === 'text' ? event.data : event.type;
          if (connection.messageFinished) whole++;
        }
        return whole >= 2 || told.includes('close');
      };
      await until(done, 'both messages');
      expect(told).toBe(`${WIDE}plain`);
    }
  });

  test('is told of nothing that is done after it was given up', async () => {
    const extensions = [adding(1, RSV1).extension, adding(2, RSV3, { later: true }).extension];
    const { connection, receive } = connected(SERVER, { delivery }, extensions);
    const { told } = elsewhere(connection);
    receive({ ...text(wired('a', 3)), rsv: RSV1 | RSV3 });
    expect(connection.poll()).toBe(0);
    connection.abort();
    await new Promise((resolve) => setImmediate(resolve));
    expect(told.count).toBe(0);
    expect([...connection.events()]).toMatchObject([{ type: 'close', origin: 'local' }]);
  });

  test('fails with 1002 at a bit that none of them has', () => {
    const extensions = [adding(1, RSV1).extension, adding(2, RSV3).extension];
    const { connection, receive } = connected(SERVER, { delivery }, extensions);
    receive({ ...text('a'), rsv: RSV2 });
    expect(connection.nextEvent()).toMatchObject({ code: 1002, error: { code: 'RESERVED_BITS' } });
  });
});
