import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isFieldValue,
  isHost,
  isOriginForm,
  isToken,
  listHas,
  splitAbsoluteForm,
  trimOws,
} from '../../../src/core/handshake/grammar.js';

test('a token is made of exactly the 77 characters of RFC 9110 §5.6.2', () => {
  const characters = Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code));
  const allowed = "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
  expect(characters.filter(isToken).join('')).toBe(allowed);
  expect(isToken('')).toBe(false);
  expect(isToken('a\n')).toBe(false);
});

test('a field value holds no control character, nothing beyond latin1, and no outer whitespace', () => {
  for (const value of ['', 'a', 'a b\tc', 'caf\xe9', '\xa0']) expect(isFieldValue(value), value).toBe(true);
  const line = 'a\u010a'; // as latin1 without a check: "a\n"
  for (const value of ['a\r', 'a\n', '\0', '\x7f', ' a', 'a\t', line, '\u{1f600}']) {
    expect(isFieldValue(value), JSON.stringify(value)).toBe(false);
  }
});

test('trimming takes spaces and tabs only, in linear time', () => {
  expect(trimOws(' \t a \xa0\t')).toBe('a \xa0');
  expect(trimOws(' \t')).toBe('');
  const long = `a${' '.repeat(500_000)}b`;
  expect(trimOws(long)).toBe(long);
});

describe('hosts', () => {
  test.each(['a', 'a.b-c_d', '127.0.0.1:80', '[::1]', '[::ffff:1.2.3.4]:65535', '[v1.a:b]', 'a%20b', 'a:'])(
    '%s',
    (host) => {
      expect(isHost(host)).toBe(true);
    },
  );
  test.each(['', ':80', 'a:b', 'a:123456', 'a b', 'a/b', 'a@b', '[::1', '::1', '[]', '[g]', 'a%2', 'a\r\nb', '\xe9'])(
    'not %j',
    (host) => {
      expect(isHost(host)).toBe(false);
    },
  );
});

test('targets', () => {
  for (const target of ['/', '//a', '/a?b=c&d', '/"', '/~']) expect(isOriginForm(target), target).toBe(true);
  for (const target of ['', 'a', '?a', '/#', '/ ', '/\t', '/\x7f', '/\xe9', '*']) {
    expect(isOriginForm(target), target).toBe(false);
  }
  expect(splitAbsoluteForm('wss://a:1?b')).toEqual({ host: 'a:1', target: '/?b' });
  expect(splitAbsoluteForm('http://a/b?c:/d')).toEqual({ host: 'a', target: '/b?c:/d' });
  expect(splitAbsoluteForm('/http://a/b')).toBeNull();
});

test('lists', () => {
  expect(listHas(['a', ' B ,\tc'], 'b')).toBe(true);
  expect(listHas(['a b', 'bc'], 'b')).toBe(false);
  expect(listHas([], 'b')).toBe(false);
});

test('none of them is taken in by something that is no string', () => {
  const odd = fc.oneof(
    fc.integer(),
    fc.constantFrom(null, undefined, true),
    fc.array(fc.constant('/a'), { maxLength: 1 }),
  );
  fc.assert(
    fc.property(odd, (value) => {
      for (const check of [isToken, isFieldValue, isHost, isOriginForm])
        expect(check(value as unknown as string)).toBe(false);
    }),
  );
});
