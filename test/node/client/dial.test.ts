/** The client's opening handshake, with servers that do it wrong in every way. */

import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { LocalProtocolError, RemoteProtocolError } from '../../../src/core/index.js';
import { connect } from '../../../src/node/client/connect.js';
import { deferred, onDeadlines, start, until, within } from '../support.js';
import {
  accepting,
  answering,
  ca,
  clientTls,
  listen,
  open,
  rawServer,
  rawTlsServer,
  refusal,
  serverFrame,
  serverTls,
} from './support.js';

const url = (port: number, path = '/') => `ws://127.0.0.1:${port}${path}`;

/** A server that reads the request, sends `bytes` and, unless told otherwise, ends. */
const says = (bytes: string, end = true) =>
  rawServer(
    answering((socket) => {
      socket.write(bytes);
      if (end) socket.end();
    }),
  );

/** The request that a client sends. */
async function requestOf(path: string, options: Parameters<typeof connect>[1] = {}): Promise<string> {
  const asked = deferred<string>();
  const port = await rawServer(
    answering((socket, request) => {
      asked.resolve(request);
      socket.end(accepting(request));
    }),
  );
  await open(path.replace('HOST', `127.0.0.1:${port}`), options);
  return asked.promise;
}

describe('URLs', () => {
  test.each([
    ['/relative', 'not an absolute URL'],
    ['ftp://localhost/', 'scheme'],
    ['ws://localhost/#part', 'fragment'],
    ['ws://localhost/#', 'fragment'],
    ['ws://', 'not an absolute URL'],
  ])('%s is refused', async (text, message) => {
    const error = await connect(text).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LocalProtocolError);
    expect(error).toMatchObject({ code: 'INVALID_URL', message: expect.stringContaining(message) });
  });

  test('the path and query are asked for, with the host', async () => {
    const request = await requestOf('ws://HOST/a%20b/ü?q=1&ws');
    expect(request).toMatch(/^GET \/a%20b\/%C3%BC\?q=1&ws HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
  });

  test('http: stands for ws:, and an object will do', async () => {
    const server = await start();
    await open(new URL(`http://127.0.0.1:${server.port}/`));
  });

  test('credentials become Basic authorization', async () => {
    const request = await requestOf('ws://ad%C3%A4:p%25w%@HOST/');
    expect(request).toContain(`\r\nAuthorization: Basic ${Buffer.from('adä:p%w%').toString('base64')}\r\n`);
  });

  test('a given Authorization has precedence', async () => {
    const request = await requestOf('ws://a:b@HOST/', { headers: { authorization: 'Bearer x' } });
    expect(request.match(/authorization/gi)).toHaveLength(1);
    expect(request).toContain('authorization: Bearer x');
  });
});

describe('the request', () => {
  test('headers as an object, as pairs, as Headers; origin and subprotocols', async () => {
    const forms = [{ 'X-One': '1' }, [['X-One', '1']] as const, new Headers({ 'X-One': '1' })];
    for (const headers of forms) {
      const request = await requestOf('ws://HOST/', { headers, origin: 'https://example.org' });
      expect(request).toMatch(/\r\nX-One: 1\r\n/i);
      expect(request).toContain('\r\nOrigin: https://example.org\r\n');
    }
  });

  test.each([
    ['RESERVED_HEADER', { headers: { 'Sec-WebSocket-Key': 'x' } }],
    ['INVALID_HEADER', { headers: { 'X-Evil': 'a\r\nHost: b' } }],
    ['INVALID_OPTION', { headers: { origin: 'a' }, origin: 'b' }],
    ['INVALID_OPTION', { handshakeTimeout: -1 }],
    ['INVALID_OPTION', { maxMessageSize: Number.NaN }],
    ['INVALID_SUBPROTOCOL', { protocols: ['a', 'a'] }],
    ['INVALID_SUBPROTOCOL', { protocols: 'a b' }],
  ])('%s is the caller’s mistake, found before anything is opened', async (code, options) => {
    let opened = false;
    const createConnection = () => {
      opened = true;
      throw new Error('opened');
    };
    const error = await connect('ws://localhost/', { ...options, createConnection }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LocalProtocolError);
    expect(error).toMatchObject({ code });
    expect(opened).toBe(false);
  });
});

describe('the answer', () => {
  test('may come in pieces cut anywhere, with a frame glued to it', async () => {
    const port = await rawServer(
      answering((socket, request) => {
        const cut = Number(/GET \/(\d+)/.exec(request)?.[1]);
        const bytes = Buffer.concat([accepting(request), serverFrame(1, 'glued')]);
        socket.setNoDelay(true);
        socket.write(bytes.subarray(0, cut), () => setImmediate(() => socket.end(bytes.subarray(cut))));
      }),
    );
    const size = accepting('Sec-WebSocket-Key: x').length + 7;
    const received: unknown[] = [];
    for (let cut = 1; cut < size; cut++) {
      const closed = deferred();
      await open(url(port, `/${cut}`), { message: (_ws, data) => received.push(data), close: () => closed.resolve() });
      await within(closed.promise);
    }
    expect(received).toEqual(Array.from({ length: size - 1 }, () => 'glued'));
  });

  test('byte by byte, after interim responses', async () => {
    const port = await rawServer(
      answering(async (socket, request) => {
        const bytes = Buffer.concat([
          Buffer.from('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'),
          accepting(request),
          serverFrame(1, 'hello'),
        ]);
        socket.setNoDelay(true);
        for (const byte of bytes) await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
      }),
    );
    const received = deferred<unknown>();
    await open(url(port), { message: (_ws, data) => received.resolve(data) });
    expect(await within(received.promise)).toBe('hello');
  });

  test('megabytes that follow it are held by TCP while `open` takes its time', async () => {
    const message = serverFrame(2, Buffer.alloc(60_000));
    const total = 16 * 1024 * 1024;
    let server: Socket | null = null;
    const port = await rawServer(
      answering((socket, request) => {
        server = socket;
        socket.write(accepting(request));
        for (let size = 0; size < total; size += message.length) socket.write(message);
      }),
    );
    const release = deferred();
    let received = 0;
    await open(url(port), {
      open: () => release.promise,
      message: (_ws, data) => {
        received += data.length;
      },
    });
    let before = -1;
    await until(() => {
      const { writableLength } = server as unknown as Socket;
      const settled = writableLength === before;
      before = writableLength;
      return settled && writableLength > 0;
    }, 'the server to be held');
    expect(received).toBe(0);
    expect(before).toBeGreaterThan(total / 4);
    release.resolve();
    await until(() => received >= total - 60_000, 'all that was held');
  });

  test.each([
    ['INVALID_START_LINE', '220 mail.example.org ESMTP\r\n'],
    ['INVALID_START_LINE', '\x00\x01\x02'],
    ['HTTP_VERSION', 'HTTP/2.0 101 Switching Protocols\r\n\r\n'],
    ['INVALID_HEADER', 'HTTP/1.1 101 Switching Protocols\r\nBad Header: x\r\n\r\n'],
    ['MISSING_UPGRADE', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['INVALID_ACCEPT', accepting('Sec-WebSocket-Key: another').toString()],
    ['UNEXPECTED_EOF', 'HTTP/1.1 101 Swit'],
  ])('%s', async (code, bytes) => {
    const error = await refusal(url(await says(bytes)));
    expect(error).toMatchObject({ name: 'HandshakeError', code, statusCode: null });
    expect(error.cause).toBeInstanceOf(RemoteProtocolError);
  });

  test('a header block without end', async () => {
    const closed = deferred();
    const port = await rawServer(
      answering((socket) => {
        socket.on('close', () => closed.resolve());
        socket.write('HTTP/1.1 101 Switching Protocols\r\n');
        const more = () => {
          while (!socket.destroyed && socket.write('X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n'));
        };
        socket.on('drain', more);
        more();
      }),
    );
    expect((await refusal(url(port), { maxHeaderFields: Number.POSITIVE_INFINITY })).code).toBe('HEADERS_TOO_LARGE');
    await within(closed.promise, 'the socket to be closed');
    expect((await refusal(url(port), { maxHeaderSize: 1e6 })).code).toBe('TOO_MANY_HEADERS');
  });

  test('a reset', async () => {
    const port = await rawServer(answering((socket) => socket.resetAndDestroy()));
    const error = await refusal(url(port));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: { code: 'ECONNRESET' } });
  });
});

describe('a refusal', () => {
  test('tells status, headers and body', async () => {
    const server = await start({ path: '/right' });
    const error = await refusal(url(server.port, '/wrong'));
    expect(error).toMatchObject({
      name: 'HandshakeError',
      code: 'UNEXPECTED_RESPONSE',
      statusCode: 404,
      message: 'the server answered 404 Not Found in place of 101 Switching Protocols',
    });
    const port = await says(
      'HTTP/1.1 403 Nope\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nsorry',
      false,
    );
    const refused = await refusal(url(port));
    expect(refused.headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-a': '1, 2' });
    expect(refused.body.toString()).toBe('sorry');
  });

  test('of Node’s own HTTP server, chunked', async () => {
    const server = createHttpServer((_request, response) => {
      response.statusCode = 503;
      response.write('try ');
      response.end('later');
    });
    const port = await listen(server);
    const error = await refusal(url(port));
    expect([error.statusCode, `${error.body}`]).toEqual([503, 'try later']);
  });

  test.each([301, 302, 307, 308])('%i is a redirect, and not followed', async (status) => {
    const port = await says(`HTTP/1.1 ${status} x\r\nLocation: wss://elsewhere.example/\r\nContent-Length: 0\r\n\r\n`);
    const error = await refusal(url(port));
    expect(error).toMatchObject({ code: 'REDIRECT', statusCode: status });
    expect(error.message).toContain('to wss://elsewhere.example/');
  });

  test('of 200 is one too', async () => {
    const error = await refusal(url(await says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')));
    expect(error).toMatchObject({ code: 'UNEXPECTED_RESPONSE', statusCode: 200 });
  });

  test('with a body without end is cut off at 64 KiB, and the socket closed', async () => {
    const closed = deferred();
    let sent = 0;
    const port = await rawServer(
      answering((socket) => {
        socket.on('close', () => closed.resolve());
        socket.write('HTTP/1.1 500 x\r\n\r\n');
        const more = () => {
          while (!socket.destroyed && socket.write(Buffer.alloc(10_000, 'x'))) sent += 10_000;
        };
        socket.on('drain', more);
        more();
      }),
    );
    const error = await refusal(url(port));
    expect([error.statusCode, error.body.length]).toEqual([500, 64 * 1024]);
    await within(closed.promise);
    // What sockets buffer, and not what two seconds bring.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  test('with a body that does not come is not waited for beyond its time', async () => {
    const port = await says('HTTP/1.1 401 x\r\nContent-Length: 100\r\n\r\npart', false);
    const error = await refusal(url(port), { handshakeTimeout: Number.POSITIVE_INFINITY });
    expect([error.code, error.statusCode, `${error.body}`]).toEqual(['UNEXPECTED_RESPONSE', 401, 'part']);
  });

  test('with a body that is reset or broken is still that refusal', async () => {
    const reset = await rawServer(
      answering((socket) => {
        socket.write('HTTP/1.1 401 x\r\nContent-Length: 100\r\n\r\npart', () =>
          setImmediate(() => socket.resetAndDestroy()),
        );
      }),
    );
    expect((await refusal(url(reset))).statusCode).toBe(401);
    const broken = await says('HTTP/1.1 401 x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n');
    const error = await refusal(url(broken));
    expect([error.statusCode, `${error.body}`, (error.cause as RemoteProtocolError).code]).toEqual([
      401,
      'part',
      'INVALID_BODY',
    ]);
  });
});

describe('time and giving up', () => {
  const patient = { handshakeTimeout: 1 };

  test('silence after the request', async () => {
    const closed = deferred();
    const port = await rawServer((socket) =>
      socket
        .resume()
        .on('close', () => closed.resolve())
        .on('end', () => socket.end()),
    );
    const error = await refusal(url(port), patient);
    expect(error).toMatchObject({ code: 'HANDSHAKE_TIMEOUT', message: expect.stringContaining('an answer') });
    await within(closed.promise, 'the socket to be closed');
  });

  test('silence in TLS', async () => {
    const port = await rawServer((socket) => socket.resume().on('end', () => socket.end()));
    const error = await refusal(`wss://127.0.0.1:${port}/`, patient);
    expect(error).toMatchObject({ code: 'HANDSHAKE_TIMEOUT', message: expect.stringContaining('a TLS connection') });
  });

  test('silence of the name service', async () => {
    const error = await refusal('ws://name.example/', { ...patient, lookup: () => {} });
    expect(error).toMatchObject({ code: 'HANDSHAKE_TIMEOUT', message: expect.stringContaining('a connection') });
  });

  test('a stream that comes too late is closed', async () => {
    const late = deferred<Duplex>();
    const error = await refusal('ws://localhost/', { ...patient, createConnection: () => late.promise });
    expect(error.code).toBe('HANDSHAKE_TIMEOUT');
    const stream = new Duplex({ read() {}, write() {} });
    late.resolve(stream);
    await until(() => stream.destroyed);
  });

  test('a trickle does not prolong it', async () => {
    const port = await rawServer(
      answering((socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nX: ');
        const timer = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(timer)).on('end', () => socket.end());
      }),
    );
    expect((await refusal(url(port), patient)).code).toBe('HANDSHAKE_TIMEOUT');
  });

  test('a signal, at every stage', async () => {
    const before = AbortSignal.abort(new Error('no'));
    expect(await refusal('ws://localhost/', { signal: before })).toMatchObject({
      code: 'ABORTED',
      cause: before.reason,
    });

    const atOnce = new AbortController();
    const refused = refusal('ws://localhost/', { signal: atOnce.signal });
    atOnce.abort('why');
    expect(await refused).toMatchObject({ code: 'ABORTED', cause: 'why' });

    const later = new AbortController();
    const closed = deferred();
    const port = await rawServer(
      answering((socket) => {
        socket
          .on('close', () => closed.resolve())
          .on('end', () => socket.end())
          .resume();
        later.abort();
      }),
    );
    expect((await refusal(url(port), { signal: later.signal })).code).toBe('ABORTED');
    await within(closed.promise, 'the socket to be closed');
  });

  test('a signal does nothing once open', async () => {
    const server = await start({ message: (ws, data) => ws.send(data) });
    const abort = new AbortController();
    const echoed = deferred<unknown>();
    const peer = await open(url(server.port), { signal: abort.signal, message: (_ws, data) => echoed.resolve(data) });
    abort.abort();
    peer.send('still here');
    expect(await within(echoed.promise)).toBe('still here');
  });

  test('nothing stays behind in the wheel or on the signal', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    const armed = new Set<object>();
    onDeadlines((entry, deadline) => {
      if (deadline === null || deadline === Number.POSITIVE_INFINITY) armed.delete(entry);
      else armed.add(entry);
      return deadline;
    });
    await refusal('ws://127.0.0.1:1/', { signal });
    await refusal(url(await says('HTTP/1.1 404 x\r\n\r\n')), { signal });
    await refusal(url(await says('garbage\r\n')), { signal });
    const server = await start();
    await open(url(server.port), { signal, pingInterval: Number.POSITIVE_INFINITY });
    expect(listeners).toBe(0);
    expect([...armed].filter((entry) => entry.constructor.name === 'Dial')).toEqual([]);
  });
});

describe('where to', () => {
  test('nobody listens', async () => {
    const error = await refusal('ws://127.0.0.1:1/');
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: { code: 'ECONNREFUSED' } });
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('nobody listens on any address of a name', async () => {
    const lookup = (_name: string, _options: object, callback: (error: null, addresses: object[]) => void) =>
      callback(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ]);
    const error = await refusal('ws://two.example:1/', { lookup: lookup as never });
    expect(error.cause).toBeInstanceOf(AggregateError);
    expect(error.message).toContain('ECONNREFUSED 127.0.0.1:1');
  });

  test('no such name', async () => {
    const error = await refusal('ws://nowhere.invalid/', {
      lookup: (_name, _options, callback) => {
        callback(Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.invalid'), { code: 'ENOTFOUND' }), []);
      },
    });
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: { code: 'ENOTFOUND' } });
  });

  test('a Unix socket', async () => {
    const path =
      process.platform === 'win32'
        ? `\\\\.\\pipe\\millrace-${process.pid}`
        : join(tmpdir(), `millrace-${process.pid}.sock`);
    const asked = deferred<string>();
    await listen(
      createServer(
        answering((socket, request) => {
          asked.resolve(request);
          socket.end(accepting(request));
        }),
      ),
      { path },
    );
    const peer = await open('ws://inside.example/there', { socketPath: path });
    expect(await asked.promise).toMatch(/^GET \/there HTTP\/1\.1\r\nHost: inside\.example\r\n/);
    expect(peer.remoteAddress).toBe('');
  });

  test('the local address', async () => {
    const from = deferred<string | undefined>();
    const port = await rawServer(
      answering((socket, request) => {
        from.resolve(socket.remoteAddress);
        socket.end(accepting(request));
      }),
    );
    // Only Linux has all of 127/8 without being told to.
    const localAddress = process.platform === 'linux' ? '127.0.0.5' : '127.0.0.1';
    await open(url(port), { localAddress, family: 4 });
    expect(await from.promise).toBe(localAddress);
  });

  test('a stream of the user’s own, which is told what for', async () => {
    const server = await start({ message: (ws, data) => ws.send(data) });
    const targets: unknown[] = [];
    const echoed = deferred<unknown>();
    const peer = await open('ws://some.example/', {
      createConnection: (target) => {
        targets.push(target);
        return createConnection(server.port, '127.0.0.1');
      },
      message: (_ws, data) => echoed.resolve(data),
    });
    expect(targets).toMatchObject([{ host: 'some.example', port: 80, secure: false }]);
    peer.send('through');
    expect(await within(echoed.promise)).toBe('through');
  });

  test('a stream that cannot be made', async () => {
    const why = new Error('no tunnel');
    const failing = [
      () => Promise.reject(why),
      () => {
        throw why;
      },
    ];
    for (const createConnection of failing) {
      expect(await refusal('ws://localhost/', { createConnection })).toMatchObject({
        code: 'CONNECTION_FAILED',
        cause: why,
      });
    }
    const dead = new Duplex({ read() {}, write() {} }).destroy();
    expect((await refusal('ws://localhost/', { createConnection: () => dead })).code).toBe('CONNECTION_FAILED');
  });
});

describe('TLS', () => {
  const secureUrl = (port: number, host = 'localhost') => `wss://${host}:${port}/`;
  const accepts = (options = {}) =>
    rawTlsServer(
      answering((socket, request) => socket.end(accepting(request))),
      options,
    );

  test.each(['localhost', '127.0.0.1'])('%s with a certificate of a known authority', async (host) => {
    const port = await accepts();
    await open(secureUrl(port, host), { tls: { ca }, lookup: toLoopback });
  });

  test('a name is sent to the server (SNI), an address is not', async () => {
    const names: unknown[] = [];
    const port = await rawTlsServer(
      answering((socket, request) => {
        names.push((socket as TLSSocket).servername);
        socket.end(accepting(request));
      }),
    );
    for (const host of ['localhost', 'localhost.', '127.0.0.1']) {
      await open(secureUrl(port, host), { tls: { ca }, lookup: toLoopback });
    }
    expect(names).toEqual(['localhost', 'localhost', false]);
  });

  test('https: will do', async () => {
    const port = await accepts();
    await open(`https://127.0.0.1:${port}/`, { tls: { ca } });
  });

  test('an unknown authority, and no check when that is wished', async () => {
    const port = await accepts();
    const error = await refusal(secureUrl(port, '127.0.0.1'));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } });
    await open(secureUrl(port, '127.0.0.1'), { tls: { rejectUnauthorized: false } });
  });

  test('another name than that of the certificate, and nothing is sent to it', async () => {
    let heard = '';
    const port = await rawTlsServer((socket) => socket.on('data', (chunk) => (heard += chunk)));
    const error = await refusal(secureUrl(port, 'other.example'), {
      tls: { ca },
      lookup: toLoopback,
      headers: { authorization: 'Bearer secret' },
    });
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    expect(heard).toBe('');
    await open(secureUrl(await accepts(), 'other.example'), {
      tls: { ca, servername: 'localhost' },
      lookup: toLoopback,
    });
  });

  test('a client’s certificate', async () => {
    const port = await accepts({ ca, requestCert: true, rejectUnauthorized: true });
    expect((await refusal(secureUrl(port, '127.0.0.1'), { tls: { ca } })).code).toBe('CONNECTION_FAILED');
    await open(secureUrl(port, '127.0.0.1'), { tls: clientTls });
  });

  test('over a stream of the user’s own, once', async () => {
    const port = await accepts();
    await open(secureUrl(port), { tls: { ca }, createConnection: () => createConnection(port, '127.0.0.1') });
    await open(secureUrl(port), {
      createConnection: () => tlsConnect({ port, host: '127.0.0.1', servername: 'localhost', ca }),
    });
    const error = await refusal(secureUrl(port), { createConnection: () => createConnection(1, '127.0.0.1') });
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: { code: 'ECONNREFUSED' } });
  });

  test('wss: to a server without TLS', async () => {
    const server = await start();
    const banner = await rawServer((socket) => socket.end('220 mail.example.org ESMTP\r\n'));
    const long = await rawServer((socket) => socket.end('\x16\x03\x01\xff\xff\0\0\0'));
    for (const port of [server.port, banner, long]) {
      const error = await refusal(secureUrl(port, '127.0.0.1'));
      expect(error).toMatchObject({ code: 'TLS_NOT_SPOKEN', cause: { code: expect.stringMatching(/^ERR_SSL_/) } });
      expect(error.message).toContain('does not speak TLS');
    }
  });

  test('ws: to a server for TLS that closes without a word, as that of Node does', async () => {
    const https = await listen(createHttpsServer(serverTls, () => {}));
    for (const port of [await accepts(), https]) {
      const error = await refusal(url(port));
      expect(error).toMatchObject({ code: 'TLS_EXPECTED', message: expect.stringContaining('may speak TLS') });
    }
  });

  test.each([['\x15\x03\x01\0\x02\x02\x46'], ['\x15']])('ws: to a server that answers with an alert', async (alert) => {
    const port = await rawServer(answering((socket) => socket.end(Buffer.from(alert, 'latin1'))));
    expect(await refusal(url(port))).toMatchObject({
      code: 'TLS_EXPECTED',
      message: 'the server speaks TLS: its URL begins with wss:',
    });
  });

  test.each([
    '<center>The plain HTTP request was sent to HTTPS port</center>',
    'Reason: You’re speaking plain HTTP to an SSL-enabled server port.',
    'Client sent an HTTP request to an HTTPS server.\n',
  ])('ws: to a server that complains of it: %s', async (complaint) => {
    const error = await refusal(url(await says(`HTTP/1.0 400 Bad Request\r\n\r\n${complaint}`)));
    expect(error).toMatchObject({ code: 'TLS_EXPECTED', statusCode: 400 });
    expect(error.body.toString()).toBe(complaint);
  });

  test('another 400 says nothing about TLS', async () => {
    const error = await refusal(url(await says('HTTP/1.1 400 Bad Request\r\n\r\nmissing parameter')));
    expect(error.code).toBe('UNEXPECTED_RESPONSE');
  });
});

function toLoopback(
  _name: string,
  options: { readonly all?: boolean | undefined },
  callback: (...results: never[]) => void,
): void {
  const all = [null, [{ address: '127.0.0.1', family: 4 }]];
  callback(...((options.all ? all : [null, '127.0.0.1', 4]) as never[]));
}

test('small messages do not wait for others (TCP_NODELAY)', async () => {
  const server = await start();
  let noDelay: boolean | undefined;
  await open(url(server.port), {
    createConnection: () => {
      const socket = createConnection(server.port, '127.0.0.1');
      const { setNoDelay } = socket;
      socket.setNoDelay = (value) => {
        noDelay = value;
        return setNoDelay.call(socket, value);
      };
      return socket;
    },
  });
  expect(noDelay).toBe(true);
});
