import { expect, test } from 'vitest';
import { AcceptConnection, RejectConnection, RejectData, Request } from '../../../src/core/events.js';
import { H1Handshake, type HandshakeOptions } from '../../../src/core/handshake/h1.js';
import {
  asked,
  CLIENT,
  CLOSED,
  CONNECTING,
  client,
  expectLocalError,
  expectRemoteError,
  latin1,
  REJECTING,
  rawResponse,
  server,
  text,
} from './vocabulary.js';

const timed = { handshakeTimeout: 100 };

function expire(handshake: H1Handshake): void {
  handshake.handleTimeout(1000);
  handshake.handleTimeout(1100);
}

test('the deadline starts with the first time told', () => {
  const handshake = server(timed);
  expect(handshake.nextDeadline()).toBe(0);
  handshake.handleTimeout(1000);
  expect(handshake.nextDeadline()).toBe(1100);
  handshake.handleTimeout(1099);
  expect(handshake).toMatchObject({ state: CONNECTING });
  expect(handshake.nextDeadline()).toBe(1100);
  handshake.handleTimeout(1100);
  expect(handshake.state).toBe(CLOSED);
  expect(handshake.nextDeadline()).toBeNull();
});

test('a client waits from its request on, and asks at once with the time it knows', () => {
  const handshake = new H1Handshake(CLIENT, timed);
  expect(handshake.nextDeadline()).toBeNull();
  handshake.handleTimeout(5000);
  handshake.send(new Request({ host: 'a', target: '/' }));
  expect(handshake.nextDeadline()).toBe(5000);
  handshake.handleTimeout(6000);
  expect(handshake.nextDeadline()).toBe(6100);
});

test('Infinity is none', () => {
  const handshake = server({ handshakeTimeout: Infinity });
  expect(handshake.nextDeadline()).toBeNull();
  handshake.handleTimeout(1e300);
  expect(handshake.state).toBe(CONNECTING);
});

test('a server that timed out says so, and may still send its hint', () => {
  for (const make of [server, (options: HandshakeOptions) => asked({}, options)]) {
    const handshake = make(timed);
    expire(handshake);
    const error = expectRemoteError(() => handshake.nextEvent(), 'HANDSHAKE_TIMEOUT');
    expect(error.message).toMatch(/handshakeTimeout/);
    expect(error.eventHint).toMatchObject({ statusCode: 408, hasBody: false });
    expectLocalError(() => handshake.send(new AcceptConnection()), 'INVALID_STATE');
    expectLocalError(() => handshake.send(new RejectConnection({ statusCode: 408, hasBody: true })), 'INVALID_STATE');
    expect(text(handshake.send(error.eventHint ?? new AcceptConnection()))).toMatch(
      /^HTTP\/1.1 408 Request Timeout\r\n/,
    );
    expectLocalError(() => handshake.send(new RejectConnection()), 'INVALID_STATE');
    expectRemoteError(() => handshake.nextEvent(), 'HANDSHAKE_TIMEOUT');
    expect(handshake.state).toBe(CLOSED);
  }
});

test('a client that timed out has nobody to tell, and reads no further', () => {
  const handshake = client(timed);
  expire(handshake);
  handshake.receiveData(latin1(rawResponse()));
  expect(expectRemoteError(() => handshake.nextEvent(), 'HANDSHAKE_TIMEOUT').eventHint).toBeNull();
  expect(handshake.state).toBe(CLOSED);
});

test('the body of a rejection is under the same deadline, on both sides', () => {
  const receiving = client(timed);
  receiving.receiveData(latin1('HTTP/1.1 403 \r\n\r\n'));
  receiving.nextEvent();
  const sending = asked({}, timed);
  sending.send(new RejectConnection({ statusCode: 403, hasBody: true }));
  for (const handshake of [receiving, sending]) {
    expect(handshake.state).toBe(REJECTING);
    expire(handshake);
    expect(expectRemoteError(() => handshake.nextEvent(), 'HANDSHAKE_TIMEOUT').eventHint).toBeNull();
    expect(handshake.state).toBe(CLOSED);
  }
  expectLocalError(() => sending.send(new RejectData(latin1('a'))), 'INVALID_STATE');
});

test('once it is over nothing is waited for', () => {
  const open = asked({}, timed);
  open.send(new AcceptConnection());
  const closed = asked({}, timed);
  closed.send(new RejectConnection());
  for (const handshake of [open, closed]) {
    const { state } = handshake;
    expire(handshake);
    expect(handshake.nextDeadline()).toBeNull();
    expect(handshake.state).toBe(state);
  }
});

test('a fault that came first stays the one that is told', () => {
  const handshake = server(timed);
  handshake.receiveData(latin1('BREW / HTTP/1.1\r\n\r\n'));
  const error = expectRemoteError(() => handshake.nextEvent(), 'INVALID_METHOD');
  expire(handshake);
  expect(handshake.state).toBe(CLOSED);
  expect(expectRemoteError(() => handshake.nextEvent(), 'INVALID_METHOD')).toBe(error);
});
