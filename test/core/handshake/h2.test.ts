/** A handshake over HTTP/2 as a whole: its order, its end, and what it does not keep. */

import { describe, expect, test } from 'vitest';
import { NEED_DATA, RejectConnection } from '../../../src/core/events.js';
import {
  type Arrival,
  CLOSED,
  connectBlock,
  expectLocalError,
  expectRemoteError,
  h2Asked,
  h2Client,
  h2OutcomeOf,
  h2Server,
  latin1,
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
    expect(h2OutcomeOf(h2Server, ...arrivals)).toMatchObject(outcome);
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
