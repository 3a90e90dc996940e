/** A client of HTTP/2 that keeps no rule: it says what it is told to, and remembers what the server says. */

import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  atEnd,
  type Deferred,
  decode,
  deferred,
  type ServerFrame,
  within,
  frame as wsFrame,
} from '../../../node/support.js';
import {
  ACK,
  CONTINUATION,
  connectBlock,
  DATA,
  data,
  END_STREAM,
  type Fields,
  FRAME_SIZE,
  FrameParser,
  GOAWAY,
  type H2Frame,
  HEADER_TABLE_SIZE,
  HEADERS,
  headerFrames,
  PING,
  PREFACE,
  ping,
  RST_STREAM,
  SETTINGS,
  settings,
  statusIn,
  WINDOW_UPDATE,
  windowUpdate,
} from './frames.js';

export interface PeerOptions {
  /** Whether TLS is spoken, and h2 asked for by ALPN; true by default. */
  readonly secure?: boolean;
  /** What the first SETTINGS say, besides that no table of header fields may be used. */
  readonly settings?: readonly (readonly [name: number, value: number])[];
  /** Whether to say anything on connecting; true by default. */
  readonly greet?: boolean;
  /** Whether windows are given back as data comes; true by default. */
  readonly generous?: boolean;
}

/** What the server said on a stream. */
export class RawStream {
  readonly id: number;
  readonly #peer: RawPeer;
  /** Of the response; 0 before. */
  status = 0;
  /** Bytes of DATA that came, of which the last are in `rest`, as far as no frame of WebSocket was made of them. */
  received = 0;
  rest: Buffer = Buffer.alloc(0);
  readonly frames: ServerFrame[] = [];
  /** Whether END_STREAM came. */
  ended = false;
  /** With which code the server reset it; null where it did not. */
  resetCode: number | null = null;
  /** What WINDOW_UPDATE frames added up to. */
  granted = 0;

  constructor(peer: RawPeer, id: number) {
    this.#peer = peer;
    this.id = id;
  }

  /** Nothing follows from the server. */
  get isOver(): boolean {
    return this.ended || this.resetCode !== null || this.#peer.isClosed;
  }

  texts(): string[] {
    return this.frames.filter(({ opcode }) => opcode === 1).map(({ payload }) => payload.toString());
  }

  /** In as many DATA frames as it takes. */
  send(payload: Uint8Array): void {
    const frames: Buffer[] = [];
    for (let at = 0; at < payload.length; at += FRAME_SIZE) {
      frames.push(data(this.id, payload.subarray(at, at + FRAME_SIZE)));
    }
    this.#peer.write(...frames);
  }

  /** The code of the server's Close, or how the stream ended otherwise. */
  async closeCode(): Promise<number | string> {
    const close = () => this.frames.find(({ opcode }) => opcode === 8);
    await this.#peer.until(() => close() !== undefined || this.isOver, `a Close on stream ${this.id}`);
    const found = close();
    if (found === undefined) return this.resetCode === null ? 'END_STREAM' : `RST_STREAM ${this.resetCode}`;
    return found.payload.length === 0 ? 1005 : found.payload.readUInt16BE(0);
  }
}

export class RawPeer {
  readonly socket: Socket;
  readonly streams = new Map<number, RawStream>();
  /** Frames that came, counted by type. */
  readonly counts: number[] = Array(16).fill(0);
  /** The server's settings. */
  readonly settings = new Map<number, number>();
  goAway: number | null = null;
  /** What WINDOW_UPDATE frames of the session added up to. */
  granted = 0;
  isClosed = false;
  isEnded = false;
  error: NodeJS.ErrnoException | null = null;
  generous: boolean;
  readonly secure: boolean;
  readonly closed: Promise<void>;
  readonly #parser = new FrameParser();
  #block: Buffer[] = [];
  #next = 1;
  #owed = 0;
  /** How often it was asked whether everything was seen, and up to which of these PINGs there were answers. */
  #asked = 0;
  #seen = 0;
  #waiting: { condition: () => boolean; found: Deferred }[] = [];

  private constructor(port: number, { secure = true, generous = true }: PeerOptions) {
    const [connected, closed] = [deferred(), deferred()];
    this.closed = closed.promise;
    this.connected = connected.promise;
    this.generous = generous;
    this.secure = secure;
    const where = { port, host: '127.0.0.1', allowHalfOpen: true };
    this.socket = secure
      ? connectTls({ ...where, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
      : createConnection(where);
    this.socket.setNoDelay(true);
    this.socket.once(secure ? 'secureConnect' : 'connect', () => connected.resolve());
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('end', () => {
      this.isEnded = true;
      this.#look();
    });
    this.socket.on('close', () => {
      this.isClosed = true;
      connected.resolve();
      closed.resolve();
      this.#look();
    });
    atEnd(() => this.socket.destroy());
  }

  private readonly connected: Promise<void>;

  /** Connects, and sends preface and SETTINGS. */
  static async connect(port: number, options: PeerOptions = {}): Promise<RawPeer> {
    const peer = new RawPeer(port, options);
    await within(peer.connected, 'a connection');
    const { greet = true, settings: values = [] } = options;
    if (greet) peer.write(PREFACE, settings([[HEADER_TABLE_SIZE, 0], ...values]));
    return peer;
  }

  static many(count: number, port: number, options?: PeerOptions): Promise<RawPeer[]> {
    return Promise.all(Array.from({ length: count }, () => RawPeer.connect(port, options)));
  }

  /** The number of a new stream. */
  nextId(): number {
    const id = this.#next;
    this.#next += 2;
    return id;
  }

  stream(id: number): RawStream {
    let stream = this.streams.get(id);
    if (stream === undefined) {
      stream = new RawStream(this, id);
      this.streams.set(id, stream);
    }
    return stream;
  }

  /** Asks for a WebSocket. @param early frames sent together with the request */
  ask(path = '/', { more = [], flags = 0 }: { more?: Fields; flags?: number } = {}, ...early: Uint8Array[]): RawStream {
    const id = this.nextId();
    this.write(headerFrames(id, connectBlock(path, more), flags), ...early);
    return this.stream(id);
  }

  /** The same, and waits for the answer. */
  async answered(stream: RawStream): Promise<RawStream> {
    await this.until(() => stream.status > 0 || stream.isOver, `an answer on stream ${stream.id}`);
    return stream;
  }

  /** Opens a WebSocket. */
  async open(path = '/'): Promise<RawStream> {
    const stream = await this.answered(this.ask(path));
    if (stream.status !== 200) throw new Error(`not opened: ${stream.status}, ${stream.resetCode}, ${this.goAway}`);
    return stream;
  }

  async openMany(count: number, path = '/'): Promise<RawStream[]> {
    const asked = Array.from({ length: count }, () => this.ask(path));
    for (const stream of asked) await this.answered(stream);
    return asked;
  }

  write(...parts: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(parts.length === 1 ? parts[0] : Buffer.concat(parts));
  }

  /** Writes, and waits until the system has taken it, or the connection is over. */
  async flush(...parts: Uint8Array[]): Promise<void> {
    if (this.socket.destroyed || this.isClosed) return;
    const taken = new Promise<void>((resolve) => {
      this.socket.write(Buffer.concat(parts), () => resolve());
    });
    await Promise.race([taken, this.closed]);
  }

  /** Waits until the server has answered a PING, and so has seen everything before it; or the connection is over. */
  async seen(): Promise<void> {
    const payload = Buffer.from('seen----');
    const number = ++this.#asked;
    payload.writeUInt32BE(number, 4);
    this.write(ping(0, payload));
    await this.until(() => this.#seen >= number || this.isOver, 'the answer to a PING');
  }

  /** Whether the server will say no more. */
  get isOver(): boolean {
    return this.isClosed || this.isEnded;
  }

  /** Waits until something holds of what has come. */
  async until(condition: () => boolean, what: string, patience?: number): Promise<void> {
    if (condition()) return;
    if (this.isClosed) throw new Error(`the connection is closed (${this.error?.code}, ${this.goAway}): ${what}`);
    const found = deferred();
    this.#waiting.push({ condition, found });
    await within(found.promise, what, patience);
    if (!condition()) throw new Error(`the connection is closed (${this.error?.code}, ${this.goAway}): ${what}`);
  }

  /** Waits for the end of the session. @returns the code of its GOAWAY, null where there was none */
  async end(patience?: number): Promise<number | null> {
    await this.until(() => this.isOver, 'the end of the session', patience);
    return this.goAway;
  }

  #take(chunk: Buffer): void {
    for (const frame of this.#parser.push(chunk)) this.#onFrame(frame);
    if (this.#owed > 0) {
      this.write(windowUpdate(0, this.#owed));
      this.#owed = 0;
    }
    this.#look();
  }

  #onFrame({ type, flags, stream: id, payload }: H2Frame): void {
    this.counts[type]++;
    switch (type) {
      case SETTINGS:
        if ((flags & ACK) !== 0) break;
        for (let at = 0; at < payload.length; at += 6) {
          this.settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
        }
        this.write(Buffer.of(0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0));
        break;
      case HEADERS:
      case CONTINUATION:
        this.#block.push(payload);
        if ((flags & 0x4) !== 0) {
          const stream = this.stream(id);
          if (stream.status === 0) stream.status = statusIn(Buffer.concat(this.#block));
          this.#block = [];
        }
        if (type === HEADERS && (flags & END_STREAM) !== 0) this.stream(id).ended = true;
        break;
      case DATA:
        this.#onData(this.stream(id), payload);
        if ((flags & END_STREAM) !== 0) this.stream(id).ended = true;
        break;
      case RST_STREAM:
        this.stream(id).resetCode = payload.readUInt32BE(0);
        break;
      case GOAWAY:
        this.goAway = payload.readUInt32BE(4);
        break;
      case WINDOW_UPDATE:
        if (id === 0) this.granted += payload.readUInt32BE(0);
        else this.stream(id).granted += payload.readUInt32BE(0);
        break;
      case PING:
        if ((flags & ACK) === 0) this.write(ping(ACK));
        else if (payload.toString('latin1', 0, 4) === 'seen') this.#seen = payload.readUInt32BE(4);
    }
  }

  #onData(stream: RawStream, payload: Buffer): void {
    stream.received += payload.length;
    stream.rest = stream.rest.length === 0 ? payload : Buffer.concat([stream.rest, payload]);
    for (let found = decode(stream.rest); stream.status === 200 && found !== null; found = decode(stream.rest)) {
      // Whoever does not answer a Ping is gone before long.
      if (found.frame.opcode === 9) stream.send(wsFrame(10, found.frame.payload));
      else stream.frames.push(found.frame);
      stream.rest = stream.rest.subarray(found.size);
    }
    if (!this.generous || payload.length === 0) return;
    this.#owed += payload.length;
    if (!stream.ended) this.write(windowUpdate(stream.id, payload.length));
  }

  #look(): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ condition, found }) => {
      if (!this.isClosed && !condition()) return true;
      found.resolve();
      return false;
    });
  }
}
