/** Extended CONNECT on the wire (RFC 8441 §4, §5; RFC 9113 §8.2, §8.3, §8.5): what is taken, refused, and written. */

import { describe, expect, test } from 'vitest';
import { AcceptConnection, type HeaderList, RejectConnection, RejectData, Request } from '../../../src/core/events.js';
import { PerMessageDeflate } from '../../../src/core/extensions/permessage-deflate.js';
import { H2Handshake } from '../../../src/core/handshake/h2.js';
import {
  ACCEPT,
  type Arrival,
  arrive,
  type Changes,
  CLIENT,
  CLOSED,
  CONNECTING,
  connectBlock,
  expectRemoteError,
  extension,
  h2Asked,
  h2Client,
  h2OutcomeOf,
  h2Server,
  KEY,
  latin1,
  OPEN,
  responseBlock,
} from './vocabulary.js';

const FRAME = '\x81\x05hello';
const EMPTY = new Uint8Array(0);
/** Values that RFC 9113 §8.2.1 and RFC 9110 §5.5 do not allow. */
const BAD_VALUES = [' a', 'a ', '\ta', 'a\t', 'a\r\nb: c', 'a\nb', 'a\0', 'a\x1b', 'a\x7f', 'a\u010a'];
const BAD_NAMES = ['', ' a', 'a ', 'a b', 'a:', 'a\0', 'a\n', '\xe9', 'a\u0131'];
const CONNECTION_SPECIFIC: Changes[] = [
  { connection: 'upgrade' },
  { upgrade: 'websocket' },
  { 'keep-alive': '1' },
  { 'proxy-connection': 'close' },
  { 'transfer-encoding': 'chunked' },
  { te: 'gzip' },
  { te: 'trailers, gzip' },
  { te: '' },
];

describe('a request is read', () => {
  const taken: [name: string, request: HeaderList, event: object][] = [
    [
      'the least there can be',
      connectBlock(),
      { host: 'example.com', target: '/chat', subprotocols: [], extensions: [], extraHeaders: [] },
    ],
    [':protocol in any case', connectBlock({ ':protocol': 'WebSocket' }), {}],
    ['http', connectBlock({ ':scheme': 'http' }), {}],
    ['a scheme in any case', connectBlock({ ':scheme': 'HTTPS' }), {}],
    ['a query', connectBlock({ ':path': '/chat?room=1&x=/?%20' }), { target: '/chat?room=1&x=/?%20' }],
    ['a port', connectBlock({ ':authority': 'example.com:8443' }), { host: 'example.com:8443' }],
    ['an IPv6 host', connectBlock({ ':authority': '[::1]:8080' }), { host: '[::1]:8080' }],
    [
      'pseudo-headers in any order',
      [...connectBlock().slice(0, 5).reverse(), ...connectBlock().slice(5)],
      { host: 'example.com', target: '/chat' },
    ],
    ['a Host that says something else', connectBlock({ host: 'other' }), { host: 'example.com', extraHeaders: [] }],
    ['Hosts that are none', connectBlock({ host: ['a b', ''] }), { host: 'example.com', extraHeaders: [] }],
    ['a key', connectBlock({ 'sec-websocket-key': KEY }), { extraHeaders: [] }],
    ['keys that are none', connectBlock({ 'sec-websocket-key': ['x', ''] }), { extraHeaders: [] }],
    ['an answer to a key', connectBlock({ 'sec-websocket-accept': ACCEPT }), { extraHeaders: [] }],
    ['an empty body announced', connectBlock({ 'content-length': '0' }), { extraHeaders: [] }],
    ['te: trailers', connectBlock({ te: 'trailers' }), { extraHeaders: [['te', 'trailers']] }],
    // RFC 5234 §2.3: as all words that a grammar has in quotes.
    ['te: trailers, in any case', connectBlock({ te: 'Trailers' }), { extraHeaders: [['te', 'Trailers']] }],
    [
      'subprotocols',
      connectBlock({ 'sec-websocket-protocol': 'chat,\tsuperchat' }),
      { subprotocols: ['chat', 'superchat'], extraHeaders: [] },
    ],
    ['subprotocols, repeated', connectBlock({ 'sec-websocket-protocol': ['b', 'a'] }), { subprotocols: ['b', 'a'] }],
    [
      'extensions, repeated',
      connectBlock({ 'sec-websocket-extensions': ['a; b="c"', 'd'] }),
      {
        extensions: [
          { name: 'a', params: [{ name: 'b', value: 'c' }] },
          { name: 'd', params: [] },
        ],
        extraHeaders: [],
      },
    ],
    [
      'other fields, as they came',
      connectBlock({ origin: 'http://a', 'x-a': ['b', 'c'], 'x-empty': '', 'x-latin': 'caf\xe9 \t x', upgraded: 'y' }),
      {
        extraHeaders: [
          ['origin', 'http://a'],
          ['x-a', 'b'],
          ['x-a', 'c'],
          ['x-empty', ''],
          ['x-latin', 'caf\xe9 \t x'],
          ['upgraded', 'y'],
        ],
      },
    ],
    ['one cookie', connectBlock({ cookie: 'a=b; c' }), { extraHeaders: [['cookie', 'a=b; c']] }],
    [
      'crumbs of a cookie (RFC 9113 §8.2.3)',
      connectBlock({ cookie: ['a=b', 'c=d; e', 'f'] }),
      { extraHeaders: [['cookie', 'a=b; c=d; e; f']] },
    ],
  ];
  test.each(taken)('%s', (_name, request, event) => {
    const outcome = h2OutcomeOf(h2Server, request);
    expect(outcome).toMatchObject({ error: null, state: CONNECTING, trailing: '' });
    expect(outcome.events).toEqual([expect.objectContaining({ type: 'request', ...event })]);
  });

  test('frames sent before our answer', () => {
    expect(h2OutcomeOf(h2Server, connectBlock(), FRAME)).toMatchObject({ error: null, trailing: FRAME });
  });

  type Refused = [name: string, arrivals: readonly Arrival[], code: string, status: number];
  const changed = (changes: Changes, code: string, status = 400): Refused => [
    JSON.stringify(changes),
    [connectBlock(changes)],
    code,
    status,
  ];
  const refused: Refused[] = [
    // RFC 9110 §15.5.6.
    changed({ ':method': 'GET' }, 'INVALID_METHOD', 405),
    changed({ ':method': 'GET', ':protocol': null }, 'INVALID_METHOD', 405),
    changed({ ':method': 'connect' }, 'INVALID_METHOD', 405),
    changed({ ':method': 'CONNECT ' }, 'INVALID_METHOD', 405),
    // RFC 9110 §9.3.6, RFC 9113 §8.5: a tunnel.
    changed({ ':protocol': null }, 'MISSING_PROTOCOL', 501),
    changed({ ':protocol': null, ':scheme': null, ':path': null }, 'MISSING_PROTOCOL', 501),
    // RFC 9220 §3.
    ...['connect-udp', '', 'websocket ', 'web socket', 'websocket, connect-udp', 'websocket/13'].map((protocol) =>
      changed({ ':protocol': protocol }, 'UNSUPPORTED_PROTOCOL', 501),
    ),
    // RFC 8441 §4: both of these there must be.
    ...[null, '', 'wss', 'ftp', 'https '].map((scheme) => changed({ ':scheme': scheme }, 'INVALID_SCHEME')),
    ...[null, '', '*', 'chat', '/a b', '/a\tb', '/a#b', '/\xe9', '/\r\n', ' /', 'https://a/b', '?a'].map((path) =>
      changed({ ':path': path }, 'INVALID_TARGET'),
    ),
    ...[null, '', 'a b', 'a,b/c', 'user@a', 'a:b', 'a/b', ':80', ' a', 'a\r\n'].map((authority) =>
      changed({ ':authority': authority }, 'INVALID_HOST'),
    ),
    // A Host does not do instead.
    changed({ ':authority': null, host: 'example.com' }, 'INVALID_HOST'),
    // RFC 9113 §8.3.
    ...[':status', ':', ':foo', ':Path', ':path ', ':method:'].map((name) =>
      changed({ [name]: '1' }, 'INVALID_PSEUDO_HEADER'),
    ),
    ...Object.entries({ method: 'CONNECT', protocol: 'websocket', scheme: 'https', path: '/a', authority: 'a' }).map(
      ([name, value]) => changed({ [`:${name}`]: [value, value] }, 'INVALID_PSEUDO_HEADER'),
    ),
    ...connectBlock()
      .slice(0, 5)
      .map(([name, value], at, list): Refused => {
        const others = list.filter((_pair, index) => index !== at);
        const late = [...others, ['sec-websocket-version', '13'] as const, [name, value] as const];
        return [`${name} behind a field`, [late], 'INVALID_PSEUDO_HEADER', 400];
      }),
    [
      'one that was there behind a field',
      [[...connectBlock(), [':path', '/chat'] as const]],
      'INVALID_PSEUDO_HEADER',
      400,
    ],
    // RFC 9113 §8.3.1: malformed, and of no method that could be allowed or not.
    changed({ ':method': null }, 'INVALID_PSEUDO_HEADER'),
    ['fields only', [connectBlock().slice(5)], 'INVALID_PSEUDO_HEADER', 400],
    ['nothing', [[]], 'INVALID_PSEUDO_HEADER', 400],
    // RFC 9113 §8.2.2.
    ...CONNECTION_SPECIFIC.map((changes) => changed(changes, 'INVALID_HEADER')),
    // RFC 9113 §8.2, §8.2.1.
    changed({ 'sec-websocket-version': null, 'Sec-WebSocket-Version': '13' }, 'INVALID_HEADER'),
    changed({ 'x-A': 'b' }, 'INVALID_HEADER'),
    changed({ Connection: 'close' }, 'INVALID_HEADER'),
    ...BAD_NAMES.map((name) => changed({ [name]: 'b' }, 'INVALID_HEADER')),
    ...BAD_VALUES.map((value) => changed({ 'x-a': value }, 'INVALID_HEADER')),
    ...BAD_VALUES.map((value) => changed({ host: value }, 'INVALID_HEADER')),
    ...BAD_VALUES.map((value) => changed({ cookie: ['a', value] }, 'INVALID_HEADER')),
    // RFC 6455 §4.2.1, §4.4.
    ...[null, '', '8', '013', '13.0', '13, 8', ['13', '13'], ['8', '13']].map((version) =>
      changed({ 'sec-websocket-version': version }, 'UNSUPPORTED_VERSION'),
    ),
    // RFC 9110 §9.3.6: a CONNECT has no body, and this one's DATA are frames.
    ...['1', '', 'x', '-0', ['0', '1']].map((length) => changed({ 'content-length': length }, 'REQUEST_BODY')),
    ...['', 'a b', 'a,', 'a, a', ['a', 'a'], 'a;b'].map((names) =>
      changed({ 'sec-websocket-protocol': names }, 'INVALID_SUBPROTOCOL'),
    ),
    ...['', 'a;', 'a,', 'a b', 'a; b=', 'a; b="', 'a; b="c d"', ['a', '']].map((offers) =>
      changed({ 'sec-websocket-extensions': offers }, 'INVALID_EXTENSION'),
    ),
    // RFC 8441 §5: END_STREAM is the end of the connection.
    ['END_STREAM with it', [{ last: connectBlock() }], 'UNEXPECTED_EOF', 400],
    ['END_STREAM, and a fault', [{ last: connectBlock({ ':method': 'GET' }) }], 'INVALID_METHOD', 405],
    ['END_STREAM alone', [null], 'UNEXPECTED_EOF', 400],
  ];
  /** What goes with a status besides it. */
  const fieldsOf = (code: string): HeaderList => {
    if (code === 'INVALID_METHOD') return [['allow', 'CONNECT']];
    return code === 'UNSUPPORTED_VERSION' ? [['sec-websocket-version', '13']] : [];
  };
  test.each(refused)('and refused: %s', (_name, arrivals, code, status) => {
    const expected = { events: [], error: code, status, state: CONNECTING, trailing: '' };
    expect(h2OutcomeOf(h2Server, ...arrivals)).toEqual(expected);
    const handshake = h2Server();
    arrive(handshake, arrivals[0]);
    const { eventHint } = expectRemoteError(() => handshake.nextEvent(), code);
    expect(handshake.send(eventHint ?? new AcceptConnection())).toEqual({
      headers: [[':status', String(status)], ...fieldsOf(code)],
      data: EMPTY,
      endStream: true,
    });
    expect(handshake.state).toBe(CLOSED);
  });
});

describe('a response is read', () => {
  const asking = new Request({ host: 'example.com', target: '/', subprotocols: ['chat', 'other'] });
  const client = () => h2Client({ extensions: [extension('x-a', { rsv: 0x40 }), extension('x-b')] }, asking);

  const accepted: [name: string, arrivals: readonly Arrival[], event?: object, trailing?: string][] = [
    ['200', [responseBlock()], { subprotocol: null, extensions: [], extraHeaders: [] }],
    ['201', [responseBlock('201')]],
    ['204', [responseBlock('204')]],
    ['299', [responseBlock('299')]],
    ['frames behind it', [responseBlock(), FRAME, 'more'], {}, `${FRAME}more`],
    ['END_STREAM with it', [{ last: responseBlock() }]],
    ['frames, and END_STREAM', [responseBlock(), FRAME, null], {}, FRAME],
    ['interim responses', [responseBlock('100'), responseBlock('103', { link: '</a>' }), responseBlock()]],
    ['an interim response with fields that would do', [responseBlock('199', { ':status': '199' }), responseBlock()]],
    // RFC 9110 §9.3.6: "MUST ignore".
    ...['5', '0', 'x', ['1', '2']].map((length): [string, Arrival[], object, string] => [
      `Content-Length ${length}`,
      [responseBlock('200', { 'content-length': length }), FRAME],
      { extraHeaders: [] },
      FRAME,
    ]),
    ['a key answered', [responseBlock('200', { 'sec-websocket-accept': 'x' })], { extraHeaders: [] }],
    [
      'a subprotocol',
      [responseBlock('200', { 'sec-websocket-protocol': 'other' })],
      { subprotocol: 'other', extraHeaders: [] },
    ],
    [
      'extensions',
      [responseBlock('200', { 'sec-websocket-extensions': 'x-b, x-a' })],
      { extensions: [expect.objectContaining({ name: 'x-b' }), expect.objectContaining({ name: 'x-a' })] },
    ],
    [
      'other fields, as they came',
      [responseBlock('200', { 'set-cookie': ['a=b', 'c=d'], te: 'trailers' })],
      {
        extraHeaders: [
          ['set-cookie', 'a=b'],
          ['set-cookie', 'c=d'],
          ['te', 'trailers'],
        ],
      },
    ],
  ];
  test.each(accepted)('that accepts: %s', (_name, arrivals, event = {}, trailing = '') => {
    const outcome = h2OutcomeOf(client, ...arrivals);
    expect(outcome).toMatchObject({ error: null, state: OPEN, trailing });
    expect(outcome.events).toEqual([expect.objectContaining({ type: 'accept', ...event })]);
  });

  const trailers: HeaderList = [['x-sum', '1']];
  const rejected: [name: string, arrivals: readonly Arrival[], event: object, body?: string][] = [
    ['without a body', [{ last: responseBlock('403') }], { statusCode: 403, headers: [], hasBody: false }],
    ['a redirect', [{ last: responseBlock('302', { location: '/' }) }], { headers: [['location', '/']] }],
    ['the lowest status', [{ last: responseBlock('300') }], { statusCode: 300 }],
    ['the highest status', [{ last: responseBlock('599') }], { statusCode: 599 }],
    // RFC 9110 §15: to be taken for a 5xx, as over HTTP/1.1.
    ['a status that means nothing', [{ last: responseBlock('999') }], { statusCode: 999 }],
    ['Content-Length 0', [{ last: responseBlock('403', { 'content-length': '0' }) }], { hasBody: false }],
    ['with a body', [responseBlock('403'), 'who are', ' you?', null], { hasBody: true }, 'who are you?'],
    ['with trailers', [responseBlock('403'), 'body', { last: trailers }], { hasBody: true }, 'body'],
    [
      'with trailers that are malformed, which nobody reads',
      [responseBlock('403'), 'body', { last: [[':path', ' '] as const] }],
      {},
      'body',
    ],
    [
      'with Content-Length',
      [responseBlock('403', { 'content-length': '4' }), 'bo', 'dy', null],
      { headers: [['content-length', '4']] },
      'body',
    ],
    [
      'with Content-Length and trailers',
      [responseBlock('403', { 'content-length': '4' }), 'body', { last: trailers }],
      {},
      'body',
    ],
    ['with Content-Length twice', [responseBlock('403', { 'content-length': ['4', '4'] }), 'body', null], {}, 'body'],
    [
      // RFC 9110 §8.6: the length of what a 200 would have had.
      'a 304 with Content-Length',
      [{ last: responseBlock('304', { 'content-length': '4' }) }],
      { statusCode: 304, hasBody: false },
    ],
    ['an interim response first', [responseBlock('103'), { last: responseBlock('404') }], { statusCode: 404 }],
  ];
  test.each(rejected)('that rejects: %s', (_name, arrivals, event, body) => {
    const outcome = h2OutcomeOf(client, ...arrivals);
    expect(outcome).toMatchObject({ error: null, state: CLOSED, trailing: '' });
    const [reject, ...rest] = outcome.events;
    expect(reject).toMatchObject({ type: 'reject', ...event });
    expect(rest).toEqual(body === undefined ? [] : [`body: ${body}`]);
  });

  const changed = (changes: Changes, code: string): [string, Arrival[], string] => [
    JSON.stringify(changes),
    [responseBlock('200', changes)],
    code,
  ];
  const faulty: [name: string, arrivals: readonly Arrival[], code: string][] = [
    // RFC 9113 §8.6, §8.3.2.
    ...['101', '', '20', '2000', '200 ', ' 200', '200 OK', '099', '000', '0', '+200', '2e2', '２００', '20x', null].map(
      (status) => changed({ ':status': status }, 'INVALID_STATUS'),
    ),
    ['101 with all that HTTP/1.1 wants', [responseBlock('101', { 'sec-websocket-accept': ACCEPT })], 'INVALID_STATUS'],
    ...[':path', ':protocol', ':', ':Status'].map((name) => changed({ [name]: '/' }, 'INVALID_PSEUDO_HEADER')),
    changed({ ':status': ['200', '200'] }, 'INVALID_PSEUDO_HEADER'),
    [
      ':status behind a field',
      [
        [
          ['a', 'b'],
          [':status', '200'],
        ],
      ],
      'INVALID_PSEUDO_HEADER',
    ],
    ...CONNECTION_SPECIFIC.map((changes) => changed(changes, 'INVALID_HEADER')),
    changed({ 'X-A': 'b' }, 'INVALID_HEADER'),
    ...BAD_NAMES.map((name) => changed({ [name]: 'b' }, 'INVALID_HEADER')),
    ...BAD_VALUES.map((value) => changed({ 'x-a': value }, 'INVALID_HEADER')),
    ['a rejection with a fault', [responseBlock('403', { upgrade: 'h2c' })], 'INVALID_HEADER'],
    // RFC 6455 §4.1.
    ...['third', '', 'chat, other', ['chat', 'chat']].map((name) =>
      changed({ 'sec-websocket-protocol': name }, 'INVALID_SUBPROTOCOL'),
    ),
    ...['x-c', '', 'x-a, x-a', ['x-a', 'x-b'], 'x-a;'].map((value) =>
      changed({ 'sec-websocket-extensions': value }, 'INVALID_EXTENSION'),
    ),
    ...['x', '', '-1', '1.0', '0x1', '1'.repeat(16), ['4', '5']].map((length): [string, Arrival[], string] => [
      `a rejection with Content-Length ${length}`,
      [responseBlock('403', { 'content-length': length }), 'body', null],
      'INVALID_BODY',
    ]),
    ['data instead', [FRAME], 'UNEXPECTED_DATA'],
    ['data behind an interim response', [responseBlock('103'), FRAME], 'UNEXPECTED_DATA'],
    ['the end instead', [null], 'UNEXPECTED_EOF'],
    ['the end behind an interim response', [responseBlock('100'), null], 'UNEXPECTED_EOF'],
    ['END_STREAM with an interim response (RFC 9113 §8.1)', [{ last: responseBlock('103') }], 'UNEXPECTED_EOF'],
  ];
  test.each(faulty)('that is none: %s', (_name, arrivals, code) => {
    expect(h2OutcomeOf(client, ...arrivals)).toEqual({
      events: [],
      error: code,
      status: null,
      state: CLOSED,
      trailing: '',
    });
  });

  const otherLengths: [name: string, arrivals: readonly Arrival[]][] = [
    ['none', [{ last: responseBlock('403', { 'content-length': '4' }) }]],
    ['less', [responseBlock('403', { 'content-length': '4' }), 'bod', null]],
    ['less, with trailers', [responseBlock('403', { 'content-length': '4' }), 'bod', { last: trailers }]],
    ['more', [responseBlock('403', { 'content-length': '4' }), 'body!', null]],
    ['some where there is none', [responseBlock('403', { 'content-length': '0' }), 'b', null]],
  ];
  test.each(otherLengths)('whose body is not as long as it says (RFC 9113 §8.1.1): %s', (_name, arrivals) => {
    expect(h2OutcomeOf(client, ...arrivals)).toMatchObject({ error: 'INVALID_BODY', state: CLOSED, trailing: '' });
  });

  test('whose body is too long is found out at the first byte too many', () => {
    const handshake = client();
    handshake.receiveHeaders(responseBlock('403', { 'content-length': '4' }));
    handshake.receiveData(latin1('body'));
    expect([...handshake.events()]).toEqual([expect.anything(), new RejectData(latin1('body'), false)]);
    handshake.receiveData(latin1('!'));
    expectRemoteError(() => handshake.nextEvent(), 'INVALID_BODY');
  });
});

describe('what is written', () => {
  test('a request', () => {
    const handshake = new H2Handshake(CLIENT, {
      scheme: 'http',
      extensions: [
        extension('x-a', { offers: () => [[{ name: 'b', value: '1' }], []] }),
        extension('x-none', { offers: () => [] }),
        new PerMessageDeflate(),
      ],
    });
    const sent = new Request({
      host: 'h:1',
      target: '/t?q',
      subprotocols: ['p', 'q'],
      extraHeaders: [
        ['Origin', 'o'],
        ['Keep-Alive', '5'],
        ['PROXY-Connection', 'x'],
        ['TE', 'gzip'],
        ['X-A', 'B'],
        ['Te', 'Trailers'],
      ],
    });
    expect(handshake.send(sent)).toEqual({
      headers: [
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
        [':scheme', 'http'],
        [':path', '/t?q'],
        [':authority', 'h:1'],
        ['sec-websocket-version', '13'],
        ['sec-websocket-protocol', 'p, q'],
        ['sec-websocket-extensions', 'x-a; b=1, x-a, permessage-deflate; client_max_window_bits'],
        ['origin', 'o'],
        ['x-a', 'B'],
        ['te', 'Trailers'],
      ],
      data: EMPTY,
      endStream: false,
    });
    expect(handshake.request).toBe(sent);
  });

  test('the least of a request is of wss', () => {
    const { headers } = new H2Handshake(CLIENT).send(new Request({ host: 'a', target: '/' }));
    expect(headers).toEqual([
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'https'],
      [':path', '/'],
      [':authority', 'a'],
      ['sec-websocket-version', '13'],
    ]);
  });

  test('an acceptance', () => {
    const changes = { 'sec-websocket-protocol': 'p, q', 'sec-websocket-extensions': 'x-b, x-a' };
    const far = h2Asked(changes, { extensions: [extension('x-a'), extension('x-b')] });
    const extraHeaders: HeaderList = [
      ['Set-Cookie', 'a'],
      ['Keep-Alive', '5'],
      ['Set-Cookie', 'b'],
    ];
    expect(far.send(new AcceptConnection({ subprotocol: 'q', extraHeaders }))).toEqual({
      headers: [
        [':status', '200'],
        ['sec-websocket-protocol', 'q'],
        ['sec-websocket-extensions', 'x-b, x-a'],
        ['set-cookie', 'a'],
        ['set-cookie', 'b'],
      ],
      data: EMPTY,
      endStream: false,
    });
    expect(h2Asked().send(new AcceptConnection()).headers).toEqual([[':status', '200']]);
  });

  test('a rejection, and its body', () => {
    const headers: HeaderList = [
      ['Content-Length', '4'],
      ['Connection', 'close'],
      ['Upgrade', 'h2c'],
      ['Host', 'kept, for it is a field of no meaning here'],
      ['TE', 'deflate'],
      ['Retry-After', '5'],
    ];
    const far = h2Asked();
    expect(far.send(new RejectConnection({ statusCode: 503, headers, hasBody: true }))).toEqual({
      headers: [
        [':status', '503'],
        ['content-length', '4'],
        ['host', 'kept, for it is a field of no meaning here'],
        ['retry-after', '5'],
      ],
      data: EMPTY,
      endStream: false,
    });
    const [first, second] = [latin1('bo'), latin1('dy')];
    expect(far.send(new RejectData(first, false))).toEqual({ headers: null, data: first, endStream: false });
    expect(far.send(new RejectData(second))).toEqual({ headers: null, data: second, endStream: true });
    expect(far.state).toBe(CLOSED);
  });

  test.each([300, 304, 404, 599])('a rejection with %d and no body ends the stream', (statusCode) => {
    const far = h2Asked();
    expect(far.send(new RejectConnection({ statusCode, headers: [['Content-Length', '0']] }))).toEqual({
      headers: [
        [':status', String(statusCode)],
        ['content-length', '0'],
      ],
      data: EMPTY,
      endStream: true,
    });
    expect(far.state).toBe(CLOSED);
  });
});
