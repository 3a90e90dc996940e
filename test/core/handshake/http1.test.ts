import { describe, expect, test } from 'vitest';
import { ByteQueue } from '../../../src/core/handshake/byte-queue.js';
import { HeadReader, LineReader, writeHead } from '../../../src/core/handshake/http1.js';
import { DEFAULT_HANDSHAKE_LIMITS } from '../../../src/core/limits.js';
import { client, expectRemoteError, latin1, outcomeOf, rawRequest, rawResponse, server, text } from './vocabulary.js';

const read = (input: string, limits = {}) => {
  const queue = new ByteQueue();
  queue.push(latin1(input));
  const head = new HeadReader({ ...DEFAULT_HANDSHAKE_LIMITS, ...limits }, (line) => line).read(queue);
  return { ...head, rest: text(queue.peek()) };
};

test('a header block, and what follows it', () => {
  expect(read('start \xe9\r\nA:b\r\na: \tc d\t \r\nE:\r\n\r\nrest\r\n')).toEqual({
    start: 'start \xe9',
    headers: [
      ['A', 'b'],
      ['a', 'c d'],
      ['E', ''],
    ],
    rest: 'rest\r\n',
  });
});

describe('limits', () => {
  const block = 'start\r\nA: b\r\nC: d\r\n\r\n';

  test('maxHeaderSize counts every byte of the block and none after it', () => {
    expect(read(`${block}more`, { maxHeaderSize: block.length }).rest).toBe('more');
    expectRemoteError(() => read(block, { maxHeaderSize: block.length - 1 }), 'HEADERS_TOO_LARGE');
  });

  test('maxHeaderFields', () => {
    expect(read(block, { maxHeaderFields: 2 }).headers).toHaveLength(2);
    expectRemoteError(() => read(block, { maxHeaderFields: 1 }), 'TOO_MANY_HEADERS');
    expectRemoteError(() => read(block, { maxHeaderFields: 0 }), 'TOO_MANY_HEADERS');
  });

  test('Infinity means it', () => {
    const large = `start\r\n${`A: ${'b'.repeat(1000)}\r\n`.repeat(1000)}\r\n`;
    expect(read(large, { maxHeaderSize: Infinity, maxHeaderFields: Infinity }).headers).toHaveLength(1000);
  });

  test('they name themselves, hold before the end has come, and do not depend on where the input is cut', () => {
    const fields = rawRequest({ A: 'b', C: 'd' }).length;
    const tooLarge = { events: [], error: 'HEADERS_TOO_LARGE', status: 431 };
    expect(outcomeOf(() => server({ maxHeaderSize: fields - 1 }), rawRequest({ A: 'b', C: 'd' }))).toMatchObject(
      tooLarge,
    );
    expect(outcomeOf(() => server({ maxHeaderSize: 100 }), `GET /${'a'.repeat(100)}`)).toMatchObject(tooLarge);
    const many = { events: [], error: 'TOO_MANY_HEADERS', status: 431 };
    expect(outcomeOf(() => server({ maxHeaderFields: 2 }), 'GET / HTTP/1.1\r\nA:b\r\nA:b\r\nA:b\r\n')).toMatchObject(
      many,
    );
    expect(expectRemoteError(() => read(block, { maxHeaderSize: 9 }), 'HEADERS_TOO_LARGE').message).toMatch(
      /maxHeaderSize/,
    );
    expect(expectRemoteError(() => read(block, { maxHeaderFields: 1 }), 'TOO_MANY_HEADERS').message).toMatch(
      /maxHeaderFields/,
    );
  });

  test('interim responses share them', () => {
    const interim = 'HTTP/1.1 100 Continue\r\nA: b\r\n\r\n'.repeat(20) + rawResponse();
    expect(outcomeOf(() => client({ maxHeaderFields: 23 }), interim).error).toBeNull();
    expect(outcomeOf(() => client({ maxHeaderFields: 22 }), interim).error).toBe('TOO_MANY_HEADERS');
    expect(outcomeOf(() => client({ maxHeaderSize: interim.length - 1 }), interim).error).toBe('HEADERS_TOO_LARGE');
  });
});

test('dripping bytes cost as much in total as bytes at once, but for a constant factor', () => {
  // Counts the reads of bytes, those of copying included, for the speed of the machine not to matter.
  let reads = 0;
  const counted = (bytes: Uint8Array) =>
    new Proxy(bytes, {
      get(target, key) {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
        const value: unknown = Reflect.get(target, key, target);
        return value;
      },
    });
  const input = latin1(`${'a'.repeat(4000)}\r\n`);
  const lines = new LineReader(Infinity, () => new Error('limit') as never);
  const queue = new ByteQueue();
  queue.peek = () => counted(ByteQueue.prototype.peek.call(queue));
  let line: string | null = null;
  for (const byte of input) {
    queue.push(Uint8Array.of(byte));
    line = lines.read(queue, 'X');
  }
  expect(line).toHaveLength(4000);
  expect(reads).toBeLessThanOrEqual(4 * input.length);
});

test('writing', () => {
  expect(
    text(
      writeHead('start', [
        ['A', 'caf\xe9'],
        ['A', ''],
      ]),
    ),
  ).toBe('start\r\nA: caf\xe9\r\nA: \r\n\r\n');
});
