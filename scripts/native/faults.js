/**
 * Faults of one bit or one byte, to see that the fuzzer and the self-test find them. Each stands in a copy of one
 * header, and only one variant is compiled from that copy, so the others stay right.
 */

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root } from './tools.js';

/** `found` is the kernel whose comparison must find it; `from` stands in `file` exactly once. */
export const FAULTS = [
  {
    variant: 'sse2',
    found: 'utf8',
    title: 'F4 may be followed by 90',
    file: 'vectors/sse2.h',
    from: '_mm_andnot_si128(Below(now.v, 0x90), Same(one, 0xf4))',
    to: '_mm_andnot_si128(Below(now.v, 0x91), Same(one, 0xf4))',
  },
  {
    variant: 'sse2',
    found: 'utf8',
    title: 'a byte is read behind the end',
    file: 'utf8.h',
    from: 'text.Peek(length - kSize);',
    to: 'text.Peek(length - kSize + 1);',
  },
  {
    variant: 'sse2',
    found: 'mask',
    title: 'one bit of a key that is turned for 21 bytes',
    file: 'mask.h',
    from: '  return turned;\n',
    to: '  return phase == 21 - 16 ? turned ^ 0x40 : turned;\n',
  },
  {
    variant: 'sse2',
    found: 'scan',
    title: 'one bit of the fourth block that is unmasked and judged in one pass',
    file: 'utf8.h',
    from: 'bytes.Store(data + at);\n    return bytes;',
    to: '(at == 3 * Vector::kSize ? bytes ^ Vector::Repeat(1) : bytes).Store(data + at);\n    return bytes;',
  },
  {
    variant: 'avx2',
    found: 'utf8',
    title: 'one bit of a table: U+D800 to U+DBFF',
    file: 'ranges.h',
    from: 'Forbid(0x10, 0xed, 0xed, 0xa0, 0xbf);',
    to: 'Forbid(0x10, 0xed, 0xed, 0xb0, 0xbf);',
  },
  {
    variant: 'avx2',
    found: 'mask',
    title: 'one bit of the third of four blocks',
    file: 'mask.h',
    from: 'c.Store(dst + at + 2 * kSize);',
    to: '(c ^ Vector::Repeat(0x01000000)).Store(dst + at + 2 * kSize);',
  },
  {
    variant: 'avx2',
    found: 'scan',
    title: 'one bit of the block that ends where the text ends',
    file: 'utf8.h',
    from: 'const { bytes.Store(data + at); }',
    to: 'const { (bytes ^ Vector::Repeat(0x8000)).Store(data + at); }',
  },
  {
    variant: 'avx512',
    found: 'utf8',
    title: 'F0 reaches no fourth byte',
    file: 'ranges.h',
    from: 'kBelowFourByteLead = 0xf0 - 0x80',
    to: 'kBelowFourByteLead = 0xf1 - 0x80',
  },
  {
    variant: 'avx512',
    found: 'utf8',
    title: 'a byte is read behind the end',
    file: 'utf8.h',
    from: 'text.Peek(length - kSize);',
    to: 'text.Peek(length - kSize + 1);',
  },
  {
    variant: 'avx512',
    found: 'mask',
    title: 'one bit of the last block of four',
    file: 'mask.h',
    from: 'd.Store(dst + at + 3 * kSize);',
    to: '(d ^ Vector::Repeat(0x80)).Store(dst + at + 3 * kSize);',
  },
  {
    variant: 'avx512',
    found: 'scan',
    title: 'one bit of the ASCII test, so that a text is of the wrong class',
    file: 'vectors/avx512.h',
    from: 'bool IsAscii() const { return _mm512_movepi8_mask(v) == 0; }',
    to: 'bool IsAscii() const { return (_mm512_movepi8_mask(v) & ~(uint64_t{1} << 61)) == 0; }',
  },
  {
    variant: 'neon',
    found: 'utf8',
    title: 'one place of the byte three ahead',
    file: 'vectors/neon.h',
    from: 'vextq_u8(before.v, now.v, 13)',
    to: 'vextq_u8(before.v, now.v, 12)',
  },
  {
    variant: 'neon',
    found: 'utf8',
    title: 'a byte is read behind the end',
    file: 'utf8.h',
    from: 'text.Peek(length - kSize);',
    to: 'text.Peek(length - kSize + 1);',
  },
  {
    variant: 'neon',
    found: 'mask',
    title: 'one bit of a key that is turned for 21 bytes',
    file: 'mask.h',
    from: '  return turned;\n',
    to: '  return phase == 21 - 16 ? turned ^ 0x40 : turned;\n',
  },
  {
    variant: 'neon',
    found: 'scan',
    title: 'one bit of the block that ends where the text ends',
    file: 'utf8.h',
    from: 'const { bytes.Store(data + at); }',
    to: 'const { (bytes ^ Vector::Repeat(0x8000)).Store(data + at); }',
  },
];

/** Copies `native/` into `folder` with the fault in it, and returns the source of its variant. */
export function plant({ variant, title, file, from, to }, folder) {
  const copy = join(folder, 'native');
  cpSync(join(root, 'native'), copy, { recursive: true });
  const path = join(copy, file);
  const parts = readFileSync(path, 'utf8').split(from);
  if (parts.length !== 2) {
    fail(`the fault "${title}" fits ${parts.length - 1} places of native/${file}, not one: scripts/native/faults.js`);
  }
  writeFileSync(path, parts.join(to));
  return join(copy, 'variants', `${variant}.cc`);
}
