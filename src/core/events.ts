/**
 * The events of a WebSocket connection: the same classes in both directions, as in wsproto. Some are received, some
 * are sent, most are both.
 */

import type { ProtocolError } from './errors.js';
import type { Extension, ExtensionOffer } from './extensions/extension.js';

/** Header fields as name and value pairs, in the order of the wire; a repeated field is a repeated pair. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** A client asks for a WebSocket (RFC 6455 §4.1, RFC 8441 §5). */
export class Request {
  readonly type = 'request';
  /** The authority asked for: the Host field, or `:authority`. */
  readonly host: string;
  /** The request target in origin form, path and query: `/chat?room=1`. */
  readonly target: string;
  /** Subprotocols in the client's order of preference. */
  readonly subprotocols: readonly string[];
  /** Extension offers in the client's order of preference. */
  readonly extensions: readonly ExtensionOffer[];
  /** Every header field that the handshake itself does not use. */
  readonly extraHeaders: HeaderList;

  constructor(init: {
    host: string;
    target: string;
    subprotocols?: readonly string[];
    extensions?: readonly ExtensionOffer[];
    extraHeaders?: HeaderList;
  }) {
    this.host = init.host;
    this.target = init.target;
    this.subprotocols = init.subprotocols ?? [];
    this.extensions = init.extensions ?? [];
    this.extraHeaders = init.extraHeaders ?? [];
  }
}

/** A server accepts a request. */
export class AcceptConnection {
  readonly type = 'accept';
  /** The one subprotocol chosen from the request's, or null. */
  readonly subprotocol: string | null;
  /** On receipt, the extensions in use; when sending they come from the negotiation and this is not read. */
  readonly extensions: readonly Extension[];
  readonly extraHeaders: HeaderList;

  constructor(
    init: { subprotocol?: string | null; extensions?: readonly Extension[]; extraHeaders?: HeaderList } = {},
  ) {
    this.subprotocol = init.subprotocol ?? null;
    this.extensions = init.extensions ?? [];
    this.extraHeaders = init.extraHeaders ?? [];
  }
}

/** A server refuses a request with an ordinary HTTP response. */
export class RejectConnection {
  readonly type = 'reject';
  /** The HTTP status: to send, 300 to 599; received, any final one but 101. */
  readonly statusCode: number;
  readonly headers: HeaderList;
  /** True when `RejectData` events follow, up to one with `bodyFinished`. */
  readonly hasBody: boolean;

  constructor(init: { statusCode?: number; headers?: HeaderList; hasBody?: boolean } = {}) {
    this.statusCode = init.statusCode ?? 400;
    this.headers = init.headers ?? [];
    this.hasBody = init.hasBody ?? false;
  }
}

/** A piece of the body of a rejection. */
export class RejectData {
  readonly type = 'reject-data';
  readonly data: Uint8Array;
  /** True on the last piece. */
  readonly bodyFinished: boolean;

  constructor(data: Uint8Array, bodyFinished = true) {
    this.data = data;
    this.bodyFinished = bodyFinished;
  }
}

/** A text message or, where `delivery` is not `'messages'`, a piece of one (RFC 6455 §5.6). */
export class TextMessage {
  readonly type = 'text';
  readonly data: string;
  /** True when this piece ends its frame. */
  readonly frameFinished: boolean;
  /** True when this piece ends its message. When sending, false leaves the message open for more fragments. */
  readonly messageFinished: boolean;

  constructor(data: string, messageFinished = true, frameFinished = true) {
    this.data = data;
    this.messageFinished = messageFinished;
    this.frameFinished = frameFinished;
  }
}

/** A binary message or, where `delivery` is not `'messages'`, a piece of one (RFC 6455 §5.6). */
export class BytesMessage {
  readonly type = 'bytes';
  readonly data: Uint8Array;
  /** True when this piece ends its frame. */
  readonly frameFinished: boolean;
  /** True when this piece ends its message. When sending, false leaves the message open for more fragments. */
  readonly messageFinished: boolean;

  constructor(data: Uint8Array, messageFinished = true, frameFinished = true) {
    this.data = data;
    this.messageFinished = messageFinished;
    this.frameFinished = frameFinished;
  }
}

const EMPTY = new Uint8Array(0);

/** A Ping; its payload is at most 125 bytes (RFC 6455 §5.5.2). */
export class Ping {
  readonly type = 'ping';
  readonly payload: Uint8Array;

  constructor(payload: Uint8Array = EMPTY) {
    this.payload = payload;
  }

  /** The Pong that answers this Ping (RFC 6455 §5.5.3). */
  response(): Pong {
    return new Pong(this.payload);
  }
}

/** A Pong; its payload is at most 125 bytes (RFC 6455 §5.5.3). */
export class Pong {
  readonly type = 'pong';
  readonly payload: Uint8Array;

  constructor(payload: Uint8Array = EMPTY) {
    this.payload = payload;
  }
}

/**
 * Who ended the connection: `'peer'` a Close frame came, `'violation'` the peer broke the protocol or a limit,
 * `'eof'` the stream ended without a Close, `'timeout'` a deadline passed, `'local'` the caller made it to be sent, or
 * gave the connection up.
 */
export type CloseOrigin = 'local' | 'peer' | 'violation' | 'eof' | 'timeout';

/** The end of the connection (RFC 6455 §5.5.1, §7). */
export class CloseConnection {
  readonly type = 'close';
  /**
   * The status code. Received: the peer's; 1005 when its Close had none; 1006 when no Close came; for a violation the
   * code we answered with. To send: a code that may be sent, or 1005 for a Close without one.
   */
  readonly code: number;
  /** The reason, '' for none; at most 123 bytes of UTF-8 when sent. */
  readonly reason: string;
  readonly origin: CloseOrigin;
  /** For `'violation'` and `'timeout'`, what went wrong; otherwise null. */
  readonly error: ProtocolError | null;

  constructor(code = 1005, reason = '', origin: CloseOrigin = 'local', error: ProtocolError | null = null) {
    this.code = code;
    this.reason = reason;
    this.origin = origin;
    this.error = error;
  }

  /** The Close that answers this one: the same code, without a reason (RFC 6455 §5.5.1). */
  response(): CloseConnection {
    return new CloseConnection(this.code);
  }
}

/** Events of an established connection. */
export type FrameEvent = TextMessage | BytesMessage | Ping | Pong | CloseConnection;

/** Events of the opening handshake. */
export type HandshakeEvent = Request | AcceptConnection | RejectConnection | RejectData;

/** Returned by `nextEvent()` when more bytes are needed first. */
export const NEED_DATA: unique symbol = Symbol('NEED_DATA');

/** Returned by `nextEvent()` while the connection is paused. */
export const PAUSED: unique symbol = Symbol('PAUSED');
