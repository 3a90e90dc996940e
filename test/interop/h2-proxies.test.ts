/**
 * Proxies between our clients or `ws` and our servers, which speak HTTP/2 with the client, the server, or both.
 *
 * - nghttpx 1.52 can do all of it. It does not end a stream that a server of HTTP/2 has ended, so that such a server
 *   waits for `closeTimeout` and resets the stream.
 * - haproxy 2.6 can do all of it; behind `proto h2` it also needs `ws h2`. It takes in more than it can hand on, and when
 *   that is full it reads nothing any more from a client of HTTP/2, windows for what comes back among it: with HTTP/2 on
 *   both sides a client that sends faster than it is answered, and a server that takes no more than it can answer, stop.
 */

import { describe, expect, test } from 'vitest';
import { WebSocket as Ws } from 'ws';
import { connect, reject, type ServeOptions } from '../../src/node/index.js';
import { atEnd, deferred, noise, until, within } from '../node/support.js';
import { ca, serverTls } from '../node/support-streams.js';
import { certificate } from './support-fronts.js';
import { type H2Front, openH2c, openPlain, programMissing, titled } from './support-h2.js';
import { folder, freePort, startProgram } from './support-h2-programs.js';

const NGHTTPX = '/usr/sbin/nghttpx';
const HAPROXY = '/usr/sbin/haproxy';
const pem = Buffer.concat([serverTls.cert, serverTls.key]);

/** How a proxy is to reach the server. */
type Backend = 'http/1.1' | 'h2';

/** Starts a proxy that speaks TLS in front and none behind; gives its port. */
type StartProxy = (backend: Backend, port: number) => Promise<number>;

const nghttpx: StartProxy = async (backend, port) => {
  const front = await freePort();
  const files = [certificate('server-key'), certificate('server')];
  const where = [`--frontend=127.0.0.1,${front}`, `--backend=127.0.0.1,${port};;proto=${backend}`];
  await startProgram(NGHTTPX, ['--conf=/dev/null', '--workers=1', '--single-process', ...where, ...files], front);
  return front;
};

const haproxy: StartProxy = async (backend, port) => {
  const front = await freePort();
  const path = folder({ 'server.pem': pem });
  const config = folder({
    'haproxy.cfg': `global
  maxconn 200
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 60s
frontend front
  bind 127.0.0.1:${front} ssl crt ${path}/server.pem alpn h2,http/1.1
  default_backend back
backend back
  server server 127.0.0.1:${port}${backend === 'h2' ? ' proto h2 ws h2' : ''}
`,
  });
  await startProgram(HAPROXY, ['-db', '-f', `${config}/haproxy.cfg`], front);
  return front;
};

/** A client through a proxy. */
interface Client {
  readonly got: (string | Buffer)[];
  readonly protocol: string;
  readonly httpVersion: string;
  send(data: string | Buffer): unknown;
  close(code: number, reason: string): void;
  readonly ended: Promise<[code: number, reason: string]>;
}

type OpenClient = (url: string, protocols: string[]) => Promise<Client>;

const ours =
  (http2: boolean): OpenClient =>
  async (url, protocols) => {
    const got: (string | Buffer)[] = [];
    const ended = deferred<[number, string]>();
    let version = '';
    const peer = await within(
      connect(url, {
        http2,
        protocols,
        tls: { ca },
        accepted: ({ httpVersion }) => {
          version = httpVersion;
        },
        message: (_ws, data) => got.push(typeof data === 'string' ? data : Buffer.from(data)) && undefined,
        close: (_ws, code, reason) => ended.resolve([code, reason]),
      }),
      'connect',
    );
    atEnd(() => peer.terminate());
    expect(version).toBe(http2 ? '2.0' : '1.1');
    return {
      got,
      protocol: peer.protocol,
      httpVersion: version,
      send: (data) => peer.send(data),
      close: (code, reason) => peer.close(code, reason),
      ended: ended.promise,
    };
  };

const ofWs: OpenClient = async (url, protocols) => {
  const got: (string | Buffer)[] = [];
  const ended = deferred<[number, string]>();
  const opened = deferred();
  const ws = new Ws(url, protocols, { ca, perMessageDeflate: false });
  atEnd(() => ws.terminate());
  ws.on('open', () => opened.resolve());
  ws.on('error', (error) => opened.reject(error));
  ws.on('message', (data: Buffer, isBinary) => got.push(isBinary ? data : data.toString()));
  ws.on('close', (code, reason) => ended.resolve([code, `${reason}`]));
  await within(opened.promise, 'ws');
  return {
    got,
    protocol: ws.protocol,
    httpVersion: '1.1',
    send: (data) => ws.send(data),
    close: (code, reason) => ws.close(code, reason),
    ended: ended.promise,
  };
};

const proxies = [
  ['nghttpx', nghttpx, programMissing(NGHTTPX, 'nghttp2-proxy')],
  ['haproxy', haproxy, programMissing(HAPROXY, 'haproxy')],
] as const;

const clientKinds: readonly (readonly [name: string, open: OpenClient])[] = [
  ['our client over HTTP/2', ours(true)],
  ['our client over HTTP/1.1', ours(false)],
  ['ws', ofWs],
];

describe.each(proxies)('%s', (name, startProxy, missing) => {
  describe.skipIf(missing !== null)(titled(name, missing), () => {
    describe.each<Backend>(['http/1.1', 'h2'])('to our server over %s', (backend) => {
      async function setUp(options: ServeOptions): Promise<{ front: H2Front; url: string }> {
        const front = await (backend === 'h2' ? openH2c : openPlain)(options);
        return { front, url: `wss://127.0.0.1:${await startProxy(backend, front.port)}` };
      }

      test.each(clientKinds)('%s', async (_client, openClient) => {
        const closes: [number, string][] = [];
        const { front, url } = await setUp({
          closeTimeout: 500,
          upgrade: ({ path, subprotocols }) => (path === '/refused' ? reject(403) : { protocol: subprotocols[1] }),
          message: (ws, data) => {
            if (data === 'close') ws.close(4005, 'because');
            else if (data === 'terminate') ws.terminate();
            else ws.send(data);
          },
          close: (_ws, code, reason) => closes.push([code, reason]) && undefined,
        });
        const client = await openClient(`${url}/chat`, ['a', 'b']);
        expect(client.protocol).toBe('b');
        expect(front.seen).toMatchObject([{ path: '/chat', httpVersion: backend === 'h2' ? '2.0' : '1.1' }]);
        const said: (string | Buffer)[] = [];
        for (const size of [0, 1, 125, 126, 65_535, 65_536, 1024 * 1024 + 1]) {
          said.push(noise(size, size + 1), '😀'.repeat(Math.ceil(size / 4)));
        }
        const mayStop = name === 'haproxy' && backend === 'h2' && client.httpVersion === '2.0';
        for (const [i, message] of said.entries()) {
          client.send(message);
          if (mayStop) await until(() => client.got.length > i, 'an echo');
        }
        await until(() => client.got.length === said.length, 'the echoes');
        expect(said.filter((message, i) => !Buffer.from(message).equals(Buffer.from(client.got[i])))).toEqual([]);
        client.close(3001, 'grüße');
        expect((await within(client.ended))[0]).toBe(3001);
        await until(() => closes.length === 1);
        expect(closes).toEqual([[3001, 'grüße']]);

        const others = await Promise.all([1, 2, 3, 4].map(() => openClient(`${url}/other`, [])));
        others[0].send('close');
        expect(await within(others[0].ended)).toEqual([4005, 'because']);
        others[1].send('terminate');
        expect(await within(others[1].ended)).toEqual([1006, '']);
        others[2].send('still there');
        await until(() => others[2].got.length === 1);
        await until(() => front.size() === 2, 'others to be gone');
        await expect(openClient(`${url}/refused`, [])).rejects.toThrow(/\b403\b/);
        await front.close();
        expect(await within(others[3].ended)).toEqual([1001, '']);
      });
    });
  });
});
