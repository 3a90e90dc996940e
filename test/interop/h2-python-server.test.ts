/** python3-h2 and python3-wsproto as the server of our clients over HTTP/2. */

import { connect as connectH2 } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { type ConnectOptions, connect, HandshakeError, type Peer } from '../../src/node/index.js';
import { atEnd, next, noise, until, within } from '../node/support.js';
import { ca } from '../node/support-streams.js';
import { PythonProcess } from './support.js';
import { clients } from './support-clients.js';
import { certificate } from './support-fronts.js';
import { moduleMissing, titled } from './support-h2.js';

const missing = moduleMissing('h2, wsproto', 'python3-h2 python3-wsproto');

interface Python {
  readonly url: string;
  readonly lines: readonly Record<string, unknown>[];
  /** Sessions that were begun. */
  /** Waits for the first line with this field. */
  line(field: string): Promise<Record<string, unknown>>;
  /** How many there were; what it prints may come behind what it sends, and is waited for. */
  sessions(least: number): Promise<number>;
}

interface PythonOptions {
  readonly isSecure?: boolean;
  readonly connect?: boolean;
  readonly deflate?: boolean;
  /** By number. */
  readonly settings?: Readonly<Record<number, number>>;
}

async function startPython({ isSecure = true, ...options }: PythonOptions = {}): Promise<Python> {
  const files = isSecure ? [certificate('server'), certificate('server-key')] : [];
  const python = new PythonProcess('h2-server.py', JSON.stringify(options), ...files);
  const { port } = await python.line('port');
  return {
    url: `${isSecure ? 'wss' : 'ws'}://localhost:${port}`,
    lines: python.lines,
    line: (field) => python.line(field),
    async sessions(least) {
      const count = () => python.lines.filter(({ session }) => session === 'open').length;
      await until(() => count() >= least, `${least} sessions`);
      return count();
    },
  };
}

const OPTIONS: ConnectOptions = { http2: true, tls: { ca }, family: 4 };

/** A client, and what came to it. */
interface Opened {
  readonly peer: Peer;
  readonly got: (string | Buffer)[];
  readonly faults: Error[];
  ended: [code: number, reason: string] | null;
}

async function open(url: string, options: ConnectOptions = {}): Promise<Opened> {
  const opened: Omit<Opened, 'peer'> = { got: [], faults: [], ended: null };
  const peer = await within(
    connect(url, {
      ...OPTIONS,
      message: (_ws, data) => opened.got.push(typeof data === 'string' ? data : Buffer.from(data)) && undefined,
      close: (_ws, code, reason) => {
        opened.ended = [code, reason];
      },
      error: (_ws, error) => {
        opened.faults.push(error as Error);
      },
      ...options,
    }),
    `connect to ${url}`,
  );
  atEnd(() => peer.terminate());
  return Object.assign(opened, { peer });
}

async function echoes({ peer, got }: Opened, message: string | Buffer): Promise<boolean> {
  const before = got.length;
  peer.send(message);
  await until(() => got.length > before, 'an echo');
  return typeof message === 'string' ? got[before] === message : message.equals(got[before] as Buffer);
}

async function refusal(url: string, options: ConnectOptions = {}): Promise<HandshakeError> {
  const error = await within(
    connect(url, { ...OPTIONS, ...options }).then(
      (peer) => peer.terminate(),
      (thrown: unknown) => thrown,
    ),
    `connect to ${url} to fail`,
  );
  expect(error).toBeInstanceOf(HandshakeError);
  return error as HandshakeError;
}

const answer = (...fields: [string, string][]) => `/answer?${encodeURIComponent(JSON.stringify(fields))}`;

describe.skipIf(missing !== null)(titled('python3-h2 and wsproto', missing), () => {
  describe.each([true, false])('as the server of our clients, with TLS: %s', (isSecure) => {
    test.each(clients)('%s: sizes, texts, fragments, pings, subprotocols, closing', async (_name, openClient) => {
      const python = await startPython({ isSecure });
      const options = { ...OPTIONS, protocols: ['other', 'chat'] };
      const client = await openClient(`${python.url}/chat?x`, options);
      expect(client.protocol).toBe('chat');
      const said: (string | Buffer)[] = [];
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 1024 * 1024 + 1]) {
        said.push(noise(size, size + 1));
        for (const character of ['a', 'é', '語', '😀']) {
          said.push(character.repeat(Math.floor(size / Buffer.byteLength(character))));
        }
      }
      for (const message of said) client.send(message);
      await until(() => client.got.length === said.length, 'the echoes');
      expect(said.filter((message, i) => !Buffer.from(message).equals(Buffer.from(client.got[i])))).toEqual([]);
      client.send('fragment');
      client.send('pieces');
      client.send('ping');
      await until(() => client.got.length === said.length + 3);
      expect(client.got.slice(said.length)).toEqual(['fragmented 😀', 'in pieces 😀', 'you are']);
      client.close(3001, 'grüße');
      expect(await within(client.ended)).toEqual([3001, 'grüße']);

      const other = await openClient(`${python.url}/other`, OPTIONS);
      other.send('close 4005 because');
      expect(await within(other.ended)).toEqual([4005, 'because']);
      const told = () => python.lines.filter(({ path, code }) => path !== undefined && code !== undefined);
      await until(() => told().length === 2);
      expect(told()).toEqual([
        { path: '/chat?x', code: 3001, reason: 'grüße' },
        { path: '/other', code: 4005, reason: '' },
      ]);
      const ends = () => python.lines.filter(({ ended, path, reset }) => path && (ended || reset !== undefined));
      await until(() => ends().length === 2);
      expect(ends()).toEqual([
        { path: '/chat?x', ended: true },
        { path: '/other', ended: true },
      ]);
      expect(await python.sessions(1)).toBe(1);
    });
  });

  test('the request, field by field', async () => {
    const python = await startPython();
    const headers = { 'X-Mixed': 'Case', cookie: 'a=1; b=2' };
    await open(`${python.url}/chat?x`, { protocols: ['a', 'b'], origin: 'https://localhost', headers });
    const { request, ended } = await python.line('request');
    expect(ended).toBe(false);
    expect(request).toEqual([
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'https'],
      [':path', '/chat?x'],
      [':authority', new URL(python.url).host],
      ['sec-websocket-version', '13'],
      ['sec-websocket-protocol', 'a, b'],
      ['x-mixed', 'Case'],
      ['origin', 'https://localhost'],
      // node:http2 has it last.
      ['cookie', 'a=1; b=2'],
    ]);
  });

  test('permessage-deflate of wsproto', async () => {
    const python = await startPython({ deflate: true });
    const client = await open(`${python.url}/`, { perMessageDeflate: true });
    const text = 'much of the same '.repeat(10_000);
    for (const message of [text, '', noise(100_000), text]) expect(await echoes(client, message)).toBe(true);
    const { bytesSent, bytesReceived } = client.peer;
    expect(bytesSent).toBeLessThan(text.length);
    expect(bytesReceived).toBeLessThan(text.length);
  });

  const failures: [path: string, expected: object][] = [
    ['/status/403', { code: 'UNEXPECTED_RESPONSE', statusCode: 403, body: Buffer.from('not you') }],
    ['/status/200x', { code: 'CONNECTION_FAILED' }],
    ['/empty/404', { code: 'UNEXPECTED_RESPONSE', statusCode: 404, body: Buffer.alloc(0) }],
    ['/redirect', { code: 'REDIRECT', statusCode: 302 }],
    ['/trailers/500', { code: 'UNEXPECTED_RESPONSE', statusCode: 500, body: Buffer.from('a body') }],
    ['/body-reset/2', { code: 'UNEXPECTED_RESPONSE', statusCode: 500, body: Buffer.from('begun') }],
    ['/reset/0', { code: 'UNEXPECTED_EOF' }],
    ['/reset/1', { code: 'CONNECTION_FAILED' }],
    ['/reset/7', { code: 'CONNECTION_FAILED' }],
    ['/reset/8', { code: 'CONNECTION_FAILED' }],
    ['/reset/13', { code: 'HTTP_1_1_REQUIRED' }],
    [answer([':status', '101']), { code: 'CONNECTION_FAILED' }],
    [answer(['x', 'no status']), { code: 'CONNECTION_FAILED' }],
    [answer([':status', '200'], [':path', '/']), { code: 'CONNECTION_FAILED' }],
    [answer([':status', '200'], ['connection', 'upgrade']), { code: 'CONNECTION_FAILED' }],
    [answer([':status', '200'], ['Upper', 'case']), { code: 'CONNECTION_FAILED' }],
    [answer([':status', '200'], ['sec-websocket-protocol', 'unasked']), { code: 'INVALID_SUBPROTOCOL' }],
    [answer([':status', '200'], ['sec-websocket-extensions', 'unasked']), { code: 'INVALID_EXTENSION' }],
  ];

  test.each(failures.map((each) => [decodeURIComponent(each[0]), ...each] as const))(
    '%s fails, and the session goes on',
    async (_name, path, expected) => {
      const python = await startPython();
      const other = await open(`${python.url}/other`);
      const error = await refusal(python.url + path);
      expect({ ...error, message: error.message }).toMatchObject(expected);
      expect(await echoes(other, 'still there')).toBe(true);
      const again = await open(`${python.url}/again`);
      expect(await echoes(again, 'too')).toBe(true);
      expect(await python.sessions(1)).toBe(1);
    },
  );

  const acceptances = [
    '/interim',
    '/continued',
    '/padded',
    answer([':status', '201']),
    answer([':status', '200'], ['x', '']),
  ];

  test.each(acceptances.map((path) => [decodeURIComponent(path), path]))('%s is an acceptance', async (_name, path) => {
    const python = await startPython();
    const client = await open(python.url + path);
    expect(await echoes(client, 'x'.repeat(100_000))).toBe(true);
    client.peer.close(1000);
    await until(() => client.ended !== null);
    expect(client.ended).toEqual([1000, '']);
  });

  test('what comes with the answer is not lost', async () => {
    const python = await startPython();
    const client = await open(`${python.url}/early`);
    await until(() => client.got.length === 1);
    expect(client.got).toEqual(['welcome']);
  });

  test('a request that is never answered: its timeout ends nothing else, and the next takes a new session', async () => {
    const python = await startPython();
    const other = await open(`${python.url}/other`);
    const error = await refusal(`${python.url}/nothing`, { handshakeTimeout: 300 });
    expect(error.code).toBe('HANDSHAKE_TIMEOUT');
    await until(() => python.lines.some(({ reset }) => reset !== undefined));
    expect(python.lines.filter(({ reset }) => reset !== undefined)).toEqual([{ path: '/nothing', reset: 8 }]);
    expect(await echoes(other, 'still there')).toBe(true);
    expect(await echoes(await open(`${python.url}/again`), 'too')).toBe(true);
    expect(await python.sessions(2)).toBe(2);
  });

  // nghttp2 has the session end, and node:http2 tells nobody: it reads no more, the end of the connection neither.
  test('DATA before an answer is the end of the session, which pings find out; the next takes a new one', async () => {
    const python = await startPython();
    const other = await open(`${python.url}/other`, { pingInterval: 200, pingTimeout: 200 });
    const error = await refusal(`${python.url}/data-first`, { handshakeTimeout: 300 });
    expect(error.code).toBe('HANDSHAKE_TIMEOUT');
    expect(await echoes(await open(`${python.url}/again`), 'too')).toBe(true);
    expect(await python.sessions(2)).toBe(2);
    await until(() => other.ended !== null);
    expect(other.ended?.[0]).toBe(1006);
  });

  test('an acceptance that ends the stream is the end of the WebSocket', async () => {
    const python = await startPython();
    const client = await open(`${python.url}/accept-end`);
    await until(() => client.ended !== null);
    expect(client.ended).toEqual([1006, '']);
  });

  test.each<[string, [number, string | object], number]>([
    ['close 1000', [1000, ''], 0],
    ['closed 4001', [4001, ''], 0],
    ['end', [1006, ''], 0],
    ['trailers', [1006, ''], 0],
    ['headers', [1006, ''], 1],
    ['reset 0', [1006, ''], 0],
    ['reset 8', [1006, ''], 0],
    ['reset 2', [1006, ''], 1],
    ['mask', [1002, expect.any(String)], 1],
  ])('%s ends one WebSocket; others of the session go on', async (command, ended, faults) => {
    const python = await startPython();
    const other = await open(`${python.url}/other`);
    const client = await open(`${python.url}/client`);
    client.peer.send(command);
    await until(() => client.ended !== null, 'the end');
    expect(client.ended).toEqual(ended);
    expect(client.faults).toHaveLength(faults);
    expect(await echoes(other, 'still there')).toBe(true);
    expect(await echoes(await open(`${python.url}/again`), 'too')).toBe(true);
    expect(await python.sessions(1)).toBe(1);
  });

  test('our terminate is RST_STREAM(CANCEL), and nothing for others', async () => {
    const python = await startPython();
    const other = await open(`${python.url}/other`);
    const client = await open(`${python.url}/client`);
    client.peer.terminate();
    await until(() => python.lines.some(({ reset }) => reset !== undefined));
    expect(python.lines.filter(({ reset }) => reset !== undefined)).toEqual([{ path: '/client', reset: 8 }]);
    expect(await echoes(other, 'still there')).toBe(true);
  });

  test('GOAWAY with NO_ERROR: each is closed with 1001, and the next takes a new session', async () => {
    const python = await startPython();
    const all = [await open(`${python.url}/1`), await open(`${python.url}/2`)];
    all[0].peer.send('goaway 0');
    await until(() => all.every(({ ended }) => ended !== null));
    expect(all.map(({ ended }) => ended)).toEqual([
      [1001, ''],
      [1001, ''],
    ]);
    expect(all.flatMap(({ faults }) => faults)).toEqual([]);
    expect(await echoes(await open(`${python.url}/again`), 'too')).toBe(true);
    expect(await python.sessions(2)).toBe(2);
    const closes = () => python.lines.filter(({ code }) => code !== undefined).map(({ path, code }) => [path, code]);
    await until(() => closes().length >= 2, 'both to be closed');
    expect(closes().sort()).toEqual([
      ['/1', 1001],
      ['/2', 1001],
    ]);
    // The session has nothing left, and ends.
    await until(() => python.lines.some(({ session }) => session === 'closed'));
  });

  test('GOAWAY with an error, or a connection that ends: 1006, and the next takes a new session', async () => {
    const python = await startPython();
    for (const [i, [command, faults]] of [['goaway 2', 1] as const, ['hang', 0] as const].entries()) {
      const all = [await open(`${python.url}/1`), await open(`${python.url}/2`)];
      all[0].peer.send(command);
      await until(() => all.every(({ ended }) => ended !== null));
      expect(all.map(({ ended }) => ended)).toEqual([
        [1006, ''],
        [1006, ''],
      ]);
      for (const { faults: found } of all) expect(found, command).toHaveLength(faults);
      expect(await python.sessions(i + 1)).toBe(i + 1);
    }
    expect(await echoes(await open(`${python.url}/again`), 'too')).toBe(true);
    expect(await python.sessions(3)).toBe(3);
  });

  test('GOAWAY before a request was looked at: it is sent again, on another session', async () => {
    const python = await startPython();
    const client = await open(`${python.url}/goaway-before`);
    expect(await echoes(client, 'here')).toBe(true);
    expect(await python.sessions(2)).toBe(2);
  });

  test('a request that is refused is sent three times, and no more', async () => {
    const python = await startPython();
    await refusal(`${python.url}/reset/7`);
    const requests = () => python.lines.filter((line) => 'request' in line);
    // What it prints may come behind what it sends.
    await until(() => requests().length >= 3, 'three requests');
    expect(requests()).toHaveLength(3);
  });

  test('without SETTINGS_ENABLE_CONNECT_PROTOCOL nothing is asked', async () => {
    const python = await startPython({ connect: false });
    expect(await refusal(`${python.url}/`)).toMatchObject({ code: 'CONNECT_PROTOCOL_DISABLED' });
    expect(python.lines.filter((line) => 'request' in line)).toEqual([]);
  });

  test.each<[string, Record<number, number>, number, number]>([
    ['windows of a byte', { 4: 1 }, 100, 1],
    ['the largest windows', { 4: 2 ** 31 - 1 }, 4 * 1024 * 1024, 1],
    ['large frames', { 5: 2 ** 24 - 1, 4: 2 ** 24 }, 4 * 1024 * 1024, 1],
    ['no table for HPACK', { 1: 0 }, 1000, 1],
    ['two streams a session', { 3: 2 }, 1000, 3],
  ])('settings: %s', async (_name, settings, size, sessions) => {
    const python = await startPython({ settings });
    const all = await Promise.all([1, 2, 3, 4, 5].map((i) => open(`${python.url}/${i}`)));
    const said = await Promise.all(all.map((client, i) => echoes(client, noise(size, i + 1))));
    expect(said).toEqual([true, true, true, true, true]);
    expect(await python.sessions(sessions)).toBe(sessions);
  });

  test('a session of the caller serves many, and stays', async () => {
    const python = await startPython();
    const session = connectH2(python.url.replace('wss', 'https'), { ca });
    atEnd(() => session.destroy());
    await next(session, 'connect');
    for (let i = 0; i < 2; i++) {
      const all = await Promise.all([1, 2, 3].map((each) => open(`${python.url}/${each}`, { http2: session })));
      for (const client of all) expect(await echoes(client, 'x')).toBe(true);
      for (const { peer } of all) peer.close(1000);
      await until(() => all.every(({ ended }) => ended?.[0] === 1000));
    }
    expect(session.closed).toBe(false);
    expect(await python.sessions(1)).toBe(1);
  });
});
