/** What the tests of clients over HTTP/2 share: servers of node:http2, and servers in frames that do as they are told. */

import {
  type ClientHttp2Session,
  connect as connectSession,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createServer as createTlsServer } from 'node:tls';
import { ENABLE_CONNECT_PROTOCOL, FramePeer, HEADERS, headersFrame, settingsFrame } from '../h2/frames.js';
import { sessions } from '../h2/leftovers.js';
import { atEnd, until } from '../support.js';
import { ca, listen, serverTls } from './support.js';

export { sessions } from '../h2/leftovers.js';

/** What every client here connects with. */
export const TLS = { ca };
export const overH2 = { http2: true, tls: TLS } as const;

export const secureUrl = (port: number, path = '/') => `wss://localhost:${port}${path}`;
export const plainUrl = (port: number, path = '/') => `ws://127.0.0.1:${port}${path}`;

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** A server of node:http2 that takes extended CONNECT, with TLS or without; all others of `settings` are the test's. */
export async function h2Server(
  onStream: OnStream,
  { plain = false, settings = {}, ...options }: SecureServerOptions & { readonly plain?: boolean } = {},
): Promise<{ port: number; server: Http2Server | Http2SecureServer }> {
  const all = { settings: { enableConnectProtocol: true, ...settings }, ...options };
  const server = plain ? createServer(all) : createSecureServer({ ...(serverTls as object), ...all });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream, headers);
  });
  const port = await listen(server as never);
  atEnd(() => {
    for (const session of sessions.server) session.destroy();
  });
  return { port, server };
}

/** Accepts, and sends back the bytes of every frame as they are: for what does not look at frames. */
export const acceptAll: OnStream = (stream) => {
  stream.respond({ ':status': 200 });
  stream.on('end', () => stream.end()).resume();
};

/** A server that speaks in frames; its settings are for the test to send. */
export async function frameServer(
  onPeer: (peer: FramePeer, socket: Socket) => void,
  { plain = false, ALPNProtocols = ['h2'] }: { readonly plain?: boolean; readonly ALPNProtocols?: string[] } = {},
): Promise<number> {
  const sockets: Socket[] = [];
  const onSocket = (socket: Socket | TLSSocket) => {
    sockets.push(socket);
    onPeer(new FramePeer(socket, true), socket);
  };
  const port = await listen(
    plain ? createTcpServer(onSocket) : createTlsServer({ ...serverTls, ALPNProtocols }, onSocket),
  );
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
  });
  return port;
}

/** Settings that allow extended CONNECT. */
export const ALLOW = settingsFrame({ [ENABLE_CONNECT_PROTOCOL]: 1 });

/** Sends its settings, and calls back for each request. */
export function onRequests(peer: FramePeer, answer: (stream: number) => void, settings: Uint8Array = ALLOW): void {
  peer.write(settings);
  peer.onFrame = ({ type, stream }) => {
    if (type === HEADERS) answer(stream);
    return undefined;
  };
}

export function okFrame(stream: number, flags = 0): Buffer {
  return headersFrame(stream, [[':status', '200']], flags);
}

/** A session of the caller's own. */
export async function ownSession(url: string, options: object = {}): Promise<ClientHttp2Session> {
  const session = connectSession(url, { ca, ...options });
  session.on('error', () => {});
  atEnd(() => session.destroy());
  await until(() => !session.connecting || session.destroyed);
  return session;
}

/** Sessions that our clients have at this moment. */
export const living = () => sessions.client.filter(({ destroyed }) => !destroyed);
