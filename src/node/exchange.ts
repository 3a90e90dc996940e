/**
 * Requests that may become WebSockets. What a server does with one is the same whichever version of HTTP it came in; how
 * it is read and answered, each version has a file for.
 */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type {
  AcceptConnection,
  Handshake,
  HandshakeOptions,
  HeaderList,
  RejectConnection,
  Request,
} from '../core/index.js';

/** Writes a refusal to the stream of its request, and ends it. */
export type Refuse = () => void;

/** A request as an HTTP server has read it, and the stream to answer it on. */
export interface Exchange {
  readonly httpVersion: '1.1' | '2.0';
  readonly stream: Duplex;
  /** What was read behind the request. */
  readonly head: Uint8Array;
  /** Names in lower case, as node:http joins them. */
  readonly headers: IncomingHttpHeaders;
  readonly incoming: IncomingMessage | Http2ServerRequest;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly tls: TLSSocket | null;
  /** Whether the client has gone, so that no answer reaches it. */
  readonly isGone: boolean;

  /** Makes the stream ours; false when it is of no use any more. */
  take(): boolean;
  /** A refusal that needs no look at the handshake. */
  turnedAway(statusCode: number, headers?: HeaderList): Refuse;
  /** Begins the handshake; the rest here is for when it has begun. */
  begin(options: HandshakeOptions): Handshake;
  /** Reads the request; throws as `nextEvent` of the handshake does. */
  receive(): Request;
  /** Writes the acceptance; throws as `send` of the handshake does. */
  accept(event: AcceptConnection): void;
  /** @throws LocalProtocolError as `send` of the handshake does, before anything is written */
  refuse(event: RejectConnection, body: Uint8Array): Refuse;
}
