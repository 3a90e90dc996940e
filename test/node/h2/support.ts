/** What the tests of HTTP/2 share: clients that send what they are told to, in either version, in header lists or in frames. */

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { ServeOptions, Server } from '../../../src/node/index.js';
import { atEnd, decode, EMPTY, next, request, type ServerFrame, start, until } from '../support.js';
import { ca, openTls, serverTls } from '../support-streams.js';
import { FramePeer, PREFACE, settingsFrame } from './frames.js';
import './leftovers.js';

export { ca, serverTls } from '../support-streams.js';

export type Version = '1.1' | '2.0';
export const VERSIONS: readonly Version[] = ['1.1', '2.0'];

/** A server with TLS. */
export function secure<Data = unknown>(options: ServeOptions<Data> = {}): Promise<Server<Data>> {
  return start<Data>({ tls: serverTls, ...options });
}

/** A session, once the server's settings have come. */
export async function openSession(
  port: number,
  options: SecureClientSessionOptions & { readonly plain?: boolean } = {},
): Promise<ClientHttp2Session> {
  const origin = options.plain ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  const createConnectionFor = () =>
    options.plain
      ? createConnection(port, '127.0.0.1')
      : connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: ['h2'] });
  const session = connect(origin, { createConnection: createConnectionFor, ...options });
  session.on('error', () => {});
  atEnd(() => session.destroy());
  await next(session, 'remoteSettings');
  return session;
}

export const ASK: OutgoingHttpHeaders = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':path': '/',
  'sec-websocket-version': '13',
};

/** The same as a list, for frames. */
export const ASKED: readonly (readonly [string, string])[] = [
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'https'],
  [':path', '/'],
  [':authority', 'localhost'],
  ['sec-websocket-version', '13'],
];

/** An answer to a request for a WebSocket, and what follows it, in either version. */
export abstract class WireClient {
  abstract readonly stream: Duplex;
  abstract readonly status: number;
  abstract readonly headers: IncomingHttpHeaders;
  /** What came behind the head. */
  abstract readonly bytes: Buffer;
  abstract readonly ended: boolean;
  abstract readonly closed: boolean;

  /** Closes so that the server hears of a reset. */
  abstract reset(): void;

  /** The head of the answer. */
  async answered(): Promise<this> {
    await until(() => this.status > 0 || this.closed, 'an answer');
    if (!(this.status > 0)) throw new Error('closed without an answer');
    return this;
  }

  async finished(): Promise<this> {
    await until(() => this.ended || this.closed, 'the end');
    return this;
  }

  write(...parts: readonly (string | Uint8Array)[]): void {
    this.stream.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
  }

  end(): void {
    this.stream.end();
  }

  get isOpen(): boolean {
    return this.status === 101 || this.status === 200;
  }

  get frames(): ServerFrame[] {
    const frames: ServerFrame[] = [];
    const { bytes } = this;
    for (let at = 0, found = decode(bytes); found !== null; found = decode(bytes.subarray(at))) {
      frames.push(found.frame);
      at += found.size;
    }
    return frames;
  }

  get texts(): string[] {
    return this.frames.filter(({ opcode }) => opcode === 1).map(({ payload }) => `${payload}`);
  }

  /** Waits for so many frames. */
  async framesUpTo(count: number): Promise<ServerFrame[]> {
    await until(() => this.frames.length >= count || this.closed, `${count} frames`);
    return this.frames;
  }

  /** The code and reason of the server's Close. */
  async closeCode(): Promise<readonly [code: number, reason: string]> {
    const find = () => this.frames.find(({ opcode }) => opcode === 8);
    await until(() => find() !== undefined || this.closed, 'a Close');
    const payload = find()?.payload;
    if (payload === undefined) throw new Error('no Close came');
    return payload.length === 0 ? [1005, ''] : [payload.readUInt16BE(0), payload.toString('utf8', 2)];
  }
}

/** A stream of a real session of node:http2. */
export class H2Client extends WireClient {
  readonly stream: ClientHttp2Stream;
  headers: IncomingHttpHeaders = {};
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | null = null;
  #chunks: Buffer[] = [];

  constructor(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, options: { endStream?: boolean } = {}) {
    super();
    this.stream = session.request({ ...ASK, ...headers }, { endStream: false, ...options });
    this.stream.on('response', (received) => {
      this.headers = received;
    });
    this.stream.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.stream.on('end', () => {
      this.ended = true;
    });
    this.stream.on('error', (error) => {
      this.error = error;
    });
    this.stream.on('close', () => {
      this.closed = true;
    });
  }

  static async open(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}): Promise<H2Client> {
    const client = await new H2Client(session, headers).answered();
    if (client.status !== 200) throw new Error(`answered ${client.status}`);
    return client;
  }

  get status(): number {
    return Number(this.headers[':status'] ?? 0);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get rstCode(): number {
    return this.stream.rstCode;
  }

  reset(code = 8): void {
    this.stream.close(code);
  }
}

/** A connection for HTTP/1.1. */
class H1Client extends WireClient {
  readonly client: Awaited<ReturnType<typeof openTls>>;

  constructor(client: Awaited<ReturnType<typeof openTls>>) {
    super();
    this.client = client;
  }

  get stream(): Duplex {
    return this.client.socket;
  }

  get status(): number {
    return this.client.status;
  }

  get headers(): IncomingHttpHeaders {
    const lines = this.client.head.split('\r\n').slice(1, -1);
    return Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
  }

  get bytes(): Buffer {
    const end = this.client.bytes.indexOf('\r\n\r\n');
    return end < 0 ? Buffer.alloc(0) : this.client.bytes.subarray(end + 4);
  }

  get ended(): boolean {
    return this.client.ended;
  }

  /** Or ended by the server: this end has to do the rest. */
  get closed(): boolean {
    return this.client.closed || this.client.ended;
  }

  reset(): void {
    this.client.socket.destroy();
  }
}

export interface Asking {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent behind the request, without waiting for the answer. */
  readonly early?: Uint8Array;
}

/** Asks for a WebSocket, on a connection of its own; whoever wants the answer waits for it. */
export async function ask(
  version: Version,
  port: number,
  { path = '/', headers = {}, early = EMPTY }: Asking = {},
): Promise<WireClient> {
  let client: WireClient;
  if (version === '1.1') {
    const tls = await openTls(port, { ALPNProtocols: ['http/1.1'] });
    tls.socket.write(request({ Host: `localhost:${port}`, ...headers }, `GET ${path} HTTP/1.1`));
    client = new H1Client(tls);
  } else {
    client = new H2Client(await openSession(port), { ':path': path, ...headers });
  }
  if (early.length > 0) client.write(early);
  return client;
}

/** Asks, and waits for the answer. */
export async function answer(version: Version, port: number, asking: Asking = {}): Promise<WireClient> {
  return (await ask(version, port, asking)).answered();
}

/** Asks, and is accepted. */
export async function opened(version: Version, port: number, asking: Asking = {}): Promise<WireClient> {
  const client = await answer(version, port, asking);
  if (!client.isOpen) throw new Error(`answered ${client.status}`);
  return client;
}

/** A client in frames, that has sent its preface and settings. */
export async function framesTo(
  port: number,
  { plain = false, settings = {} }: { readonly plain?: boolean; readonly settings?: Record<number, number> } = {},
): Promise<FramePeer> {
  const socket = plain
    ? createConnection(port, '127.0.0.1')
    : connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: ['h2'] });
  atEnd(() => socket.destroy());
  await next(socket, plain ? 'connect' : 'secureConnect');
  const peer = new FramePeer(socket, false);
  peer.write(PREFACE, settingsFrame(settings));
  return peer;
}
