/**
 * python3-h2 and python3-wsproto as the client of our servers over HTTP/2. Nothing of h2's validation is on, so that each
 * rule of the wire is broken from outside of Node.js once. Some of it is seen to by nghttp2, which node:http2 has under
 * it: what counts is what the peer sees.
 */

import { describe, expect, test } from 'vitest';
import { reject, type ServeOptions } from '../../src/node/index.js';
import { until } from '../node/support.js';
import { PythonProcess } from './support.js';
import { certificate } from './support-fronts.js';
import { moduleMissing, openH2c, secureH2Fronts, titled } from './support-h2.js';

const missing = moduleMissing('h2, wsproto', 'python3-h2 python3-wsproto');

const fronts = [
  ...secureH2Fronts.map(([name, open]) => [name, open, certificate('ca')] as const),
  ['attach on an http2 server without TLS', openH2c, ''] as const,
];

/** How a WebSocket ended at the server, by its path. */
type Ends = Map<string, [code: number, reason: string]>;

const commanded = (ends: Ends, faults: string[] = []): ServeOptions => ({
  upgrade: ({ path, subprotocols }) => {
    if (path === '/refused') return reject(403, 'not you', { 'X-Why': 'because' });
    if (path === '/empty') return reject(503);
    return { data: path, ...(subprotocols.includes('chat') && { protocol: 'chat' }) };
  },
  message: (ws, data) => {
    const [command, code, reason] = `${data}`.slice(0, 30).split(' ');
    if (command === 'close') ws.close(Number(code), reason);
    else if (command === 'terminate') ws.terminate();
    else ws.send(data);
  },
  close: ({ data }, code, reason) => {
    ends.set(data as string, [code, reason]);
  },
  error: (_ws, error) => {
    faults.push((error as NodeJS.ErrnoException).code ?? error.message);
  },
});

const PROTOCOL_ERROR = 1;

type Field = readonly [name: string, value: string];

/** A request, with fields left out, and others put in at the end or where they are. */
function block(changes: Readonly<Record<string, string | null>> = {}, more: readonly Field[] = []): Field[] {
  const all: Record<string, string | null> = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':path': '/',
    ':authority': 'localhost',
    'sec-websocket-version': '13',
    ...changes,
  };
  const fields = Object.entries(all).flatMap(([name, value]): Field[] => (value === null ? [] : [[name, value]]));
  return [...fields, ...more];
}

/** What comes of a header block: a reset with PROTOCOL_ERROR and nothing else, a status, or a WebSocket. */
const MALFORMED = { status: null, reset: PROTOCOL_ERROR, version: null };
const refusal = (status: number, version: string | null = null) => ({ status, reset: 0, version });
const ACCEPTED = { status: 200, reset: null, version: null, echo: [1000, ''] };
/** nghttp2 leaves out a field that cannot be, where RFC 9113 §8.2.1 has the request refused. Nobody gets to see it. */
const LEFT_OUT = ACCEPTED;

/** RFC 9113 §8.2, §8.3, §8.5; RFC 8441 §4, §5; RFC 6455 §4.2.1. */
const rules: readonly (readonly [name: string, headers: Field[], expected: object, endStream?: true])[] = [
  ['as it should be', block(), ACCEPTED],
  [
    'a key and a Host of HTTP/1.1',
    block({}, [
      ['sec-websocket-key', 'x'],
      ['host', 'localhost'],
    ]),
    ACCEPTED,
  ],
  ['another Host than :authority', block({}, [['host', 'elsewhere']]), ACCEPTED],
  ['te: trailers, which is allowed', block({}, [['te', 'trailers']]), ACCEPTED],
  [':protocol in capitals', block({ ':protocol': 'WebSocket' }), ACCEPTED],
  ['without :method', block({ ':method': null }), MALFORMED],
  ['without :scheme', block({ ':scheme': null }), MALFORMED],
  ['without :path', block({ ':path': null }), MALFORMED],
  ['with an empty :path', block({ ':path': '' }), MALFORMED],
  ['without :authority', block({ ':authority': null }), MALFORMED],
  ['without :authority, with a Host', block({ ':authority': null }, [['host', 'localhost']]), MALFORMED],
  ...[':method', ':protocol', ':scheme', ':path', ':authority'].map(
    (name) =>
      [`two of ${name}`, [[name, block().find(([each]) => each === name)?.[1] ?? ''], ...block()], MALFORMED] as [
        string,
        Field[],
        object,
      ],
  ),
  ['an unknown pseudo-header', [[':unknown', 'x'], ...block()], MALFORMED],
  ['a pseudo-header of responses', [[':status', '200'], ...block()], MALFORMED],
  ['a pseudo-header behind a field', [...block({ ':authority': null }), [':authority', 'localhost']], MALFORMED],
  ['a name in capitals', block({}, [['Origin', 'https://localhost']]), MALFORMED],
  ['a pseudo-header in capitals', block({ ':path': null, ':Path': '/' }), MALFORMED],
  ['an empty name', block({}, [['', 'x']]), LEFT_OUT],
  ['a name with a space', block({}, [['a b', 'x']]), LEFT_OUT],
  ['a line break in a value', block({}, [['x', 'a\r\nb: c']]), LEFT_OUT],
  ['NUL in a value', block({}, [['x', 'a\0b']]), LEFT_OUT],
  ['connection: upgrade', block({}, [['connection', 'upgrade']]), MALFORMED],
  ['upgrade: websocket', block({}, [['upgrade', 'websocket']]), MALFORMED],
  ['transfer-encoding', block({}, [['transfer-encoding', 'chunked']]), MALFORMED],
  ['te: gzip', block({}, [['te', 'gzip']]), MALFORMED],
  [':protocol with another method', block({ ':method': 'GET' }), MALFORMED],
  ['another protocol', block({ ':protocol': 'connect-udp' }), refusal(501)],
  [
    'a plain CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'localhost:80'],
    ],
    refusal(501),
  ],
  ['no version', block({ 'sec-websocket-version': null }), refusal(400, '13')],
  ['version 8', block({ 'sec-websocket-version': '8' }), refusal(400, '13')],
  ['END_STREAM with the request', block(), { ...refusal(400), reset: null }, true],
  ['another scheme', block({ ':scheme': 'ftp' }), refusal(400)],
  ['a path that is none', block({ ':path': '*' }), MALFORMED],
  ['userinfo', block({ ':authority': 'user@localhost' }), refusal(400)],
  ['content-length', block({}, [['content-length', '5']]), refusal(400)],
  ['a malformed subprotocol', block({}, [['sec-websocket-protocol', 'a,,b c']]), refusal(400)],
  ['a malformed extension', block({}, [['sec-websocket-extensions', 'a;;']]), refusal(400)],
  [
    'more fields than we take',
    block(
      {},
      Array.from({ length: 120 }, (_, i) => [`x${i}`, 'y'] as const),
    ),
    refusal(431),
  ],
  ['more bytes than we take', block({}, [['x', 'y'.repeat(20_000)]]), refusal(431)],
  ['another path than ours', block({ ':path': '/elsewhere' }), refusal(404)],
];

describe.skipIf(missing !== null)(titled('python3-h2 and wsproto', missing), () => {
  describe.each(fronts)('as the client of our %s', (_name, open, ca) => {
    const run = (script: string, port: number, more: unknown = null) =>
      new PythonProcess('h2-client.py', script, `${port}`, ca, JSON.stringify(more)).exit();

    test('sizes, texts, fragments, pings, 51 at once, and its close', async () => {
      const ends: Ends = new Map();
      const front = await open(commanded(ends));
      const lines = await run('echo', front.port);
      expect(lines).toEqual([
        { protocol: 'chat', accept: false, connect: 1 },
        { wrong: [], fragmented: 'fragmented 😀' },
        { ponged: true },
        { interleaved: true },
        { shut: { close: [3001, ''], ended: true, reset: null } },
        { others: true },
        { closes: true },
        { terminated: null, closed: false },
      ]);
      expect(ends.get('/chat')).toEqual([3001, 'grüße']);
      expect(front.seen).toHaveLength(51);
      expect(new Set(front.seen.map(({ httpVersion, protocol }) => `${httpVersion} ${protocol}`))).toEqual(
        new Set(['2.0 websocket']),
      );
      expect(front.connections()).toBe(1);
      await until(() => front.size() === 0);
    });

    test('permessage-deflate', async () => {
      const front = await open({ ...commanded(new Map()), perMessageDeflate: true });
      const agreed = { agreed: 'permessage-deflate', enabled: true, echoes: true, shut: [1000, ''] };
      expect(await run('deflate', front.port)).toEqual([agreed, agreed, agreed]);
    });

    test('all ways to end one WebSocket of a session; another goes on', async () => {
      const ends: Ends = new Map();
      const front = await open(commanded(ends));
      const lines = await run('ends', front.port);
      const orderly = { other: true, ended: true, reset: null };
      const violation = (name: string, code: number) => ({
        ...orderly,
        name,
        close: [code, expect.any(String)],
      });
      expect(lines).toEqual([
        { ...orderly, name: 'close 4005 because', close: [4005, 'because'] },
        { ...orderly, name: 'close 1000 ', close: [1000, ''] },
        { name: 'terminate', other: true, close: null, ended: false, reset: 8 },
        { ...orderly, name: 'END_STREAM', close: null },
        { ...orderly, name: 'END_STREAM in a message', close: null },
        { ...orderly, name: 'Close with END_STREAM', close: [3000, ''] },
        { name: 'RST_STREAM 0', other: true, close: null, ended: false, reset: null },
        { name: 'RST_STREAM 1', other: true, close: null, ended: false, reset: null },
        { name: 'RST_STREAM 8', other: true, close: null, ended: false, reset: null },
        { ...orderly, name: 'trailers', close: null },
        violation('utf8', 1007),
        violation('opcode', 1002),
        violation('unmasked', 1002),
        violation('size', 1009),
        { shut: { close: [1000, ''], ended: true, reset: null }, terminated: null },
      ]);
      await until(() => front.size() === 0);
      const codes = [...ends].map(([path, [code]]) => [path, code]);
      expect(Object.fromEntries(codes)).toEqual({
        '/close': 1000,
        '/terminate': 1006,
        '/end': 1006,
        '/end-in-message': 1006,
        '/close-end': 3000,
        '/reset-0': 1006,
        '/reset-1': 1006,
        '/reset-8': 1006,
        '/trailers': 1006,
        '/utf8': 1007,
        '/opcode': 1002,
        '/unmasked': 1002,
        '/size': 1009,
        '/other': 1000,
      });
    });

    test('refusals: fields, body, END_STREAM, and what it still has to say is not waited for', async () => {
      const front = await open(commanded(new Map()));
      expect(await run('refused', front.port)).toEqual([
        {
          status: 403,
          fields: { 'content-type': 'text/plain; charset=utf-8', 'content-length': '7', 'x-why': 'because' },
          body: 'not you',
          ended: true,
          reset: 0,
        },
        { status: 503, fields: {}, body: '', ended: true, reset: 0 },
        { other: true },
      ]);
    });

    test('header blocks that break a rule: the answer, and that all else lives', async () => {
      const names = new Set<string>();
      const hosts = new Set<string>();
      const front = await open({
        ...commanded(new Map()),
        path: /^\/(other|another)?$/,
        upgrade: ({ headers, host }) => {
          for (const name of Object.keys(headers)) names.add(name);
          hosts.add(`${host} ${headers.host}`);
        },
      });
      const cases = rules.map(([name, headers, , endStream = false]) => [name, headers, endStream]);
      const lines = await run('rules', front.port, cases);
      expect(lines.slice(0, -1)).toEqual(rules.map(([name, , expected]) => ({ name, other: true, ...expected })));
      expect(lines.at(-1)).toEqual({ another: true, terminated: null, closed: false });
      // RFC 9113 §8.3.1: a Host beside :authority does not count.
      expect([...hosts]).toEqual(['localhost localhost']);
      expect([...names].sort()).toEqual(['host', 'sec-websocket-key', 'sec-websocket-version', 'te']);
      expect(front.connections()).toBe(1);
      await until(() => front.size() === 0);
    });

    test('GOAWAY: with NO_ERROR each WebSocket is closed with 1001, with an error it is an error and 1006', async () => {
      const ends: Ends = new Map();
      const faults: string[] = [];
      const front = await open(commanded(ends, faults));
      expect(await run('goaway', front.port, 0)).toEqual([{ ends: Array(3).fill([1001, '']), closed: true }]);
      await until(() => front.size() === 0);
      expect(faults).toEqual([]);
      expect(ends.size).toBe(3);
      ends.clear();
      expect(await run('goaway', front.port, 2)).toEqual([{ ends: [null, null, null], closed: true }]);
      await until(() => front.size() === 0);
      expect([...ends.values()].map(([code]) => code)).toEqual([1006, 1006, 1006]);
      expect(faults).toEqual(Array(3).fill('ERR_HTTP2_SESSION_ERROR'));
    });

    test('a connection that ends without a word: 1006', async () => {
      const ends: Ends = new Map();
      const front = await open(commanded(ends));
      const python = new PythonProcess('h2-client.py', 'vanish', `${front.port}`, ca);
      await until(() => ends.size === 3, 'the WebSockets to end');
      expect([...ends.values()].map(([code]) => code)).toEqual([1006, 1006, 1006]);
      expect(await python.exit()).toEqual([{ closed: true }]);
    });

    test('our closing gives each WebSocket 1001, and ends the session if it is ours', async () => {
      const ends: Ends = new Map();
      const front = await open(commanded(ends));
      const isOurs = open === secureH2Fronts[0][1];
      const python = new PythonProcess('h2-client.py', 'closing', `${front.port}`, ca, isOurs ? '"session"' : '""');
      await python.line('open');
      // Longer than the client waits: it is the closing that ends all, and not its deadline.
      await front.close({ timeout: 30_000 });
      const closes = Array(3).fill([1001, '']);
      const said = { ends: closes, ended: true, terminated: isOurs ? 0 : null, closed: isOurs };
      expect((await python.exit()).slice(1)).toEqual([said]);
      expect([...ends.values()]).toEqual(closes);
    });

    test('windows of a byte, of none, as large as can be, and negative', async () => {
      const front = await open(commanded(new Map()));
      expect(await run('windows', front.port)).toEqual([
        { narrow: true, frames: 224 },
        { free: true, held: 0 },
        { released: true },
        { large: true },
        { negative: true },
      ]);
    });

    test('padding, pieces of a byte, empty frames, CONTINUATION, and messages before the answer', async () => {
      const front = await open(commanded(new Map()));
      expect(await run('frames', front.port)).toEqual([
        { padded: true },
        { pieces: 'in pieces 😀' },
        { continued: true, parts: 9 },
        { early: ['early ', 'bird'], status: 200 },
      ]);
    });
  });
});
