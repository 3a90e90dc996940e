/** permessage-deflate as it is configured, and what it counts. */

import { describe, expect, test } from 'vitest';
import { wholeMessages } from '../../../src/core/extensions/deflate/whole.js';
import { RSV1 } from '../../../src/core/extensions/extension.js';
import {
  AgreedDeflate,
  PerMessageDeflate,
  type PerMessageDeflateOptions,
} from '../../../src/core/extensions/permessage-deflate.js';
import { binary, cont, hex, ping, text, utf8 } from '../../conformance/support.js';
import { expectLocalError, SERVER } from '../support.js';
import { compressing, deflated, prose, squeezed } from './deflate/support.js';

const wrong: readonly (readonly [keyof PerMessageDeflateOptions, readonly unknown[]])[] = [
  ['serverNoContextTakeover', [0, 1, 'true', {}]],
  ['clientNoContextTakeover', ['', 'false', []]],
  ['serverMaxWindowBits', [7, 16, 8.5, '9', true, Number.NaN, Number.POSITIVE_INFINITY]],
  ['clientMaxWindowBits', [7, 16, -9, '9', false]],
  ['windowBits', [8, 16, 9.5, '12']],
  ['level', [0, 10, -1, '1', 1.5]],
  ['memLevel', [0, 10, 5.5]],
  ['threshold', [-1, Number.NaN, '1', true]],
  ['offThreadFrom', [-1, Number.NaN, '1']],
  ['maxContexts', [-1, Number.NaN, '1']],
  ['contextIdleTimeout', [-1, Number.NaN, '1']],
  ['beyondMaxContexts', ['', 'close', 1, true, null]],
];

test.each(wrong.flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
  '%s must not be %j',
  (name, value) => {
    const error = expectLocalError(() => new PerMessageDeflate({ [name]: value }), 'INVALID_OPTION');
    expect(error.message).toContain(name);
  },
);

test('everything has a default, and may be what it is at most and at least', () => {
  expect(new PerMessageDeflate().parameters).toEqual({
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  });
  const given: PerMessageDeflateOptions[] = [
    {
      serverMaxWindowBits: 8,
      clientMaxWindowBits: 8,
      windowBits: 9,
      level: 1,
      memLevel: 1,
      threshold: 0,
      offThreadFrom: 0,
    },
    {
      level: 9,
      memLevel: 9,
      windowBits: 15,
      threshold: Number.POSITIVE_INFINITY,
      offThreadFrom: Number.POSITIVE_INFINITY,
    },
    { maxContexts: Number.POSITIVE_INFINITY, contextIdleTimeout: 0, beyondMaxContexts: 'uncompressed' },
    { maxContexts: 0, contextIdleTimeout: Number.POSITIVE_INFINITY, beyondMaxContexts: 'no-takeover' },
  ];
  for (const options of given) expect(new PerMessageDeflate(Object.freeze(options)).name).toBe('permessage-deflate');
});

test('an instance says what it is, and does nothing before it is needed', () => {
  const deflate = new PerMessageDeflate();
  const extension = deflate.accept([])?.extension as AgreedDeflate;
  expect(extension).toBeInstanceOf(AgreedDeflate);
  expect([extension.name, extension.rsv]).toEqual(['permessage-deflate', RSV1]);
  extension.close();
  extension.close();
  expect(deflate.stats()).toEqual({
    messagesCompressed: 0,
    bytesToCompress: 0,
    bytesCompressed: 0,
    messagesDecompressed: 0,
    bytesToDecompress: 0,
    bytesDecompressed: 0,
    compressors: 0,
    decompressors: 0,
  });
  expect([deflate.nextDeadline(), deflate.onDeadline]).toEqual([null, null]);
});

describe.each([
  ['contexts that last', undefined],
  ['whole messages', wholeMessages],
])('what is counted (%s)', (_, codec) => {
  test('of what is sent', () => {
    const { connection, written, deflate } = compressing(SERVER, { threshold: 100 }, {}, codec);
    const data = prose(1000);
    connection.queueText(data);
    connection.queueText('small');
    connection.queueText(data, true, false);
    connection.queueText('in ', false);
    expect(deflate.stats()).toMatchObject({ messagesCompressed: 1 });
    connection.queueText('fragments');
    connection.queueText('€'.repeat(100));
    const compressed = written().filter(
      ({ rsv, opcode }, i, all) => rsv !== 0 || (opcode === 0 && all[i - 1].rsv !== 0),
    );
    expect(deflate.stats()).toMatchObject({
      messagesCompressed: 3,
      bytesToCompress: 1000 + 12 + 300,
      bytesCompressed: compressed.reduce((sum, { payload }) => sum + payload.length, 0),
      messagesDecompressed: 0,
    });
  });

  test('of what is received', () => {
    const { connection, receive, deflate } = compressing(SERVER, {}, {}, codec);
    const payload = deflated('Hello');
    receive(
      squeezed(1, payload),
      ping(),
      text('plain'),
      squeezed(2, payload.subarray(0, 3), false),
      cont(payload.subarray(3)),
    );
    receive(squeezed(2, hex('00')), binary('more'));
    expect([...connection.events()].map((event) => event.type)).toEqual([
      'text',
      'ping',
      'text',
      'bytes',
      'bytes',
      'bytes',
    ]);
    expect(deflate.stats()).toMatchObject({
      messagesDecompressed: 3,
      bytesToDecompress: 2 * payload.length + 1,
      bytesDecompressed: 10,
      messagesCompressed: 0,
    });
  });
});

test('a connection without it is as it was', () => {
  const { connection, receive } = compressing(SERVER);
  receive(text('a'), binary('b'));
  expect([...connection.events()]).toMatchObject([{ data: 'a' }, { data: Buffer.from(utf8('b')) }]);
});
