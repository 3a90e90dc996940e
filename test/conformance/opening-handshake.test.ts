/**
 * RFC 6455 chapter 4, the opening handshake, and the HTTP under it (RFC 9110, RFC 9112). Every case is also run with
 * its bytes cut in two at every place, and byte by byte: the outcome must be the same.
 */

import { describe, expect, test } from 'vitest';
import { AcceptConnection, type RejectConnection, Request } from '../../src/core/events.js';
import {
  ACCEPT,
  asked,
  type Changes,
  CLOSED,
  CONNECTING,
  client,
  extension,
  KEY,
  latin1,
  OPEN,
  outcomeOf,
  rawRequest,
  rawResponse,
  server,
  text,
} from '../core/handshake/vocabulary.js';

const FRAME = '\x81\x05hello';

describe('4.2.1 reading the client’s opening handshake', () => {
  const accepted: [name: string, input: string, request: object, trailing?: string][] = [
    ['the least there can be', rawRequest(), { host: 'example.com', target: '/chat', extraHeaders: [] }],
    ['frames sent before our answer', rawRequest({}, undefined, FRAME), { target: '/chat' }, FRAME],
    ['an empty line before the request line (RFC 9112 §2.2)', `\r\n${rawRequest()}`, { target: '/chat' }],
    ['a later HTTP/1.x', rawRequest({}, 'GET /chat HTTP/1.2'), { target: '/chat' }],
    ['a query', rawRequest({}, 'GET /chat?room=1&x=/?%20 HTTP/1.1'), { target: '/chat?room=1&x=/?%20' }],
    ['absolute form', rawRequest({}, 'GET ws://other:80/a?b HTTP/1.1'), { host: 'other:80', target: '/a?b' }],
    ['absolute form, no path', rawRequest({}, 'GET HTTPS://other?b HTTP/1.1'), { host: 'other', target: '/?b' }],
    ['an IPv6 host', rawRequest({ Host: '[::1]:8080' }), { host: '[::1]:8080' }],
    ['Upgrade in any case', rawRequest({ Upgrade: 'WebSocket' }), {}],
    ['Upgrade among others', rawRequest({ Upgrade: 'h2c, websocket' }), {}],
    ['Upgrade in a repeated field', rawRequest({ Upgrade: ['h2c', 'websocket'] }), {}],
    ['Connection among others, in any case', rawRequest({ Connection: 'keep-alive,\tUPGRADE' }), {}],
    ['Connection in a repeated field', rawRequest({ Connection: ['keep-alive', 'Upgrade'] }), {}],
    ['Connection with empty elements', rawRequest({ Connection: ', Upgrade,' }), {}],
    [
      'field names in any case',
      rawRequest({ Host: null, hOsT: 'a', 'Sec-WebSocket-Key': null, 'sec-websocket-KEY': KEY }),
      { host: 'a' },
    ],
    [
      'subprotocols',
      rawRequest({ 'Sec-WebSocket-Protocol': 'chat,\tsuperchat' }),
      { subprotocols: ['chat', 'superchat'] },
    ],
    ['subprotocols, repeated', rawRequest({ 'Sec-WebSocket-Protocol': ['b', 'a'] }), { subprotocols: ['b', 'a'] }],
    [
      'extensions, repeated',
      rawRequest({ 'Sec-WebSocket-Extensions': ['a; b="c"', 'd'] }),
      {
        extensions: [
          { name: 'a', params: [{ name: 'b', value: 'c' }] },
          { name: 'd', params: [] },
        ],
      },
    ],
    [
      'other fields, as they came',
      rawRequest({ Origin: 'http://a', Cookie: ['b=1', 'c=2'], 'X-Empty': '', 'X-Latin': 'caf\xe9 \t x' }),
      {
        extraHeaders: [
          ['Origin', 'http://a'],
          ['Cookie', 'b=1'],
          ['Cookie', 'c=2'],
          ['X-Empty', ''],
          ['X-Latin', 'caf\xe9 \t x'],
        ],
      },
    ],
    ['whitespace around a value', rawRequest({ 'X-A': ' \t b \t' }), { extraHeaders: [['X-A', 'b']] }],
    ['an empty body announced', rawRequest({ 'Content-Length': '0' }), { extraHeaders: [] }],
  ];
  test.each(accepted)('takes %s', (_name, input, request, trailing = '') => {
    const outcome = outcomeOf(server, input);
    expect(outcome).toMatchObject({ error: null, state: CONNECTING, trailing });
    expect(outcome.events).toEqual([expect.objectContaining({ type: 'request', ...request })]);
  });

  const get = (target: string) => rawRequest({}, `GET ${target} HTTP/1.1`);
  const refused: [name: string, input: string, error: string, status: number][] = [
    // item 1: the request line
    ['a POST', rawRequest({}, 'POST / HTTP/1.1'), 'INVALID_METHOD', 405],
    ['a method in lower case', rawRequest({}, 'get / HTTP/1.1'), 'INVALID_METHOD', 405],
    ['HTTP/1.0', rawRequest({}, 'GET / HTTP/1.0'), 'HTTP_VERSION', 505],
    ['HTTP/0.9', 'GET /\r\n', 'HTTP_VERSION', 505],
    ['HTTP/2.0', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'HTTP_VERSION', 505],
    ['a lower-case http', rawRequest({}, 'GET / http/1.1'), 'INVALID_START_LINE', 400],
    ['more digits in the version', rawRequest({}, 'GET / HTTP/1.10'), 'INVALID_START_LINE', 400],
    ['two spaces', rawRequest({}, 'GET  / HTTP/1.1'), 'INVALID_START_LINE', 400],
    ['a space in the target', rawRequest({}, 'GET /a b HTTP/1.1'), 'INVALID_START_LINE', 400],
    ['a space at the end', rawRequest({}, 'GET / HTTP/1.1 '), 'INVALID_START_LINE', 400],
    ['two empty lines first', `\r\n\r\n${rawRequest()}`, 'INVALID_START_LINE', 400],
    ['a TLS ClientHello', '\x16\x03\x01', 'INVALID_START_LINE', 400],
    ['a fragment', get('/a#b'), 'INVALID_TARGET', 400],
    ['a tab in the target', get('/a\tb'), 'INVALID_TARGET', 400],
    ['a target beyond ASCII', get('/\xe9'), 'INVALID_TARGET', 400],
    ['an asterisk', get('*'), 'INVALID_TARGET', 400],
    ['a relative target', get('chat'), 'INVALID_TARGET', 400],
    ['an authority', get('example.com:80'), 'INVALID_TARGET', 400],
    ['another scheme', get('ftp://a/b'), 'INVALID_TARGET', 400],
    ['userinfo', get('ws://user@a/b'), 'INVALID_TARGET', 400],
    ['absolute form without a host', get('ws:///b'), 'INVALID_TARGET', 400],
    ['a fragment in absolute form', get('ws://a/b#c'), 'INVALID_TARGET', 400],
    // item 2: Host
    ['no Host', rawRequest({ Host: null }), 'INVALID_HOST', 400],
    ['two Hosts', rawRequest({ Host: ['a', 'a'] }), 'INVALID_HOST', 400],
    ['an empty Host', rawRequest({ Host: '' }), 'INVALID_HOST', 400],
    ['a Host with a path', rawRequest({ Host: 'a/b' }), 'INVALID_HOST', 400],
    ['a Host with a space', rawRequest({ Host: 'a b' }), 'INVALID_HOST', 400],
    ['a Host with userinfo', rawRequest({ Host: 'a@b' }), 'INVALID_HOST', 400],
    ['a Host with a bad port', rawRequest({ Host: 'a:b' }), 'INVALID_HOST', 400],
    ['no Host, in absolute form', rawRequest({ Host: null }, 'GET ws://a/ HTTP/1.1'), 'INVALID_HOST', 400],
    // items 3 and 4: Upgrade, Connection
    ['no Upgrade', rawRequest({ Upgrade: null }), 'MISSING_UPGRADE', 426],
    ['another Upgrade', rawRequest({ Upgrade: 'h2c' }), 'MISSING_UPGRADE', 426],
    ['Upgrade with a version', rawRequest({ Upgrade: 'websocket/13' }), 'MISSING_UPGRADE', 426],
    ['no Connection', rawRequest({ Connection: null }), 'MISSING_UPGRADE', 426],
    ['another Connection', rawRequest({ Connection: 'keep-alive, no-upgrade' }), 'MISSING_UPGRADE', 426],
    // item 5: the key
    ['no key', rawRequest({ 'Sec-WebSocket-Key': null }), 'INVALID_KEY', 400],
    ['two keys', rawRequest({ 'Sec-WebSocket-Key': [KEY, KEY] }), 'INVALID_KEY', 400],
    ['a key of 15 bytes', rawRequest({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' }), 'INVALID_KEY', 400],
    ['a key of 17 bytes', rawRequest({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAAA=' }), 'INVALID_KEY', 400],
    ['a key without padding', rawRequest({ 'Sec-WebSocket-Key': KEY.slice(0, -2) }), 'INVALID_KEY', 400],
    ['a key that is not base64', rawRequest({ 'Sec-WebSocket-Key': `*${KEY.slice(1)}` }), 'INVALID_KEY', 400],
    ['a key with stray bits', rawRequest({ 'Sec-WebSocket-Key': KEY.replace('Q==', 'R==') }), 'INVALID_KEY', 400],
    // item 6: the version
    ['no version', rawRequest({ 'Sec-WebSocket-Version': null }), 'UNSUPPORTED_VERSION', 426],
    ['version 8', rawRequest({ 'Sec-WebSocket-Version': '8' }), 'UNSUPPORTED_VERSION', 426],
    ['version 013', rawRequest({ 'Sec-WebSocket-Version': '013' }), 'UNSUPPORTED_VERSION', 426],
    ['two versions', rawRequest({ 'Sec-WebSocket-Version': ['13', '13'] }), 'UNSUPPORTED_VERSION', 426],
    // items 8 and 9: subprotocols and extensions
    ['an empty subprotocol', rawRequest({ 'Sec-WebSocket-Protocol': 'a,,b' }), 'INVALID_SUBPROTOCOL', 400],
    ['no subprotocol in the field', rawRequest({ 'Sec-WebSocket-Protocol': '' }), 'INVALID_SUBPROTOCOL', 400],
    ['a subprotocol that is no token', rawRequest({ 'Sec-WebSocket-Protocol': 'a b' }), 'INVALID_SUBPROTOCOL', 400],
    ['a subprotocol twice', rawRequest({ 'Sec-WebSocket-Protocol': ['a', 'b, a'] }), 'INVALID_SUBPROTOCOL', 400],
    ['an empty extension', rawRequest({ 'Sec-WebSocket-Extensions': 'a,,b' }), 'INVALID_EXTENSION', 400],
    ['a stray semicolon', rawRequest({ 'Sec-WebSocket-Extensions': ['a', 'b;'] }), 'INVALID_EXTENSION', 400],
    // a body
    ['a body', rawRequest({ 'Content-Length': '5' }, undefined, 'hello'), 'REQUEST_BODY', 400],
    ['a body of doubtful length', rawRequest({ 'Content-Length': ['0', '5'] }), 'REQUEST_BODY', 400],
    ['a transfer coding', rawRequest({ 'Transfer-Encoding': 'chunked' }), 'TRANSFER_ENCODING', 501],
    // RFC 9112 §5: the fields
    ['obsolete folding', rawRequest({ 'X-A': 'b\r\n c' }), 'INVALID_HEADER', 400],
    ['folding by a tab', rawRequest({ 'X-A': 'b\r\n\tc' }), 'INVALID_HEADER', 400],
    ['folding of the request line', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 'INVALID_HEADER', 400],
    ['a space before the colon', rawRequest({ 'X-A ': 'b' }), 'INVALID_HEADER', 400],
    ['no name', rawRequest({ '': 'b' }), 'INVALID_HEADER', 400],
    ['no colon', rawRequest({ 'X-A': 'b\r\nnonsense' }), 'INVALID_HEADER', 400],
    ['a name that is no token', rawRequest({ 'X(A)': 'b' }), 'INVALID_HEADER', 400],
    ['NUL in a value', rawRequest({ 'X-A': 'b\0' }), 'INVALID_HEADER', 400],
    ['a control character in a value', rawRequest({ 'X-A': 'b\x0b' }), 'INVALID_HEADER', 400],
    ['DEL in a value', rawRequest({ 'X-A': '\x7f' }), 'INVALID_HEADER', 400],
    ['a bare line feed', rawRequest({ 'X-A': 'b\nX-C: d' }), 'INVALID_HEADER', 400],
    ['a bare carriage return', rawRequest({ 'X-A': 'b\rX-C: d' }), 'INVALID_HEADER', 400],
    ['two carriage returns', rawRequest({ 'X-A': 'b\r' }), 'INVALID_HEADER', 400],
    ['an end without a carriage return', `${rawRequest().slice(0, -2)}\n`, 'INVALID_HEADER', 400],
    ['line feeds only', rawRequest().replaceAll('\r\n', '\n'), 'INVALID_START_LINE', 400],
  ];
  test.each(refused)('refuses %s', (_name, input, error, status) => {
    expect(outcomeOf(server, input)).toEqual({ events: [], error, status, state: CONNECTING, trailing: '' });
  });

  test('says what would have been right', () => {
    const hint = (changes: Changes, startLine?: string) => {
      const handshake = server();
      handshake.receiveData(latin1(rawRequest(changes, startLine)));
      expect(() => handshake.nextEvent()).toThrow();
      try {
        handshake.nextEvent();
      } catch (error) {
        return (error as { eventHint: RejectConnection }).eventHint.headers;
      }
      return [];
    };
    expect(hint({}, 'PUT / HTTP/1.1')).toEqual([['Allow', 'GET']]);
    expect(hint({ Upgrade: null })).toEqual([['Upgrade', 'websocket']]);
    expect(hint({ 'Sec-WebSocket-Version': '14' })).toContainEqual(['Sec-WebSocket-Version', '13']);
  });

  test('a stream that ends early can no longer be answered', () => {
    const outcome = { events: [], error: 'UNEXPECTED_EOF', status: null, state: CLOSED, trailing: '' };
    for (const input of ['G', rawRequest().slice(0, -1)]) expect(outcomeOf(server, input, true)).toEqual(outcome);
    expect(outcomeOf(server, rawRequest(), true)).toMatchObject({ error: 'UNEXPECTED_EOF', state: CLOSED });
  });
});

describe('4.2.2 sending the server’s opening handshake', () => {
  test('the 101 of RFC 6455 §1.3', () => {
    const handshake = asked({ 'Sec-WebSocket-Protocol': 'chat, superchat' });
    expect(text(handshake.send(new AcceptConnection({ subprotocol: 'chat' })))).toBe(
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${ACCEPT}`,
        'Sec-WebSocket-Protocol: chat',
        '\r\n',
      ].join('\r\n'),
    );
    expect(handshake).toMatchObject({ state: OPEN, subprotocol: 'chat' });
  });

  test('extensions agreed to', () => {
    const handshake = asked({ 'Sec-WebSocket-Extensions': 'x-a, x-b; c' }, { extensions: [extension('x-b')] });
    expect(text(handshake.send(new AcceptConnection()))).toContain('\r\nSec-WebSocket-Extensions: x-b; c\r\n');
    expect(handshake.extensions.map(({ name }) => name)).toEqual(['x-b']);
  });
});

describe('4.1 the client’s side', () => {
  const offering = () =>
    client(
      { extensions: [extension('x-a', { rsv: 0x40 }), extension('x-b', { rsv: 0x40 }), extension('x-c')] },
      new Request({ host: 'example.com', target: '/', subprotocols: ['chat', 'superchat'] }),
    );

  const accepted: [name: string, input: string, accept: object, trailing?: string][] = [
    ['the least there can be', rawResponse(), { subprotocol: null, extensions: [], extraHeaders: [] }],
    ['frames that follow', rawResponse({}, undefined, FRAME), {}, FRAME],
    ['a status line without a reason', rawResponse({}, 'HTTP/1.1 101'), {}],
    ['a status line with an empty reason', rawResponse({}, 'HTTP/1.1 101 '), {}],
    ['another reason', rawResponse({}, 'HTTP/1.1 101 Web Socket \xe9'), {}],
    ['Upgrade in any case', rawResponse({ Upgrade: 'WEBSOCKET' }), {}],
    ['Connection among others', rawResponse({ Connection: 'x, upgrade' }), {}],
    ['a subprotocol', rawResponse({ 'Sec-WebSocket-Protocol': 'superchat' }), { subprotocol: 'superchat' }],
    [
      'extensions',
      rawResponse({ 'Sec-WebSocket-Extensions': 'x-c;a=1,x-a' }),
      { extensions: [expect.objectContaining({ name: 'x-c' }), expect.objectContaining({ name: 'x-a' })] },
    ],
    [
      'other fields',
      rawResponse({ 'Set-Cookie': ['a', 'b'] }),
      {
        extraHeaders: [
          ['Set-Cookie', 'a'],
          ['Set-Cookie', 'b'],
        ],
      },
    ],
    [
      'responses in between',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: a\r\n\r\n${rawResponse()}`,
      { extraHeaders: [] },
    ],
  ];
  test.each(accepted)('takes %s', (_name, input, accept, trailing = '') => {
    const outcome = outcomeOf(offering, input);
    expect(outcome).toMatchObject({ error: null, state: OPEN, trailing });
    expect(outcome.events).toEqual([expect.objectContaining({ type: 'accept', ...accept })]);
  });

  const refused: [name: string, input: string, error: string][] = [
    ['something else than HTTP', 'SSH-2.0-x\r\n', 'INVALID_START_LINE'],
    ['an empty line first', `\r\n${rawResponse()}`, 'INVALID_START_LINE'],
    ['a status of two digits', rawResponse({}, 'HTTP/1.1 99 x'), 'INVALID_START_LINE'],
    ['a 101 of HTTP/1.0', rawResponse({}, 'HTTP/1.0 101 x'), 'HTTP_VERSION'],
    ['HTTP/2.0', rawResponse({}, 'HTTP/2.0 101 x'), 'HTTP_VERSION'],
    ['no Upgrade', rawResponse({ Upgrade: null }), 'MISSING_UPGRADE'],
    ['another Upgrade', rawResponse({ Upgrade: 'h2c' }), 'MISSING_UPGRADE'],
    ['Upgrade with another', rawResponse({ Upgrade: 'websocket, h2c' }), 'MISSING_UPGRADE'],
    ['Upgrade twice', rawResponse({ Upgrade: ['websocket', 'websocket'] }), 'MISSING_UPGRADE'],
    ['no Connection', rawResponse({ Connection: null }), 'MISSING_UPGRADE'],
    ['another Connection', rawResponse({ Connection: 'close' }), 'MISSING_UPGRADE'],
    ['no accept', rawResponse({ 'Sec-WebSocket-Accept': null }), 'INVALID_ACCEPT'],
    ['another accept', rawResponse({ 'Sec-WebSocket-Accept': ACCEPT.toLowerCase() }), 'INVALID_ACCEPT'],
    ['accept twice', rawResponse({ 'Sec-WebSocket-Accept': [ACCEPT, ACCEPT] }), 'INVALID_ACCEPT'],
    ['a subprotocol not offered', rawResponse({ 'Sec-WebSocket-Protocol': 'Chat' }), 'INVALID_SUBPROTOCOL'],
    ['two subprotocols', rawResponse({ 'Sec-WebSocket-Protocol': 'chat, superchat' }), 'INVALID_SUBPROTOCOL'],
    ['a subprotocol twice', rawResponse({ 'Sec-WebSocket-Protocol': ['chat', 'chat'] }), 'INVALID_SUBPROTOCOL'],
    ['an empty subprotocol', rawResponse({ 'Sec-WebSocket-Protocol': '' }), 'INVALID_SUBPROTOCOL'],
    ['an extension not offered', rawResponse({ 'Sec-WebSocket-Extensions': 'x-d' }), 'INVALID_EXTENSION'],
    ['an extension twice', rawResponse({ 'Sec-WebSocket-Extensions': 'x-c, x-c' }), 'INVALID_EXTENSION'],
    ['extensions in two fields', rawResponse({ 'Sec-WebSocket-Extensions': ['x-a', 'x-c'] }), 'INVALID_EXTENSION'],
    ['extensions that collide', rawResponse({ 'Sec-WebSocket-Extensions': 'x-a, x-b' }), 'INVALID_EXTENSION'],
    ['extensions off the grammar', rawResponse({ 'Sec-WebSocket-Extensions': 'x-a;' }), 'INVALID_EXTENSION'],
    ['folding', rawResponse({ 'X-A': 'b\r\n c' }), 'INVALID_HEADER'],
    ['a bare line feed', rawResponse({ 'X-A': 'b\nc: d' }), 'INVALID_HEADER'],
    [
      'a length and a transfer coding',
      'HTTP/1.1 400 \r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'INVALID_BODY',
    ],
    ['two lengths', 'HTTP/1.1 400 \r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'INVALID_BODY'],
    ['a length that is no number', 'HTTP/1.1 400 \r\nContent-Length: +1\r\n\r\n', 'INVALID_BODY'],
    ['another transfer coding', 'HTTP/1.1 400 \r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 'INVALID_BODY'],
    ['a transfer coding in HTTP/1.0', 'HTTP/1.0 400 \r\nTransfer-Encoding: chunked\r\n\r\n', 'INVALID_BODY'],
  ];
  test.each(refused)('refuses %s', (_name, input, error) => {
    expect(outcomeOf(offering, input)).toEqual({ events: [], error, status: null, state: CLOSED, trailing: '' });
  });

  test('nothing may be chosen where nothing was offered', () => {
    expect(outcomeOf(client, rawResponse({ 'Sec-WebSocket-Protocol': 'chat' })).error).toBe('INVALID_SUBPROTOCOL');
    expect(outcomeOf(client, rawResponse({ 'Sec-WebSocket-Extensions': 'x-a' })).error).toBe('INVALID_EXTENSION');
  });

  test('a stream that ends early', () => {
    for (const input of ['H', rawResponse().slice(0, -1)]) {
      expect(outcomeOf(client, input, true)).toMatchObject({ error: 'UNEXPECTED_EOF', state: CLOSED });
    }
  });
});

describe('4.1 a response other than 101 is plain HTTP', () => {
  const chunked = 'HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: Chunked\r\n\r\n';
  const whole: [name: string, input: string, status: number, body: string | null, eof?: boolean][] = [
    ['no body by length', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\nignored', 404, null],
    ['no body by status', 'HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n', 304, null],
    ['a status that succeeds', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore', 200, 'ok'],
    ['a length repeated', 'HTTP/1.1 500 \r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok', 500, 'ok'],
    ['a body until the end', 'HTTP/1.0 403 \r\n\r\nhello', 403, 'hello', true],
    ['an empty body until the end', 'HTTP/1.1 403 \r\n\r\n', 403, '', true],
    ['chunks', `${chunked}5\r\nhello\r\n00A ;x="y"\r\n, world!!!\r\n0\r\nT: x\r\n\r\nignored`, 403, 'hello, world!!!'],
    ['no chunks', `${chunked}0\r\n\r\n`, 403, ''],
  ];
  test.each(whole)('%s', (_name, input, statusCode, body, eof = false) => {
    const outcome = outcomeOf(client, input, eof);
    expect(outcome).toMatchObject({ error: null, state: CLOSED, trailing: '' });
    const reject = expect.objectContaining({ type: 'reject', statusCode, hasBody: body !== null });
    expect(outcome.events).toEqual(body === null ? [reject] : [reject, `body: ${body}`]);
  });

  const broken: [name: string, input: string, error: string][] = [
    ['a size that is no number', `${chunked}x\r\n`, 'INVALID_BODY'],
    ['a size with a sign', `${chunked}+1\r\n`, 'INVALID_BODY'],
    ['a size with a prefix', `${chunked}0x1\r\n`, 'INVALID_BODY'],
    ['a size with whitespace', `${chunked}1 \r\na\r\n0\r\n\r\n`, 'INVALID_BODY'],
    ['no size', `${chunked}\r\n`, 'INVALID_BODY'],
    ['a size beyond all bounds', `${chunked}${'0'.repeat(14)}\r\n`, 'INVALID_BODY'],
    ['a size that ends in a bare line feed', `${chunked}1\na\r\n0\r\n\r\n`, 'INVALID_BODY'],
    ['a chunk longer than it says', `${chunked}1\r\nab\r\n0\r\n\r\n`, 'INVALID_BODY'],
    ['an endless extension', `${chunked}1;${'x'.repeat(256)}`, 'INVALID_BODY'],
    ['a trailer that is no field', `${chunked}0\r\nx\r\n\r\n`, 'INVALID_HEADER'],
  ];
  test.each(broken)('refuses %s', (_name, input, error) => {
    const outcome = outcomeOf(client, input);
    expect(outcome).toMatchObject({ error, state: CLOSED });
    expect(outcome.events).toEqual([expect.objectContaining({ type: 'reject', hasBody: true })]);
  });

  test.each([
    ['a length', 'HTTP/1.1 400 \r\nContent-Length: 3\r\n\r\nab'],
    ['chunks', `${chunked}1\r\na\r\n`],
  ])('a stream that ends before %s did', (_name, input) => {
    expect(outcomeOf(client, input, true)).toMatchObject({ error: 'UNEXPECTED_EOF', state: CLOSED });
  });
});
