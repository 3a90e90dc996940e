import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Request } from '../../../src/core/events.js';
import { H1Handshake } from '../../../src/core/handshake/h1.js';
import {
  CLIENT,
  CONNECTING,
  client,
  expectLocalError,
  expectRemoteError,
  extension,
  KEY,
  latin1,
  rawResponse,
  server,
  strangeText,
  text,
} from './vocabulary.js';

const request = new Request({ host: 'example.com', target: '/' });

describe('what is written', () => {
  test('a request', () => {
    const handshake = new H1Handshake(CLIENT, {
      randomBytes: () => Buffer.from(KEY, 'base64'),
      extensions: [extension('x-a', { offers: () => [[{ name: 'b', value: '1' }], []] }), extension('x-c')],
    });
    const sent = new Request({
      host: 'h:1',
      target: '/t?q',
      subprotocols: ['p', 'q'],
      extraHeaders: [['Origin', 'o']],
    });
    expect(text(handshake.send(sent)).split('\r\n')).toEqual([
      'GET /t?q HTTP/1.1',
      'Host: h:1',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${KEY}`,
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: p, q',
      'Sec-WebSocket-Extensions: x-a; b=1, x-a, x-c',
      'Origin: o',
      '',
      '',
    ]);
  });

  test('an extension may be a class', () => {
    class Offering {
      readonly name = 'x-a';
      readonly #params = [[{ name: 'b', value: null }]];
      offers() {
        return this.#params;
      }
      accept() {
        return null;
      }
      finalize(): never {
        throw new Error('no');
      }
    }
    expect(text(new H1Handshake(CLIENT, { extensions: [new Offering()] }).send(request))).toContain(': x-a; b\r\n');
  });

  test('an extension without offers is not offered, so it may not be accepted', () => {
    const handshake = client({ extensions: [extension('x-a', { offers: () => [] })] });
    handshake.receiveData(latin1(rawResponse({ 'Sec-WebSocket-Extensions': 'x-a' })));
    expectRemoteError(() => handshake.nextEvent(), 'INVALID_EXTENSION');
  });

  test('keys differ', () => {
    const keys = [1, 2].map(() => new H1Handshake(CLIENT).requestHeaders(request).find(([name]) => /key/i.test(name)));
    expect(keys[0]).not.toEqual(keys[1]);
  });
});

describe('what is refused, before anything changes', () => {
  const requests: [string, Partial<Request>][] = [
    ['INVALID_TARGET', { target: 'a' }],
    ['INVALID_TARGET', { target: '/a b' }],
    ['INVALID_TARGET', { target: '/a#b' }],
    ['INVALID_TARGET', { target: '/\r\nA: b' }],
    ['INVALID_HOST', { host: '' }],
    ['INVALID_HOST', { host: 'a\r\nb' }],
    ['INVALID_SUBPROTOCOL', { subprotocols: ['a', 'a'] }],
    ['INVALID_SUBPROTOCOL', { subprotocols: [''] }],
    ['INVALID_SUBPROTOCOL', { subprotocols: ['a, b'] }],
    ['INVALID_HEADER', { extraHeaders: [['a:', 'b']] }],
    ['INVALID_HEADER', { extraHeaders: [['a', 'b\r\nc: d']] }],
    ['INVALID_HEADER', { extraHeaders: [['a', 'b\u010ac']] }],
    ['INVALID_HEADER', { extraHeaders: [['a', 1 as unknown as string]] }],
    ...[
      'HOST',
      'Upgrade',
      'Connection',
      'Content-Length',
      'Transfer-Encoding',
      'Sec-WebSocket-Key',
      'Sec-WebSocket-Version',
    ].map((name): [string, Partial<Request>] => ['RESERVED_HEADER', { extraHeaders: [[name, 'x']] }]),
  ];
  test.each(requests)('a request with %s: %j', (code, change) => {
    const handshake = new H1Handshake(CLIENT);
    expectLocalError(() => handshake.send(new Request({ ...request, ...change })), code);
    expect(handshake).toMatchObject({ state: CONNECTING, request: null });
    handshake.send(request);
  });

  test('a request with a bad source of keys, or a bad extension', () => {
    const short = new H1Handshake(CLIENT, { randomBytes: () => new Uint8Array(3) });
    expectLocalError(() => short.send(request), 'INVALID_KEY');
    const bad = new H1Handshake(CLIENT, { extensions: [extension('a\r\nb')] });
    expectLocalError(() => bad.send(request), 'INVALID_EXTENSION');
    expect(bad.request).toBeNull();
  });
});

test('nothing that a client is given can become anything else on the wire', () => {
  const requests = fc.record({
    host: strangeText,
    target: strangeText.map((target) => `/${target}`),
    subprotocols: fc.uniqueArray(strangeText, { maxLength: 3 }),
    extraHeaders: fc.array(fc.tuple(strangeText, strangeText), { maxLength: 3 }),
  });
  let sent = 0;
  fc.assert(
    fc.property(requests, (init) => {
      let bytes: Uint8Array;
      try {
        bytes = new H1Handshake(CLIENT).send(new Request(init));
      } catch (error) {
        expect(error).toMatchObject({ name: 'LocalProtocolError' });
        return;
      }
      sent++;
      const lines = text(bytes).split(/[\r\n]+/);
      expect(lines).toHaveLength(1 + 5 + (init.subprotocols.length > 0 ? 1 : 0) + init.extraHeaders.length + 1);
      const handshake = server();
      handshake.receiveData(bytes);
      expect(handshake.nextEvent()).toEqual(new Request(init));
    }),
    { numRuns: 3000 },
  );
  expect(sent).toBeGreaterThan(300);
});
