/** The limits of header blocks over HTTP/2, and lists that are none. What blocks may say is in connect.test.ts. */

import { describe, expect, test } from 'vitest';
import type { HeaderList } from '../../../src/core/events.js';
import { connectBlock, expectRemoteError, h2Client, h2OutcomeOf, h2Server, OPEN, responseBlock } from './vocabulary.js';

/** RFC 9113 §6.5.2. */
const sizeOf = (...blocks: HeaderList[]): number =>
  blocks.flat().reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);

describe('limits', () => {
  const block = connectBlock({ a: 'b', c: '' });

  test('of size, as HTTP/2 counts it', () => {
    expect(h2OutcomeOf(() => h2Server({ maxHeaderSize: sizeOf(block) }), block).error).toBeNull();
    const over = () => h2Server({ maxHeaderSize: sizeOf(block) - 1 });
    expect(h2OutcomeOf(over, block)).toMatchObject({ events: [], error: 'HEADERS_TOO_LARGE', status: 431 });
  });

  test('of fields, pseudo-headers among them', () => {
    expect(h2OutcomeOf(() => h2Server({ maxHeaderFields: 8 }), block).error).toBeNull();
    const over = () => h2Server({ maxHeaderFields: 7 });
    expect(h2OutcomeOf(over, block)).toMatchObject({ events: [], error: 'TOO_MANY_HEADERS', status: 431 });
  });

  test('by default', () => {
    const filled = (size: number) => connectBlock({ a: 'b'.repeat(size - sizeOf(connectBlock({ a: '' }))) });
    expect(h2OutcomeOf(h2Server, filled(16_384)).error).toBeNull();
    expect(h2OutcomeOf(h2Server, filled(16_385)).error).toBe('HEADERS_TOO_LARGE');
    const fields = (count: number) => connectBlock({ a: Array<string>(count - 6).fill('') });
    expect(h2OutcomeOf(h2Server, fields(100)).error).toBeNull();
    expect(h2OutcomeOf(h2Server, fields(101)).error).toBe('TOO_MANY_HEADERS');
  });

  test('that are Infinity', () => {
    const large = connectBlock({ a: Array<string>(5000).fill('b'.repeat(100)) });
    expect(h2OutcomeOf(() => h2Server({ maxHeaderSize: Infinity, maxHeaderFields: Infinity }), large).error).toBeNull();
  });

  test('name themselves, before anything else that is wrong', () => {
    const wrong = connectBlock({ ':method': 'GET', 'A ': '' });
    for (const name of ['maxHeaderSize', 'maxHeaderFields']) {
      const handshake = h2Server({ [name]: 5 });
      handshake.receiveHeaders(wrong);
      const code = name === 'maxHeaderSize' ? 'HEADERS_TOO_LARGE' : 'TOO_MANY_HEADERS';
      expect(expectRemoteError(() => handshake.nextEvent(), code).message).toContain(`${name}, 5 `);
    }
  });

  test('are shared by a response and those ahead of it', () => {
    const interim = responseBlock('103', { link: '</a>' });
    const all = [interim, interim, interim, responseBlock()];
    expect(h2OutcomeOf(() => h2Client({ maxHeaderFields: 7 }), ...all).state).toBe(OPEN);
    expect(h2OutcomeOf(() => h2Client({ maxHeaderFields: 6 }), ...all).error).toBe('TOO_MANY_HEADERS');
    const size = sizeOf(...all);
    expect(h2OutcomeOf(() => h2Client({ maxHeaderSize: size }), ...all).state).toBe(OPEN);
    expect(h2OutcomeOf(() => h2Client({ maxHeaderSize: size - 1 }), ...all).error).toBe('HEADERS_TOO_LARGE');
    // A limit that was hit is not passed again by what is smaller.
    const large = responseBlock('103', { a: 'b'.repeat(1000) });
    expect(h2OutcomeOf(() => h2Client({ maxHeaderSize: 200 }), large, responseBlock()).error).toBe('HEADERS_TOO_LARGE');
  });

  test('do not hold for what nobody reads', () => {
    const trailers: HeaderList = [['a', 'b'.repeat(1000)]];
    const outcome = h2OutcomeOf(() => h2Client({ maxHeaderSize: 200 }), responseBlock('403'), 'x', { last: trailers });
    expect(outcome).toMatchObject({ error: null, events: [{ type: 'reject' }, 'body: x'] });
  });
});

// As they come of an object of node:http2: its :status is a number, its set-cookie an array.
describe('what is no string is a fault, and no way around a limit', () => {
  test.each([
    ['a number for a status', [[':status', 200]]],
    ['an array for a value', [...responseBlock(), ['set-cookie', ['a=b']]]],
    ['a value that is missing', [...responseBlock(), ['a', undefined]]],
    ['a name that is', [...responseBlock(), [undefined, 'a']]],
  ])('%s', (_name, list) => {
    const headers = list as unknown as HeaderList;
    const after: HeaderList = [['a', 'b'.repeat(100_000)]];
    expect(h2OutcomeOf(h2Client, headers).error).toBe('INVALID_HEADER');
    expect(h2OutcomeOf(h2Server, [...connectBlock(), ...headers]).error).toBe('INVALID_HEADER');
    expect(h2OutcomeOf(h2Server, [...after, ...headers]).error).toBe('HEADERS_TOO_LARGE');
  });
});
