/** What must not depend on the version of HTTP: one table for both classes, over a wire that is no wire. */

import { describe, expect, test } from 'vitest';
import {
  AcceptConnection,
  type HandshakeEvent,
  NEED_DATA,
  RejectConnection,
  RejectData,
  Request,
} from '../../../src/core/events.js';
import type { SupportedExtension } from '../../../src/core/extensions/extension.js';
import { AgreedDeflate, PerMessageDeflate } from '../../../src/core/extensions/permessage-deflate.js';
import { H1Handshake, type HandshakeOptions } from '../../../src/core/handshake/h1.js';
import { H2Handshake } from '../../../src/core/handshake/h2.js';
import {
  CLIENT,
  CLOSED,
  CONNECTING,
  eventOf,
  expectLocalError,
  expectRemoteError,
  extension,
  latin1,
  OPEN,
  REJECTING,
  SERVER,
  text,
} from './vocabulary.js';

type Both = H1Handshake | H2Handshake;

/** Sends an event from one end to the other. */
function pass(from: Both, to: Both, event: HandshakeEvent): void {
  if (from instanceof H1Handshake) to.receiveData(from.send(event));
  else if (to instanceof H2Handshake) {
    const { headers, data, endStream } = from.send(event);
    if (headers !== null) to.receiveHeaders(headers, endStream);
    if (data.length > 0) to.receiveData(data);
    if (endStream && headers === null) to.receiveData(null);
  }
}

const request = new Request({ host: 'example.com', target: '/chat' });
const timed = { handshakeTimeout: 100 };

function expire(handshake: Both): void {
  handshake.handleTimeout(1000);
  handshake.handleTimeout(1100);
}

describe.each([
  ['HTTP/1.1', H1Handshake],
  ['HTTP/2', H2Handshake],
])('over %s', (_name, Handshake) => {
  /** A client that has asked, and a server that knows of it. */
  function pair(options: { near?: HandshakeOptions; far?: HandshakeOptions; sent?: Request } = {}) {
    const near: Both = new Handshake(CLIENT, options.near);
    const far: Both = new Handshake(SERVER, options.far);
    pass(near, far, options.sent ?? request);
    const received = eventOf(far);
    return { near, far, received };
  }

  test('what is asked and answered', () => {
    const sent = new Request({
      host: '[::1]:81',
      target: '/a?b=/?c%20',
      subprotocols: ['two', 'one'],
      extraHeaders: [
        ['origin', 'http://example.com'],
        ['x-a', 'b'],
        ['x-a', ''],
        ['x-l', 'caf\xe9'],
      ],
    });
    const { near, far, received } = pair({ sent });
    expect(received).toEqual(sent);
    expect(far.request).toBe(received);
    expect(near.request).toBe(sent);
    const extraHeaders = [
      ['x-c', 'd'],
      ['x-c', 'e'],
    ] as const;
    pass(far, near, new AcceptConnection({ subprotocol: 'one', extraHeaders }));
    expect(eventOf(near)).toEqual(new AcceptConnection({ subprotocol: 'one', extraHeaders }));
    for (const end of [near, far]) {
      expect(end).toMatchObject({ state: OPEN, subprotocol: 'one', extensions: [] });
      expect(end.nextEvent()).toBe(NEED_DATA);
    }
  });

  const agreements: [name: string, offered: SupportedExtension[], supported: SupportedExtension[], agreed: string[]][] =
    [
      ['none supported', [extension('x-a')], [], []],
      ['none offered', [], [extension('x-a')], []],
      [
        'in the order of the client',
        [extension('x-b'), extension('x-a')],
        [extension('x-a'), extension('x-b')],
        ['x-b', 'x-a'],
      ],
      [
        'of those that want the same bit the first',
        [extension('x-a', { rsv: 0x40 }), extension('x-b', { rsv: 0x40 })],
        [extension('x-a', { rsv: 0x40 }), extension('x-b', { rsv: 0x40 })],
        ['x-a'],
      ],
      ['one that declines', [extension('x-a')], [extension('x-a', { accept: () => null })], []],
      ['permessage-deflate', [new PerMessageDeflate()], [new PerMessageDeflate()], ['permessage-deflate']],
      [
        'permessage-deflate beside another',
        [extension('x-a'), new PerMessageDeflate()],
        [new PerMessageDeflate(), extension('x-a')],
        ['x-a', 'permessage-deflate'],
      ],
    ];
  test.each(agreements)('extensions: %s', (_name, offered, supported, agreed) => {
    const { near, far } = pair({ near: { extensions: offered }, far: { extensions: supported } });
    pass(far, near, new AcceptConnection());
    eventOf(near);
    for (const end of [near, far]) expect(end.extensions.map(({ name }) => name)).toEqual(agreed);
  });

  test('the parameters of permessage-deflate', () => {
    const { near, far, received } = pair({
      near: { extensions: [new PerMessageDeflate({ serverMaxWindowBits: 10 })] },
      far: { extensions: [new PerMessageDeflate({ clientNoContextTakeover: true })] },
    });
    expect(received).toMatchObject({
      extensions: [
        {
          name: 'permessage-deflate',
          params: expect.arrayContaining([{ name: 'server_max_window_bits', value: '10' }]),
        },
      ],
    });
    pass(far, near, new AcceptConnection());
    eventOf(near);
    const [[ours], [theirs]] = [near.extensions, far.extensions] as [[AgreedDeflate], [AgreedDeflate]];
    expect(ours).toBeInstanceOf(AgreedDeflate);
    expect(ours.agreed).toEqual(theirs.agreed);
    expect(ours.agreed).toMatchObject({ serverMaxWindowBits: 10, clientNoContextTakeover: true });
  });

  test.each([
    ['a length', [['content-length', '10']] as const],
    ['no length', []],
  ])('a rejection with a body of %s', (_case, headers) => {
    const { near, far } = pair();
    pass(far, near, new RejectConnection({ statusCode: 403, headers, hasBody: true }));
    expect([...near.events()]).toMatchObject([{ type: 'reject', statusCode: 403, hasBody: true }]);
    pass(far, near, new RejectData(latin1('hello'), false));
    expect([far.state, near.state]).toEqual([REJECTING, REJECTING]);
    expect([...near.events()]).toEqual([new RejectData(latin1('hello'), false)]);
    pass(far, near, new RejectData(latin1('world')));
    expect(far.state).toBe(CLOSED);
    if (!near.ended) near.receiveData(null);
    const rest = [...near.events()] as RejectData[];
    expect(rest.map(({ data }) => text(data)).join('')).toBe('world');
    expect(rest.at(-1)?.bodyFinished).toBe(true);
    expect(near.state).toBe(CLOSED);
    expect(near.nextEvent()).toBe(NEED_DATA);
  });

  test('a rejection without a body', () => {
    const { near, far } = pair();
    pass(far, near, new RejectConnection({ statusCode: 404, headers: [['x-a', 'b']] }));
    expect(far.state).toBe(CLOSED);
    const [reject, ...rest] = near.events();
    expect(reject).toMatchObject({ statusCode: 404, hasBody: false });
    expect((reject as RejectConnection).headers).toContainEqual(['x-a', 'b']);
    expect([rest, near.state]).toEqual([[], CLOSED]);
  });

  test('the state changes when an event is handed out or sent', () => {
    const near: Both = new Handshake(CLIENT);
    const far: Both = new Handshake(SERVER);
    pass(near, far, request);
    expect(far).toMatchObject({ state: CONNECTING, request: null });
    eventOf(far);
    expect(far).toMatchObject({ state: CONNECTING, request: { target: '/chat' } });
    pass(far, near, new AcceptConnection());
    expect([far.state, near.state]).toEqual([OPEN, CONNECTING]);
    eventOf(near);
    expect(near.state).toBe(OPEN);
  });

  test('bytes that follow wait for the answer, bounded, and none is lost', () => {
    const { far } = pair();
    expect(far.receiveData(new Uint8Array(65_536))).toBe(true);
    expect(far.receiveData(latin1('x'))).toBe(false);
    expect(far.receiveData(latin1('y'))).toBe(false);
    far.send(new AcceptConnection());
    expect(far.trailingData).toHaveLength(65_538);
    far.receiveData(latin1('z'));
    expect(text(far.trailingData.subarray(-3))).toBe('xyz');
  });

  test('the end of the stream behind an answer', () => {
    const { near, far } = pair();
    pass(far, near, new AcceptConnection());
    near.receiveData(latin1('frame'));
    near.receiveData(null);
    expect([...near.events()]).toMatchObject([{ type: 'accept' }]);
    expect(near).toMatchObject({ state: OPEN, ended: true });
    expect(text(near.trailingData)).toBe('frame');
  });

  test('the end of the stream instead of an answer', () => {
    const { near } = pair();
    near.receiveData(null);
    expect(expectRemoteError(() => near.nextEvent(), 'UNEXPECTED_EOF').eventHint).toBeNull();
    expect(near.state).toBe(CLOSED);
    expectLocalError(() => near.receiveData(latin1('a')), 'INVALID_STATE');
  });

  describe('misuse is refused before anything changes:', () => {
    test('the wrong role', () => {
      const { near, far } = pair();
      for (const event of [new AcceptConnection(), new RejectConnection(), new RejectData(latin1(''))]) {
        expectLocalError(() => near.send(event), 'WRONG_ROLE');
      }
      expectLocalError(() => far.send(request), 'WRONG_ROLE');
      expect([near.state, far.state]).toEqual([CONNECTING, CONNECTING]);
    });

    test('the wrong moment', () => {
      const [accept, reject, data] = [new AcceptConnection(), new RejectConnection(), new RejectData(latin1('a'))];
      const untimely = (handshake: Both, ...events: HandshakeEvent[]) => {
        const { state } = handshake;
        for (const event of events) expectLocalError(() => handshake.send(event), 'INVALID_STATE');
        expect(handshake.state).toBe(state);
      };
      untimely(new Handshake(SERVER), accept, reject, data);
      const { near, far } = pair();
      untimely(near, request);
      untimely(far, data);
      pass(far, near, accept);
      eventOf(near);
      untimely(far, accept, reject, data);
      untimely(near, request);
      const rejecting = pair().far;
      rejecting.send(new RejectConnection({ hasBody: true }));
      untimely(rejecting, accept, reject);
      rejecting.send(data);
      untimely(rejecting, accept, reject, data);
    });

    const requests: [string, Partial<Request>][] = [
      ['INVALID_TARGET', { target: 'a' }],
      ['INVALID_TARGET', { target: '' }],
      ['INVALID_TARGET', { target: '/a b' }],
      ['INVALID_TARGET', { target: '/a#b' }],
      ['INVALID_TARGET', { target: '/\r\nA: b' }],
      ['INVALID_TARGET', { target: 'https://a/' }],
      ['INVALID_HOST', { host: '' }],
      ['INVALID_HOST', { host: 'a\r\nb' }],
      ['INVALID_HOST', { host: 'a@b' }],
      ['INVALID_SUBPROTOCOL', { subprotocols: ['a', 'a'] }],
      ['INVALID_SUBPROTOCOL', { subprotocols: [''] }],
      ['INVALID_SUBPROTOCOL', { subprotocols: ['a, b'] }],
      ['INVALID_HEADER', { extraHeaders: [['a:', 'b']] }],
      ['INVALID_HEADER', { extraHeaders: [[':path', '/other']] }],
      ['INVALID_HEADER', { extraHeaders: [['', 'b']] }],
      ['INVALID_HEADER', { extraHeaders: [['a', 'b\r\nc: d']] }],
      ['INVALID_HEADER', { extraHeaders: [['a', ' b']] }],
      ['INVALID_HEADER', { extraHeaders: [['a', 'b\u010ac']] }],
      ['INVALID_HEADER', { extraHeaders: [['a', 1 as unknown as string]] }],
      ['INVALID_HEADER', { extraHeaders: [['te', 1 as unknown as string]] }],
      ...[
        'HOST',
        'Upgrade',
        'Connection',
        'Content-Length',
        'Transfer-Encoding',
        'Sec-WebSocket-Key',
        'Sec-WebSocket-Accept',
        'Sec-WebSocket-Version',
        'Sec-WebSocket-Protocol',
        'Sec-WebSocket-Extensions',
      ].map((name): [string, Partial<Request>] => ['RESERVED_HEADER', { extraHeaders: [[name, 'x']] }]),
    ];
    test.each(requests)('a request with %s: %j', (code, change) => {
      const handshake: Both = new Handshake(CLIENT, timed);
      expectLocalError(() => handshake.send(new Request({ ...request, ...change })), code);
      expect(handshake).toMatchObject({ state: CONNECTING, request: null });
      expect(handshake.nextDeadline()).toBeNull();
      handshake.send(request);
    });

    test('a request with a bad extension', () => {
      const bad: Both = new Handshake(CLIENT, { extensions: [extension('a\r\nb')] });
      expectLocalError(() => bad.send(request), 'INVALID_EXTENSION');
      expect(bad.request).toBeNull();
    });

    test.each([
      ['INVALID_SUBPROTOCOL', { subprotocol: 'other' }],
      ['INVALID_SUBPROTOCOL', { subprotocol: '' }],
      ['INVALID_HEADER', { extraHeaders: [['a', '\n']] }],
      ['INVALID_HEADER', { extraHeaders: [[':status', '500']] }],
      ['RESERVED_HEADER', { extraHeaders: [['sec-websocket-accept', 'x']] }],
      ['RESERVED_HEADER', { extraHeaders: [['Content-Length', '0']] }],
      ['RESERVED_HEADER', { extraHeaders: [['Upgrade', 'h2c']] }],
    ] as [string, Partial<AcceptConnection>][])('an acceptance with %s: %j', (code, change) => {
      const sent = new Request({ ...request, subprotocols: ['chat'] });
      const { near, far } = pair({
        sent,
        near: { extensions: [extension('x-a')] },
        far: { extensions: [extension('x-a')] },
      });
      expectLocalError(() => far.send(new AcceptConnection(change)), code);
      expect(far).toMatchObject({ state: CONNECTING, subprotocol: null, extensions: [] });
      pass(far, near, new RejectConnection());
      expect(eventOf(near)).toMatchObject({ type: 'reject', statusCode: 400 });
    });

    test('what is refused does not stand in the way of an acceptance', () => {
      const { near, far } = pair();
      expectLocalError(() => far.send(new AcceptConnection({ subprotocol: 'x' })), 'INVALID_SUBPROTOCOL');
      expectLocalError(() => far.send(new RejectConnection({ statusCode: 200 })), 'INVALID_STATUS');
      pass(far, near, new RejectConnection());
      expect(eventOf(near)).toMatchObject({ type: 'reject', statusCode: 400 });
    });

    test('an acceptance with an extension that answers what cannot be written', () => {
      const accept = () => ({ params: [{ name: 'a', value: 'b\r\nc' }], extension: extension('x').finalize([]) });
      const { far } = pair({
        near: { extensions: [extension('x-a')] },
        far: { extensions: [extension('x-a', { accept })] },
      });
      expectLocalError(() => far.send(new AcceptConnection()), 'INVALID_EXTENSION');
      expect(far).toMatchObject({ state: CONNECTING, extensions: [] });
      far.send(new RejectConnection());
    });

    test.each([
      ['INVALID_STATUS', { statusCode: 101 }],
      ['INVALID_STATUS', { statusCode: 200 }],
      ['INVALID_STATUS', { statusCode: 299 }],
      ['INVALID_STATUS', { statusCode: 600 }],
      ['INVALID_STATUS', { statusCode: 400.5 }],
      ['INVALID_STATUS', { statusCode: Number.NaN }],
      ['INVALID_STATUS', { statusCode: 304, hasBody: true }],
      ['INVALID_HEADER', { headers: [['a', '\r']] }],
      ['INVALID_HEADER', { headers: [[':status', '200']] }],
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
      const { near, far } = pair();
      expectLocalError(() => far.send(new RejectConnection(change)), code);
      expect(far.state).toBe(CONNECTING);
      pass(far, near, new RejectConnection());
      expect(eventOf(near)).toMatchObject({ type: 'reject', statusCode: 400 });
    });

    test('a body of another length than announced', () => {
      const { far } = pair();
      far.send(new RejectConnection({ headers: [['Content-Length', '3']], hasBody: true }));
      expectLocalError(() => far.send(new RejectData(latin1('abcd'))), 'BODY_LENGTH');
      expectLocalError(() => far.send(new RejectData(latin1('abcd'), false)), 'BODY_LENGTH');
      expectLocalError(() => far.send(new RejectData(latin1('ab'), true)), 'BODY_LENGTH');
      far.send(new RejectData(latin1('ab'), false));
      expectLocalError(() => far.send(new RejectData(latin1('cd'))), 'BODY_LENGTH');
      expect(far.state).toBe(REJECTING);
      far.send(new RejectData(latin1('c')));
      expect(far.state).toBe(CLOSED);
    });

    test.each([
      [{ maxHeaderSize: Number.NaN }],
      [{ maxHeaderFields: -1 }],
      [{ handshakeTimeout: 'x' as unknown as number }],
    ])('the option %j', (options) => {
      for (const type of [CLIENT, SERVER]) expectLocalError(() => new Handshake(type, options), 'INVALID_OPTION');
    });
  });

  describe('deadlines:', () => {
    test('the deadline starts with the first time told', () => {
      const handshake: Both = new Handshake(SERVER, timed);
      expect(handshake.nextDeadline()).toBe(0);
      handshake.handleTimeout(1000);
      expect(handshake.nextDeadline()).toBe(1100);
      handshake.handleTimeout(1099);
      expect(handshake.state).toBe(CONNECTING);
      handshake.handleTimeout(1100);
      expect(handshake.state).toBe(CLOSED);
      expect(handshake.nextDeadline()).toBeNull();
    });

    test('a client waits from its request on', () => {
      const handshake: Both = new Handshake(CLIENT, timed);
      expect(handshake.nextDeadline()).toBeNull();
      handshake.handleTimeout(5000);
      handshake.send(request);
      expect(handshake.nextDeadline()).toBe(5000);
      handshake.handleTimeout(6000);
      expect(handshake.nextDeadline()).toBe(6100);
    });

    test('Infinity is none', () => {
      const handshake: Both = new Handshake(SERVER, { handshakeTimeout: Infinity });
      expect(handshake.nextDeadline()).toBeNull();
      handshake.handleTimeout(1e300);
      expect(handshake.state).toBe(CONNECTING);
    });

    test('a server that timed out says so, and may still send its hint', () => {
      for (const wasAsked of [false, true]) {
        const { near, far } = wasAsked
          ? pair({ far: timed })
          : { near: new Handshake(CLIENT) as Both, far: new Handshake(SERVER, timed) as Both };
        if (!wasAsked) near.send(request);
        expire(far);
        const { eventHint, message } = expectRemoteError(() => far.nextEvent(), 'HANDSHAKE_TIMEOUT');
        expect(message).toMatch(/handshakeTimeout, 100 ms/);
        expect(eventHint).toMatchObject({ statusCode: 408, hasBody: false });
        expectLocalError(() => far.send(new AcceptConnection()), 'INVALID_STATE');
        expectLocalError(() => far.send(new RejectConnection({ hasBody: true })), 'INVALID_STATE');
        pass(far, near, eventHint ?? new AcceptConnection());
        expect(eventOf(near)).toMatchObject({ type: 'reject', statusCode: 408 });
        expectLocalError(() => far.send(new RejectConnection()), 'INVALID_STATE');
        expectRemoteError(() => far.nextEvent(), 'HANDSHAKE_TIMEOUT');
        expect(far.state).toBe(CLOSED);
      }
    });

    test('a client that timed out has nobody to tell, and reads no further', () => {
      const { near, far } = pair({ near: timed });
      expire(near);
      pass(far, near, new AcceptConnection());
      expect(expectRemoteError(() => near.nextEvent(), 'HANDSHAKE_TIMEOUT').eventHint).toBeNull();
      expect(near.state).toBe(CLOSED);
    });

    test('the body of a rejection is under the same deadline, on both sides', () => {
      const { near, far } = pair({ near: timed, far: timed });
      pass(far, near, new RejectConnection({ statusCode: 403, hasBody: true }));
      eventOf(near);
      for (const handshake of [near, far]) {
        expect(handshake.state).toBe(REJECTING);
        expire(handshake);
        expect(expectRemoteError(() => handshake.nextEvent(), 'HANDSHAKE_TIMEOUT').eventHint).toBeNull();
        expect(handshake.state).toBe(CLOSED);
      }
      expectLocalError(() => far.send(new RejectData(latin1('a'))), 'INVALID_STATE');
    });

    test('once it is over nothing is waited for', () => {
      const open = pair({ near: timed, far: timed });
      pass(open.far, open.near, new AcceptConnection());
      eventOf(open.near);
      const closed = pair({ near: timed, far: timed });
      pass(closed.far, closed.near, new RejectConnection());
      eventOf(closed.near);
      for (const handshake of [open.far, open.near, closed.far, closed.near]) {
        const { state } = handshake;
        expire(handshake);
        expect(handshake.nextDeadline()).toBeNull();
        expect(handshake.state).toBe(state);
      }
    });
  });
});
