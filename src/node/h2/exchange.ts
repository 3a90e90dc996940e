/** An extended CONNECT on a stream of node:http2, at the server. */

import type { IncomingHttpHeaders } from 'node:http';
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import {
  type AcceptConnection,
  ConnectionType,
  H2Handshake,
  type H2Output,
  type Handshake,
  type HandshakeOptions,
  type HeaderList,
  type RejectConnection,
  RejectData,
  type Request,
} from '../../core/index.js';
import type { Exchange, Refuse } from '../exchange.js';
import { fieldsOf, pairsOf } from '../headers.js';
import { pathOf } from '../paths.js';
import { ignore } from '../refusal.js';
import { warn } from '../thrown.js';
import { INTERNAL_ERROR, NO_ERROR } from './codes.js';
import { http2 } from './module.js';
import { connectionOf } from './sessions.js';
import { reset } from './transport.js';
import { joinUnread } from './unread.js';

const EMPTY = new Uint8Array(0);

/** How often, and every how many milliseconds, to look whether a refusal was written. */
const MOST_LOOKS = 20;
const LOOK_AGAIN = 5;

/** The fields of a request as node:http2 has read them. */
export interface ReceivedHeaders {
  readonly headers: IncomingHttpHeaders;
  /** Names and values by turns. */
  readonly rawHeaders: readonly string[];
}

export class H2Exchange implements Exchange {
  readonly httpVersion = '2.0';
  readonly stream: ServerHttp2Stream;
  readonly head = EMPTY;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly tls: TLSSocket | null;
  readonly #received: ReceivedHeaders;
  #handshake!: H2Handshake;
  #headers: IncomingHttpHeaders | null = null;
  #incoming: Http2ServerRequest | null = null;
  #looks = 0;

  constructor(stream: ServerHttp2Stream, received: ReceivedHeaders) {
    this.stream = stream;
    this.#received = received;
    // Later it may not be known any more. A session that began before anything of ours has only a likeness of its socket.
    const { session } = stream;
    const socket = session && (connectionOf(session) ?? session.socket);
    this.remoteAddress = socket?.remoteAddress ?? '';
    this.remotePort = socket?.remotePort ?? 0;
    this.tls = session?.encrypted ? (socket as TLSSocket) : null;
  }

  /** The path asked for, or null where it is not for a WebSocket. */
  get path(): string | null {
    const { ':protocol': protocol, ':path': path } = this.#received.headers;
    return String(protocol).toLowerCase() === 'websocket' && path !== undefined ? pathOf(String(path)) : null;
  }

  /** As those of a request of HTTP/1.1. */
  get headers(): IncomingHttpHeaders {
    if (this.#headers === null) {
      const { headers } = this.#received;
      const fields = Object.entries(headers).filter(([name]) => !name.startsWith(':'));
      // RFC 9113 §8.3.1: a Host beside it does not count.
      this.#headers = { ...Object.fromEntries(fields), host: String(headers[':authority']) };
    }
    return this.#headers;
  }

  /** Made when somebody asks for it: few do. */
  get incoming(): Http2ServerRequest {
    if (this.#incoming === null) {
      const { headers, rawHeaders } = this.#received;
      this.#incoming = new (http2().Http2ServerRequest)(this.stream, headers, {}, rawHeaders as string[]);
    }
    return this.#incoming;
  }

  get isGone(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  take(): boolean {
    // One that is over already may have yet to tell of its error, which nobody else hears.
    this.stream.on('error', ignore);
    // Where others serve the same sessions, one of them may have answered.
    if (this.isGone || this.stream.headersSent) return false;
    joinUnread(this.stream);
    return true;
  }

  turnedAway(statusCode: number, headers: HeaderList = []): Refuse {
    const fields = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
    return this.#refusal(
      { headers: [[':status', String(statusCode)], ...fields], data: EMPTY, endStream: true },
      EMPTY,
    );
  }

  begin(options: HandshakeOptions): Handshake {
    this.#handshake = new H2Handshake(ConnectionType.SERVER, options);
    return this.#handshake;
  }

  receive(): Request {
    this.#handshake.receiveHeaders(pairsOf(this.#received.rawHeaders), this.stream.endAfterHeaders);
    return this.#handshake.nextEvent() as Request;
  }

  accept(event: AcceptConnection): void {
    this.#respond(this.#handshake.send(event));
  }

  refuse(event: RejectConnection, body: Uint8Array): Refuse {
    const answer = this.#handshake.send(event);
    if (event.hasBody) this.#handshake.send(new RejectData(body));
    return this.#refusal(answer, body);
  }

  #refusal(answer: H2Output, body: Uint8Array): Refuse {
    return () => {
      if (this.isGone) return;
      try {
        this.stream.once('finish', () => setImmediate(this.#release));
        this.#respond(answer);
        if (!answer.endStream) this.stream.end(body);
      } catch (error) {
        // A field that HTTP/2, or node:http2, does not have twice.
        warn(error);
        reset(this.stream, INTERNAL_ERROR);
      }
    };
  }

  /**
   * The client need not end its side (RFC 9113 §8.1), which it is told once all is on its way: a reset overtakes, and
   * drops, a response that nghttp2 has not written yet. Where that takes long it is left to the deadline of refusals.
   */
  readonly #release = (): void => {
    const { session } = this.stream;
    if (session === undefined || session.destroyed || this.isGone) return;
    if (session.state.outboundQueueSize === 0) this.stream.close(NO_ERROR);
    else if (this.#looks++ < MOST_LOOKS) setTimeout(this.#release, LOOK_AGAIN).unref();
  };

  #respond({ headers, endStream }: H2Output): void {
    this.stream.respond(fieldsOf(headers ?? []), { endStream });
  }
}
