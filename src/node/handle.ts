/**
 * A transport on the handle of an accepted socket, without the socket.
 *
 * `net.Socket` costs an echo of a small message a quarter of its time in user space: a buffer of 64 KiB for every read,
 * a request, a closure and a microtask for every write, though nearly every write is taken by the system at once. And it
 * costs an idle connection about a KiB. So while a connection is open, the handle of its socket is held here: all
 * handles of a thread read into one buffer and share one reader, and one request serves all writes that are taken at
 * once. Whatever else may happen (the end, an error, closing) is rare, and left to a socket made anew over the handle.
 *
 * This rests on properties of sockets that are not documented. They are looked for once a thread, on a socket over a
 * handle of our making, and again on every handle; where one of them is not as expected, the stream does the work. The
 * tests run with and without, on every version of Node.js that is supported.
 */

import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import { Http2Transport, isHttp2Stream } from './h2/transport.js';
import { ignore } from './refusal.js';
import { StreamTransport, type Transport, type TransportOwner } from './transport.js';

/** Where all that is read arrives. */
const READ_SIZE = 64 * 1024;

/** A write that the system has not taken at once. */
interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | null;
  /** Keeps the memory from being collected. */
  buffer: unknown;
  /** Ours: whom to tell. */
  transport: HandleTransport | null;
  /** Whether the write has to wait, in the Nodes where the caller makes the request: not while this is -1. */
  getAsyncId(): number;
  /** In the others: what became of it already, or null. */
  writeStatus?: number | null;
}

/** What a write returns: 0, the negative number of an error, or in newer Nodes the request of a write that has to wait. */
type WriteResult = number | WriteRequest;

/** What is used of a handle. */
interface Handle {
  reading: boolean;
  /** The descriptor, on systems that have them. */
  readonly fd?: number;
  onread: (this: Handle, memory: unknown) => unknown;
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
  writeBuffer(request: WriteRequest | null, buffer: Uint8Array): WriteResult;
  writev(request: WriteRequest | null, buffers: readonly Uint8Array[], allBuffers: boolean): WriteResult;
  [key: symbol]: unknown;
}

/** The properties of a socket that are not documented: its handle, and the server that counts it. */
interface Internals {
  _handle: Handle | null;
  _server: object | null;
}

const TRANSPORT = Symbol('millrace.transport');

/** What was found out about the sockets of this runtime. */
interface Known {
  /** Where a handle keeps its socket. */
  readonly owner: symbol;
  /** What a socket does when its handle has read. */
  readonly onread: Handle['onread'];
  /** The class of requests, or null where handles make them themselves. */
  readonly Request: (new () => WriteRequest) | null;
  readonly reader: Reader;
}

/** The transport whose handle has read. */
let current: HandleTransport;

/**
 * The socket that all handles take for theirs. It only passes on what `onread` says: how much was read, the end, and
 * errors.
 */
class Reader extends Socket {
  readonly memory: Buffer;

  constructor() {
    const memory = Buffer.allocUnsafeSlow(READ_SIZE);
    // Reads are often as long as the last one, and nobody keeps the view.
    let view = memory;
    const onread: OnReadOpts = {
      buffer: memory,
      callback: (size) => {
        if (view.length !== size) view = memory.subarray(0, size);
        current.received(view);
        return true;
      },
    };
    super({ onread } as SocketConstructorOpts);
    this.memory = memory;
  }

  override push(chunk: Buffer | null): boolean {
    if (chunk === null) current.toSocket().push(null);
    else current.received(chunk);
    return true;
  }

  override read(): null {
    return null;
  }

  override destroy(error?: Error): this {
    current.toSocket().destroy(error);
    return this;
  }
}

function onread(this: Handle, memory: unknown): unknown {
  current = this[TRANSPORT] as HandleTransport;
  return (known as Known).onread.call(this, memory);
}

/** Undefined until it was looked for. */
let known: Known | null | undefined;

/** Looks at what a socket does with a handle that only writes down what is asked of it. */
function find(): Known | null {
  let request: unknown;
  let asked = false;
  const handle = {
    writeBuffer(given: unknown) {
      request = given;
      asked = true;
      return 0;
    },
    readStart: () => 0,
    readStop: () => 0,
    useUserBuffer() {},
    close() {},
  } as unknown as Handle;
  try {
    new Socket({ handle, manualStart: true } as SocketConstructorOpts).on('error', () => {}).write(Buffer.alloc(1));
  } catch {
    return null;
  }
  const owner = Object.getOwnPropertySymbols(handle).find(({ description }) => description === 'owner_symbol');
  if (!asked || owner === undefined || typeof handle.onread !== 'function') return null;
  const Request = request === null ? null : ((request as WriteRequest).constructor as new () => WriteRequest);
  if (Request !== null && !isIdle(new Request())) return null;
  return { owner, onread: handle.onread, Request, reader: new Reader() };
}

function isIdle(request: WriteRequest): boolean {
  return typeof request.getAsyncId === 'function' && request.getAsyncId() === -1;
}

/** The best transport for a stream, which from here on only serves others to hear of its end, and to cut it off. */
export function transportFor(stream: Duplex, owner: TransportOwner): Transport {
  if (isHttp2Stream(stream)) return new Http2Transport(stream, owner);
  const found = takeHandle(stream);
  if (found === null) return new StreamTransport(stream, owner);
  const { _server } = stream as unknown as Internals;
  (stream as unknown as Internals)._server = null;
  const transport = new HandleTransport(found, _server as object, owner);
  // Whoever has listened to it from the start, to count the connections of an HTTP server say, is told of the end.
  if (stream.listenerCount('close') > 0) transport.former = stream;
  // It may be cut off from there, and what else is done with it must not end the process.
  stream.on('error', ignore).on('close', () => transport.destroy());
  return transport;
}

/** Takes the handle out of a socket that is idle, or returns null for every other stream. */
function takeHandle(stream: Duplex): Handle | null {
  const internals = stream as unknown as Partial<Internals>;
  const handle = internals._handle;
  // A write that has failed is told to the stream it was made on, and only later.
  const isOver = stream.destroyed || stream.errored !== null || stream.readableEnded || stream.writableEnded;
  const isIdle = stream.readableLength === 0 && stream.writableLength === 0;
  const isAccepted = stream.constructor === Socket && Boolean(internals._server);
  if (isOver || !isIdle || !isAccepted || typeof handle?.useUserBuffer !== 'function') return null;
  if (known === undefined) known = find();
  if (known === null || !(known.owner in handle) || typeof handle.writev !== 'function') return null;
  if (handle.reading) {
    handle.reading = false;
    if (handle.readStop() !== 0) return null;
  }
  internals._handle = null;
  return handle;
}

/** The request of the writes that the system takes at once. */
let spare: WriteRequest | null = null;

export class HandleTransport implements Transport {
  readonly #handle: Handle;
  readonly #server: object;
  readonly #owner: TransportOwner;
  /** The socket whose handle this is, where others wait for its end. It is not kept otherwise, for its memory's sake. */
  former: Duplex | null = null;
  /** From when anything but reading and writing is to be done. */
  #socket: Socket | null = null;
  #stream: StreamTransport | null = null;

  #fd: number | null = null;

  constructor(handle: Handle, server: object, owner: TransportOwner) {
    this.#handle = handle;
    this.#server = server;
    this.#owner = owner;
  }

  start(): void {
    if (this.#socket !== null) return;
    const handle = this.#handle;
    const { owner, reader } = known as Known;
    handle[owner] = reader;
    handle[TRANSPORT] = this;
    handle.onread = onread;
    handle.useUserBuffer(reader.memory);
    this.resume();
  }

  /** The handle has read. */
  received(chunk: Buffer): void {
    this.#owner.onSharedData(chunk);
  }

  pause(): void {
    if (this.#stream !== null) {
      this.#stream.pause();
      return;
    }
    this.#handle.reading = false;
    this.#check(this.#handle.readStop(), 'read');
  }

  resume(): void {
    if (this.#stream !== null) {
      this.#stream.resume();
      return;
    }
    this.#handle.reading = true;
    this.#check(this.#handle.readStart(), 'read');
  }

  write(parts: Uint8Array[]): boolean {
    if (this.#stream !== null) return this.#stream.write(parts);
    const { Request } = known as Known;
    const handle = this.#handle;
    let request: WriteRequest | null = null;
    if (Request !== null) {
      spare ??= new Request();
      request = spare;
    }
    const result = parts.length === 1 ? handle.writeBuffer(request, parts[0]) : handle.writev(request, parts, true);
    if (typeof result === 'object') {
      request = result;
    } else if (result !== 0) {
      this.#check(result, 'write');
      return true;
    } else if (request === null || request.getAsyncId() === -1) {
      return true;
    } else {
      spare = null;
    }
    request.oncomplete = onComplete;
    request.buffer = parts;
    request.transport = this;
    if (typeof request.writeStatus === 'number') {
      this.#check(request.writeStatus, 'write');
      return true;
    }
    return false;
  }

  /** A write that had to wait is over. */
  written(status: number): void {
    this.#owner.onWritten(status < 0 ? systemError(status, 'write') : null);
    // While the socket is being closed its writes are called off, which is no fault.
    if (this.#socket === null) this.#check(status, 'write');
  }

  end(): void {
    this.toSocket().end();
  }

  destroy(): void {
    this.toSocket().destroy();
  }

  get destroyed(): boolean {
    return this.#socket?.destroyed ?? false;
  }

  get isQuiet(): boolean {
    return true;
  }

  /** Asked for once: while the handle is held here it is not closed. */
  get socket(): number {
    if (this.#socket !== null) return -1;
    if (this.#fd === null) {
      const { fd } = this.#handle;
      this.#fd = typeof fd === 'number' && fd >= 0 ? fd : -1;
    }
    return this.#fd;
  }

  /** The socket that does the rest. */
  toSocket(): Socket {
    if (this.#socket !== null) return this.#socket;
    const owner = this.#owner;
    const options: SocketConstructorOpts & { handle: Handle; manualStart: boolean; onread: OnReadOpts } = {
      handle: this.#handle,
      allowHalfOpen: true,
      manualStart: true,
      onread: {
        buffer: (known as Known).reader.memory,
        callback(size, buffer) {
          owner.onSharedData((buffer as Buffer).subarray(0, size));
          return true;
        },
      },
    };
    const socket = new Socket(options);
    (socket as unknown as Internals)._server = this.#server;
    this.#socket = socket;
    this.#stream = new StreamTransport(socket, owner);
    this.#stream.listen();
    if (this.former !== null) socket.once('close', () => this.former?.destroy());
    if (this.#handle.reading) socket.resume();
    return socket;
  }

  #check(status: number, call: string): void {
    if (status < 0) this.toSocket().destroy(systemError(status, call));
  }
}

function onComplete(this: WriteRequest, status: number): void {
  const { transport } = this;
  this.transport = null;
  this.buffer = null;
  transport?.written(status);
}

function systemError(status: number, syscall: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`${syscall} ${code}`), { errno: status, code, syscall });
}
