/** A handshake over HTTP/2 as a whole: its order, its end, and what it does not keep. */

import { describe, expect, test } from 'vitest';
import { AcceptConnection, NEED_DATA, RejectConnection, RejectData, Request } from '../../../src/core/events.js';
import { H2Handshake } from '../../../src/core/handshake/h2.js';
import {
  type Arrival,
  CLIENT,
  CLOSED,
  CONNECTING,
  connectBlock,
  expectLocalError,
  expectRemoteError,
  extension,
  h2Asked,
  h2Client,
  h2OutcomeOf,
  h2Server,
  latin1,
  OPEN,
  REJECTING,
  responseBlock,
} from './vocabulary.js';

describe('when events are read makes no difference', () => {
  test.each<[name: string, arrivals: Arrival[], outcome: object]>([
    ['data ahead of the request', ['x', connectBlock()], { events: [], error: 'UNEXPECTED_DATA', status: 400 }],
    ['data, and no request', ['x', null], { events: [], error: 'UNEXPECTED_DATA', status: 400 }],
    // The request is there: that its client is gone is found behind it.
    ['the end behind the request', [connectBlock(), null], { events: [{}], error: 'UNEXPECTED_EOF', status: 400 }],
    ['data and the end', [connectBlock(), 'x', null], { events: [{}], error: 'UNEXPECTED_EOF', status: 400 }],
  ])('to a server: %s', (_name, arrivals, outcome) => {
    expect(h2OutcomeOf(h2Server, ...arrivals)).toMatchObject({ ...outcome, trailing: '' });
  });

  const trailers: Arrival = { last: [['a', 'b']] };
  test.each<[name: string, arrivals: Arrival[], outcome: object]>([
    ['data ahead of the response', ['x', responseBlock()], { events: [], error: 'UNEXPECTED_DATA' }],
    ['data between two', [responseBlock('103'), 'x', responseBlock()], { events: [], error: 'UNEXPECTED_DATA' }],
    ['data ahead of a refusal', ['x', { last: responseBlock('403') }], { events: [], error: 'UNEXPECTED_DATA' }],
    ['a late end of a refusal', [responseBlock('403'), null], { events: [{ hasBody: true }, 'body: '], error: null }],
    ['trailers alone', [responseBlock('403'), trailers], { events: [{ hasBody: true }, 'body: '], error: null }],
    ['an end that comes with it', [{ last: responseBlock('403') }], { events: [{ hasBody: false }], error: null }],
    ['a short one', [responseBlock('403', { 'content-length': '1' }), null], { events: [{}], error: 'INVALID_BODY' }],
  ])('to a client: %s', (_name, arrivals, outcome) => {
    expect(h2OutcomeOf(h2Client, ...arrivals)).toMatchObject({ ...outcome, state: CLOSED, trailing: '' });
  });
});

describe('what cannot matter any more is dropped', () => {
  test('after a fault, on either side', () => {
    const server = h2Server();
    server.receiveHeaders(connectBlock({ ':method': 'GET' }));
    expectRemoteError(() => server.nextEvent(), 'INVALID_METHOD');
    const client = h2Client();
    client.receiveHeaders(responseBlock('101'));
    expectRemoteError(() => client.nextEvent(), 'INVALID_STATUS');
    for (const handshake of [server, client]) {
      for (let i = 0; i < 3; i++) {
        expect(handshake.receiveData(new Uint8Array(65_536))).toBe(true);
        handshake.receiveHeaders([['a', 'b']]);
      }
      handshake.receiveHeaders([['a', 'b']], true);
      expect(handshake.trailingData).toHaveLength(0);
      expect(handshake.ended).toBe(true);
      expectLocalError(() => handshake.receiveHeaders([['a', 'b']]), 'INVALID_STATE');
      expectLocalError(() => handshake.receiveData(latin1('a')), 'INVALID_STATE');
    }
    expect(server.send(new RejectConnection({ statusCode: 405 })).endStream).toBe(true);
  });

  test('of a client that was refused, body or not', () => {
    for (const hasBody of [false, true]) {
      const handshake = h2Asked();
      handshake.receiveData(latin1('frame'));
      handshake.send(new RejectConnection({ hasBody }));
      expect(handshake.receiveData(new Uint8Array(100_000))).toBe(true);
      handshake.receiveHeaders([['a', 'b']], true);
      expect(handshake.trailingData).toHaveLength(0);
      expect(handshake.nextEvent()).toBe(NEED_DATA);
    }
  });

  test('of a server whose answer comes too late', () => {
    const handshake = h2Client({ handshakeTimeout: 100 });
    handshake.handleTimeout(1000);
    handshake.handleTimeout(1100);
    handshake.receiveHeaders(responseBlock());
    handshake.receiveData(latin1('frame'));
    handshake.receiveHeaders(responseBlock(), true);
    expectRemoteError(() => handshake.nextEvent(), 'HANDSHAKE_TIMEOUT');
    expect(handshake).toMatchObject({ state: CLOSED, ended: true });
  });

  test('a response behind an interim one that had a fault', () => {
    const faulty = responseBlock('103', { Link: 'a' });
    expect(h2OutcomeOf(h2Client, faulty, responseBlock(), 'frame')).toMatchObject({
      events: [],
      error: 'INVALID_HEADER',
      state: CLOSED,
      trailing: '',
    });
  });
});

describe('a header block that nobody waits for is refused, and nothing changes', () => {
  test('by a server: a second one', () => {
    const handshake = h2Server();
    handshake.receiveHeaders(connectBlock());
    expectLocalError(() => handshake.receiveHeaders(connectBlock({ ':path': '/other' }), true), 'INVALID_STATE');
    expect(handshake.nextEvent()).toMatchObject({ target: '/chat' });
    expectLocalError(() => handshake.receiveHeaders([['a', 'b']], true), 'INVALID_STATE');
    expect(handshake).toMatchObject({ state: CONNECTING, ended: false });
    handshake.send(new AcceptConnection());
    // RFC 9113 §8.5: on a tunnel there are no trailers.
    expectLocalError(() => handshake.receiveHeaders([['a', 'b']], true), 'INVALID_STATE');
    expect(handshake).toMatchObject({ state: OPEN, ended: false });
  });

  test('by a client: before it has asked, and behind what it waited for', () => {
    const early = new H2Handshake(CLIENT);
    expectLocalError(() => early.receiveHeaders(responseBlock(), true), 'INVALID_STATE');
    expect(early).toMatchObject({ state: CONNECTING, ended: false });
    early.send(new Request({ host: 'a', target: '/' }));
    early.receiveHeaders(responseBlock());
    early.nextEvent();
    expectLocalError(() => early.receiveHeaders([['a', 'b']], true), 'INVALID_STATE');
    expect(early).toMatchObject({ state: OPEN, ended: false });

    const rejected = h2Client();
    rejected.receiveHeaders(responseBlock('403'));
    rejected.nextEvent();
    // RFC 9113 §8.1: trailers have END_STREAM.
    expectLocalError(() => rejected.receiveHeaders([['a', 'b']]), 'INVALID_STATE');
    expect(rejected).toMatchObject({ state: REJECTING, ended: false });
    rejected.receiveHeaders([['a', 'b']], true);
    expect(rejected.nextEvent()).toEqual(new RejectData(new Uint8Array(0), true));
    expectLocalError(() => rejected.receiveHeaders([['a', 'b']], true), 'INVALID_STATE');
  });

  test('by either after the end', () => {
    for (const handshake of [h2Server(), h2Client()]) {
      handshake.receiveData(null);
      handshake.receiveData(null);
      expectLocalError(() => handshake.receiveHeaders(connectBlock()), 'INVALID_STATE');
      expectLocalError(() => handshake.receiveData(latin1('a')), 'INVALID_STATE');
    }
  });
});

test('after the end a server can still answer, for only one side of the stream has ended', () => {
  const handshake = h2Server();
  handshake.receiveHeaders(connectBlock(), true);
  const { eventHint } = expectRemoteError(() => handshake.nextEvent(), 'UNEXPECTED_EOF');
  expect(eventHint).toEqual(new RejectConnection({ statusCode: 400 }));
  expect(handshake).toMatchObject({ state: CONNECTING, ended: true, request: null });
  expectLocalError(() => handshake.send(new AcceptConnection()), 'INVALID_STATE');
  // Another rejection than the hint does as well, and may have a body.
  handshake.send(new RejectConnection({ statusCode: 418, hasBody: true }));
  expect(handshake.send(new RejectData(latin1('no'))).endStream).toBe(true);
  expect(handshake.state).toBe(CLOSED);
});

test('an acceptance that ends the stream opens a connection that has ended', () => {
  const handshake = h2Client();
  handshake.receiveHeaders(responseBlock(), true);
  expect(handshake.nextEvent()).toBeInstanceOf(AcceptConnection);
  expect(handshake).toMatchObject({ state: OPEN, ended: true });
  expect(handshake.nextEvent()).toBe(NEED_DATA);
});

test('an extension that had nothing to offer was not offered, and may not be accepted', () => {
  const handshake = h2Client({ extensions: [extension('x-a', { offers: () => [] })] });
  handshake.receiveHeaders(responseBlock('200', { 'sec-websocket-extensions': 'x-a' }));
  expectRemoteError(() => handshake.nextEvent(), 'INVALID_EXTENSION');
  expect(handshake).toMatchObject({ state: CLOSED, extensions: [] });
});

test('pieces of a body leave as they arrive', () => {
  const handshake = h2Client();
  handshake.receiveHeaders(responseBlock('403'));
  handshake.nextEvent();
  for (const sent of ['ab', 'cd', 'ef']) {
    handshake.receiveData(latin1(sent));
    expect(handshake.nextEvent()).toEqual(new RejectData(latin1(sent), false));
    expect(handshake.nextEvent()).toBe(NEED_DATA);
    expect(handshake.state).toBe(REJECTING);
  }
  handshake.receiveData(latin1('gh'));
  handshake.receiveData(null);
  expect(handshake.nextEvent()).toEqual(new RejectData(latin1('gh'), true));
  expect(handshake.state).toBe(CLOSED);
});

test('a fault that came first stays the one that is told', () => {
  const handshake = h2Server({ handshakeTimeout: 100 });
  handshake.receiveHeaders(connectBlock({ ':method': 'GET' }));
  const error = expectRemoteError(() => handshake.nextEvent(), 'INVALID_METHOD');
  handshake.handleTimeout(1000);
  handshake.handleTimeout(1100);
  expect(handshake.state).toBe(CLOSED);
  expect(expectRemoteError(() => handshake.nextEvent(), 'INVALID_METHOD')).toBe(error);
});

test.each([null, 'wss', 'HTTPS', '', 1])('%j is no scheme', (scheme) => {
  expectLocalError(() => new H2Handshake(CLIENT, { scheme: scheme as 'https' }), 'INVALID_OPTION');
});
