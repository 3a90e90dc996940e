/**
 * An established WebSocket connection as a state machine: bytes in, events out, events in, bytes out. It touches no
 * socket, reads no clock and starts no timer, so it runs on any ordered stream, after anybody's handshake.
 *
 * The rules it follows:
 *
 *  1. Nothing is parsed ahead of the caller. An event, and the change of state that it brings, happen when `poll`
 *     returns it.
 *  2. A caller's mistake is a LocalProtocolError, thrown before anything changes. A peer's is a close event with
 *     origin `'violation'`: our Close is queued, and what comes after is dropped, not stored.
 *  3. Close is the last thing sent and never overtakes what was queued before it. Pongs and keep-alive pings overtake
 *     at a frame boundary, one of each at most waits.
 */

import { CloseCode, closePayload, parseClose } from './close.js';
import { Deadline, KeepAlive } from './deadlines.js';
import { LocalProtocolError, type ProtocolError } from './errors.js';
import {
  BytesMessage,
  CloseConnection,
  type CloseOrigin,
  type FrameEvent,
  NEED_DATA as NEED_DATA_EVENT,
  PAUSED as PAUSED_EVENT,
  Ping,
  Pong,
  TextMessage,
} from './events.js';
import type { Extension, SharedEncoder } from './extensions/extension.js';
import { BYTES, CLOSE, type Kind, NEED_DATA, PAUSED, PING, PONG, TEXT, VIOLATION } from './frames/kind.js';
import type { SharedFrames } from './frames/log.js';
import { FrameReader } from './frames/reader.js';
import { MessageSender } from './frames/sender.js';
import { ConnectionConfig, type ConnectionOptions } from './options.js';
import type { PreparedMessage } from './prepared.js';
import { ConnectionState, ConnectionType, nextState, Transition } from './state.js';
import { asBuffer } from './views.js';
import { type Violation, violationError } from './violations.js';

/**
 * What whoever moves the bytes should do now. Output comes first in every case: write what `takeOutput` gives, then
 * follow this.
 *
 * - `'open'` go on;
 * - `'half-close'` end the sending side (a server, which closes first, RFC 6455 §7.1.1) and read to the end;
 * - `'await-peer-close'` read to the end and close then (a client);
 * - `'destroy'` close both sides: with a `nextDeadline`, by ending the sending side and reading to the end until then,
 *   because a stream closed with input unread may be reset before the peer sees our Close; without one, at once.
 */
export type Transport = 'open' | 'half-close' | 'await-peer-close' | 'destroy';

/** How a connection ended, once a close event was returned. */
interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly origin: CloseOrigin;
  readonly error: ProtocolError | null;
}

const NO_EXTENSIONS: readonly Extension[] = Object.freeze([]);

/** The cursor of a connection without a reader. */
const NOTHING_READ = new FrameReader(new ConnectionConfig(), true, NO_EXTENSIONS);

/** Reasons for which `poll` does not go straight to the reader. */
const HELD_PAUSED = 1;
const HELD_ENDING = 2;
const HELD_ENDED = 4;

export class Connection {
  readonly type: ConnectionType;
  readonly config: ConnectionConfig;
  /**
   * Called when work that has left the thread is done: `poll` may find more, and `takeOutput` may have more to give. It is
   * not called within another call. While it is null, the default, no work leaves the thread. To be set before anything
   * else is done.
   */
  onReady: (() => void) | null = null;
  /**
   * Called by `poll` when the peer is about to end the connection and messages can still be queued: they go ahead of our
   * Close, as do those that were queued before. Null by default.
   */
  beforeEnd: (() => void) | null = null;
  readonly #extensions: readonly Extension[];
  /** Only while there is something to read, or in the middle of something. */
  #reader: FrameReader | null = null;
  /** Only while something is queued, or in the middle of a message. */
  #sender: MessageSender | null = null;
  readonly #keepAlive: KeepAlive;
  /** The deadline of closing, once that has begun. */
  #closing: Deadline | null = null;
  #state = ConnectionState.OPEN;
  #kind: Kind = NEED_DATA;
  #held = 0;
  #ending: Ending | null = null;
  #failed = false;
  #dropsInput = false;
  #eof = false;
  #lastTold = 0;

  /**
   * @param type which side this is
   * @param extensions the instances that a handshake agreed on, in order
   * @param options defaults apply where they are silent; a `ConnectionConfig` is checked once and may be shared
   * @throws LocalProtocolError `INVALID_OPTION`
   */
  constructor(
    type: ConnectionType,
    extensions: readonly Extension[] = [],
    options: ConnectionOptions | ConnectionConfig = {},
  ) {
    const config = options instanceof ConnectionConfig ? options : new ConnectionConfig(options);
    this.type = type;
    this.config = config;
    this.#extensions = extensions.length === 0 ? NO_EXTENSIONS : extensions;
    this.#keepAlive = new KeepAlive(config.pingInterval, config.pingTimeout);
    const trailing = options instanceof ConnectionConfig ? undefined : options.trailingData;
    if (trailing !== undefined) this.receiveData(trailing);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The extensions in use, in the order that was agreed on. */
  get extensions(): readonly Extension[] {
    return this.#extensions;
  }

  // Bytes in.

  /**
   * Takes bytes from the peer, or null for the end of its stream. The memory becomes the connection's: payloads are
   * unmasked in it and handed out as views of it.
   *
   * @returns `wantsData`: false asks to stop reading until it is true again. Bytes given meanwhile are kept, unless
   *   the peer's Close or a violation was returned, after which they are dropped.
   */
  receiveData(data: Uint8Array | null): boolean {
    if (data === null) this.#eof = true;
    else this.#receive(data, false);
    return this.wantsData;
  }

  /**
   * Takes bytes from the peer in memory that the caller will use again, but not before it has called `keep`. Events
   * may be read in between as ever; what is handed out by `bytes` never lies in that memory.
   *
   * @returns as `receiveData`
   */
  receiveBorrowed(data: Uint8Array): boolean {
    this.#receive(data, true);
    return this.wantsData;
  }

  /** Copies the bytes last given to `receiveBorrowed`, unless all were read. The cursor may be empty after it. */
  keep(): void {
    this.#reader?.keep();
  }

  #receive(data: Uint8Array, borrowed: boolean): void {
    this.#keepAlive.heard();
    if (this.#dropsInput || data.length === 0) return;
    if (this.#reader === null) {
      this.#reader = FrameReader.borrow(this.config, this.type === ConnectionType.SERVER, this.#extensions);
      this.#reader.onReady = this.onReady;
    }
    this.#reader.push(asBuffer(data), borrowed);
  }

  /** Whether more bytes, or the end of the stream, should be read. */
  get wantsData(): boolean {
    return (
      !this.#eof &&
      !this.#failed &&
      (this.#held & HELD_PAUSED) === 0 &&
      this.bufferedBytes <= this.config.receiveHighWater
    );
  }

  /** Raw bytes that wait for `poll`; a message that is not whole yet does not count. */
  get bufferedBytes(): number {
    return this.#reader?.bufferedBytes ?? 0;
  }

  /** Makes `poll` return PAUSED, and `wantsData` false, until `resume`. */
  pause(): void {
    this.#held |= HELD_PAUSED;
  }

  resume(): void {
    if ((this.#held & HELD_PAUSED) === 0) return;
    this.#held &= ~HELD_PAUSED;
    // What the peer has sent meanwhile is still to be read, and must not be too late for a deadline that is close.
    this.#keepAlive.heard();
  }

  // Events out.

  /**
   * Goes on to the next event and says what it is. Its payload can be had, until the next call, from `text`, `bytes`,
   * `copy` and `event`; nothing is made of it otherwise.
   */
  poll(): Kind {
    if (this.#held === 0) {
      const found = this.#reader === null ? NEED_DATA : this.#reader.poll();
      this.#kind = found === TEXT || found === BYTES ? found : this.#settle(found);
    } else {
      this.#kind = this.#pollHeld();
    }
    return this.#kind;
  }

  /** The payload at the cursor as a string. It must be UTF-8: that of a text is, that of others may not be. */
  text(): string {
    return (this.#reader ?? NOTHING_READ).text();
  }

  /**
   * The payload at the cursor as a view, a Buffer. The view keeps the whole chunk that it came in alive: what is held
   * for long is better taken with `copy`.
   */
  bytes(): Uint8Array {
    return (this.#reader ?? NOTHING_READ).bytes();
  }

  /** The payload at the cursor in memory of its own. */
  copy(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#peek());
  }

  #peek(): Uint8Array {
    return (this.#reader ?? NOTHING_READ).peek();
  }

  /** The size of the payload at the cursor, in bytes. */
  get length(): number {
    return (this.#reader ?? NOTHING_READ).length;
  }

  /** Whether the piece at the cursor ends its frame. */
  get frameFinished(): boolean {
    return (this.#reader ?? NOTHING_READ).frameFinished;
  }

  /** Whether the piece at the cursor ends its message. */
  get messageFinished(): boolean {
    return (this.#reader ?? NOTHING_READ).messageFinished;
  }

  /** The event at the cursor as an object, or a sentinel where there is none. */
  event(): FrameEvent | typeof NEED_DATA_EVENT | typeof PAUSED_EVENT {
    switch (this.#kind) {
      case TEXT:
        return new TextMessage(this.text(), this.messageFinished, this.frameFinished);
      case BYTES:
        return new BytesMessage(this.bytes(), this.messageFinished, this.frameFinished);
      case PING:
        return new Ping(this.bytes());
      case PONG:
        return new Pong(this.bytes());
      case CLOSE: {
        const { code, reason, origin, error } = this.#ending as Ending;
        return new CloseConnection(code, reason, origin, error);
      }
      case PAUSED:
        return PAUSED_EVENT;
      default:
        return NEED_DATA_EVENT;
    }
  }

  /** `poll` and `event` in one. */
  nextEvent(): FrameEvent | typeof NEED_DATA_EVENT | typeof PAUSED_EVENT {
    this.poll();
    return this.event();
  }

  /** The events that are there, up to where more data is needed, a pause, or the end. */
  *events(): IterableIterator<FrameEvent> {
    for (;;) {
      const event = this.nextEvent();
      if (event === NEED_DATA_EVENT || event === PAUSED_EVENT) return;
      yield event;
    }
  }

  /**
   * Gives the connection up at once, without a Close: nothing can be sent any more, what came and was not read is
   * dropped, and `transport` says to destroy. Unless there was a close event, one with 1006 and origin `'local'` is
   * the next.
   */
  abort(): void {
    if ((this.#held & (HELD_ENDING | HELD_ENDED)) === 0) {
      this.#ending = { code: CloseCode.ABNORMAL_CLOSURE, reason: '', origin: 'local', error: null };
      this.#held |= HELD_ENDING;
    }
    this.#state = nextState(this.#state, Transition.FAILED);
    this.#failed = true;
    this.#closing?.disarm();
    this.#stopReading();
    this.#sender?.abandon();
  }

  // Events in, bytes out.

  /**
   * Makes the bytes of an event, behind those of anything queued before it. The bytes are the caller's, and count as
   * acknowledged. With `onReady` set, those of a message that is compressed elsewhere, and of what is behind it, are not
   * among them: `takeOutput` has them later.
   *
   * @throws LocalProtocolError as `queue` does
   */
  send(event: FrameEvent): Uint8Array {
    this.queue(event);
    const bytes = this.#out.takeCopy();
    this.#letGoOfSender();
    return bytes;
  }

  /**
   * Queues an event. A Pong waits in a slot of one, where the newest wins and overtakes what is queued.
   *
   * @returns false when more than `sendHighWater` bytes are queued: slow down until `needsDrain` is false again
   * @throws LocalProtocolError where the state, the payload or a limit forbids it; nothing has changed then
   */
  queue(event: FrameEvent): boolean {
    switch (event.type) {
      case 'text':
        return this.queueText(event.data, event.messageFinished);
      case 'bytes':
        return this.queueBytes(event.data, event.messageFinished);
      case 'ping':
        this.#requireOpen();
        return this.#out.ping(event.payload);
      case 'pong':
        this.#requireOpen();
        return this.#out.pong(event.payload);
      case 'close':
        this.#sendClose(event.code, event.reason);
        return this.#out.withinHighWater();
      default:
        throw new LocalProtocolError('UNKNOWN_EVENT', 'not an event that can be sent');
    }
  }

  /**
   * Queues a text message, or with `finished` false a fragment of one; a surrogate pair may be split over fragments.
   * Bytes must be UTF-8, of which a character may be split over fragments, and are otherwise treated as by `queueBytes`.
   *
   * @param compress false asks that the message be not compressed; heeded with its first fragment
   * @returns and throws as `queue`; LocalProtocolError `INVALID_UTF8`
   */
  queueText(text: string | Uint8Array, finished = true, compress = true): boolean {
    this.#requireOpen();
    const out = this.#out;
    const queued = text instanceof Uint8Array ? out.utf8(text, finished, compress) : out.text(text, finished, compress);
    return queued ?? this.#overflowed();
  }

  /**
   * Queues a binary message, or with `finished` false a fragment of one. A large payload is not copied on a server:
   * it must not change until it is acknowledged.
   *
   * @param compress as for `queueText`
   * @returns and throws as `queue`
   */
  queueBytes(data: Uint8Array, finished = true, compress = true): boolean {
    this.#requireOpen();
    const queued = this.#out.bytes(data, finished, compress);
    return queued ?? this.#overflowed();
  }

  /**
   * Queues a message that is framed once for all connections that send it, and compressed once for all with the same
   * agreement; what follows it then begins with an empty window. A client, which masks its frames, and a connection with
   * extensions that cannot share make their own frames of it.
   *
   * @returns and throws as `queue`
   */
  queuePrepared(message: PreparedMessage): boolean {
    const { payload, isText, compress } = message;
    const { sharedEncoder } = this;
    this.#requireOpen();
    const out = this.#out;
    if (sharedEncoder !== undefined) return out.prepared(message, sharedEncoder) ?? this.#overflowed();
    // It would be taken for the end of a message that is not finished.
    out.requireFinished();
    return isText ? this.queueText(payload, true, compress) : this.queueBytes(payload, true, compress);
  }

  /**
   * Queues frames out of a `FrameLog` that was made for `sharedEncoder`: all of them, or none where that would pass
   * `sendHardLimit`.
   *
   * @returns and throws as `queue`; the event of a SendLimitError is null. LocalProtocolError `INVALID_FRAMES` on a client,
   *   which masks its frames, and for those of another agreement
   */
  queueFrames(frames: SharedFrames): boolean {
    this.#requireOpen();
    if (this.type === ConnectionType.CLIENT || (frames.encoder !== null && frames.encoder !== this.sharedEncoder)) {
      throw new LocalProtocolError('INVALID_FRAMES', 'the frames of a log are for servers with the same agreement');
    }
    return this.#out.frames(frames) ?? this.#overflowed();
  }

  /**
   * Tells that the first `taken` bytes of frames out of a `FrameLog` were given to the system already, while nothing was
   * queued (`isIdle`); the rest of them is queued.
   *
   * @returns as `queue`
   */
  framesSent(frames: SharedFrames, taken: number): boolean {
    if (frames.encoder !== null) for (const extension of this.#extensions) extension.interposed?.();
    return taken === frames.size || this.#out.rest(frames, taken);
  }

  /** Whether nothing at all is queued, nor anything begun that is to be queued. */
  get isIdle(): boolean {
    return this.#sender === null;
  }

  /**
   * What encodes messages that this connection and others send alike: null where nothing does, undefined where this
   * connection has to make frames of its own.
   */
  get sharedEncoder(): SharedEncoder | null | undefined {
    if (this.type === ConnectionType.CLIENT) return undefined;
    const extensions = this.#extensions;
    if (extensions.length === 0) return null;
    return extensions.length === 1 ? extensions[0].shared : undefined;
  }

  /**
   * Moves what is to be written into `out`, up to `maxBytes`. The views stay valid until they are acknowledged, after
   * which their memory is used again.
   *
   * @returns the number of bytes
   */
  takeOutput(out: Uint8Array[], maxBytes = Number.POSITIVE_INFINITY): number {
    return this.#sender?.output.take(out, maxBytes) ?? 0;
  }

  /**
   * The system has taken the next `bytes` of what `takeOutput` gave.
   *
   * @throws LocalProtocolError `INVALID_ACKNOWLEDGE` for more than was taken
   */
  acknowledge(bytes: number): void {
    // While the peer is what we wait for, room for more is a sign of life.
    if (this.needsDrain && bytes > 0) this.#keepAlive.heard();
    this.#out.acknowledge(bytes);
    this.#letGoOfSender();
  }

  /**
   * Whether messages can be queued. A connection that missed a deadline is lost, and its Close queued, before `poll`
   * says so and the state follows.
   */
  get canSend(): boolean {
    return this.#state === ConnectionState.OPEN && !this.#failed;
  }

  /** Bytes queued and not acknowledged; of a message that is still being compressed, the bytes that it has now. */
  get queuedBytes(): number {
    return this.#sender?.queuedBytes ?? 0;
  }

  /** Whether `takeOutput` would give anything. */
  get hasOutput(): boolean {
    return this.#sender?.output.hasOutput ?? false;
  }

  /** True from when `queue…` returned false until no more than `sendLowWater` bytes are queued. */
  get needsDrain(): boolean {
    return this.#sender?.needsDrain ?? false;
  }

  /** What to do with the transport, once the output is written. */
  get transport(): Transport {
    if (this.#failed) return 'destroy';
    if (this.#state !== ConnectionState.CLOSED) return 'open';
    if (this.#eof) return 'destroy';
    return this.type === ConnectionType.SERVER ? 'half-close' : 'await-peer-close';
  }

  // Time.

  /**
   * When to call `handleTimeout` next, on the caller's clock (any clock that moves on in milliseconds); a time that
   * is past means at once, null means never. It may change after any other call.
   */
  nextDeadline(): number | null {
    // After the end of the stream only what is still to be written is waited for.
    const nothingLeft = this.#eof && this.queuedBytes === 0;
    const closing = nothingLeft || this.#closing === null ? null : this.#closing.next(this.#lastTold);
    const keepAlive = this.#keepAlive.next(this.#lastTold);
    if (closing === null || keepAlive === null) return closing ?? keepAlive;
    return Math.min(closing, keepAlive);
  }

  /** Tells the time. What is due happens: a Ping is queued, or a close event with origin `'timeout'` waits in `poll`. */
  handleTimeout(now: number): void {
    this.#lastTold = now;
    if (this.#closing?.tick(now)) {
      if (this.#state === ConnectionState.CLOSED) this.#failed = true;
      else
        this.#endBy(new LocalProtocolError('CLOSE_TIMEOUT', 'the peer did not answer our Close within closeTimeout'));
      return;
    }
    // Silence that comes from our not reading says nothing about the peer, unless it is its not reading that stops us:
    // what is still being compressed waits for us, and not for it.
    const waitsForPeer = this.needsDrain && (this.#sender?.output.queuedBytes ?? 0) > 0;
    if (!this.wantsData && !waitsForPeer) this.#keepAlive.heard();
    const action = this.#keepAlive.tick(now);
    if (action === 'ping') {
      this.#out.keepAlivePing();
    } else if (action === 'lost') {
      const error = new LocalProtocolError('PING_TIMEOUT', 'the peer did not answer a keep-alive within pingTimeout');
      if (this.#state === ConnectionState.OPEN)
        this.#out.close(closePayload(CloseCode.INTERNAL_ERROR, 'keep-alive timeout'));
      this.#endBy(error);
    }
  }

  // What events do.

  #settle(kind: number): Kind {
    switch (kind) {
      case NEED_DATA:
        if (this.#reader?.isHeldUp) return NEED_DATA;
        if (this.#reader !== null && FrameReader.giveBack(this.#reader)) this.#reader = null;
        if (!this.#eof) return NEED_DATA;
        this.#aboutToEnd();
        return this.#fail({ code: CloseCode.ABNORMAL_CLOSURE, reason: '', origin: 'eof', error: null });
      case PING:
        if (this.config.autoPong && this.#state === ConnectionState.OPEN) this.#out.pong(this.#peek());
        return PING;
      case CLOSE:
        return this.#closeReceived();
      case VIOLATION:
        return this.#violated((this.#reader as FrameReader).violation);
      default:
        return kind as Kind;
    }
  }

  #pollHeld(): Kind {
    if ((this.#held & HELD_PAUSED) !== 0) return PAUSED;
    if ((this.#held & HELD_ENDED) !== 0) {
      this.#reader = null;
      return NEED_DATA;
    }
    return this.#fail(this.#ending as Ending);
  }

  #closeReceived(): Kind {
    const close = parseClose(this.#peek());
    if ('closeCode' in close) return this.#violated(close);
    this.#aboutToEnd();
    this.#end({ ...close, origin: 'peer', error: null });
    this.#state = nextState(this.#state, Transition.CLOSE_RECEIVED);
    if (this.#state === ConnectionState.REMOTE_CLOSING && this.config.autoClose) this.#sendClose(close.code, '');
    return CLOSE;
  }

  #violated(violation: Violation): Kind {
    this.#aboutToEnd();
    if (this.#state === ConnectionState.OPEN) this.#out.close(closePayload(violation.closeCode, violation.message));
    const { closeCode: code, message: reason } = violation;
    return this.#fail({ code, reason, origin: 'violation', error: violationError(violation) });
  }

  #aboutToEnd(): void {
    if (this.canSend) this.beforeEnd?.();
  }

  /** Ends the connection: the transport at once, for the caller at the next `poll`, ahead of what waits unread. */
  #endBy(error: ProtocolError, origin: CloseOrigin = 'timeout'): void {
    if ((this.#held & HELD_ENDED) !== 0) return;
    this.#ending = { code: CloseCode.ABNORMAL_CLOSURE, reason: error.message, origin, error };
    this.#held |= HELD_ENDING;
    this.#failed = true;
    this.#stopReading();
  }

  #fail(ending: Ending): Kind {
    this.#end(ending);
    this.#reader = null;
    this.#state = nextState(this.#state, Transition.FAILED);
    this.#failed = true;
    // What bounds the writing of what is queued, and the wait for the peer to see our Close.
    if (ending.origin === 'violation' || ending.origin === 'eof') this.#startClosing();
    else this.#closing?.disarm();
    return CLOSE;
  }

  #end(ending: Ending): void {
    this.#ending = ending;
    this.#held |= HELD_ENDED;
    this.#stopReading();
  }

  #startClosing(): void {
    this.#closing ??= new Deadline(this.config.closeTimeout);
    this.#closing.arm();
  }

  get #out(): MessageSender {
    if (this.#sender === null) {
      this.#sender = MessageSender.borrow(this.config, this.type === ConnectionType.SERVER, this.#extensions);
      if (this.onReady !== null) this.#sender.onEncoded = (error) => this.#encoded(error);
    }
    return this.#sender;
  }

  #encoded(error: Error | null): void {
    if (error !== null) {
      const isOurs = error instanceof LocalProtocolError;
      this.#endBy(isOurs ? error : new LocalProtocolError('EXTENSION_FAILED', error.message), 'local');
    }
    this.onReady?.();
  }

  #letGoOfSender(): void {
    if (this.#sender !== null && MessageSender.giveBack(this.#sender)) this.#sender = null;
  }

  #stopReading(): void {
    this.#dropsInput = true;
    this.#reader?.stop();
    this.#keepAlive.stop();
    for (const extension of this.#extensions) extension.close?.();
  }

  #sendClose(code: number, reason: string): void {
    if ((this.#state !== ConnectionState.OPEN && this.#state !== ConnectionState.REMOTE_CLOSING) || this.#failed) {
      throw new LocalProtocolError('CLOSE_SENT', 'a Close was sent, or the connection has ended');
    }
    this.#out.close(closePayload(code, reason));
    this.#state = nextState(this.#state, Transition.CLOSE_SENT);
    // A Ping behind our Close would break the protocol, and its answer is bounded by the deadline of closing.
    this.#keepAlive.stop();
    this.#startClosing();
  }

  /** A message was over `sendHardLimit` and the policy is not to throw it back. */
  #overflowed(): boolean {
    if (this.config.overflow === 'close') this.#sendClose(CloseCode.TRY_AGAIN_LATER, 'too much is queued');
    return false;
  }

  #requireOpen(): void {
    if (!this.canSend) {
      const where = this.#failed ? 'CLOSED' : ConnectionState[this.#state];
      throw new LocalProtocolError('NOT_OPEN', `cannot send in state ${where}`);
    }
  }
}
