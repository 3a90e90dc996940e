import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AcceptConnection,
  type HandshakeEvent,
  type HeaderList,
  NEED_DATA,
  RejectConnection,
  RejectData,
  Request,
} from '../../../src/core/events.js';
import { H1Handshake } from '../../../src/core/handshake/h1.js';
import {
  ACCEPT,
  asked,
  CLIENT,
  CLOSED,
  CONNECTING,
  client,
  eventOf,
  expectLocalError,
  expectRemoteError,
  extension,
  KEY,
  latin1,
  OPEN,
  play,
  REJECTING,
  rawRequest,
  rawResponse,
  SERVER,
  server,
  text,
} from './vocabulary.js';

const request = new Request({ host: 'example.com', target: '/' });
const HEADERS: HeaderList = [
  ['host', 'example.com'],
  ['upgrade', 'websocket'],
  ['connection', 'Upgrade'],
  ['sec-websocket-key', KEY],
  ['sec-websocket-version', '13'],
];
const PARSED = { method: 'GET', target: '/chat', httpVersion: '1.1', headers: HEADERS };
const ANSWER: HeaderList = [
  ['upgrade', 'websocket'],
  ['connection', 'Upgrade'],
  ['sec-websocket-accept', ACCEPT],
];

describe('both ends together', () => {
  test('they agree', () => {
    const extensions = [extension('x-a', { rsv: 0x40 }), extension('x-b', { rsv: 0x40 })];
    const near = new H1Handshake(CLIENT, { extensions });
    const far = new H1Handshake(SERVER, { extensions });
    const sent = new Request({
      host: 'example.com:81',
      target: '/a?b',
      subprotocols: ['one', 'two'],
      extraHeaders: [['Origin', 'http://example.com']],
    });
    far.receiveData(near.send(sent));
    const received = eventOf(far);
    expect(received).toEqual({ ...sent, extensions: ['x-a', 'x-b'].map((name) => ({ name, params: [] })) });
    expect(far.request).toBe(received);
    near.receiveData(far.send(new AcceptConnection({ subprotocol: 'two', extraHeaders: [['X-C', 'd']] })));
    expect(eventOf(near)).toMatchObject({ type: 'accept', subprotocol: 'two', extraHeaders: [['X-C', 'd']] });
    for (const end of [near, far]) {
      expect(end).toMatchObject({ state: OPEN, subprotocol: 'two' });
      expect(end.extensions.map(({ name }) => name)).toEqual(['x-a']);
      expect(end.nextEvent()).toBe(NEED_DATA);
    }
  });

  test.each([
    ['of a length known before', [['content-length', '10']] as HeaderList],
    ['of any length', []],
  ])('a rejection with a body %s', (_name, headers) => {
    const near = client();
    const far = asked();
    near.receiveData(far.send(new RejectConnection({ statusCode: 403, headers, hasBody: true })));
    expect([...near.events()]).toMatchObject([{ type: 'reject', statusCode: 403, hasBody: true }]);
    near.receiveData(far.send(new RejectData(latin1('hello'), false)));
    expect([far.state, near.state]).toEqual([REJECTING, REJECTING]);
    near.receiveData(far.send(new RejectData(latin1('world'))));
    expect(far.state).toBe(CLOSED);
    near.receiveData(null);
    const pieces = [...near.events()].map((event) => (event instanceof RejectData ? text(event.data) : event.type));
    expect(pieces.join('')).toBe('helloworld');
    expect(near.state).toBe(CLOSED);
  });

  test('every hint can be sent, and read', () => {
    for (const input of [
      'PUT / HTTP/1.1\r\n\r\n',
      'GET /\r\n',
      rawRequest({ Upgrade: null }),
      '\n',
      rawRequest({ Host: null }),
    ]) {
      const far = server({ maxHeaderFields: 10 });
      far.receiveData(latin1(input));
      const near = client();
      try {
        far.nextEvent();
      } catch (error) {
        const { eventHint } = error as { eventHint: RejectConnection };
        expect(far.state).toBe(CONNECTING);
        near.receiveData(far.send(eventHint));
        const received = eventOf(near);
        expect(received).toMatchObject({ type: 'reject', statusCode: eventHint.statusCode, hasBody: false });
      }
      expect([far.state, near.state]).toEqual([CLOSED, CLOSED]);
    }
  });
});

describe('the state changes when an event is handed out or sent', () => {
  test('client', () => {
    const handshake = client();
    handshake.receiveData(latin1(rawResponse()));
    expect(handshake.state).toBe(CONNECTING);
    handshake.nextEvent();
    expect(handshake.state).toBe(OPEN);
  });

  test('client, rejected', () => {
    const handshake = client();
    handshake.receiveData(latin1('HTTP/1.1 400 \r\nContent-Length: 1\r\n\r\nx'));
    expect(handshake.state).toBe(CONNECTING);
    handshake.nextEvent();
    expect(handshake.state).toBe(REJECTING);
    handshake.nextEvent();
    expect(handshake.state).toBe(CLOSED);
    expect(handshake.nextEvent()).toBe(NEED_DATA);
  });

  test('server', () => {
    const handshake = server();
    handshake.receiveData(latin1(rawRequest()));
    expect(handshake.request).toBeNull();
    handshake.nextEvent();
    expect(handshake).toMatchObject({ state: CONNECTING, request: { target: '/chat' } });
    handshake.send(new AcceptConnection());
    expect(handshake.state).toBe(OPEN);
  });
});

describe('bytes that follow', () => {
  test('wait for the answer, bounded, and none is lost', () => {
    const handshake = asked();
    expect(handshake.receiveData(new Uint8Array(65_536))).toBe(true);
    expect(handshake.receiveData(latin1('x'))).toBe(false);
    expect(handshake.receiveData(latin1('y'))).toBe(false);
    handshake.send(new AcceptConnection());
    expect(handshake.trailingData).toHaveLength(65_538);
    handshake.receiveData(latin1('z'));
    expect(text(handshake.trailingData.subarray(-3))).toBe('xyz');
  });

  test('are not the handshake’s own bytes', () => {
    const handshake = server();
    handshake.receiveData(latin1(rawRequest()));
    expect(handshake.trailingData).toHaveLength(0);
    handshake.nextEvent();
    expect(handshake.trailingData).toHaveLength(0);
  });

  test('go nowhere after a rejection or a fault', () => {
    const rejected = asked();
    rejected.receiveData(latin1('abc'));
    rejected.send(new RejectConnection({ hasBody: true }));
    const failed = server();
    failed.receiveData(latin1('\nabc'));
    expectRemoteError(() => failed.nextEvent(), 'INVALID_START_LINE');
    for (const handshake of [rejected, failed]) {
      for (let i = 0; i < 3; i++) expect(handshake.receiveData(new Uint8Array(65_536))).toBe(true);
      expect(handshake.trailingData).toHaveLength(0);
    }
  });

  test('a header line longer than the high-water mark is not starved', () => {
    const handshake = server({ maxHeaderSize: 200_000 });
    const input = latin1(rawRequest({ 'X-A': 'b'.repeat(150_000) }));
    for (let at = 0; at < input.length; at += 1000) {
      expect(handshake.receiveData(input.slice(at, at + 1000))).toBe(true);
      if (at % 7000 === 0) for (const _event of handshake.events());
    }
    expect(handshake.request ?? handshake.nextEvent()).toBeInstanceOf(Request);
  });

  test('the end of the stream among them', () => {
    const handshake = client();
    handshake.receiveData(latin1(rawResponse()));
    expect(handshake.ended).toBe(false);
    handshake.receiveData(null);
    expect([...handshake.events()]).toMatchObject([{ type: 'accept' }]);
    expect(handshake).toMatchObject({ state: OPEN, ended: true });
  });

  test('no bytes after the end', () => {
    const handshake = server();
    handshake.receiveData(null);
    handshake.receiveData(null);
    expectLocalError(() => handshake.receiveData(latin1('a')), 'INVALID_STATE');
  });
});

describe('headers that somebody else has read', () => {
  test('a request, and the bytes after it', () => {
    const handshake = server();
    const received = handshake.receiveRequest(PARSED);
    expect(received).toMatchObject({ host: 'example.com', target: '/chat', extraHeaders: [] });
    handshake.receiveData(latin1('frame'));
    expect(handshake.nextEvent()).toBe(NEED_DATA);
    expect(handshake.acceptHeaders(new AcceptConnection())).toEqual([
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Accept', ACCEPT],
    ]);
    expect(handshake).toMatchObject({ state: OPEN, request: received });
    expect(text(handshake.trailingData)).toBe('frame');
  });

  test.each([
    ['HTTP_VERSION', 505, { httpVersion: '1.0' }],
    ['HTTP_VERSION', 505, { httpVersion: '2.0' }],
    ['INVALID_METHOD', 405, { method: 'POST' }],
    ['INVALID_TARGET', 400, { target: '/a\r\nb' }],
    ['INVALID_HEADER', 400, { headers: [...HEADERS, ['a', 'b\nc'] as const] }],
    ['INVALID_HEADER', 400, { headers: [...HEADERS, ['a b', 'c'] as const] }],
    ['TOO_MANY_HEADERS', 431, { headers: [...HEADERS, ['a', 'b'] as const] }],
    ['INVALID_KEY', 400, { headers: HEADERS.filter(([name]) => name !== 'sec-websocket-key') }],
  ])('a request with %s', (code, statusCode, change) => {
    const handshake = server({ maxHeaderFields: code === 'TOO_MANY_HEADERS' ? 5 : 6 });
    const error = expectRemoteError(() => handshake.receiveRequest({ ...PARSED, ...change }), code);
    expect(error.eventHint?.statusCode).toBe(statusCode);
    expectRemoteError(() => handshake.nextEvent(), code);
    expectLocalError(() => handshake.receiveRequest(PARSED), 'INVALID_STATE');
  });

  test('a response that accepts', () => {
    const handshake = new H1Handshake(CLIENT, { randomBytes: () => Buffer.from(KEY, 'base64') });
    expect(handshake.requestHeaders(request)).toContainEqual(['Sec-WebSocket-Key', KEY]);
    expect(handshake.request).toBe(request);
    expect(handshake.receiveResponse({ statusCode: 101, headers: ANSWER })).toBeInstanceOf(AcceptConnection);
    expect(handshake.state).toBe(OPEN);
  });

  test('a response that rejects; its body is not ours', () => {
    const handshake = client();
    const rejected = handshake.receiveResponse({ statusCode: 401, headers: [['content-length', '5']] });
    expect(rejected).toMatchObject({ type: 'reject', statusCode: 401, hasBody: false });
    expect(handshake.state).toBe(CLOSED);
  });

  test('a response with a fault', () => {
    const handshake = client();
    expectLocalError(() => handshake.receiveResponse({ statusCode: 100, headers: [] }), 'INVALID_STATUS');
    const headers = ANSWER.slice(0, 2);
    expectRemoteError(() => handshake.receiveResponse({ statusCode: 101, headers }), 'INVALID_ACCEPT');
    expect(handshake.state).toBe(CLOSED);
    expectLocalError(() => handshake.receiveResponse({ statusCode: 101, headers: ANSWER }), 'INVALID_STATE');
  });
});

describe('misuse is refused before anything changes', () => {
  test('the wrong role', () => {
    const near = client();
    const far = asked();
    for (const event of [new AcceptConnection(), new RejectConnection(), new RejectData(latin1(''))]) {
      expectLocalError(() => near.send(event), 'WRONG_ROLE');
    }
    expectLocalError(() => near.receiveRequest(PARSED), 'WRONG_ROLE');
    expectLocalError(() => near.acceptHeaders(new AcceptConnection()), 'WRONG_ROLE');
    expectLocalError(() => far.send(request), 'WRONG_ROLE');
    expectLocalError(() => far.requestHeaders(request), 'WRONG_ROLE');
    expectLocalError(() => far.receiveResponse({ statusCode: 101, headers: [] }), 'WRONG_ROLE');
  });

  test('the wrong moment', () => {
    const untimely = (handshake: H1Handshake, ...events: HandshakeEvent[]) => {
      const { state } = handshake;
      for (const event of events) expectLocalError(() => handshake.send(event), 'INVALID_STATE');
      expect(handshake.state).toBe(state);
    };
    const [accept, reject, data] = [new AcceptConnection(), new RejectConnection(), new RejectData(latin1('a'))];
    untimely(server(), accept, reject, data);
    untimely(asked(), data);
    untimely(client(), request);
    const open = asked();
    open.send(accept);
    untimely(open, accept, reject, data);
    const rejecting = asked();
    rejecting.send(new RejectConnection({ hasBody: true }));
    untimely(rejecting, accept, reject);
    rejecting.send(data);
    untimely(rejecting, accept, reject, data);
    const failed = asked();
    failed.receiveData(null);
    expectRemoteError(() => failed.nextEvent(), 'UNEXPECTED_EOF');
    untimely(failed, accept, reject, data);
    expectLocalError(() => new H1Handshake(CLIENT).receiveResponse({ statusCode: 101, headers: [] }), 'INVALID_STATE');
  });

  test.each([Number.NaN, -1, 'x' as unknown as number])('a limit of %s', (limit) => {
    expectLocalError(() => server({ maxHeaderSize: limit }), 'INVALID_OPTION');
  });
});

test('any bytes give the same outcome however they are cut', () => {
  const noise = fc.string({ unit: fc.constantFrom(...'GET/H1.: \t\r\n,;a\0'), maxLength: 30 });
  const mutated = fc
    .tuple(fc.constantFrom(rawRequest(), rawResponse()), fc.nat(), fc.nat(5), noise)
    .map(([base, at, drop, insert]) => {
      const place = at % base.length;
      return base.slice(0, place) + insert + base.slice(place + drop);
    });
  const inputs = fc.tuple(fc.oneof(noise, mutated), fc.boolean(), fc.boolean(), fc.array(fc.nat(60)));
  fc.assert(
    fc.property(inputs, ([input, isServer, eof, lengths]) => {
      const make = () => (isServer ? server({ maxHeaderSize: 160 }) : client({ maxHeaderFields: 4 }));
      const pieces: (string | null)[] = [];
      let at = 0;
      for (const length of lengths) {
        pieces.push(input.slice(at, at + length));
        at += length;
      }
      pieces.push(input.slice(at));
      const end = eof ? [null] : [];
      expect(play(make(), [...pieces, ...end])).toEqual(play(make(), [input, ...end]));
    }),
    { numRuns: 2000 },
  );
});
