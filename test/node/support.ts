/** What the tests of the glue share: servers and raw clients that are always cleaned up, a stream that records, waiting. */

import { subscribe } from 'node:diagnostics_channel';
import { createConnection, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect } from 'vitest';
import WebSocket from 'ws';
import type { Handlers } from '../../src/node/handlers.js';
import { type ServeOptions, type Server, serve } from '../../src/node/serve.js';
import { type Timed, wheel } from '../../src/node/wheel.js';
import { encode, type Frame, noise as slowNoise, text } from '../kernels/support.js';

export { concat, text } from '../kernels/support.js';

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const EMPTY = new Uint8Array(0);
/** Far beyond what a busy machine needs: only a bug comes to it. */
const PATIENCE = 60_000;

/** Bytes that look random, are the same in every run, and cost nothing: a prime number of them repeats. */
export function noise(length: number, seed = 1): Buffer {
  return Buffer.alloc(length, slowNoise(251, seed));
}

// Waiting: on what happens, with a deadline.

export interface Deferred<T = void> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Waits until something holds. */
export async function until(condition: () => boolean, what = 'the condition', patience = PATIENCE): Promise<void> {
  const end = performance.now() + patience;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${patience} ms in vain for ${what}: ${condition}`);
    await sleep(1);
  }
}

/** The promise, or an error when it takes too long. */
export async function within<T>(promise: Promise<T>, what = 'a promise', patience = PATIENCE): Promise<T> {
  const abort = new AbortController();
  const late = sleep(patience, undefined, { signal: abort.signal, ref: false }).then(() => {
    throw new Error(`waited ${patience} ms in vain for ${what}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    abort.abort();
  }
}

/** Tells of every deadline until the test ends, and lets it be another. */
export function onDeadlines(change: (entry: Timed, deadline: number | null) => number | null): void {
  const { set } = wheel;
  wheel.set = (entry, deadline) => set.call(wheel, entry, change(entry, deadline));
  atEnd(() => {
    wheel.set = set;
  });
}

/** Lets everything happen that needs no more than a few turns of this process: loopback bytes among it. */
export async function turns(count = 10): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The warnings of the process while `work` runs, without those about experiments. */
export async function warningsDuring(work: () => Promise<void>): Promise<Error[]> {
  const warnings: Error[] = [];
  const listen = (warning: Error) => {
    if (warning.name !== 'ExperimentalWarning') warnings.push(warning);
  };
  // Those that print them have nothing to say about what is expected.
  const printers = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', listen);
  try {
    await work();
    await turns(2);
  } finally {
    process.removeAllListeners('warning');
    for (const printer of printers) process.on('warning', printer);
  }
  return warnings;
}

// Cleaning up, and finding out what was forgotten.

const cleanups: (() => unknown)[] = [];

export function atEnd(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Pipe.*Server|Process/.test(name));
}

const handlesBefore = openHandles().length;

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  serverHandles.clear();
  await until(() => openHandles().length <= handlesBefore, 'every handle to be closed').catch(() => {});
  expect(openHandles().length, `handles left open: ${openHandles()}`).toBeLessThanOrEqual(handlesBefore);
});

// Servers.

/** What tests look at of a socket's handle. */
interface Handle {
  readonly bytesRead: number;
  /** Bytes that wait to be written. */
  readonly writeQueueSize: number;
  writeBuffer(request: unknown, buffer: Buffer): unknown;
  writev(request: unknown, buffers: Buffer[], allBuffers: boolean): unknown;
}

/** By the port of the client. A handle, because a link takes it out of its socket. */
const serverHandles = new Map<number, Handle>();
subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket & { _handle: Handle } };
  if (socket.remotePort !== undefined) serverHandles.set(socket.remotePort, socket._handle);
});

/** The server's end of a client's socket. */
export function serverEndOf(client: Socket): Pick<Handle, 'bytesRead' | 'writeQueueSize'> & { destroyed: boolean } {
  const handle = serverHandles.get(client.localPort as number);
  if (handle === undefined) throw new Error('the server has not seen this client');
  const owner = Object.getOwnPropertySymbols(handle).find(({ description }) => description === 'owner_symbol');
  const { destroyed } = (handle as unknown as Record<symbol, Socket>)[owner as symbol];
  const { bytesRead, writeQueueSize } = handle;
  return { destroyed, bytesRead, writeQueueSize };
}

/** What one system call has written, and in how many pieces it lay in memory. */
export type SystemWrite = Buffer & { readonly pieces: number };

/** The system calls by which the server's end of a client's socket is written to, from now on. */
export function writesTo(client: Socket): SystemWrite[] {
  const handle = serverHandles.get(client.localPort as number) as Handle;
  const writes: SystemWrite[] = [];
  const { writeBuffer, writev } = handle;
  handle.writeBuffer = (request, buffer) => {
    writes.push(Object.assign(Buffer.from(buffer), { pieces: 1 }));
    return writeBuffer.call(handle, request, buffer);
  };
  handle.writev = (request, buffers, allBuffers) => {
    writes.push(Object.assign(Buffer.concat(buffers), { pieces: buffers.length }));
    return writev.call(handle, request, buffers, allBuffers);
  };
  return writes;
}

/** A server on a port of its own, cut off when the test ends. */
export async function start<Data = unknown>(options: ServeOptions<Data> = {}): Promise<Server<Data>> {
  const server = await serve<Data>({ hostname: '127.0.0.1', ...options });
  atEnd(() => server.close({ timeout: 0 }));
  return server;
}

/** What handlers were called with, in order. */
export type Log = unknown[][];

/** Handlers that write down every call. */
export function recording<Data = unknown>(): { log: Log; handlers: Required<Handlers<Data>>; names(): unknown[] } {
  const log: Log = [];
  const note =
    (name: string) =>
    (_ws: unknown, ...rest: unknown[]) => {
      log.push([name, ...rest.map((value) => (Buffer.isBuffer(value) ? Buffer.from(value) : value))]);
    };
  const handlers: Required<Handlers<Data>> = {
    open: note('open'),
    message: (ws, data) => note('message')(ws, data),
    ping: note('ping'),
    pong: note('pong'),
    drain: note('drain'),
    close: note('close'),
    error: note('error'),
  };
  return { log, handlers, names: () => log.map(([name]) => name) };
}

// Clients.

/** A client of `ws`, open. */
export async function connectWs(
  port: number,
  { path = '/', protocols = [], ...options }: { path?: string; protocols?: string[] } & WebSocket.ClientOptions = {},
): Promise<WebSocket> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { perMessageDeflate: false, ...options });
  atEnd(() => ws.terminate());
  const opened = deferred();
  ws.once('open', opened.resolve);
  ws.on('error', opened.reject);
  await within(opened.promise, 'ws to open');
  return ws;
}

/** The next event of an emitter as the list of its arguments. */
export function next(emitter: NodeJS.EventEmitter, name: string): Promise<unknown[]> {
  return within(
    new Promise((resolve) => {
      emitter.once(name, (...values: unknown[]) => resolve(values));
    }),
    `'${name}'`,
  );
}

/** A frame that the server sent. */
export interface ServerFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/** The bytes of a client's frame. */
export function frame(opcode: number, payload: string | Uint8Array = '', more: Partial<Frame> = {}): Uint8Array {
  return encode({ opcode, payload: typeof payload === 'string' ? text(payload) : payload, key: 0x21436587, ...more });
}

export function closeFrame(code: number, reason = ''): Uint8Array {
  return frame(8, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), text(reason)]));
}

/** The bytes of a client's request. */
export function request(headers: Readonly<Record<string, string | null>> = {}, line = 'GET / HTTP/1.1'): string {
  const all: Record<string, string | null> = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return `${[line, ...lines].join('\r\n')}\r\n\r\n`;
}

/** A client of nothing but bytes. */
export class RawClient {
  readonly socket: Socket;
  readonly frames: ServerFrame[] = [];
  /** The response to the handshake, up to the empty line. */
  head = '';
  /** What follows the head while `isHttp`. */
  body = '';
  isHttp = false;
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | null = null;
  #rest: Buffer = Buffer.alloc(0);

  constructor(port: number) {
    this.socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
    atEnd(() => this.socket.destroy());
  }

  /** Connects and opens a WebSocket. @param early sent together with the request */
  static async open(port: number, early: Uint8Array = EMPTY, requestText = request()): Promise<RawClient> {
    const client = new RawClient(port);
    client.socket.write(Buffer.concat([text(requestText), early]));
    await until(() => client.head !== '' || client.closed, 'the answer to a handshake');
    expect(client.head).toMatch(/^HTTP\/1\.1 101 /);
    return client;
  }

  /** Connects, sends, and reads to the end. */
  static async ask(port: number, bytes: string | Uint8Array): Promise<RawClient> {
    const client = new RawClient(port);
    client.isHttp = true;
    client.socket.write(bytes);
    await until(() => client.ended || client.closed, 'the end of the response');
    client.socket.end();
    return client;
  }

  write(...parts: readonly (string | Uint8Array)[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
  }

  async frameAt(index: number): Promise<ServerFrame> {
    await until(() => this.frames.length > index || this.closed, `frame ${index}`);
    expect(this.frames.length, 'frames before the connection closed').toBeGreaterThan(index);
    return this.frames[index];
  }

  /** The status code and reason of the server's Close. */
  async closeCode(): Promise<[code: number, reason: string]> {
    await until(() => this.frames.some(({ opcode }) => opcode === 8) || this.closed, 'a Close');
    const close = this.frames.find(({ opcode }) => opcode === 8);
    if (close === undefined) throw new Error(`no Close came; error: ${this.error?.code}`);
    if (close.payload.length === 0) return [1005, ''];
    return [close.payload.readUInt16BE(0), close.payload.toString('utf8', 2)];
  }

  texts(): string[] {
    return this.frames.filter(({ opcode }) => opcode === 1).map(({ payload }) => payload.toString());
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.head === '') {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#rest.toString('latin1', 0, end + 2);
      this.#rest = this.#rest.subarray(end + 4);
    }
    if (this.isHttp) {
      this.body += this.#rest.toString();
      this.#rest = Buffer.alloc(0);
      return;
    }
    for (;;) {
      const found = decode(this.#rest);
      if (found === null) return;
      this.frames.push(found.frame);
      this.#rest = this.#rest.subarray(found.size);
    }
  }
}

/** The first frame in some bytes, if it is whole. */
export function decode(bytes: Buffer): { frame: ServerFrame; size: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1] & 0x7f;
  const header = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < header) return null;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < header + length) return null;
  expect(bytes[1] & 0x80, 'a server does not mask').toBe(0);
  const payload = Buffer.from(bytes.subarray(header, header + length));
  return { frame: { opcode: bytes[0] & 0x0f, fin: bytes[0] >= 0x80, payload }, size: header + length };
}

/** Every frame in some bytes. */
export function decodeAll(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const found = decode(bytes.subarray(at));
    if (found === null) throw new Error('a frame is not whole');
    frames.push(found.frame);
    at += found.size;
  }
  return frames;
}

/** A socket that is none: what is written is recorded a system call at a time, and done when the test says so. */
export class FakeStream extends Duplex {
  readonly writes: Buffer[] = [];
  /** Leaves writes unfinished, as a peer that does not read does. */
  stuck = false;
  #pending: (() => void)[] = [];

  constructor() {
    super({ allowHalfOpen: true, readableHighWaterMark: 16 * 1024 });
    atEnd(() => this.destroy());
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#record(chunk, callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: () => void): void {
    this.#record(Buffer.concat(chunks.map(({ chunk }) => chunk)), callback);
  }

  /** Finishes the writes that are stuck. */
  finish(): void {
    for (const callback of this.#pending.splice(0)) callback();
  }

  /** Finishes every write from now on. */
  unstick(): void {
    this.stuck = false;
    this.finish();
  }

  get frames(): ServerFrame[] {
    return decodeAll(Buffer.concat(this.writes));
  }

  #record(bytes: Buffer, callback: () => void): void {
    this.writes.push(Buffer.from(bytes));
    if (this.stuck) this.#pending.push(callback);
    else callback();
  }
}
