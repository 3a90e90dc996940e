import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acceptFor, generateKey, isKey } from '../../../src/core/handshake/key.js';
import { ACCEPT, expectLocalError, KEY } from './vocabulary.js';

test('the answer to the key of RFC 6455 §1.3', () => {
  expect(acceptFor(KEY)).toBe(ACCEPT);
});

test('a key is 16 bytes, spelled in one way only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 32 }), (bytes) => {
      expect(isKey(Buffer.from(bytes).toString('base64'))).toBe(bytes.length === 16);
    }),
  );
  const last = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'];
  expect(last.filter((character) => isKey(`${'A'.repeat(21)}${character}==`)).join('')).toBe('AQgw');
  for (const bad of [`${KEY} `, `${KEY}\n`, KEY.replace('==', ''), KEY.replace('=', '')])
    expect(isKey(bad)).toBe(false);
});

test('a generated key is a key, and made of what the source gave', () => {
  expect(generateKey((size) => new Uint8Array(size).fill(255))).toBe('/////////////////////w==');
  expectLocalError(() => generateKey(() => new Uint8Array(15)), 'INVALID_KEY');
});
