/**
 * `WebSocketStream` as the WHATWG's proposal and Chromium have it. Back-pressure is that of the streams: a message that
 * has no room in `readable` holds the connection, and thereby TCP; a write is done when the connection has room for
 * another.
 */

import {
  ReadableStream,
  type ReadableStreamDefaultController,
  WritableStream,
  type WritableStreamDefaultController,
} from 'node:stream/web';
import { type Connection, Kind, LocalProtocolError } from '../../core/index.js';
import { Channel, type ChannelOwner, type Ending, OPEN } from './channel.js';
import { type ClientOptions, clientConfig } from './connect.js';
import type { Dialed } from './dial.js';
import { bufferSource, closeCodeToSend, makeEnumerable, stringsOf, withSyntaxErrors } from './webidl.js';
import { closeInfo, connectionError, type WebSocketCloseInfo, WebSocketError } from './websocket-error.js';

/** What the constructor takes: `protocols` and `signal` as in the proposal, and all that other clients take. */
export interface WebSocketStreamOptions extends ClientOptions {
  /** The most messages that wait in `readable`; 1 by default. */
  readonly highWaterMark?: number;
}

/** What `opened` resolves to. */
export interface WebSocketConnection {
  /** Text as strings, binary as Uint8Arrays in memory of their own. */
  readonly readable: ReadableStream<string | Uint8Array>;
  /** Takes strings and bytes, which are copied. */
  readonly writable: WritableStream<string | ArrayBuffer | NodeJS.ArrayBufferView>;
  /** The extensions in use. */
  readonly extensions: string;
  /** The subprotocol chosen, '' for none. */
  readonly protocol: string;
}

/** What `closed` resolves to: the peer's Close, 1005 for one without a code. */
export type ClosedInfo = Required<WebSocketCloseInfo>;

/** A promise, and how to settle it. */
class Settleable<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

const DEFAULT_HARD_LIMIT = 256 * 1024 * 1024;

export class WebSocketStream {
  readonly #channel: Channel;
  readonly #signal: AbortSignal | undefined;
  readonly #highWaterMark: number;
  readonly #opened = new Settleable<WebSocketConnection>();
  readonly #closed = new Settleable<ClosedInfo>();
  #reader: ReadableStreamDefaultController<string | Uint8Array> | null = null;
  #writer: WritableStreamDefaultController | null = null;
  /** Lets the next message come. */
  #release: (() => void) | null = null;
  /** The write that waits for room, and the closing of `writable` that waits for the end. */
  #writing: Settleable<void> | null = null;
  #closingWritable: Settleable<void> | null = null;

  /**
   * @param url ws: or wss:, or http: or https: in their place
   * @throws DOMException `SyntaxError` for a bad URL, or bad or repeated subprotocols
   * @throws LocalProtocolError `INVALID_OPTION`, `INVALID_HEADER`, `RESERVED_HEADER`
   */
  constructor(url: string | URL, options: WebSocketStreamOptions = {}) {
    const { protocols = [], signal, highWaterMark = 1, sendHardLimit = DEFAULT_HARD_LIMIT } = options;
    const init = { ...options, protocols: stringsOf(protocols), sendHardLimit };
    if (!(highWaterMark >= 0))
      throw new LocalProtocolError('INVALID_OPTION', 'highWaterMark must be a number from 0 up');
    this.#signal = signal;
    this.#highWaterMark = highWaterMark;
    // Whoever uses one of the two promises need not look after the other.
    this.#opened.promise.catch(() => {});
    this.#closed.promise.catch(() => {});
    const owner: ChannelOwner = {
      onOpen: (dialed) => this.#onOpen(dialed),
      onMessage: (kind, connection) => this.#onMessage(kind, connection),
      onDrain: () => this.#onDrain(),
      onEnd: (ending) => this.#onEnd(ending),
    };
    this.#channel = withSyntaxErrors(() => new Channel(`${url}`, init, clientConfig(init), owner));
  }

  /** The URL as it was parsed. */
  get url(): string {
    return this.#channel.url;
  }

  /**
   * The open connection. Rejects with a `WebSocketError`, whose `cause` is a `HandshakeError`, when there is none; with
   * the reason of `signal` when that gave up.
   */
  get opened(): Promise<WebSocketConnection> {
    return this.#opened.promise;
  }

  /** The end of the connection. Rejects with a `WebSocketError` when it was not closed in order, or never open. */
  get closed(): Promise<ClosedInfo> {
    return this.#closed.promise;
  }

  /**
   * Starts the closing handshake behind what was written before, or gives up connecting; messages that come later are
   * dropped. Closing again does nothing.
   *
   * @throws TypeError for a `closeCode` that is no number from 0 to 65535
   * @throws DOMException `InvalidAccessError` for one other than 1000 and 3000 to 4999, `SyntaxError` for a `reason` of
   *   more than 123 bytes
   */
  close(info: WebSocketCloseInfo = {}): void {
    const { code, reason } = closeInfo(info);
    this.#close(closeCodeToSend(code, reason), reason);
  }

  #onOpen({ protocol, extensions }: Dialed): Promise<void> | undefined {
    const readable = new ReadableStream<string | Uint8Array>(
      {
        start: (controller) => {
          this.#reader = controller;
        },
        pull: () => this.#letGo(),
        cancel: (reason) => this.#closeFor(reason),
      },
      { highWaterMark: this.#highWaterMark },
    );
    const writable = new WritableStream<string | ArrayBuffer | NodeJS.ArrayBufferView>({
      start: (controller) => {
        this.#writer = controller;
        // `abort` itself is called only after the write that may be waiting for a peer that does not read.
        const { signal } = controller as WritableStreamDefaultController & { readonly signal: AbortSignal };
        signal.addEventListener('abort', () => this.#giveUpWriting(signal.reason));
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#closeWritable(),
      abort: (reason) => this.#closeFor(reason),
    });
    this.#opened.resolve({ readable, writable, protocol, extensions: extensions.map(({ name }) => name).join(', ') });
    return this.#holdWhenFull();
  }

  #onMessage(kind: Kind, connection: Connection): Promise<void> | undefined {
    this.#reader?.enqueue(kind === Kind.TEXT ? connection.text() : new Uint8Array(connection.bytes()));
    return this.#holdWhenFull();
  }

  #holdWhenFull(): Promise<void> | undefined {
    if ((this.#reader?.desiredSize ?? 0) > 0) return undefined;
    return new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  #letGo(): void {
    this.#release?.();
    this.#release = null;
  }

  #write(chunk: unknown): Promise<void> | undefined {
    const data = bufferSource(chunk) ?? `${chunk}`;
    const channel = this.#channel;
    if (channel.readyState !== OPEN || !channel.canSend || channel.isLost) {
      throw new DOMException('the connection is closing: nothing can be written', 'InvalidStateError');
    }
    channel.send(data, typeof data === 'string' ? Buffer.byteLength(data) : data.length);
    if (!channel.needsDrain) return undefined;
    this.#writing = new Settleable();
    return this.#writing.promise;
  }

  #onDrain(): void {
    // The end, which says so too, waits for whoever reads, and that may be who waits for the write.
    if (this.#channel.isLost) this.#writing?.reject(connectionError('the connection broke', 1006, '', null));
    else this.#writing?.resolve();
    this.#writing = null;
  }

  #giveUpWriting(cause: unknown): void {
    this.#closeFor(cause);
    this.#writing?.reject(cause);
    this.#writing = null;
  }

  #closeWritable(): Promise<void> {
    this.#closingWritable = new Settleable();
    this.#close(closeCodeToSend(null, ''), '');
    return this.#closingWritable.promise;
  }

  /** Closes as the reason of a `cancel` or an `abort` says. */
  #closeFor(cause: unknown): void {
    const { closeCode, reason } = cause instanceof WebSocketError ? cause : { closeCode: null, reason: '' };
    try {
      this.#close(closeCodeToSend(closeCode, reason), reason);
    } catch {
      // The code of a connection that failed is one that cannot be sent.
      this.#close(closeCodeToSend(null, ''), '');
    }
  }

  #close(code: number, reason: string): void {
    this.#channel.close(code, reason);
    // What comes now is dropped, up to the peer's Close.
    this.#letGo();
  }

  #onEnd({ wasClean, code, reason, error }: Ending): void {
    if (this.#reader === null) {
      const { aborted } = this.#signal ?? { aborted: false };
      const why = aborted && isAborted(error) ? this.#signal?.reason : failure(code, reason, error);
      this.#opened.reject(why);
      this.#closed.reject(why);
      return;
    }
    const ended = new DOMException('the connection is closed: nothing can be written', 'InvalidStateError');
    const why = wasClean ? ended : failure(code, reason, error);
    this.#writing?.reject(why);
    if (wasClean) {
      this.#closeReadable();
      this.#closingWritable?.resolve();
      this.#closed.resolve({ closeCode: code, reason });
    } else {
      this.#reader.error(why);
      this.#closingWritable?.reject(why);
      this.#closed.reject(why);
    }
    if (this.#closingWritable === null) this.#writer?.error(why);
  }

  #closeReadable(): void {
    try {
      this.#reader?.close();
    } catch {
      // It was cancelled.
    }
  }
}

makeEnumerable(WebSocketStream.prototype, ['url', 'opened', 'closed', 'close']);
Object.defineProperty(WebSocketStream.prototype, Symbol.toStringTag, { value: 'WebSocketStream', configurable: true });

function isAborted(error: Error | null): boolean {
  return (error as { code?: unknown } | null)?.code === 'ABORTED';
}

function failure(code: number, reason: string, error: Error | null): WebSocketError {
  const message = error?.message ?? 'the connection broke after its Close';
  return connectionError(message, code, reason, error);
}
