/**
 * A request by HTTP/1.1, on a connection of its own. Nothing that comes meanwhile piles up: every chunk is read at once,
 * and its header block is bounded. The bytes after a 101 go to whoever takes the stream over, which happens within the
 * event that brought them, so that none can come in between.
 */

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ConnectionType, H1Handshake, type HandshakeOptions, type Request } from '../../core/index.js';
import { ignore } from '../refusal.js';
import type { Arrival, Route, RouteOwner } from './route.js';
import type { Target } from './target.js';
import { isTlsAlert } from './tls-faults.js';
import { openTransport, readyEvent, type TransportOptions } from './transport.js';

export class H1Route implements Route {
  readonly httpVersion = '1.1';
  readonly handshake: H1Handshake;
  waitsFor = 'a connection';
  sent = false;
  heard = false;
  readonly #target: Target;
  readonly #options: TransportOptions;
  readonly #owner: RouteOwner;
  readonly #request: Uint8Array;
  readonly #given: Duplex | null;
  #stream: Duplex | null = null;
  #over = false;

  /**
   * @param given a connection that is open already, if there is one
   * @throws LocalProtocolError as `H1Handshake.send` does
   */
  constructor(
    request: Request,
    handshake: HandshakeOptions,
    target: Target,
    options: TransportOptions,
    owner: RouteOwner,
    given: Duplex | null = null,
  ) {
    this.handshake = new H1Handshake(ConnectionType.CLIENT, handshake);
    this.#request = this.handshake.send(request);
    this.#target = target;
    this.#options = options;
    this.#owner = owner;
    this.#given = given;
  }

  open(): void {
    process.nextTick(this.#open);
  }

  arrive(): Arrival {
    const stream = this.#stream as Duplex;
    this.#over = true;
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    stream.off('error', this.#onError);
    stream.off('close', this.#onClose);
    const { remoteAddress = '' } = stream as Partial<Socket>;
    return { stream, head: this.handshake.trailingData, remoteAddress };
  }

  cutOff(): void {
    this.#over = true;
    const stream = this.#stream ?? this.#given;
    if (stream === null) return;
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    stream.on('error', ignore);
    stream.destroy();
  }

  readonly #open = (): void => {
    if (this.#over) return;
    try {
      const opening = this.#given ?? openTransport(this.#target, this.#options);
      if ('then' in opening) opening.then(this.#attach, this.#onError);
      else this.#attach(opening);
    } catch (error) {
      this.#onError(error);
    }
  };

  readonly #attach = (stream: Duplex): void => {
    this.#stream = stream;
    if (this.#over) {
      this.cutOff();
      return;
    }
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
    const ready = readyEvent(stream);
    if (stream.destroyed) this.#onClose();
    else if (ready === null) this.#onReady();
    else {
      if (ready === 'secureConnect') this.waitsFor = 'a TLS connection';
      stream.once(ready, this.#onReady);
    }
  };

  readonly #onReady = (): void => {
    if (this.#over) return;
    const stream = this.#stream as Duplex;
    if ('setNoDelay' in stream) (stream as Socket).setNoDelay(true);
    this.waitsFor = 'an answer';
    this.sent = true;
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
    stream.write(this.#request);
  };

  readonly #onData = (chunk: Buffer): void => {
    if (!this.heard && !this.#target.secure && isTlsAlert(chunk)) {
      this.#owner.onFailure('TLS_EXPECTED', 'the server speaks TLS: its URL begins with wss:');
      return;
    }
    this.heard = true;
    // What it returns asks for patience that is never needed: what has come is read here and now.
    this.handshake.receiveData(chunk);
    this.#owner.onProgress();
  };

  readonly #onEnd = (): void => {
    this.handshake.receiveData(null);
    this.#owner.onProgress();
  };

  readonly #onError = (thrown: unknown): void => {
    if (!this.#over) this.#owner.onError(thrown);
  };

  readonly #onClose = (): void => {
    if (!this.#over) this.#owner.onClose();
  };
}
