/**
 * How messages end that refer to each other: with blocks that are marked as the last one of a stream (RFC 7692 §7.2.3.4),
 * and where none should.
 */

import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Connection } from '../../../src/core/connection.js';
import { defaultCodec } from '../../../src/core/extensions/deflate/codec.js';
import { wholeMessages } from '../../../src/core/extensions/deflate/whole.js';
import { PerMessageDeflate } from '../../../src/core/extensions/permessage-deflate.js';
import { ConnectionType } from '../../../src/core/state.js';
import { encode } from '../../kernels/support.js';

const { Z_SYNC_FLUSH } = zlib.constants;

/** A message, or the rest of one, that is not its stream's last. */
function flushed(data: string, dictionary = ''): Buffer {
  const options = { finishFlush: Z_SYNC_FLUSH, ...(dictionary !== '' && { dictionary: Buffer.from(dictionary) }) };
  return zlib.deflateRawSync(data, options).subarray(0, -4);
}

describe.each([
  ['contexts', defaultCodec()],
  ['whole messages', wholeMessages],
])('%s', (_, codec) => {
  /** What comes of messages with these payloads: their texts, and what the connection ended with. */
  function received(...payloads: readonly Uint8Array[]): (string | number)[] {
    const extension = new PerMessageDeflate({}, codec).finalize([]);
    const connection = new Connection(ConnectionType.CLIENT, [extension]);
    for (const payload of payloads) connection.receiveData(encode({ opcode: 1, rsv: 0x40, payload }));
    const found: (string | number)[] = [];
    for (const event of connection.events()) {
      if (event.type === 'text') found.push(event.data);
      if (event.type === 'close') found.push(event.code);
    }
    return found;
  }

  test('a final block of nothing, whose length is in the octets that the message was sent without', () => {
    const payload = Uint8Array.of(0x01);
    expect(zlib.deflateRawSync('', { level: 0 }).subarray(0, -4)).toEqual(Buffer.from(payload));
    expect(received(flushed('earlier'), payload, payload, flushed('later'))).toEqual(['earlier', '', '', 'later']);
  });

  test('the same, when there was too much before it to keep without a context', () => {
    const much = '0123456789abcdef'.repeat(2000);
    const payload = Uint8Array.of(0x01);
    expect(received(flushed(much), payload, payload, flushed('later'))).toEqual([much, '', '', 'later']);
  });

  test.each([1, 10, 16, 17, 40])('what follows one in the same message, %i bytes, can be referred to', (size) => {
    const after = '0123456789klmnopqrstuvwxyzABCDEFGHIJKLMNOPQ'.slice(0, size);
    const first = Buffer.concat([zlib.deflateRawSync('before it'), flushed(after)]);
    expect(received(first, flushed(after, after))).toEqual([`before it${after}`, after]);
  });
});

describe('a block that ends a bit before the end of what is appended', () => {
  // Found by `npm run fuzz -- --only inflate`. zlib stops at the end of the block, and does not tell of the bit.
  const payload = Buffer.from(
    'ec91311100301083b446e95ba9947ae08e8dec61804dddbb53f9c18181a20069f6a528b661c02f0a90665f8a621b06fca2' +
      '0069f6a528b661c02f0a90665f8a621b06fca2',
    'hex',
  );

  test('costs the connection its context, and nobody else anything', () => {
    const deflate = new PerMessageDeflate();
    const connection = new Connection(ConnectionType.CLIENT, [deflate.finalize([])]);
    connection.receiveData(encode({ opcode: 2, rsv: 0x40, payload }));
    expect(connection.nextEvent()).toMatchObject({ type: 'bytes', data: { length: 4107 } });
    expect(deflate.stats().decompressors).toBe(1);
    deflate.handleTimeout(1);
    expect(() => deflate.handleTimeout(1_000_000)).not.toThrow();
    expect(deflate.stats().decompressors).toBe(0);
    connection.receiveData(encode({ opcode: 2, rsv: 0x40, payload: flushed('later') }));
    expect(connection.nextEvent()).toMatchObject({ type: 'close', code: 1007, error: { code: 'INVALID_PAYLOAD' } });
    expect(deflate.stats().decompressors).toBe(0);
  });
});
