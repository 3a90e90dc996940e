/**
 * The seam between a `Connection` and whatever moves its bytes, today any Duplex stream. Servers, clients and pub/sub
 * know this file and no socket.
 *
 * Reading: a chunk is handed to the connection and its events to the owner, one at a time. While the owner works on
 * one (its promise is pending) or more is queued to be sent than `sendHighWater`, no further event is handed out;
 * when that lasts beyond the turn, or raw bytes pile up, the stream is paused, and TCP holds the peer.
 *
 * Writing: what a turn queues leaves in one write, and one write is under way at a time, so that a Pong can overtake
 * what still waits in the connection. What is acknowledged is what the stream has called back for.
 */

import type { Duplex } from 'node:stream';
import { type Connection, ConnectionState, Kind } from '../core/index.js';
import { startReading } from './reads.js';
import { atTurnEnd } from './turn.js';
import { type Timed, wheel } from './wheel.js';

/** Whoever handles the events of a link. */
export interface LinkOwner {
  /**
   * The event at the connection's cursor; a promise holds the next one until it settles. It must not throw or
   * reject.
   */
  onEvent(kind: Kind): Promise<void> | undefined;
  /** A drain that a `queue…` had asked for has come, or the stream has closed instead. A promise holds events as that of `onEvent` does. */
  onDrain(): Promise<void> | undefined;
  /** The stream failed; a close event follows. */
  onStreamError(error: Error): void;
  /** The stream is closed and the close event was handled: nothing follows. */
  onGone(): void;
}

/** The most bytes of one write: how far a Pong can be held up. */
const WRITE_SIZE = 1024 * 1024;

/** Where the views of one write are gathered; empty between two. */
const gathered: Uint8Array[] = [];

const HOLD_OWNER = 1;
const HOLD_DRAIN = 2;

export class Link implements Timed {
  bucket: number | null = null;
  readonly connection: Connection;
  #stream: Duplex;
  readonly #owner: LinkOwner;
  #holds = 0;
  #pending = 0;
  #pumping = false;
  #turnAsked = false;
  #writing = 0;
  #reading = true;
  #streamClosed = false;
  #ended = false;
  #closeTold = false;
  #gone = false;

  constructor(stream: Duplex, connection: Connection, owner: LinkOwner) {
    this.#stream = stream;
    this.connection = connection;
    this.#owner = owner;
  }

  /**
   * Begins to move bytes.
   *
   * @param first what was read from the stream before
   * @param opened the promise of work to be done before the first event is handed out
   */
  start(first: Uint8Array, opened: Promise<void> | undefined): void {
    if (first.length > 0) this.connection.receiveData(first);
    if (opened !== undefined) this.#holdFor(opened);
    this.#stream = startReading(this.#stream, this.#onData);
    this.#stream.on('end', this.#onEnd);
    this.#stream.on('error', this.#onError);
    this.#stream.on('close', this.#onClose);
    // The end may have come already: a socket tells of it, unread, when nothing is before it.
    if (this.#stream.readableEnded) this.connection.receiveData(null);
    this.onDeadline(wheel.now());
  }

  /** Something was queued, or the state of the connection changed, outside of an event. */
  wake(): void {
    if (!this.#pumping) this.#askForTurn();
  }

  /** Gives the connection up and cuts the stream off. No event follows but a close event, unless there was one. */
  destroy(): void {
    this.connection.abort();
    this.#stream.destroy();
  }

  onDeadline(now: number): void {
    const { connection } = this;
    connection.handleTimeout(now);
    this.#pump();
    if (connection.transport === 'destroy' && connection.nextDeadline() === null) this.#stream.destroy();
    else this.#armDeadline();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.connection.receiveData(chunk);
    this.#pump();
  };

  readonly #onEnd = (): void => {
    this.connection.receiveData(null);
    this.#pump();
  };

  readonly #onError = (error: Error): void => {
    // After the close event nothing is left that could fail.
    if (this.connection.state !== ConnectionState.CLOSED) this.#owner.onStreamError(error);
  };

  readonly #onClose = (): void => {
    this.#streamClosed = true;
    wheel.set(this, null);
    this.connection.receiveData(null);
    // Whoever waits for a drain would wait for ever, and hold the close event meanwhile.
    if (this.connection.needsDrain && !this.#closeTold) this.#drained();
    else this.#release(HOLD_DRAIN);
  };

  /** Hands out events until there are none or something holds them, then writes what came of it. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const { connection } = this;
    for (;;) {
      if (connection.needsDrain && !this.#streamClosed) this.#hold(HOLD_DRAIN);
      const kind = connection.poll();
      if (kind === Kind.NEED_DATA || kind === Kind.PAUSED) break;
      if (kind === Kind.CLOSE) this.#closeTold = true;
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
    atTurnEnd(this.#onTurnEnd);
  }

  readonly #onTurnEnd = (): void => {
    this.#turnAsked = false;
    this.#flush();
    if (!this.#wantsReading()) this.#setReading(false);
  };

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
    if (reading) this.#stream.resume();
    else this.#stream.pause();
  }

  #flush(): void {
    if (this.#streamClosed || this.#ended) return;
    const { connection } = this;
    if (connection.state !== ConnectionState.OPEN) this.#armDeadline();
    if (this.#writing > 0 || this.#stream.destroyed) return;
    if (!connection.hasOutput) {
      const { transport } = connection;
      if (transport === 'half-close' || transport === 'destroy') {
        this.#ended = true;
        this.#stream.end();
      }
      return;
    }
    const stream = this.#stream;
    this.#writing = connection.takeOutput(gathered, WRITE_SIZE);
    if (gathered.length === 1) {
      stream.write(gathered.pop(), this.#onWritten);
      return;
    }
    const parts = gathered.splice(0);
    const last = parts.length - 1;
    stream.cork();
    for (let i = 0; i < last; i++) stream.write(parts[i]);
    stream.write(parts[last], this.#onWritten);
    stream.uncork();
  }

  readonly #onWritten = (error?: Error | null): void => {
    const { connection } = this;
    const owedDrain = connection.needsDrain;
    connection.acknowledge(this.#writing);
    this.#writing = 0;
    if (error) return;
    this.#flush();
    if (owedDrain && !connection.needsDrain) this.#drained();
  };

  #drained(): void {
    const pending = this.#owner.onDrain();
    if (pending !== undefined) this.#holdFor(pending);
    this.#release(HOLD_DRAIN);
  }

  #armDeadline(): void {
    if (!this.#streamClosed) wheel.set(this, this.connection.nextDeadline());
  }

  /** After the stream has closed: tells the owner, once the last event is handled. */
  #finish(): void {
    if (this.#gone || this.#holds !== 0) return;
    this.#gone = true;
    this.#owner.onGone();
  }
}
