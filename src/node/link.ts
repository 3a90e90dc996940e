/**
 * The seam between a `Connection` and whatever moves its bytes. Servers, clients and pub/sub know this file and no
 * socket.
 *
 * Reading: a chunk is handed to the connection and its events to the owner, one at a time. While the owner works on
 * one (its promise is pending) or, on a server, more is queued to be sent than `sendHighWater`, no further event is
 * handed out; when that lasts beyond the turn, or raw bytes pile up, reading is paused, and TCP holds the peer.
 *
 * Writing: what a turn queues leaves in one write, and one write is under way at a time, so that a Pong can overtake
 * what still waits in the connection. What is acknowledged is what the system has taken.
 */

import { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';
import {
  CloseCode,
  CloseConnection,
  type Connection,
  ConnectionState,
  ConnectionType,
  checkClose,
  Kind,
  type PreparedMessage,
  SendLimitError,
  type SharedFrames,
} from '../core/index.js';
import { transportFor } from './handle.js';
import { IdleWatch } from './idle.js';
import { Outbox, type OutboxOwner, type Sendable } from './outbox.js';
import { asError } from './thrown.js';
import type { Transport, TransportOwner } from './transport.js';
import { atTurnEnd, type TurnEnd } from './turn.js';
import { type Timed, wheel } from './wheel.js';

/** Whoever handles the events of a link. */
export interface LinkOwner {
  /**
   * The event at the connection's cursor; a promise holds the next one until it settles. It must not throw or
   * reject.
   */
  onEvent(kind: Kind): Promise<void> | undefined;
  /** A drain that a `send` had asked for has come, or the stream has closed instead. A promise holds events as that of `onEvent` does. */
  onDrain(): Promise<void> | undefined;
  /** The stream failed, a Blob to be sent could not be read, or what was published was refused. */
  onStreamError(error: Error): void;
  /** The stream is closed and the close event was handled: nothing follows. */
  onGone(): void;
}

/** What was published to a connection and is not queued yet. */
export interface Published {
  /** Queues it. */
  deliver(): void;
  /** Nothing is to be published to the connection any more. */
  end(): void;
}

/** The most bytes of one write: how far a Pong can be held up. */
const WRITE_SIZE = 1024 * 1024;

/** Where the views of one write are gathered; empty between two, and null during one, which may bring about another. */
let gathered: Uint8Array[] | null = [];

const HOLD_OWNER = 1;
const HOLD_DRAIN = 2;
const HOLD_USER = 4;

export class Link implements Timed, TurnEnd, TransportOwner, OutboxOwner {
  bucket: number | null = null;
  readonly connection: Connection;
  readonly #owner: LinkOwner;
  #transport: Transport;
  #outbox: Outbox | null = null;
  readonly #idle: IdleWatch | null;
  #published: Published | null = null;
  #holds = 0;
  #pending = 0;
  #corks = 0;
  #writing = 0;
  #pumping = false;
  #turnAsked = false;
  #drainDue = false;
  #draining = false;
  /** A message could not be sent any more, and the close event was not told yet. */
  #hasRefused = false;
  /** What went wrong where others are served as well, and the owner was not told yet. */
  #fault: Error | null = null;
  #reading = true;
  /** What is queued will never be sent, so that nothing waits for that any more. */
  #unwritable = false;
  #streamClosed = false;
  #ended = false;
  #closeTold = false;
  #gone = false;
  /** Data messages, both ways. */
  messagesReceived = 0;
  messagesSent = 0;
  /** Bytes of frames, both ways; sent are those that the system has taken. */
  bytesReceived = 0;
  bytesSent = 0;

  /** @param idleTimeout after so many milliseconds without a message the connection is closed with 1001 */
  constructor(stream: Duplex, connection: Connection, owner: LinkOwner, idleTimeout = Number.POSITIVE_INFINITY) {
    this.connection = connection;
    this.#owner = owner;
    this.#idle = idleTimeout === Number.POSITIVE_INFINITY ? null : new IdleWatch(idleTimeout);
    // What compresses is lent from one connection to the next, and calls back in the async context of whoever it was made for.
    if (connection.extensions.length > 0) connection.onReady = AsyncResource.bind(() => this.#onReady());
    this.#transport = transportFor(stream, this);
  }

  /**
   * Begins to move bytes.
   *
   * @param first what was read from the stream before
   * @param opened the promise of work to be done before the first event is handed out
   */
  start(first: Uint8Array, opened: Promise<void> | undefined): void {
    if (first.length > 0) this.#receive(first);
    if (opened !== undefined) this.#holdFor(opened);
    this.#transport.start();
    this.onDeadline(wheel.now());
  }

  // What the owner's side asks for.

  /** What was published to this connection, and has to go ahead of what is sent to it, and of its end. */
  get published(): Published | null {
    return this.#published;
  }

  set published(published: Published) {
    this.#published = published;
    this.connection.beforeEnd = () => published.deliver();
  }

  /** Whether messages can be sent. */
  get canSend(): boolean {
    return this.connection.canSend && !this.#streamClosed && this.#outbox?.isClosing !== true;
  }

  /** Bytes sent that the system has not taken yet. */
  get bufferedAmount(): number {
    return this.connection.queuedBytes + (this.#outbox?.bytes ?? 0);
  }

  /**
   * Sends a message: a string as text, everything else as binary, or bytes as text with `binary` false. A Blob is read
   * first, and what is sent behind it waits. Large payloads are not copied and must not change before they are written.
   *
   * @param compress false to leave the message uncompressed
   * @returns false when more than `sendHighWater` bytes are queued, upon which `onDrain` follows; when the policy of
   *   `sendHardLimit` dropped it, where one follows only if something is queued; or when nothing can be sent any more
   * @throws SendLimitError; LocalProtocolError `INVALID_PAYLOAD`, `INVALID_UTF8`
   */
  send(data: Sendable, binary = typeof data !== 'string', compress = true): boolean {
    if (this.#unwritable || !this.#deliver()) {
      this.#refused();
      return false;
    }
    if (typeof data === 'string' && this.#outbox === null) return this.sendNow(data, binary, compress);
    const message = typeof data === 'string' || data instanceof Blob ? data : bytesOf(data);
    if (this.#outbox === null && !(message instanceof Blob)) return this.sendNow(message, binary, compress);
    const outbox = this.#outbox ?? new Outbox(this);
    const more = outbox.push(message, binary, compress);
    // An outbox that has nothing to wait for would never tell of its end.
    if (!outbox.isEmpty) this.#outbox = outbox;
    return more;
  }

  sendNow(data: string | Uint8Array, binary: boolean, compress: boolean): boolean {
    const { connection } = this;
    const before = connection.queuedBytes;
    const more = binary
      ? connection.queueBytes(data as Uint8Array, true, compress)
      : connection.queueText(data, true, compress);
    this.#count(1, more, before);
    this.wake();
    return more;
  }

  /**
   * Sends frames that others are sent as well. Where they are too many and the policy is to refuse them, the owner is told
   * when the turn ends. No owner is called meanwhile.
   *
   * @param last whether nothing more is to be sent in this turn, so that they are written at once where that calls nobody
   */
  sendFrames(frames: SharedFrames, last = false): void {
    if (!this.canSend) return;
    if (this.#outbox === null) this.framesNow(frames, last);
    else this.#share(() => this.#outbox?.pushFrames(frames));
  }

  framesNow(frames: SharedFrames, last = false): void {
    const before = this.connection.queuedBytes;
    this.#share(() => this.#count(frames.messages, this.connection.queueFrames(frames), before));
    // What others do upon a write must not come amidst of what they are still to be sent themselves.
    if (!last || !this.#transport.isQuiet) this.wake();
    else if (!this.#turnAsked) this.#flush();
  }

  /**
   * The socket, where frames that others are sent as well may go to it past everything here, because nothing is under way
   * and nothing else is to go with them; otherwise -1.
   */
  socketFor(frames: SharedFrames): number {
    const { connection } = this;
    const isIdle = this.#writing === 0 && this.#outbox === null && this.#corks === 0 && !this.#turnAsked;
    if (!isIdle || !connection.isIdle || frames.size > connection.config.sendHardLimit || !this.canSend) return -1;
    return this.#transport.socket;
  }

  /** The socket of `socketFor` has taken the first bytes of the frames, some at least; the rest is sent. */
  framesSent(frames: SharedFrames, taken: number): void {
    this.messagesSent += frames.messages;
    this.bytesSent += taken;
    this.connection.framesSent(frames, taken);
    if (taken < frames.size) this.#flush();
  }

  /** Sends a message that others are sent as well; otherwise as `sendFrames`. */
  sendPrepared(message: PreparedMessage): void {
    if (!this.#deliver()) return;
    const { payload, isText, compress } = message;
    const before = this.connection.queuedBytes;
    this.#share(() => {
      if (this.#outbox !== null) this.#outbox.push(payload, !isText, compress);
      else this.#count(1, this.connection.queuePrepared(message), before);
    });
    this.wake();
  }

  /** Queues what was published before; whether messages can be sent still, where that was too much. */
  #deliver(): boolean {
    if (!this.canSend || this.#published === null) return this.canSend;
    this.#published.deliver();
    return this.canSend;
  }

  /** What is refused to one must not keep the others from it, nor call its owner amidst of them. */
  #share(queue: () => void): void {
    try {
      queue();
    } catch (error) {
      if (!(error instanceof SendLimitError)) throw error;
      this.#fail(error.event === null ? error : new SendLimitError(null));
    }
  }

  /**
   * Starts the closing handshake behind what was sent before. Closing again does nothing.
   *
   * @throws LocalProtocolError for a code or reason that may not be sent
   */
  close(code: number, reason: string): void {
    if (!this.canSend) return;
    this.#published?.deliver();
    if (this.#outbox === null) {
      this.closeNow(code, reason);
      return;
    }
    checkClose(code, reason);
    this.#outbox.close(code, reason);
  }

  closeNow(code: number, reason: string): void {
    if (!this.connection.canSend) return;
    this.connection.queue(new CloseConnection(code, reason));
    this.wake();
  }

  /** Counts messages that were queued where so many bytes were. */
  #count(messages: number, more: boolean, before: number): void {
    const { connection } = this;
    // What is too much may leave a Close in its place.
    if (more || (connection.queuedBytes > before && connection.canSend)) this.messagesSent += messages;
  }

  /** Something was queued, or the state of the connection changed, outside of an event. */
  wake(): void {
    if (!this.#pumping) this.#askForTurn();
  }

  /** Writes nothing until as many calls of `uncork` follow. */
  cork(): void {
    this.#corks++;
  }

  /** Writes, at once, what was sent since `cork`. */
  uncork(): void {
    if (--this.#corks === 0) this.#flush();
  }

  /** Hands out no event, and reads nothing, until `resume`; once the stream is closed it is too late. */
  pause(): void {
    if (this.#streamClosed) return;
    this.#hold(HOLD_USER);
    this.wake();
  }

  resume(): void {
    if ((this.#holds & HOLD_USER) !== 0) this.#release(HOLD_USER);
  }

  get isPaused(): boolean {
    return (this.#holds & HOLD_USER) !== 0;
  }

  /** Gives the connection up and cuts the stream off. No event follows but a close event, unless there was one. */
  destroy(): void {
    this.connection.abort();
    this.#holds &= ~HOLD_USER;
    this.#transport.destroy();
  }

  // What the outbox says.

  onOutboxEmpty(owedDrain: boolean): void {
    this.#outbox = null;
    // Once the stream has closed, whoever waited for a drain was told.
    if (owedDrain && !this.connection.needsDrain && !this.#streamClosed) this.#drained();
  }

  /** A message that cannot be sent leaves a gap, so nothing may follow it. */
  onOutboxError(thrown: unknown): void {
    if (this.#closeTold) return;
    this.#owner.onStreamError(asError(thrown));
    this.closeNow(CloseCode.INTERNAL_ERROR, '');
  }

  // What the transport says.

  onData(chunk: Buffer): void {
    this.#receive(chunk);
    this.#pump();
  }

  onSharedData(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    this.connection.receiveBorrowed(chunk);
    this.#pump();
    this.connection.keep();
  }

  onEnd(): void {
    this.connection.receiveData(null);
    this.#pump();
  }

  onUnwritable(): void {
    if (this.#streamClosed) return;
    this.#unwritable = true;
    // Whoever waits for a drain would wait for ever, and hold what there is to read yet, which the close is behind.
    if (this.#owesDrain && !this.#closeTold) this.#drained();
    else if ((this.#holds & HOLD_DRAIN) !== 0) this.#release(HOLD_DRAIN);
  }

  onGoingAway(): void {
    this.close(CloseCode.GOING_AWAY, '');
  }

  onError(error: Error): void {
    // After the close event nothing is left that could fail.
    if (this.connection.state !== ConnectionState.CLOSED) this.#owner.onStreamError(error);
  }

  onClose(): void {
    this.#streamClosed = true;
    this.#tellFault();
    wheel.set(this, null);
    this.connection.receiveData(null);
    this.#holds &= ~HOLD_USER;
    // Whoever waits for a drain would wait for ever, and hold the close event meanwhile.
    const owesDrain = this.#owesDrain || this.#drainDue || this.#hasRefused;
    this.#outbox?.abandon();
    this.#outbox = null;
    if (owesDrain && !this.#closeTold) this.#drained();
    else this.#release(HOLD_DRAIN);
  }

  onWritten(error?: Error | null): void {
    this.#acknowledge(!error);
    // A stream of HTTP/2 may tell of it when it is closed.
    if (error || this.#streamClosed) return;
    this.#flush();
    if (this.#drainDue) this.#drained();
  }

  onDeadline(now: number): void {
    const { connection } = this;
    connection.handleTimeout(now);
    if (this.#idle?.isIdle(this, now)) this.close(CloseCode.GOING_AWAY, 'idle');
    this.#pump();
    if (connection.transport === 'destroy' && connection.nextDeadline() === null) this.#transport.destroy();
    else this.#armDeadline();
  }

  onTurnEnd(): void {
    this.#turnAsked = false;
    this.#tellFault();
    if (this.#drainDue && !this.#closeTold) this.#drained();
    this.#flush();
    if (!this.#wantsReading()) this.#setReading(false);
  }

  // What comes of it.

  /**
   * A server reads no more than it can answer. A client that did the same would wait for a server that waits for it: what
   * it sends is bounded by whoever heeds `send`, and by `sendHardLimit`.
   */
  get #holdsForDrain(): boolean {
    return this.connection.type === ConnectionType.SERVER && !this.#unwritable;
  }

  get #owesDrain(): boolean {
    return this.connection.needsDrain || this.#outbox?.owesDrain === true;
  }

  #receive(chunk: Uint8Array): void {
    this.bytesReceived += chunk.length;
    this.connection.receiveData(chunk);
  }

  /** Hands out events until there are none or something holds them, then writes what came of it. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const { connection } = this;
    for (;;) {
      if (this.#holdsForDrain && this.#owesDrain && !this.#streamClosed) this.#hold(HOLD_DRAIN);
      const kind = connection.poll();
      if (kind === Kind.NEED_DATA || kind === Kind.PAUSED) break;
      if (kind === Kind.TEXT || kind === Kind.BYTES) this.messagesReceived++;
      else if (kind === Kind.CLOSE) this.#beforeClose();
      const pending = this.#owner.onEvent(kind);
      if (pending !== undefined) this.#holdFor(pending);
    }
    this.#pumping = false;
    // An owner whose promise settles within the turn has more to say in it.
    if ((this.#holds & HOLD_OWNER) !== 0) this.#askForTurn();
    else this.#flush();
    this.#settleReading();
    if (this.#streamClosed) this.#finish();
  }

  /** Work that had left the thread is done. */
  #onReady(): void {
    const { connection } = this;
    // What was to be sent could not be compressed, and nothing bounds the wait for a peer that does not know.
    const hasFailed = connection.transport === 'destroy' && connection.state !== ConnectionState.CLOSED;
    this.#pump();
    if (hasFailed) this.#transport.destroy();
  }

  #hold(reason: number): void {
    this.#holds |= reason;
    this.connection.pause();
  }

  #release(reason: number): void {
    this.#holds &= ~reason;
    if (this.#holds !== 0) return;
    this.connection.resume();
    this.#pump();
  }

  #holdFor(pending: Promise<void>): void {
    this.#pending++;
    this.#hold(HOLD_OWNER);
    pending.then(() => {
      if (--this.#pending === 0) this.#release(HOLD_OWNER);
    });
  }

  #askForTurn(): void {
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    atTurnEnd(this);
  }

  /** Reads on when more is wanted; stops when it is not, at once only where bytes pile up. */
  #settleReading(): void {
    const { connection } = this;
    if (this.#wantsReading()) this.#setReading(true);
    else if (connection.bufferedBytes > connection.config.receiveHighWater) this.#setReading(false);
    else this.#askForTurn();
  }

  /** Whether to read: also to the end of a stream of which nothing is wanted any more. */
  #wantsReading(): boolean {
    return this.connection.wantsData || this.connection.state === ConnectionState.CLOSED;
  }

  #setReading(reading: boolean): void {
    if (this.#reading === reading || this.#streamClosed) return;
    this.#reading = reading;
    if (reading) this.#transport.resume();
    else this.#transport.pause();
  }

  #flush(): void {
    if (this.#streamClosed || this.#ended || this.#corks > 0) return;
    const { connection } = this;
    const transport = this.#transport;
    if (connection.state !== ConnectionState.OPEN) this.#armDeadline();
    while (this.#writing === 0 && !transport.destroyed) {
      if (!connection.hasOutput) {
        // What is still being compressed is to be written before the end.
        if (connection.queuedBytes > 0) return;
        const advice = connection.transport;
        if (advice === 'half-close' || advice === 'destroy') {
          this.#ended = true;
          transport.end();
        }
        return;
      }
      if (!this.#write()) return;
      // A write that has failed is told of as one, and the transport is gone.
      this.#acknowledge(!transport.destroyed);
      // To drain at once would be to hand out, and to send, without end.
      if (this.#drainDue) this.#askForTurn();
    }
  }

  /** Writes a piece of the output; whether the system has taken it at once. */
  #write(): boolean {
    const parts = gathered ?? [];
    gathered = null;
    try {
      this.#writing = this.connection.takeOutput(parts, WRITE_SIZE);
      if (!this.#transport.write(parts)) return false;
    } catch (error) {
      // What was sent is not there any more, transferred to another thread say. The turn is that of others as well.
      this.#fail(asError(error));
      this.destroy();
      return false;
    }
    // Emptied so, it keeps its memory for the next.
    while (parts.length > 0) parts.pop();
    gathered = parts;
    return true;
  }

  /** @param taken whether the system has taken the write, or it has failed */
  #acknowledge(taken: boolean): void {
    const { connection } = this;
    const owedDrain = connection.needsDrain;
    const size = this.#writing;
    this.#writing = 0;
    if (taken) this.bytesSent += size;
    connection.acknowledge(size);
    // What waits behind a Blob has room only when that was sent too.
    if (owedDrain && !this.#owesDrain) this.#drainDue = true;
  }

  /**
   * Nothing can be sent any more, which whoever now waits for a drain does not know; it may hold the close event. Who
   * sends when there is a drain would be told, and send, without end.
   */
  #refused(): void {
    if (this.#closeTold || this.#draining) return;
    this.#hasRefused = true;
    if (!this.#streamClosed && !this.#unwritable) return;
    this.#drainDue = true;
    this.#askForTurn();
  }

  #fail(error: Error): void {
    this.#fault = error;
    this.#askForTurn();
  }

  #beforeClose(): void {
    this.#tellFault();
    this.#closeTold = true;
  }

  #tellFault(): void {
    const fault = this.#fault;
    if (fault === null) return;
    this.#fault = null;
    if (!this.#closeTold) this.#owner.onStreamError(fault);
  }

  #drained(): void {
    this.#drainDue = false;
    this.#draining = true;
    const pending = this.#owner.onDrain();
    this.#draining = false;
    if (pending !== undefined) this.#holdFor(pending);
    this.#release(HOLD_DRAIN);
  }

  #armDeadline(): void {
    if (this.#streamClosed) return;
    const deadline = this.connection.nextDeadline();
    const idle = this.#idle !== null && this.connection.canSend ? this.#idle.deadline : null;
    wheel.set(this, deadline === null || idle === null ? (deadline ?? idle) : Math.min(deadline, idle));
  }

  /** After the stream has closed: tells the owner, once the last event is handled. */
  #finish(): void {
    if (this.#gone || this.#holds !== 0 || !this.#closeTold) return;
    this.#gone = true;
    this.#owner.onGone();
    // Nobody is there for what is still to be compressed.
    this.connection.abort();
  }
}

function bytesOf(data: Exclude<Sendable, string | Blob>): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // What is no memory at all, the connection refuses.
  return data instanceof ArrayBuffer || data instanceof SharedArrayBuffer ? new Uint8Array(data) : data;
}
