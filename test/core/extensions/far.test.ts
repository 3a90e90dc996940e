/** Messages that refer as far back as DEFLATE can (RFC 1951 §3.2.5), further than node:zlib does when it compresses. */

import { describe, expect, test } from 'vitest';
import { Connection } from '../../../src/core/connection.js';
import { defaultCodec } from '../../../src/core/extensions/deflate/codec.js';
import { wholeMessages } from '../../../src/core/extensions/deflate/whole.js';
import { PerMessageDeflate } from '../../../src/core/extensions/permessage-deflate.js';
import { ConnectionType } from '../../../src/core/state.js';
import { encode, noise } from '../../kernels/support.js';

const FARTHEST = 32_768;
const LONGEST = 258;

/** What is not compressed, and the header of the block that ends a message. */
function stored(data: Uint8Array): Uint8Array {
  const { length } = data;
  return Uint8Array.from([0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff, ...data, 0]);
}

/** So many times 258 bytes of what was 32768 bytes ago, in one block with the fixed codes. */
function repeats(count: number): Uint8Array {
  // Codes with their first bit first, numbers with their last: BFINAL 0, BTYPE 01; length 285; distance 29, all of its 13
  // bits set; the end of the block, and the header of one that is stored.
  const once = `11000101${'11101'}${'1'.repeat(13)}`;
  const bits = `010${once.repeat(count)}0000000000`;
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  for (let i = 0; i < bits.length; i++) bytes[i >> 3] |= Number(bits[i]) << (i & 7);
  return bytes;
}

describe.each([
  ['contexts', defaultCodec()],
  ['whole messages', wholeMessages],
])('%s', (_, codec) => {
  test.each([
    ['a context of its own', 1024],
    ['a window that is put back for each message', 0],
  ])('%s', (_, maxContexts) => {
    const extension = new PerMessageDeflate({ maxContexts }, codec).finalize([]);
    const connection = new Connection(ConnectionType.CLIENT, [extension]);
    const window = noise(FARTHEST);
    const parts = [stored(window), repeats(1), repeats(126), repeats(4000), repeats(127)];
    for (const payload of parts) connection.receiveData(encode({ opcode: 2, rsv: 0x40, payload }));
    const sizes = [FARTHEST, LONGEST, 126 * LONGEST, 4000 * LONGEST, 127 * LONGEST];
    const stream = Buffer.alloc(
      sizes.reduce((sum, size) => sum + size),
      window,
    );
    let at = 0;
    for (const size of sizes) {
      const event = connection.nextEvent() as { type: string; data: Uint8Array };
      expect(event.type).toBe('bytes');
      expect(Buffer.compare(event.data, stream.subarray(at, at + size))).toBe(0);
      at += size;
    }
  });
});
