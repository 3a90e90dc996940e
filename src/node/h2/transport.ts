/**
 * A stream of node:http2 under a link. Its window is what holds the peer: a stream that is paused gives none back, and
 * node:http2 gives back that of the session whether streams are read or not, so that none holds up another.
 */

import type { Http2Session, Http2Stream } from 'node:http2';
import { addAbortSignal, type Duplex } from 'node:stream';
import { StreamTransport, type TransportOwner } from '../transport.js';
import { CANCEL, NO_ERROR } from './codes.js';

/** Streams that were reset from here. */
const cancelled = new WeakSet<Http2Stream>();

/** Whoever is told that a session is about to end; one listener serves all streams of a session. */
const onSessions = new WeakMap<Http2Session, Set<TransportOwner>>();

export function isHttp2Stream(stream: Duplex): stream is Http2Stream {
  return typeof (stream as Partial<Http2Stream>).rstCode === 'number';
}

/** Whether a stream, now closed, was read to its end: one of HTTP/2 ends as well when it is reset. */
export function hasEnded(stream: Duplex): boolean {
  return stream.readableEnded && stream.errored === null && !(isHttp2Stream(stream) && stream.rstCode !== NO_ERROR);
}

/**
 * Whether it was the peer, or node:http2 on account of the peer, that reset a stream; with NO_ERROR too, where there was
 * no answer yet.
 */
export function wasReset(stream: Http2Stream): boolean {
  return (stream.rstCode !== NO_ERROR || stream.aborted) && !cancelled.has(stream);
}

/** Resets a stream for a fault of our own. */
export function reset(stream: Http2Stream, code: number): void {
  if (stream.closed) return;
  cancelled.add(stream);
  stream.close(code);
}

/**
 * Resets a stream with CANCEL, as a TCP connection would be (RFC 8441 §5). It may have an error event, which tells of
 * nothing else. To close it with that code would end it in order before, which is for the peer to believe.
 */
export function cancel(stream: Http2Stream): void {
  if (stream.closed || stream.destroyed) {
    stream.destroy();
    return;
  }
  cancelled.add(stream);
  const abort = new AbortController();
  addAbortSignal(abort.signal, stream);
  abort.abort();
}

/** Cuts off a stream of any kind whose peer has given it up: over HTTP/2 that is as good as a reset of the peer's. */
export function giveUp(stream: Duplex): void {
  if (isHttp2Stream(stream)) stream.close(CANCEL);
  stream.destroy();
}

/** Cuts off a stream of any kind. */
export function cutOff(stream: Duplex): void {
  if (isHttp2Stream(stream)) cancel(stream);
  else stream.destroy();
}

export class Http2Transport extends StreamTransport {
  readonly #stream: Http2Stream;
  readonly #owner: TransportOwner;

  constructor(stream: Http2Stream, owner: TransportOwner) {
    super(stream, owner, true);
    this.#stream = stream;
    this.#owner = owner;
  }

  override start(): void {
    super.start();
    const stream = this.#stream;
    const { session } = stream;
    // A stream that the peer has reset with NO_ERROR is kept by node:http2 until all is read, and all is written, which it
    // never is. Of the reset it tells within a call of nghttp2's, which is no place for handlers to be called.
    stream.on('aborted', () => setImmediate(() => this.#owner.onUnwritable()));
    stream.on('end', () => {
      if (stream.aborted) stream.destroy();
    });
    if (session === undefined) return;
    const owners = ownersOn(session);
    owners.add(this.#owner);
    stream.on('close', () => owners.delete(this.#owner));
    // It came while the handshake was under way.
    if (session.closed) this.#owner.onGoingAway();
  }

  protected override onError(error: Error): void {
    if (!cancelled.has(this.#stream)) super.onError(error);
  }

  override destroy(): void {
    cancel(this.#stream);
  }

  /** What the peer has closed takes nothing any more, though there may be something to read yet. */
  override get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

function ownersOn(session: Http2Session): Set<TransportOwner> {
  const found = onSessions.get(session);
  if (found !== undefined) return found;
  const owners = new Set<TransportOwner>();
  onSessions.set(session, owners);
  session.on('goaway', (code) => {
    // With an error the session is over at once.
    if (code === NO_ERROR) for (const owner of owners) owner.onGoingAway();
  });
  return owners;
}
