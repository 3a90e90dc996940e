/** Our Sans-IO `WSConnection` as a client of real servers, driven over a socket, and child processes that are stopped. */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { createConnection, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Request } from '../../src/core/events.js';
import type { AcceptConnection, CloseConnection, ConnectionOptions, FrameEvent } from '../../src/core/index.js';
import { ConnectionType, WSConnection } from '../../src/core/index.js';
import { atEnd, deferred, until, within } from '../node/support.js';

/** Everything an interop test says something about, in the order in which it came. */
export type Received =
  | { readonly type: 'text'; readonly data: string }
  | { readonly type: 'bytes'; readonly data: Buffer }
  | { readonly type: 'ping' | 'pong'; readonly data: Buffer };

/** A client over `node:net` that does what `takeOutput`, `acknowledge`, `transport` and `wantsData` say. */
export class CoreClient {
  readonly socket: Socket;
  readonly received: Received[] = [];
  accepted: AcceptConnection | null = null;
  closed: CloseConnection | null = null;
  failure: unknown = null;
  /** Whether the socket is closed. */
  gone = false;
  readonly #ws: WSConnection;
  #writing = 0;
  #ended = false;

  constructor(port: number, options: ConnectionOptions = {}, { target = '/', subprotocols = [] as string[] } = {}) {
    this.#ws = new WSConnection(ConnectionType.CLIENT, {
      connection: { autoPong: true, autoClose: true, ...options },
    });
    this.socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.on('connect', () => {
      this.socket.write(this.#ws.send(new Request({ host: `127.0.0.1:${port}`, target, subprotocols })));
    });
    this.socket.on('data', (chunk) => this.#receive(chunk));
    this.socket.on('end', () => this.#receive(null));
    this.socket.on('error', (error) => {
      this.failure ??= error;
    });
    this.socket.on('close', () => {
      this.gone = true;
    });
    atEnd(() => this.socket.destroy());
  }

  static async open(
    port: number,
    options: ConnectionOptions = {},
    request: { target?: string; subprotocols?: string[] } = {},
  ): Promise<CoreClient> {
    const client = new CoreClient(port, options, request);
    await until(() => client.accepted !== null || client.failure !== null, 'the handshake');
    if (client.accepted === null) throw client.failure;
    return client;
  }

  /** Sends events, pipelined. */
  send(...events: FrameEvent[]): void {
    const { connection } = this.#ws;
    if (connection === null) throw new Error('not open');
    for (const event of events) connection.queue(event);
    this.#flush();
  }

  /** Sends bytes past the connection, right or wrong. */
  sendRaw(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  async count(messages: number, patience?: number): Promise<Received[]> {
    await until(
      () => this.received.length >= messages || this.closed !== null || this.gone,
      `${messages} events`,
      patience,
    );
    return this.received;
  }

  /** The close code and reason, once the socket is closed too. */
  async end(): Promise<[code: number, reason: string, origin: string]> {
    await until(() => this.gone, 'the end');
    if (this.closed === null) throw this.failure ?? new Error('no close event');
    return [this.closed.code, this.closed.reason, this.closed.origin];
  }

  #receive(data: Buffer | null): void {
    try {
      this.#ws.receiveData(data);
      for (const event of this.#ws.events()) {
        if (event.type === 'accept') this.accepted = event;
        else if (event.type === 'close') this.closed = event;
        else if (event.type === 'text') this.received.push({ type: 'text', data: event.data });
        else if (event.type === 'bytes') this.received.push({ type: 'bytes', data: Buffer.from(event.data) });
        else if (event.type === 'ping' || event.type === 'pong')
          this.received.push({ type: event.type, data: Buffer.from(event.payload) });
      }
    } catch (error) {
      this.failure ??= error;
      this.socket.destroy();
      return;
    }
    this.#flush();
    const { connection } = this.#ws;
    if (connection === null || connection.wantsData || connection.transport !== 'open') this.socket.resume();
    else this.socket.pause();
  }

  #flush(): void {
    const { connection } = this.#ws;
    if (connection === null || this.#writing > 0 || this.socket.destroyed) return;
    const out: Uint8Array[] = [];
    this.#writing = connection.takeOutput(out, 256 * 1024);
    if (this.#writing > 0) {
      this.socket.write(Buffer.concat(out), () => {
        connection.acknowledge(this.#writing);
        this.#writing = 0;
        this.#flush();
      });
      return;
    }
    if (this.#ended) return;
    const { transport } = connection;
    if (transport === 'half-close' || transport === 'destroy') {
      this.#ended = true;
      this.socket.end();
    }
  }
}

// Python.

export const PYTHON = '/usr/bin/python3';

/** Why the tests with Python cannot run, or null. With `CI` set there is no excuse. */
export function pythonMissing(): string | null {
  const found = spawnSync(PYTHON, ['-c', 'import websockets'], { encoding: 'utf8' });
  if (found.status === 0) return null;
  const reason = `${PYTHON} cannot import websockets (apt-get install python3-websockets)`;
  if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(reason);
  return reason;
}

/** A Python script of this directory, which prints a line of JSON for whatever happens. */
export class PythonProcess {
  readonly lines: Record<string, unknown>[] = [];
  readonly #process: ChildProcessWithoutNullStreams;
  #stderr = '';
  readonly #exited = deferred<number | null>();
  #over = false;

  constructor(script: string, ...args: string[]) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#process = spawn(PYTHON, ['-u', path, ...args]);
    let rest = '';
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) this.lines.push(JSON.parse(line) as Record<string, unknown>);
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#process.on('close', (code) => {
      this.#over = true;
      this.#exited.resolve(code);
    });
    atEnd(async () => {
      if (!this.#over) this.#process.kill('SIGKILL');
      await this.#exited.promise;
    });
  }

  /** The first line with this field. */
  async line(field: string): Promise<Record<string, unknown>> {
    const find = () => this.lines.find((line) => field in line);
    await until(() => find() !== undefined || this.#over, `a line with ${field}`);
    const found = find();
    if (found === undefined) throw new Error(`no line with ${field}: ${this.#stderr}`);
    return found;
  }

  /** Waits for the script to end by itself. @returns its lines */
  async exit(): Promise<Record<string, unknown>[]> {
    const code = await within(this.#exited.promise, 'Python to end');
    if (code !== 0) throw new Error(`Python ended with ${code}: ${this.#stderr}`);
    return this.lines;
  }
}
