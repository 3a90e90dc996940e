/**
 * `WebSocket` as the WHATWG defines it (https://websockets.spec.whatwg.org/#the-websocket-interface), over the same
 * connection as everything else here. What is ours comes in the third argument of the constructor.
 *
 * What differs from a connection with handlers: every event is a task of its own, so that code which awaits one sees
 * the next; and `send` never asks for patience, so that what is queued has a higher limit, past which the connection
 * fails.
 */

import { toUSVString } from 'node:util';
import { CloseCode, type Connection, type ConnectionConfig, Kind, LocalProtocolError } from '../../core/index.js';
import { asError } from '../thrown.js';
import { Channel, type ChannelOwner, CLOSED, CLOSING, CONNECTING, type Ending, OPEN } from './channel.js';
import { type ClientOptions, clientConfig } from './connect.js';
import type { Dialed } from './dial.js';
import { CloseEvent, ErrorEvent } from './events.js';
import { bufferSource, clampedShort, closeCodeToSend, makeEnumerable, stringsOf, withSyntaxErrors } from './webidl.js';

/**
 * What the constructor takes besides the URL and subprotocols: headers, TLS, a Unix socket, limits and the like.
 * `sendHardLimit` is 256 MiB and `overflow` `'close'` unless they are given: past it, waiting Blobs included, nothing
 * is thrown, and the connection is closed with 1013 and an `error` event. With `overflow: 'refuse'` `send` throws a
 * `LocalProtocolError` `SEND_HARD_LIMIT` in place of that, with `'drop'` the message is forgotten.
 */
export interface WebSocketOptions extends Omit<ClientOptions, 'protocols'> {}

/** The second argument, where it is an object. */
export interface WebSocketInit extends ClientOptions {}

/**
 * What binary messages are delivered as: a Blob, as the standard begins with; an ArrayBuffer; or a Buffer over the
 * memory that the message arrived in, which costs no copy and keeps the whole chunk of it alive.
 */
export type BinaryType = 'blob' | 'arraybuffer' | 'nodebuffer';

/** What `send` takes. Bytes are copied before it returns. */
export type WebSocketData = string | ArrayBuffer | NodeJS.ArrayBufferView | Blob;

/** The events, by their names. */
export interface WebSocketEventMap {
  open: Event;
  message: MessageEvent;
  error: ErrorEvent;
  close: CloseEvent;
}

/** How an event is listened to. */
export interface ListenerOptions {
  readonly once?: boolean;
  readonly capture?: boolean;
  readonly passive?: boolean;
  readonly signal?: AbortSignal;
}

type Listener<E extends Event> = ((this: WebSocket, event: E) => unknown) | { handleEvent(event: E): unknown };
type Handler<E extends Event> = ((this: WebSocket, event: E) => unknown) | null;

const DEFAULT_HARD_LIMIT = 256 * 1024 * 1024;
const BINARY_TYPES: readonly unknown[] = ['blob', 'arraybuffer', 'nodebuffer'];

/** What waits behind a Blob that is being read, in the order of the calls. */
type Waiting =
  | { readonly data: string | Uint8Array | Blob; readonly size: number }
  | { readonly code: number; readonly reason: string };

export class WebSocket extends EventTarget {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  declare readonly CONNECTING: typeof CONNECTING;
  declare readonly OPEN: typeof OPEN;
  declare readonly CLOSING: typeof CLOSING;
  declare readonly CLOSED: typeof CLOSED;

  readonly #channel: Channel;
  readonly #config: ConnectionConfig;
  #binaryType: BinaryType = 'blob';
  #protocol = '';
  #extensions = '';
  /** Bytes that were to be sent and never will be. */
  #unsent = 0;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  readonly #handlers = new Map<string, { value: unknown; readonly listener: (event: Event) => void }>();

  /**
   * @param url ws: or wss:, or http: or https: in their place
   * @param protocols the subprotocols to offer; one of them must be chosen then. Or an object with `protocols` and
   *   all that `options` has
   * @throws DOMException `SyntaxError` for a bad URL, or bad or repeated subprotocols
   * @throws LocalProtocolError `INVALID_OPTION`, `INVALID_HEADER`, `RESERVED_HEADER`
   */
  constructor(
    url: string | URL,
    protocols: string | Iterable<string> | WebSocketInit = [],
    options: WebSocketOptions = {},
  ) {
    super();
    const init = { ...options, ...protocolsOf(protocols) };
    const { overflow = 'close', sendHardLimit = DEFAULT_HARD_LIMIT } = init;
    this.#config = clientConfig({ ...init, overflow, sendHardLimit });
    const owner: ChannelOwner = {
      onOpen: (dialed) => this.#onOpen(dialed),
      onMessage: (kind, connection) => this.#onMessage(kind, connection),
      onDrain: () => {},
      onEnd: (ending) => this.#onEnd(ending),
    };
    this.#channel = withSyntaxErrors(() => new Channel(`${url}`, init, this.#config, owner));
  }

  /** The URL as it was parsed. */
  get url(): string {
    return this.#channel.url;
  }

  get readyState(): number {
    return this.#channel.readyState;
  }

  /**
   * Bytes of messages, those of frames not counted, that were given to `send` and have not gone out. It does not
   * fall when the connection closes, and `send` still raises it then.
   */
  get bufferedAmount(): number {
    return this.#channel.bufferedAmount + this.#waitingBytes + this.#unsent;
  }

  /** The extensions in use. */
  get extensions(): string {
    return this.#extensions;
  }

  /** The subprotocol chosen, '' for none. */
  get protocol(): string {
    return this.#protocol;
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(value: BinaryType) {
    // As with every enumeration, what is no member of it is ignored (Web IDL §2.8).
    if (BINARY_TYPES.includes(value)) this.#binaryType = value;
  }

  get onopen(): Handler<Event> {
    return this.#handler('open');
  }

  set onopen(value: Handler<Event>) {
    this.#setHandler('open', value);
  }

  get onmessage(): Handler<MessageEvent> {
    return this.#handler('message');
  }

  set onmessage(value: Handler<MessageEvent>) {
    this.#setHandler('message', value);
  }

  get onerror(): Handler<ErrorEvent> {
    return this.#handler('error');
  }

  set onerror(value: Handler<ErrorEvent>) {
    this.#setHandler('error', value);
  }

  get onclose(): Handler<CloseEvent> {
    return this.#handler('close');
  }

  set onclose(value: Handler<CloseEvent>) {
    this.#setHandler('close', value);
  }

  /**
   * Sends a message: a string as text, everything else as binary. Messages go out in the order of the calls; a Blob
   * holds those behind it back while it is read. While closing or closed nothing is sent.
   *
   * @throws DOMException `InvalidStateError` while connecting
   * @throws TypeError for shared memory
   * @throws LocalProtocolError `SEND_HARD_LIMIT` where `overflow` is `'refuse'`
   */
  send(data: WebSocketData): void {
    // biome-ignore lint/complexity/noArguments: `undefined` can be sent, nothing cannot
    if (arguments.length === 0) throw new TypeError('send needs an argument');
    // Converted, and so perhaps refused, ahead of anything else (Web IDL §3.6).
    const message = data instanceof Blob ? data : (bufferSource(data) ?? `${data}`);
    if (this.#channel.readyState === CONNECTING) {
      throw new DOMException('still connecting: nothing can be sent yet', 'InvalidStateError');
    }
    const size = sizeOf(message);
    if (this.#channel.readyState === OPEN && this.#channel.canSend) this.#sendOrdered(message, size);
    else this.#unsent += size;
  }

  /**
   * Starts the closing handshake behind what was sent before, or gives up connecting. Closing again does nothing.
   *
   * @param code 1000, or 3000 to 4999; none by default
   * @param reason at most 123 bytes of UTF-8
   * @throws DOMException `InvalidAccessError` for another code, `SyntaxError` for a longer reason
   */
  close(code?: number, reason?: string): void {
    const given = code === undefined ? null : clampedShort(code);
    const text = reason === undefined ? '' : toUSVString(`${reason}`);
    const toSend = closeCodeToSend(given, text);
    const channel = this.#channel;
    if (channel.readyState >= CLOSING) return;
    channel.startClosing();
    if (this.#waiting.length === 0) channel.close(toSend, text);
    else this.#waiting.push({ code: toSend, reason: text });
  }

  override addEventListener<Name extends keyof WebSocketEventMap>(
    type: Name,
    listener: Listener<WebSocketEventMap[Name]> | null,
    options?: ListenerOptions | boolean,
  ): void;
  override addEventListener(type: string, listener: Listener<Event> | null, options?: ListenerOptions | boolean): void;
  override addEventListener(type: string, listener: unknown, options?: ListenerOptions | boolean): void {
    super.addEventListener(type, listener as () => void, options);
  }

  override removeEventListener<Name extends keyof WebSocketEventMap>(
    type: Name,
    listener: Listener<WebSocketEventMap[Name]> | null,
    options?: { readonly capture?: boolean } | boolean,
  ): void;
  override removeEventListener(
    type: string,
    listener: Listener<Event> | null,
    options?: { readonly capture?: boolean } | boolean,
  ): void;
  override removeEventListener(type: string, listener: unknown, options?: { capture?: boolean } | boolean): void {
    super.removeEventListener(type, listener as () => void, options);
  }

  #onOpen({ protocol, extensions }: Dialed): undefined {
    this.#protocol = protocol;
    this.#extensions = extensions.map(({ name }) => name).join(', ');
    this.dispatchEvent(new Event('open'));
  }

  #onMessage(kind: Kind, connection: Connection): Promise<void> | undefined {
    const data = kind === Kind.TEXT ? connection.text() : this.#binary(connection);
    this.dispatchEvent(new MessageEvent('message', { data, origin: this.#channel.origin }));
    return this.#channel.checkpoint();
  }

  #binary(connection: Connection): Blob | ArrayBuffer | Buffer {
    switch (this.#binaryType) {
      case 'arraybuffer':
        return new Uint8Array(connection.bytes()).buffer;
      case 'nodebuffer':
        return connection.bytes() as Buffer;
      default:
        return new Blob([connection.bytes()]);
    }
  }

  #onEnd({ wasClean, code, reason, error }: Ending): void {
    this.#giveUpWaiting();
    if (error !== null) this.dispatchEvent(new ErrorEvent('error', { message: error.message, error }));
    this.dispatchEvent(new CloseEvent('close', { wasClean, code, reason }));
  }

  /** Sends at once, or behind the Blob that is being read. */
  #sendOrdered(data: string | Uint8Array | Blob, size: number): void {
    if (this.#waiting.length === 0 && !(data instanceof Blob)) {
      this.#sendNow(data, size);
      return;
    }
    if (this.#channel.queuedBytes + this.#waitingBytes + size > this.#config.sendHardLimit) {
      this.#overflow(size);
      return;
    }
    // The caller's memory may change before its turn comes.
    this.#waiting.push({ data: data instanceof Uint8Array ? new Uint8Array(data) : data, size });
    this.#waitingBytes += size;
    if (this.#waiting.length === 1) this.#readBlob(data as Blob);
  }

  #sendNow(data: string | Uint8Array, size: number): void {
    this.#channel.send(data, size);
    if (this.#channel.canSend) return;
    this.#unsent += size;
    this.#full();
  }

  /** The limit would be passed by a Blob, or by what waits for one. */
  #overflow(size: number): void {
    const { overflow } = this.#config;
    if (overflow === 'refuse') throw sendLimitPassed();
    this.#unsent += size;
    if (overflow === 'drop') return;
    this.#full();
    const close = { code: CloseCode.TRY_AGAIN_LATER, reason: 'too much is queued' };
    // Where nothing waits, nobody would come to it.
    if (this.#waiting.length === 0) this.#channel.close(close.code, close.reason);
    else this.#waiting.push(close);
  }

  #full(): void {
    this.#channel.blame(sendLimitPassed());
    this.#channel.startClosing();
  }

  #readBlob(blob: Blob): void {
    blob
      .arrayBuffer()
      .then((memory) => this.#sendWaiting(new Uint8Array(memory)))
      .catch((error) => this.#channel.fail(asError(error)));
  }

  /** Sends the Blob that was read, and what waited for it up to the next Blob. */
  #sendWaiting(first: Uint8Array): void {
    const waiting = this.#waiting;
    let sent = 0;
    for (const next of waiting) {
      if ('code' in next) {
        this.#channel.close(next.code, next.reason);
      } else {
        const data = sent === 0 ? first : next.data;
        if (data instanceof Blob) {
          this.#readBlob(data);
          break;
        }
        this.#waitingBytes -= next.size;
        if (this.#channel.canSend) this.#sendNow(data, next.size);
        else this.#unsent += next.size;
      }
      sent++;
    }
    this.#waiting = waiting.slice(sent);
  }

  #giveUpWaiting(): void {
    this.#unsent += this.#waitingBytes;
    this.#waitingBytes = 0;
    this.#waiting = [];
  }

  #handler<E extends Event>(type: string): Handler<E> {
    return (this.#handlers.get(type)?.value ?? null) as Handler<E>;
  }

  /** An event handler attribute (HTML §8.1.8.1): it keeps its place among the listeners until it is set to null. */
  #setHandler(type: string, value: unknown): void {
    const isObject = typeof value === 'function' || (typeof value === 'object' && value !== null);
    const present = this.#handlers.get(type);
    if (!isObject) {
      if (present !== undefined) super.removeEventListener(type, present.listener);
      this.#handlers.delete(type);
    } else if (present !== undefined) {
      present.value = value;
    } else {
      const listener = (event: Event): void => {
        const { value } = handler;
        if (typeof value === 'function') value.call(this, event);
      };
      const handler = { value, listener };
      this.#handlers.set(type, handler);
      super.addEventListener(type, listener);
    }
  }
}

const CONSTANTS = { CONNECTING, OPEN, CLOSING, CLOSED };
for (const [name, value] of Object.entries(CONSTANTS)) {
  const constant = { value, enumerable: true, writable: false, configurable: false };
  Object.defineProperty(WebSocket, name, constant);
  Object.defineProperty(WebSocket.prototype, name, constant);
}
Object.defineProperty(WebSocket.prototype, Symbol.toStringTag, { value: 'WebSocket', configurable: true });
makeEnumerable(WebSocket.prototype, [
  'url',
  'readyState',
  'bufferedAmount',
  'extensions',
  'protocol',
  'binaryType',
  'onopen',
  'onmessage',
  'onerror',
  'onclose',
  'send',
  'close',
]);

function sizeOf(data: string | Uint8Array | Blob): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data instanceof Blob ? data.size : data.length;
}

function sendLimitPassed(): LocalProtocolError {
  return new LocalProtocolError('SEND_HARD_LIMIT', 'more bytes than sendHardLimit would be queued');
}

/** The second argument of the constructor as an object with `protocols`. */
function protocolsOf(second: string | Iterable<string> | WebSocketInit | null): WebSocketInit {
  if (second === null) return {};
  const isInit = typeof second === 'object' && !(Symbol.iterator in second);
  const init = isInit ? (second as WebSocketInit) : { protocols: second as string | Iterable<string> };
  return init.protocols === undefined ? init : { ...init, protocols: stringsOf(init.protocols) };
}
