/** Upgrade requests of node:http. */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import {
  type AcceptConnection,
  ConnectionType,
  H1Handshake,
  type Handshake,
  type HandshakeOptions,
  type HeaderList,
  type RejectConnection,
  RejectData,
  type Request,
} from '../core/index.js';
import type { Exchange, Refuse } from './exchange.js';
import { pairsOf } from './headers.js';
import { refusalOf } from './refusal.js';
import { takeOver } from './take-over.js';

export class H1Exchange implements Exchange {
  readonly httpVersion = '1.1';
  readonly stream: Duplex;
  readonly head: Uint8Array;
  readonly incoming: IncomingMessage;
  readonly remoteAddress: string;
  readonly remotePort: number;
  #handshake!: H1Handshake;

  constructor(incoming: IncomingMessage, stream: Duplex, head: Uint8Array) {
    this.incoming = incoming;
    this.stream = stream;
    this.head = head;
    // Later it may not be known any more.
    const { remoteAddress = '', remotePort = 0 } = stream as Partial<Socket>;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  get headers(): IncomingHttpHeaders {
    return this.incoming.headers;
  }

  get tls(): TLSSocket | null {
    return this.stream instanceof TLSSocket ? this.stream : null;
  }

  get isGone(): boolean {
    return this.stream.destroyed;
  }

  take(): boolean {
    return takeOver(this.stream);
  }

  turnedAway(statusCode: number, headers: HeaderList = []): Refuse {
    return this.#refusal(refusalOf(statusCode, headers));
  }

  begin(options: HandshakeOptions): Handshake {
    this.#handshake = new H1Handshake(ConnectionType.SERVER, options);
    return this.#handshake;
  }

  receive(): Request {
    const { rawHeaders, method = '', url: target = '', httpVersion } = this.incoming;
    return this.#handshake.receiveRequest({ method, target, httpVersion, headers: pairsOf(rawHeaders) });
  }

  accept(event: AcceptConnection): void {
    this.stream.write(this.#handshake.send(event));
  }

  refuse(event: RejectConnection, body: Uint8Array): Refuse {
    const head = this.#handshake.send(event);
    return event.hasBody ? this.#refusal(head, this.#handshake.send(new RejectData(body))) : this.#refusal(head);
  }

  #refusal(...parts: Uint8Array[]): Refuse {
    return () => {
      for (const part of parts) this.stream.write(part);
      this.stream.end();
    };
  }
}
