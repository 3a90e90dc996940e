import { expect, test } from 'vitest';
import { keptCopy } from '../../../src/core/frames/kept.js';

test('copies stay as they are, whatever is copied after them, and share no byte', () => {
  const chunks = Array.from({ length: 300 }, (_, i) => Buffer.alloc((i * 977) % 70_000, i));
  const copies = chunks.map((chunk) => keptCopy(chunk));
  for (const [i, copy] of copies.entries()) expect(copy.equals(Buffer.alloc((i * 977) % 70_000, i))).toBe(true);
  for (const copy of copies) copy.fill(0xff);
  for (const [i, chunk] of chunks.entries()) if (chunk.length > 0) expect(chunk[0]).toBe(i % 256);
});

test('a copy keeps no more than 64 KiB alive, or itself', () => {
  for (let size = 1; size < 200_000; size = Math.ceil(size * 1.3)) {
    expect(keptCopy(Buffer.alloc(size)).buffer.byteLength).toBeLessThanOrEqual(Math.max(size, 64 * 1024));
  }
});
