import { describe, expect, test } from 'vitest';
import { RemoteProtocolError } from '../../src/core/errors.js';
import {
  AcceptConnection,
  BytesMessage,
  CloseConnection,
  type FrameEvent,
  type HandshakeEvent,
  NEED_DATA,
  RejectConnection,
  RejectData,
  Request,
  TextMessage,
} from '../../src/core/events.js';
import { WSConnection, type WSConnectionOptions } from '../../src/core/ws-connection.js';
import { CLOSED, frame, LOCAL_CLOSING, OPEN, parseFrames, REMOTE_CLOSING } from '../conformance/support.js';
import { KEY, rawRequest, rawResponse } from './handshake/vocabulary.js';
import { CLIENT, expectLocalError, SERVER } from './support.js';

const request = new Request({ host: 'example.com', target: '/chat' });
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const handshake = { randomBytes: () => Buffer.from(KEY, 'base64') };

const server = (options: WSConnectionOptions = {}) => new WSConnection(SERVER, options);

function client(options: WSConnectionOptions = {}) {
  const one = new WSConnection(CLIENT, { handshake, ...options });
  return { one, opening: one.send(request) };
}

/** The next event, of a kind. */
function next<Type extends (HandshakeEvent | FrameEvent)['type']>(one: WSConnection, type: Type) {
  const event = one.nextEvent();
  expect(event).toMatchObject({ type });
  return event as Extract<HandshakeEvent | FrameEvent, { type: Type }>;
}

describe('a client and a server', () => {
  test('meet, talk and part', () => {
    const { one: here, opening } = client();
    const there = server();
    expect([here.state, there.state, here.transport]).toEqual([0, 0, 'open']);
    there.receiveData(opening);
    expect(next(there, 'request').target).toBe('/chat');
    expect(there.connection).toBe(null);
    here.receiveData(there.send(new AcceptConnection()));
    expect([here.state, there.state]).toEqual([0, OPEN]);
    next(here, 'accept');
    expect(here.state).toBe(OPEN);
    expect(here.connection?.type).toBe(CLIENT);

    there.receiveData(here.send(new TextMessage('hello')));
    expect(next(there, 'text').data).toBe('hello');
    here.receiveData(there.send(new BytesMessage(Uint8Array.of(1, 2))));
    expect(next(here, 'bytes').data).toEqual(Buffer.from([1, 2]));
    here.receiveData(there.send(new CloseConnection(1001, 'bye')));
    const close = next(here, 'close');
    expect([close.code, close.reason, here.state, there.state]).toEqual([1001, 'bye', REMOTE_CLOSING, LOCAL_CLOSING]);
    there.receiveData(here.send(close.response()));
    next(there, 'close');
    expect([here.state, there.state]).toEqual([CLOSED, CLOSED]);
    expect([here.transport, there.transport]).toEqual(['await-peer-close', 'half-close']);
    here.receiveData(null);
    there.receiveData(null);
    expect([here.transport, there.transport]).toEqual(['destroy', 'destroy']);
    expect([here.nextEvent(), there.nextEvent()]).toEqual([NEED_DATA, NEED_DATA]);
  });

  test('bytes behind the handshake are the first of the connection, on either side and in any pieces', () => {
    const early = frame({ opcode: 1, payload: 'early' });
    const response = Buffer.concat([bytesOf(rawResponse()), early, early.subarray(0, 4)]);
    const masked = frame({ opcode: 1, payload: 'early', mask: true });
    const asking = Buffer.concat([bytesOf(rawRequest()), masked, masked.subarray(0, 7)]);
    for (const [make, input] of [
      [() => client().one, response],
      [() => server(), asking],
    ] as const) {
      for (let at = 1; at <= input.length; at++) {
        const one = make();
        const texts: string[] = [];
        for (const chunk of [input.subarray(0, at), input.subarray(at)]) {
          one.receiveData(Uint8Array.from(chunk));
          for (const event of one.events()) {
            if (event.type === 'request') one.send(new AcceptConnection());
            if (event.type === 'text') texts.push(event.data);
          }
        }
        expect([texts, one.state]).toEqual([['early'], OPEN]);
        one.receiveData((one.type === CLIENT ? early : masked).slice(one.type === CLIENT ? 4 : 7));
        expect(next(one, 'text').data).toBe('early');
      }
    }
  });

  test('the end of the stream right behind the handshake comes after what was sent', () => {
    const { one } = client();
    one.receiveData(bytesOf(rawResponse()));
    one.receiveData(frame({ opcode: 1, payload: 'last words' }));
    one.receiveData(null);
    expect([...one.events()].map(({ type }) => type)).toEqual(['accept', 'text', 'close']);
    expect([one.state, one.transport]).toEqual([CLOSED, 'destroy']);
  });

  test('options of the connection reach it, and are checked at once', () => {
    const { one } = client({ connection: { maxMessageSize: 4 } });
    one.receiveData(bytesOf(rawResponse()));
    next(one, 'accept');
    expect(one.connection?.config.maxMessageSize).toBe(4);
    one.receiveData(frame({ opcode: 1, payload: '12345' }));
    expect(next(one, 'close').code).toBe(1009);
    const out: Uint8Array[] = [];
    one.acknowledge(one.takeOutput(out));
    expect(parseFrames(Buffer.concat(out))).toMatchObject([{ opcode: 8, masked: true }]);
    expectLocalError(() => server({ connection: { maxMessageSize: -1 } }), 'INVALID_OPTION');
  });
});

describe('before the handshake is over', () => {
  test('there is nothing to send but the handshake, and nothing to write', () => {
    const one = server();
    expectLocalError(() => one.send(new TextMessage('too early')), 'NOT_OPEN');
    expect(one.takeOutput([])).toBe(0);
    one.receiveData(bytesOf(rawRequest()));
    next(one, 'request');
    expectLocalError(() => one.send(new CloseConnection(1000)), 'NOT_OPEN');
    one.send(new AcceptConnection());
    expectLocalError(() => one.send(new AcceptConnection()), 'INVALID_STATE');
    expect(parseFrames(one.send(new TextMessage('now')))).toHaveLength(1);
  });

  test('the end of the stream fails it', () => {
    for (const one of [server(), client().one]) {
      one.receiveData(bytesOf('GET / HT'));
      one.receiveData(null);
      expect(() => one.nextEvent()).toThrow(RemoteProtocolError);
      expect([one.state, one.transport, one.connection]).toEqual([CLOSED, 'destroy', null]);
    }
  });

  test('a timeout fails it', () => {
    const one = server();
    expect(one.nextDeadline()).toBe(0);
    one.handleTimeout(1000);
    expect(one.nextDeadline()).toBe(11_000);
    one.handleTimeout(11_000);
    expect(() => one.nextEvent()).toThrow(RemoteProtocolError);
    expect(one.transport).toBe('destroy');
  });

  test('the deadlines of the connection follow', () => {
    const { one } = client({ connection: { pingInterval: 30, pingTimeout: 20 } });
    one.handleTimeout(1000);
    one.receiveData(bytesOf(rawResponse()));
    next(one, 'accept');
    one.handleTimeout(1001);
    expect(one.nextDeadline()).toBe(1031);
  });

  test('a rejection ends it on both sides', () => {
    const { one: here, opening } = client();
    const there = server();
    there.receiveData(opening);
    next(there, 'request');
    here.receiveData(
      there.send(new RejectConnection({ statusCode: 403, headers: [['Content-Length', '2']], hasBody: true })),
    );
    here.receiveData(there.send(new RejectData(bytesOf('no'))));
    expect(next(here, 'reject').statusCode).toBe(403);
    expect(Buffer.from(next(here, 'reject-data').data).toString()).toBe('no');
    expect([here.state, there.state, here.transport, there.transport]).toEqual([CLOSED, CLOSED, 'destroy', 'destroy']);
    expect([here.connection, there.connection]).toEqual([null, null]);
    expect(here.nextEvent()).toBe(NEED_DATA);
  });

  test('a wrong request can be answered with its hint', () => {
    const one = server();
    one.receiveData(bytesOf(rawRequest({ 'Sec-WebSocket-Version': '12' })));
    let hint: RejectConnection | null = null;
    try {
      one.nextEvent();
    } catch (error) {
      hint = (error as RemoteProtocolError).eventHint;
    }
    expect(hint?.statusCode).toBe(426);
    expect(Buffer.from(one.send(hint as RejectConnection)).toString()).toContain('426');
    expect([one.state, one.transport]).toEqual([CLOSED, 'destroy']);
  });
});
