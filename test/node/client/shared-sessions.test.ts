/** Sessions of HTTP/2 that clients share: who gets which, and when they are closed. */

import { spawn } from 'node:child_process';
import type { ServerHttp2Stream } from 'node:http2';
import { createConnection, isIP, type LookupFunction } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { connect } from '../../../src/node/client/connect.js';
import { WebSocketStream } from '../../../src/node/client/websocket-stream.js';
import type { ConnectOptions, Peer } from '../../../src/node/index.js';
import {
  ENABLE_CONNECT_PROTOCOL,
  type FramePeer,
  goawayFrame,
  headersFrame,
  MAX_CONCURRENT_STREAMS,
  rstFrame,
  settingsFrame,
} from '../h2/frames.js';
import { ring } from '../h2/leftovers.js';
import { secure } from '../h2/support.js';
import { atEnd, deferred, next, noise, recording, turns, until, warningsDuring, within } from '../support.js';
import {
  acceptAll,
  frameServer,
  h2Server,
  living,
  okFrame,
  onRequests,
  overH2,
  plainUrl,
  secureUrl,
  sessions,
} from './http2-support.js';
import { ca, clientTls, open, refusal } from './support.js';

const opened = (port: number, count: number, options: ConnectOptions = overH2): Promise<Peer[]> =>
  Promise.all(Array.from({ length: count }, () => open(secureUrl(port), options)));

describe('who shares a session', () => {
  test('all that connect to one server with the same options: at once, and later', async () => {
    const server = await secure({ message: (ws, data) => ws.send(data) });
    const warnings = await warningsDuring(async () => {
      await opened(server.port, 100);
      await opened(server.port, 10);
      await open(secureUrl(server.port, '/other?path'), { ...overH2, headers: { 'x-other': '1' }, protocols: ['a'] });
    });
    expect(warnings).toEqual([]);
    expect([server.size, sessions.server.length, sessions.client.length]).toEqual([111, 1, 1]);
  });

  test('tls that says the same in another object', async () => {
    const server = await secure();
    await open(secureUrl(server.port), { http2: true, tls: { ca } });
    await open(secureUrl(server.port), { http2: true, tls: { ca } });
    expect(sessions.server).toHaveLength(1);
  });

  const lookup: LookupFunction = (_name, options, callback) => {
    if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
    else callback(null, '127.0.0.1', 4);
  };

  test.for<[string, ConnectOptions]>([
    ['other tls', { tls: clientTls }],
    ['tls with one option more', { tls: { ca, minVersion: 'TLSv1.3' } }],
    ['allowHTTP1', { allowHTTP1: true }],
    ['a lookup', { lookup }],
    ['a local address', { localAddress: '127.0.0.1', family: 4 }],
  ])('not with %s', async ([, options]) => {
    const server = await secure();
    await open(secureUrl(server.port), overH2);
    await open(secureUrl(server.port), { ...overH2, ...options });
    expect([server.size, sessions.server.length]).toEqual([2, 2]);
    await open(secureUrl(server.port), overH2);
    await open(secureUrl(server.port), { ...overH2, ...options });
    expect([server.size, sessions.server.length]).toEqual([4, 2]);
  });

  test('not another port, or name', async () => {
    const [one, two] = [await secure(), await secure()];
    await open(secureUrl(one.port), overH2);
    await open(secureUrl(two.port), overH2);
    await open(`wss://127.0.0.1:${one.port}/`, overH2);
    expect(isIP('127.0.0.1')).toBe(4);
    expect([one.size, two.size, sessions.server.length]).toEqual([2, 1, 3]);
  });

  test('ws: and wss: are two', async () => {
    const { port } = await h2Server(acceptAll, { plain: true });
    await open(plainUrl(port), { http2: true });
    await open(plainUrl(port), { http2: true });
    expect(sessions.server).toHaveLength(1);
    expect((await refusal(`wss://127.0.0.1:${port}/`, { http2: true })).code).toBe('TLS_NOT_SPOKEN');
  });

  test('one that fails to connect fails for all that wait, and for nobody later', async () => {
    const failing = await Promise.all(
      Array.from({ length: 3 }, () => connect('wss://127.0.0.1:1/', overH2).catch((error: unknown) => error)),
    );
    expect(failing).toMatchObject([1, 2, 3].map(() => ({ code: 'CONNECTION_FAILED' })));
    const server = await secure();
    await open(secureUrl(server.port), overH2);
  });

  test('who gives up while there is no session takes it from nobody', async () => {
    const server = await secure();
    const abort = new AbortController();
    const [first, second] = [
      refusal(secureUrl(server.port), { ...overH2, signal: abort.signal }),
      open(secureUrl(server.port), overH2),
    ];
    abort.abort();
    expect((await first).code).toBe('ABORTED');
    expect((await second).isOpen).toBe(true);
    expect(sessions.client).toHaveLength(1);
  });

  test('when all give up, it is not opened', async () => {
    const server = await secure();
    const abort = new AbortController();
    const failing = [1, 2].map(() => refusal(secureUrl(server.port), { ...overH2, signal: abort.signal }));
    abort.abort();
    for (const error of await Promise.all(failing)) expect(error.code).toBe('ABORTED');
    await turns(30);
    expect(living()).toEqual([]);
  });
});

describe('maxConcurrentStreams', () => {
  test('beyond it there is another session, as many as it takes', async () => {
    const server = await secure({ http2: { maxConcurrentStreams: 3 } });
    const peers = await opened(server.port, 7);
    expect([server.size, sessions.server.length]).toEqual([7, 3]);
    peers.push(...(await opened(server.port, 2)));
    expect([server.size, sessions.server.length]).toEqual([9, 3]);
    for (const peer of peers.slice(0, 4)) peer.close();
    await until(() => server.size === 5);
    await turns(20);
    await opened(server.port, 4);
    expect([server.size, sessions.server.length]).toEqual([9, 3]);
  });

  test('of one, one after the other', async () => {
    const server = await secure({ http2: { maxConcurrentStreams: 1 } });
    await open(secureUrl(server.port), overH2);
    await open(secureUrl(server.port), overH2);
    await open(secureUrl(server.port), overH2);
    expect([server.size, sessions.server.length]).toEqual([3, 3]);
  });

  test('of none: an error, not a session after the other without end', async () => {
    const port = await frameServer((peer) =>
      onRequests(peer, () => {}, settingsFrame({ [ENABLE_CONNECT_PROTOCOL]: 1, [MAX_CONCURRENT_STREAMS]: 0 })),
    );
    const error = await refusal(secureUrl(port), { ...overH2, handshakeTimeout: 1000 });
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', message: expect.stringContaining('no streams') });
    expect(sessions.client).toHaveLength(1);
    await until(() => living().length === 0);
  });

  test('that is lowered later', async () => {
    const made = deferred<FramePeer>();
    let connections = 0;
    const port = await frameServer((peer) => {
      connections++;
      onRequests(peer, (stream) => peer.write(okFrame(stream)));
      made.resolve(peer);
    });
    await opened(port, 2);
    (await made.promise).write(settingsFrame({ [MAX_CONCURRENT_STREAMS]: 2 }));
    await until(() => sessions.client[0].remoteSettings?.maxConcurrentStreams === 2);
    await opened(port, 1);
    expect(connections).toBe(2);
  });
});

describe('when a session is closed', () => {
  test('some time after its last WebSocket, and not before', async () => {
    const server = await secure();
    const [first, second] = await opened(server.port, 2);
    first.close();
    await until(() => server.size === 1);
    await turns(20);
    expect(ring('SharedSession')).toBe(0);
    second.close();
    await until(() => server.size === 0);
    await turns(20);
    expect(living()).toHaveLength(1);
    // Within that time it is used again.
    const [third] = await opened(server.port, 1);
    expect([sessions.client.length, ring('SharedSession')]).toEqual([1, 0]);
    third.close();
    await until(() => server.size === 0);
    await turns(20);
    expect(ring('SharedSession')).toBe(1);
    await until(() => living().length === 0 && sessions.server.every(({ destroyed }) => destroyed));
    await opened(server.port, 1);
    expect(sessions.client).toHaveLength(2);
  });

  test('after a second by the clock', async () => {
    const server = await secure();
    const [peer] = await opened(server.port, 1);
    peer.close();
    await until(() => server.size === 0);
    const begun = performance.now();
    await until(() => living().length === 0, 'the session to be closed');
    expect(performance.now() - begun).toBeGreaterThan(900);
  });

  test('after one that was refused', async () => {
    const server = await secure({ origins: ['https://example.com'] });
    expect((await refusal(secureUrl(server.port), overH2)).statusCode).toBe(403);
    await turns(30);
    expect(ring('SharedSession')).toBe(1);
    await until(() => living().length === 0);
  });

  test('after one that could not be asked for', async () => {
    const { port } = await h2Server(acceptAll);
    const error = await refusal(secureUrl(port), {
      ...overH2,
      headers: [
        ['authorization', 'a'],
        ['authorization', 'b'],
      ],
    });
    expect(error.code).toBe('INVALID_HEADER');
    await turns(30);
    expect(ring('SharedSession')).toBe(1);
    await until(() => living().length === 0);
  });

  test('given up right after its connection was there', async () => {
    const { port } = await h2Server(acceptAll, { plain: true });
    const socket = createConnection(port, '127.0.0.1');
    await next(socket, 'connect');
    const abort = new AbortController();
    const failing = refusal(plainUrl(port), { http2: true, signal: abort.signal, createConnection: () => socket });
    process.nextTick(() => abort.abort());
    expect(await failing).toMatchObject({ code: 'ABORTED' });
    await until(() => socket.destroyed && living().length === 0);
  });

  test('a connection that is destroyed by whoever looks at its certificate: CONNECTION_FAILED with the reason', async () => {
    const server = await secure();
    const connectTo = () => {
      const options = { port: server.port, host: 'localhost', ca, ALPNProtocols: ['h2'] };
      const socket: TLSSocket = connectTls(options, () => socket.destroy(new Error('not who I know')));
      return socket;
    };
    const error = await refusal(secureUrl(server.port), { http2: true, createConnection: connectTo });
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: { message: 'not who I know' } });
    expect(sessions.client).toEqual([]);
  });

  test('after one that was given up while it waited for the session', async () => {
    const server = await secure();
    const [peer] = await opened(server.port, 1);
    peer.close();
    await until(() => server.size === 0);
    const abort = new AbortController();
    const failing = refusal(secureUrl(server.port), { ...overH2, signal: abort.signal });
    abort.abort();
    expect((await failing).code).toBe('ABORTED');
    await turns(30);
    expect(ring('SharedSession')).toBe(1);
    await until(() => living().length === 0);
  });

  test('it keeps no process alive', async () => {
    const server = await secure({ message: (ws, data) => ws.send(data) });
    const script = `
      import { connect } from ${JSON.stringify(new URL('../../../dist/node/index.js', import.meta.url).href)};
      const ws = await connect('wss://localhost:${server.port}/', {
        http2: true,
        tls: { rejectUnauthorized: false },
        message(ws, data) { console.log(data); ws.close(); },
        close() { console.log('closed', performance.now() | 0); },
      });
      ws.send('hello');
      process.on('exit', () => console.log('exit', performance.now() | 0));
    `;
    const { output, code } = await run(script);
    expect(code, output).toBe(0);
    const [, closed, exit] = /^hello\nclosed (\d+)\nexit (\d+)\n$/.exec(output) ?? [];
    expect(Number(exit) - Number(closed), output).toBeLessThan(2500);
  });

  test('an open WebSocket, and a session that is awaited, keep it alive', async () => {
    const server = await secure({
      open: (ws) => {
        setTimeout(() => ws.close(4000), 300);
      },
    });
    const script = `
      import { connect } from ${JSON.stringify(new URL('../../../dist/node/index.js', import.meta.url).href)};
      const options = { http2: true, tls: { rejectUnauthorized: false } };
      const url = 'wss://localhost:${server.port}/';
      const again = () => connect(url, { ...options, close(ws, code) { console.log('second', code); } });
      connect(url, { ...options, close(ws, code) { console.log('first', code); again(); } });
    `;
    const { output, code } = await run(script);
    expect([output, code]).toEqual(['first 4000\nsecond 4000\n', 0]);
  });
});

describe('a session that ends', () => {
  test('is not used for others: GOAWAY, and the next gets a new one', async () => {
    const server = await secure();
    const { log, handlers } = recording();
    await open(secureUrl(server.port), { ...overH2, ...handlers });
    sessions.server[0].close();
    await until(() => log.length === 2 && server.size === 0);
    expect(log[1]).toEqual(['close', 1001, '']);
    const peer = await open(secureUrl(server.port), overH2);
    expect([peer.isOpen, sessions.server.length]).toEqual([true, 2]);
  });

  test('a request that GOAWAY refuses is made again on another', async () => {
    let connections = 0;
    const port = await frameServer((peer) => {
      const isFirst = connections++ === 0;
      onRequests(peer, (stream) => {
        if (isFirst) peer.write(goawayFrame(0, 0));
        else peer.write(okFrame(stream));
      });
    });
    const peer = await open(secureUrl(port), overH2);
    expect([peer.isOpen, connections]).toEqual([true, 2]);
  });

  test('a request that REFUSED_STREAM refuses when its answer has begun is not made again', async () => {
    let asked = 0;
    const port = await frameServer((peer) => {
      onRequests(peer, (stream) => {
        asked++;
        peer.write(headersFrame(stream, [[':status', '403']]));
        // Behind it, so that the answer is read as one.
        setImmediate(() => peer.write(rstFrame(stream, 7)));
      });
    });
    expect(await refusal(secureUrl(port), overH2)).toMatchObject({ code: 'UNEXPECTED_RESPONSE', statusCode: 403 });
    expect(asked).toBe(1);
  });

  test('a request that REFUSED_STREAM refuses is made again, some times', async () => {
    let asked = 0;
    const port = await frameServer((peer) =>
      onRequests(peer, (stream) => {
        asked++;
        peer.write(asked === 3 || asked > 6 ? okFrame(stream) : rstFrame(stream, 7));
      }),
    );
    const peer = await open(secureUrl(port), overH2);
    expect([peer.isOpen, asked]).toEqual([true, 3]);
    const error = await refusal(secureUrl(port), overH2);
    expect([error.code, asked]).toEqual(['CONNECTION_FAILED', 6]);
  });

  test('on a session of the caller’s own it is not made again', async () => {
    let asked = 0;
    const port = await frameServer((peer) =>
      onRequests(peer, (stream) => {
        asked++;
        peer.write(rstFrame(stream, 7));
      }),
    );
    const { ownSession } = await import('./http2-support.js');
    const session = await ownSession(`https://localhost:${port}`);
    expect((await refusal(secureUrl(port), { http2: session })).code).toBe('CONNECTION_FAILED');
    expect([asked, session.destroyed]).toEqual([1, false]);
  });

  test('GOAWAY with an error, or the connection dies, before there is an answer', async () => {
    for (const how of ['goaway', 'destroy'] as const) {
      const port = await frameServer((peer) =>
        onRequests(peer, () => {
          if (how === 'goaway') peer.write(goawayFrame(1, 2));
          else peer.socket.destroy();
        }),
      );
      expect((await refusal(secureUrl(port), overH2)).code).toBe('CONNECTION_FAILED');
    }
    await until(() => living().length === 0);
  });

  test('GOAWAY before the settings', async () => {
    const port = await frameServer((peer) => {
      peer.onFrame = () => true;
      peer.write(settingsFrame(), goawayFrame(0, 0));
    });
    expect((await refusal(secureUrl(port), overH2)).code).toBe('CONNECTION_FAILED');
  });

  test.for([true, false])(
    'that is silent before its settings is not waited for by all who come, with TLS: %s',
    async (tls) => {
      let connections = 0;
      const port = await frameServer(
        (peer) => {
          if (connections++ === 0) peer.onFrame = () => true;
          else onRequests(peer, (stream) => peer.write(okFrame(stream)));
        },
        { plain: !tls },
      );
      const url = tls ? secureUrl(port) : plainUrl(port);
      const waits = new AbortController();
      const others = refusal(url, { ...overH2, signal: waits.signal });
      expect((await refusal(url, { ...overH2, handshakeTimeout: 100 })).code).toBe('HANDSHAKE_TIMEOUT');
      expect((await open(url, overH2)).isOpen).toBe(true);
      expect(connections).toBe(2);
      waits.abort();
      expect((await others).code).toBe('ABORTED');
    },
  );

  test('with an error is not asked by who connects again at once', async () => {
    let connections = 0;
    const port = await frameServer((peer) => {
      const isFirst = connections++ === 0;
      onRequests(peer, (stream) => {
        peer.write(okFrame(stream));
        // Behind it, so that it is open: an answer on a stream that nobody opened.
        if (isFirst) setImmediate(() => peer.write(headersFrame(98, [[':status', '200']])));
      });
    });
    const again: Promise<Peer>[] = [];
    const reconnect = () => again.push(open(secureUrl(port), overH2));
    await open(secureUrl(port), { ...overH2, error: reconnect, close: reconnect });
    await until(() => again.length === 2, 'an error and a close');
    for (const peer of await Promise.all(again)) expect(peer.isOpen).toBe(true);
    expect(connections).toBe(2);
  });

  test('the connection dies before the settings', async () => {
    const port = await frameServer((peer) => peer.socket.destroy());
    expect(await refusal(secureUrl(port), overH2)).toMatchObject({
      code: 'CONNECTION_FAILED',
      message: expect.stringContaining('an HTTP/2 session'),
    });
  });
});

describe('back-pressure', () => {
  test('a paused WebSocketStream holds its own stream, and none else', async () => {
    const payload = noise(1_000_000);
    let stalled: Peer | null = null;
    const server = await secure({
      upgrade: ({ path }) => ({ data: path }),
      open: (ws) => {
        if (ws.data !== '/paused') return;
        stalled = ws;
        for (let i = 0; i < 10; i++) ws.send(payload);
      },
      message: (ws, data) => ws.send(data),
    });
    const paused = new WebSocketStream(secureUrl(server.port, '/paused'), overH2);
    const { readable } = await within(paused.opened);
    await until(() => stalled !== null);
    const others = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const echoed = deferred<unknown>();
        const peer = await open(secureUrl(server.port), { ...overH2, message: (_ws, data) => echoed.resolve(data) });
        peer.send(payload);
        return echoed.promise;
      }),
    );
    for (const echoed of others) expect(payload.equals((await within(Promise.resolve(echoed))) as Buffer)).toBe(true);
    expect([sessions.client.length, (stalled as unknown as Peer).bufferedAmount > 5_000_000]).toEqual([1, true]);
    let received = 0;
    for await (const message of readable) {
      received += (message as Uint8Array).length;
      if (received === 10 * payload.length) break;
    }
    // Who stops to iterate has closed it.
    await within(paused.closed);
    expect((stalled as unknown as Peer).bufferedAmount).toBe(0);
  });

  test('a server whose stream does not read holds one client alone', async () => {
    const held: ServerHttp2Stream[] = [];
    const { port } = await h2Server((stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/held') held.push(stream.pause());
      else stream.on('data', (chunk: Buffer) => stream.emit('seen', chunk.length)).on('end', () => stream.end());
    });
    const one = await open(secureUrl(port, '/held'), { ...overH2, sendHardLimit: Number.POSITIVE_INFINITY });
    const drained = deferred();
    const two = await open(secureUrl(port), { ...overH2, drain: () => drained.resolve() });
    expect(one.send(noise(3_000_000))).toBe(false);
    expect(two.send(noise(3_000_000))).toBe(false);
    await within(drained.promise, 'the other to drain');
    expect(one.bufferedAmount).toBeGreaterThan(2_000_000);
    for (const peer of [one, two]) peer.terminate();
  });
});

/** Runs a module in a process of its own. */
async function run(script: string): Promise<{ output: string; code: number | null }> {
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script]);
  atEnd(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const code = await within(
    new Promise<number | null>((resolve) => child.on('close', resolve)),
    `the process to end`,
    15_000,
  );
  return { output, code };
}
