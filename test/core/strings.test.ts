import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asciiText, utf8Text, writeUtf8 } from '../../src/core/strings.js';

const string = fc.string({ unit: 'binary', maxLength: 300 });

test('text goes into bytes and comes back', () => {
  fc.assert(
    fc.property(string, fc.nat(10), (value, offset) => {
      const bytes = Buffer.alloc(offset + value.length * 3 + 5, 0xee);
      const length = writeUtf8(bytes, value, offset, value.length * 3);
      expect(length).toBe(Buffer.byteLength(value));
      expect(utf8Text(bytes, offset, offset + length)).toBe(Buffer.from(value).toString());
      expect(bytes.subarray(offset + length)).toEqual(Buffer.alloc(bytes.length - offset - length, 0xee));
    }),
  );
});

test('a byte order mark stays, and a lone surrogate becomes U+FFFD', () => {
  const bytes = Buffer.alloc(20);
  expect(utf8Text(bytes, 0, writeUtf8(bytes, '\ufeffa\ud83d', 0, 20))).toBe('\ufeffa\ufffd');
});

test('ASCII is read as it is', () => {
  const all = Buffer.from(Array.from({ length: 128 }, (_, i) => i));
  expect(asciiText(all, 0, 128)).toBe(all.toString('utf8'));
  expect([asciiText(all, 5, 5), utf8Text(all, 128, 128)]).toEqual(['', '']);
});
