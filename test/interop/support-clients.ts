/** Our three clients as one, and the servers that they meet, which all understand the same commands. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer, type WebSocket as WsSocket } from 'ws';
import {
  type ClientOptions,
  connect,
  reject,
  type ServeOptions,
  serve,
  WebSocket,
  type WebSocketError,
  WebSocketStream,
} from '../../src/node/index.js';
import { atEnd, deferred, next, within } from '../node/support.js';
import { ca, serverTls } from '../node/support-streams.js';
import { PythonProcess } from './support.js';
import { certificate, fronts } from './support-fronts.js';

export interface OurClient {
  readonly protocol: string;
  /** What came, in memory of its own. */
  readonly got: readonly (string | Buffer)[];
  send(data: string | Uint8Array): unknown;
  close(code: number, reason: string): void;
  /** The server's code and reason; 1006 without a Close. */
  readonly ended: Promise<[code: number, reason: string]>;
}

export type OpenClient = (url: string, options?: ClientOptions) => Promise<OurClient>;

async function withConnect(url: string, options: ClientOptions = {}): Promise<OurClient> {
  const got: (string | Buffer)[] = [];
  const end = deferred<[number, string]>();
  const peer = await within(
    connect(url, {
      ...options,
      message: (_ws, data) => got.push(typeof data === 'string' ? data : Buffer.from(data)),
      close: (_ws, code, reason) => end.resolve([code, reason]),
    }),
    'connect',
  );
  atEnd(() => peer.terminate());
  return {
    protocol: peer.protocol,
    got,
    send: (data) => peer.send(data),
    close: (code, reason) => peer.close(code, reason),
    ended: end.promise,
  };
}

async function withWebSocket(url: string, { protocols, ...options }: ClientOptions = {}): Promise<OurClient> {
  const got: (string | Buffer)[] = [];
  const end = deferred<[number, string]>();
  const opened = deferred();
  const ws = new WebSocket(url, protocols === undefined ? [] : [...protocols], options);
  atEnd(() => ws.close());
  ws.binaryType = 'arraybuffer';
  ws.onopen = () => opened.resolve();
  ws.onmessage = ({ data }) => got.push(typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer));
  ws.onerror = ({ error }) => opened.reject(error);
  ws.onclose = ({ code, reason }) => end.resolve([code, reason]);
  await within(opened.promise, 'open');
  return {
    protocol: ws.protocol,
    got,
    send: (data) => ws.send(data),
    close: (code, reason) => ws.close(code, reason),
    ended: end.promise,
  };
}

async function withWebSocketStream(url: string, options: ClientOptions = {}): Promise<OurClient> {
  const got: (string | Buffer)[] = [];
  const stream = new WebSocketStream(url, options);
  atEnd(() => stream.close());
  const ended = stream.closed.then(
    ({ closeCode, reason }): [number, string] => [closeCode, reason],
    ({ closeCode, reason }: WebSocketError): [number, string] => [closeCode ?? 0, reason],
  );
  const { readable, writable, protocol } = await within(
    stream.opened.catch((error: Error) => Promise.reject(error.cause)),
    'opened',
  );
  const read = async () => {
    for await (const data of readable) got.push(typeof data === 'string' ? data : Buffer.from(data));
  };
  read().catch(() => {});
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  return {
    protocol,
    got,
    send: (data) => writer.write(data),
    close: (closeCode, reason) => stream.close({ closeCode, reason }),
    ended,
  };
}

export const clients: readonly (readonly [name: string, open: OpenClient])[] = [
  ['connect', withConnect],
  ['WebSocket', withWebSocket],
  ['WebSocketStream', withWebSocketStream],
];

/**
 * A server that echoes, and does what these texts say: `close` (with 4005, grüße), `terminate`, `ping me` (and sends
 * `you are` when it is answered), `fragment` (sends `fragmented 😀`, in pieces if it can). It agrees on the subprotocol
 * chat, and refuses the path /refused with 403.
 */
export interface Commanded {
  readonly url: string;
  readonly options?: ClientOptions;
  /** The codes and reasons with which its connections ended. */
  closes(): readonly (readonly [unknown, unknown])[];
}

export async function ofWs(isSecure: boolean): Promise<Commanded> {
  const closes: [number, string][] = [];
  const http = isSecure ? createHttpsServer(serverTls).listen(0, '127.0.0.1') : null;
  const server = new WebSocketServer({
    ...(http === null ? { port: 0, host: '127.0.0.1' } : { server: http }),
    perMessageDeflate: false,
    handleProtocols: (offered) => offered.has('chat') && 'chat',
    verifyClient: ({ req }, done) => (req.url === '/refused' ? done(false, 403) : done(true)),
  });
  const obey = (ws: WsSocket, text: string): void => {
    if (text === 'close') ws.close(4005, 'grüße');
    else if (text === 'terminate') ws.terminate();
    else if (text === 'ping me') {
      ws.once('pong', (payload) => ws.send(`${payload}` === 'are you there' ? 'you are' : 'somebody else is'));
      ws.ping('are you there');
    } else if (text === 'fragment') {
      for (const [part, fin] of [['frag'], [''], ['mented 😀', true]]) ws.send(part as string, { fin: fin === true });
    } else ws.send(text);
  };
  server.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => (isBinary ? ws.send(data) : obey(ws, `${data}`)));
    ws.on('close', (code, reason) => closes.push([code, `${reason}`]));
    ws.on('error', () => {});
  });
  atEnd(async () => {
    for (const ws of server.clients) ws.terminate();
    await new Promise((resolve) => server.close(resolve));
    if (http !== null) await new Promise((resolve) => http.close(resolve));
  });
  await next(http ?? server, 'listening');
  const { port } = (http ?? server).address() as { port: number };
  const url = `${isSecure ? 'wss' : 'ws'}://127.0.0.1:${port}/`;
  return { url, ...(isSecure && { options: { tls: { ca } } }), closes: () => closes };
}

export async function ofPython(isSecure: boolean): Promise<Commanded> {
  const files = isSecure ? [certificate('server'), certificate('server-key')] : [];
  const python = new PythonProcess('server.py', ...files);
  const { port } = await python.line('port');
  return {
    url: `${isSecure ? 'wss' : 'ws'}://127.0.0.1:${port}/`,
    ...(isSecure && { options: { tls: { ca } } }),
    closes: () => python.lines.filter((line) => 'code' in line).map(({ code, reason }) => [code, reason]),
  };
}

function commanded(closes: [number, string][]): ServeOptions {
  return {
    upgrade: ({ path, subprotocols }) => {
      if (path === '/refused') return reject(403);
      return subprotocols.includes('chat') ? { protocol: 'chat' } : {};
    },
    message: (ws, data) => {
      if (data === 'close') ws.close(4005, 'grüße');
      else if (data === 'terminate') ws.terminate();
      else if (data === 'ping me') ws.ping(Buffer.from('are you there'));
      else ws.send(data === 'fragment' ? 'fragmented 😀' : data);
    },
    pong: (ws, payload) => ws.send(`${payload}` === 'are you there' ? 'you are' : 'somebody else is'),
    close: (_ws, code, reason) => closes.push([code, reason]),
  };
}

async function ofOurs(kind: number): Promise<Commanded> {
  const closes: [number, string][] = [];
  const { url } = await fronts[kind][1](commanded(closes));
  return { url, options: { tls: { ca } }, closes: () => closes };
}

async function ofOursOnUnix(isSecure: boolean): Promise<Commanded> {
  const closes: [number, string][] = [];
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  const socketPath = join(folder, 'socket');
  const server = await serve({ socketPath, ...(isSecure && { tls: serverTls }), ...commanded(closes) });
  atEnd(async () => {
    await server.close({ timeout: 0 });
    rmSync(folder, { recursive: true });
  });
  const url = `${isSecure ? 'wss' : 'ws'}://localhost/`;
  return { url, options: { socketPath, tls: { ca } }, closes: () => closes };
}

export const ourServers: readonly (readonly [name: string, open: () => Promise<Commanded>])[] = [
  ...fronts.map(([name], kind) => [`our ${name}`, () => ofOurs(kind)] as const),
  ['our serve on a Unix socket', () => ofOursOnUnix(false)],
  ['our serve on a Unix socket with TLS', () => ofOursOnUnix(true)],
];
