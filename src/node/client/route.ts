/** The way of a client's request to a server and of the answer back, in one version of HTTP or the other. */

import type { Duplex } from 'node:stream';
import type { Handshake } from '../../core/index.js';
import type { HandshakeErrorInit } from './handshake-error.js';

/** What a route has led to. */
export interface Arrival {
  /** Must be read from at once. */
  readonly stream: Duplex;
  /** What followed the answer. */
  readonly head: Uint8Array;
  readonly remoteAddress: string;
}

export interface Route {
  readonly httpVersion: '1.1' | '2.0';
  /** The request is sent in it already, though it has not gone out. */
  readonly handshake: Handshake;
  /** What is waited for, for messages. */
  readonly waitsFor: string;
  /** Whether the request has gone out, and whether anything has come back. */
  readonly sent: boolean;
  readonly heard: boolean;
  /** Begins. Nothing is told before this has returned. */
  open(): void;
  /** Lets go of the stream, which the server has accepted. */
  arrive(): Arrival;
  /** Gives up; nothing is told any more. */
  cutOff(): void;
}

/** Whoever has chosen a route. */
export interface RouteOwner {
  /** The handshake has taken something, and may have an event. */
  onProgress(): void;
  onError(thrown: unknown): void;
  onClose(): void;
  /** A failure that the route knows the name of. */
  onFailure(code: string, message: string, init?: HandshakeErrorInit): void;
  /**
   * HTTP/2 cannot be had.
   *
   * @param stream a connection to the server that is open already, for HTTP/1.1
   */
  onlyHttp1(code: string, message: string, init?: HandshakeErrorInit, stream?: Duplex | null): void;
}
