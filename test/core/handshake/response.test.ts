import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AcceptConnection, RejectConnection, RejectData } from '../../../src/core/events.js';
import {
  asked,
  CLOSED,
  CONNECTING,
  client,
  eventOf,
  expectLocalError,
  latin1,
  strangeText,
  text,
} from './vocabulary.js';

const rejections: [string, Partial<RejectConnection>, string[]][] = [
  ['without a body', { statusCode: 403 }, ['HTTP/1.1 403 Forbidden', 'Content-Length: 0', 'Connection: close']],
  ['with a body until the end', { statusCode: 403, hasBody: true }, ['HTTP/1.1 403 Forbidden', 'Connection: close']],
  [
    'with its own fields',
    {
      statusCode: 302,
      headers: [
        ['Location', '/'],
        ['connection', 'x'],
        ['content-length', '0'],
      ],
    },
    ['HTTP/1.1 302 Found', 'Location: /', 'connection: x', 'content-length: 0'],
  ],
  [
    'with Upgrade',
    { statusCode: 426, headers: [['Upgrade', 'websocket']] },
    ['HTTP/1.1 426 Upgrade Required', 'Upgrade: websocket', 'Content-Length: 0', 'Connection: close, Upgrade'],
  ],
  ['of an unknown reason', { statusCode: 599 }, ['HTTP/1.1 599 ', 'Content-Length: 0', 'Connection: close']],
];
test.each(rejections)('a rejection %s', (_name, init, lines) => {
  expect(text(asked().send(new RejectConnection(init))).split('\r\n')).toEqual([...lines, '', '']);
});

describe('what is refused, before anything changes', () => {
  test.each([
    ['INVALID_SUBPROTOCOL', { subprotocol: 'other' }],
    ['INVALID_SUBPROTOCOL', { subprotocol: '' }],
    ['INVALID_HEADER', { extraHeaders: [['a', '\n']] }],
    ['RESERVED_HEADER', { extraHeaders: [['sec-websocket-accept', 'x']] }],
  ] as [string, Partial<AcceptConnection>][])('an acceptance with %s: %j', (code, change) => {
    const handshake = asked({ 'Sec-WebSocket-Protocol': 'chat' });
    expectLocalError(() => handshake.send(new AcceptConnection(change)), code);
    expect(handshake).toMatchObject({ state: CONNECTING, subprotocol: null });
    handshake.send(new AcceptConnection());
  });

  test.each([
    ['INVALID_STATUS', { statusCode: 101 }],
    ['INVALID_STATUS', { statusCode: 200 }],
    ['INVALID_STATUS', { statusCode: 600 }],
    ['INVALID_STATUS', { statusCode: 400.5 }],
    ['INVALID_STATUS', { statusCode: 304, hasBody: true }],
    ['INVALID_HEADER', { headers: [['a', '\r']] }],
    ['RESERVED_HEADER', { headers: [['Transfer-Encoding', 'chunked']], hasBody: true }],
    ['BODY_LENGTH', { headers: [['Content-Length', '5']] }],
    ['BODY_LENGTH', { headers: [['Content-Length', 'x']], hasBody: true }],
    [
      'BODY_LENGTH',
      {
        headers: [
          ['Content-Length', '5'],
          ['content-length', '5'],
        ],
        hasBody: true,
      },
    ],
  ] as [string, Partial<RejectConnection>][])('a rejection with %s: %j', (code, change) => {
    const handshake = asked();
    expectLocalError(() => handshake.send(new RejectConnection(change)), code);
    expect(handshake.state).toBe(CONNECTING);
    handshake.send(new AcceptConnection());
  });

  test('a body of another length than announced', () => {
    const handshake = asked();
    handshake.send(new RejectConnection({ headers: [['Content-Length', '3']], hasBody: true }));
    expectLocalError(() => handshake.send(new RejectData(latin1('abcd'))), 'BODY_LENGTH');
    expectLocalError(() => handshake.send(new RejectData(latin1('ab'), true)), 'BODY_LENGTH');
    handshake.send(new RejectData(latin1('ab'), false));
    expectLocalError(() => handshake.send(new RejectData(latin1('cd'))), 'BODY_LENGTH');
    handshake.send(new RejectData(latin1('c')));
    expect(handshake.state).toBe(CLOSED);
  });
});

test('nothing that a server is given can become anything else on the wire', () => {
  const headers = fc.array(fc.tuple(strangeText, strangeText), { maxLength: 3 });
  fc.assert(
    fc.property(headers, fc.integer({ min: 290, max: 610 }), fc.boolean(), (headers, statusCode, accept) => {
      const far = asked();
      const event = accept
        ? new AcceptConnection({ extraHeaders: headers })
        : new RejectConnection({ statusCode, headers });
      let bytes: Uint8Array;
      try {
        bytes = far.send(event);
      } catch (error) {
        expect(error).toMatchObject({ name: 'LocalProtocolError' });
        return;
      }
      const near = client();
      near.receiveData(bytes);
      const received = eventOf(near);
      if (received instanceof AcceptConnection) expect(received).toEqual(event);
      else if (received instanceof RejectConnection) {
        expect(received).toMatchObject({ statusCode, hasBody: false });
        const [length, connection] = [
          ['Content-Length', '0'],
          ['Connection', 'close'],
        ];
        expect(received.headers).toEqual([...headers, length, connection]);
      }
      expect(near.trailingData).toHaveLength(0);
    }),
    { numRuns: 2000 },
  );
});
