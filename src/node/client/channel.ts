/**
 * What the WHATWG's two classes share: one connection from dialling to its end, with the states and the closing rules
 * of the standard.
 */

import type { Duplex } from 'node:stream';
import {
  CloseCode,
  CloseConnection,
  Connection,
  type ConnectionConfig,
  ConnectionType,
  Kind,
  RemoteProtocolError,
} from '../../core/index.js';
import { hasEnded } from '../h2/transport.js';
import { Link, type LinkOwner } from '../link.js';
import { Dial, type Dialed, type DialOptions } from './dial.js';

export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;

const settled = Promise.resolve();

/** How a connection ended. */
export interface Ending {
  /** Whether both sides sent a Close and the stream then ended in order. */
  readonly wasClean: boolean;
  /** The code of the peer's Close: 1005 when it had none, 1006 when no Close came. */
  readonly code: number;
  readonly reason: string;
  /** Why it failed, or null: `close` was called, or the peer closed. */
  readonly error: Error | null;
}

/** Whoever a channel belongs to. None of these may throw; none is called within a call to the channel. */
export interface ChannelOwner {
  /** A promise holds messages until it settles. */
  onOpen(dialed: Dialed): Promise<void> | undefined;
  /** A message is at the connection's cursor; a promise holds what follows until it settles. */
  onMessage(kind: typeof Kind.TEXT | typeof Kind.BYTES, connection: Connection): Promise<void> | undefined;
  /** There is room for more, or there will be none: the end follows. */
  onDrain(): void;
  /** It is over; called once. */
  onEnd(ending: Ending): void;
}

export class Channel implements LinkOwner {
  readyState: typeof CONNECTING | typeof OPEN | typeof CLOSING | typeof CLOSED = CONNECTING;
  /** The URL, as `url` of the standard's classes shows it. */
  readonly url: string;
  /** The origin of that URL. */
  readonly origin: string;
  /** While it is connecting. */
  #dial: Dial | null;
  readonly #config: ConnectionConfig;
  readonly #owner: ChannelOwner;
  #stream: Duplex | null = null;
  #link: Link | null = null;
  #received: CloseConnection | null = null;
  #error: Error | null = null;
  /** What of `#queuedBytes` was payload: see `bufferedAmount`. */
  #payload = 0;
  #queuedBytes = 0;

  /** @throws LocalProtocolError as `Dial` does */
  constructor(url: string | URL, options: DialOptions, config: ConnectionConfig, owner: ChannelOwner) {
    this.#config = config;
    this.#owner = owner;
    const dial = new Dial(url, options, true, (error, dialed) => {
      this.#dial = null;
      if (dialed === null) this.#failed(error);
      else this.#opened(dialed);
    });
    this.#dial = dial;
    this.url = dial.target.url.href;
    this.origin = dial.target.url.origin;
    dial.start();
  }

  /** Whether the connection takes messages: also while a `close` waits behind others. */
  get canSend(): boolean {
    return this.#link?.canSend ?? false;
  }

  /** Whether a drain is to be waited for. */
  get needsDrain(): boolean {
    return this.#link?.connection.needsDrain ?? false;
  }

  /** Whether the stream is closed, though the end may not have been told yet: one of HTTP/2 may have to be read before. */
  get isLost(): boolean {
    return this.#stream !== null && (this.#stream.destroyed || this.#stream.closed);
  }

  /** Bytes queued, with those of frames. */
  get queuedBytes(): number {
    return this.#link?.connection.queuedBytes ?? 0;
  }

  /**
   * Bytes of messages that the system has not taken yet, without those of frames. Exact as long as none of what is
   * queued was written, or became smaller by being compressed elsewhere; then the part is taken for that of all bytes.
   */
  get bufferedAmount(): number {
    const { queuedBytes } = this;
    if (queuedBytes >= this.#queuedBytes) return this.#payload;
    return Math.round((this.#payload * queuedBytes) / this.#queuedBytes);
  }

  /**
   * Sends a message; only while `canSend`.
   *
   * @param size of the data, in bytes
   * @returns false to ask for less: `onDrain` follows. Where `canSend` is false then, the message was not sent: it
   *   would have passed `sendHardLimit` and the connection is being closed for it
   * @throws SendLimitError
   */
  send(data: string | Uint8Array, size: number): boolean {
    const connection = this.#connection;
    const before = this.bufferedAmount;
    const more = typeof data === 'string' ? connection.queueText(data) : connection.queueBytes(this.#owned(data));
    this.#payload = connection.canSend ? before + size : before;
    this.#queuedBytes = connection.queuedBytes;
    this.#link?.wake();
    return more;
  }

  /** Masking copies at once what is sent as it is; what is compressed elsewhere is read later, and the caller may change it. */
  #owned(data: Uint8Array): Uint8Array {
    return this.#connection.extensions.length === 0 ? data : new Uint8Array(data);
  }

  /** From here on the channel is closing; a `close` follows. */
  startClosing(): void {
    if (this.readyState < CLOSING) this.readyState = CLOSING;
  }

  /** Sends a Close behind what was sent before, or gives up connecting. Code and reason must be right. */
  close(code: number, reason: string): void {
    const link = this.#link;
    this.startClosing();
    if (link === null) {
      this.#dial?.abort(new DOMException('closed before the connection was established', 'AbortError'));
    } else if (link.connection.canSend) {
      link.connection.queue(new CloseConnection(code, reason));
      link.wake();
    }
  }

  /** Remembers why the connection is to be taken for a failed one, however it will end. */
  blame(error: Error): void {
    this.#error ??= error;
  }

  /** Cuts the connection off. */
  fail(error: Error): void {
    this.blame(error);
    this.startClosing();
    this.#link?.destroy();
  }

  onEvent(kind: Kind): Promise<void> | undefined {
    switch (kind) {
      case Kind.TEXT:
      case Kind.BYTES:
        // What comes after `close` was called is not for anybody any more.
        return this.readyState === OPEN ? this.#owner.onMessage(kind, this.#connection) : undefined;
      case Kind.CLOSE:
        this.#onClose(this.#connection.event() as CloseConnection);
        return undefined;
      default:
        return undefined;
    }
  }

  onDrain(): Promise<void> | undefined {
    this.#owner.onDrain();
    return undefined;
  }

  onStreamError(error: Error): void {
    if (this.#received === null) this.blame(error);
  }

  onGone(): void {
    const received = this.#received;
    const stream = this.#stream as Duplex;
    const inOrder = hasEnded(stream) && this.queuedBytes === 0;
    // What has not gone out stays counted.
    this.#payload = this.bufferedAmount;
    this.#queuedBytes = 0;
    this.readyState = CLOSED;
    this.#owner.onEnd({
      wasClean: received !== null && inOrder,
      code: received?.code ?? CloseCode.ABNORMAL_CLOSURE,
      reason: received?.reason ?? '',
      error: this.#error,
    });
  }

  get #connection(): Connection {
    return (this.#link as Link).connection;
  }

  #opened(dialed: Dialed): void {
    const { stream, head, extensions } = dialed;
    this.#stream = stream;
    this.#link = new Link(stream, new Connection(ConnectionType.CLIENT, extensions, this.#config), this);
    this.readyState = OPEN;
    this.#link.start(head, this.#owner.onOpen(dialed) ?? this.checkpoint(head.length));
  }

  /** What came, and what an answer to it means. */
  #onClose(event: CloseConnection): void {
    this.startClosing();
    if (event.origin === 'peer') this.#received = event;
    else if (event.origin === 'eof')
      this.blame(new RemoteProtocolError('UNEXPECTED_EOF', 'the stream ended without a Close'));
    else if (event.error !== null) this.blame(event.error);
  }

  #failed(error: Error | null): void {
    this.readyState = CLOSED;
    this.#owner.onEnd({ wasClean: false, code: CloseCode.ABNORMAL_CLOSURE, reason: '', error });
  }

  /**
   * A promise to hold events with, where more wait behind the present one: each event is a task of its own in the
   * standard, so that code which awaited one goes on before the next. Most often nothing waits.
   */
  checkpoint(
    waiting = this.#connection.bufferedBytes + (this.#stream as Duplex).readableLength,
  ): Promise<void> | undefined {
    if (waiting === 0) return undefined;
    // From within a microtask, the next tick comes after all microtasks.
    return new Promise((resolve) => {
      settled.then(() => process.nextTick(resolve));
    });
  }
}
