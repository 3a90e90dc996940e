/**
 * What an extension is to the core (RFC 6455 §9): a configuration that negotiates, and one instance a connection
 * that transforms payloads. Negotiation never changes the configuration; it returns a new instance.
 */

/** One parameter of an extension as in the header field: `name`, or `name=value`. */
export interface ExtensionParameter {
  readonly name: string;
  /** The value with any quotes taken off; null when the parameter has none. */
  readonly value: string | null;
}

/** One element of Sec-WebSocket-Extensions: an offer of a client, or the acceptance of a server. */
export interface ExtensionOffer {
  readonly name: string;
  readonly params: readonly ExtensionParameter[];
}

/**
 * An extension as the user configures it, for either role. One object may serve any number of connections at once,
 * so its methods must not change it.
 */
export interface SupportedExtension {
  /** The registered name, a token: `permessage-deflate`. */
  readonly name: string;
  /** Client: the parameter lists to offer under this name, the preferred first. */
  offers(): readonly (readonly ExtensionParameter[])[];
  /** Server: takes one offer, or returns null to decline it. */
  accept(
    params: readonly ExtensionParameter[],
  ): { readonly params: readonly ExtensionParameter[]; readonly extension: Extension } | null;
  /** Client: takes the server's answer, or throws an Error that says what is wrong with it. */
  finalize(params: readonly ExtensionParameter[]): Extension;
}

/** RSV bits where they stand in the first byte of a frame (RFC 6455 §5.2). */
export const RSV1 = 0x40;
export const RSV2 = 0x20;
export const RSV3 = 0x10;

/** What an extension made of an outgoing payload: the payload, and the RSV bits that the frame must carry. */
export interface EncodedPayload {
  readonly payload: Uint8Array;
  /** RSV bits to set on this frame; 0 for none. */
  readonly rsv: number;
  /** Whether the payload's memory will be used again; otherwise it must not change any more. */
  readonly lent?: boolean;
}

/**
 * What connections with the same agreement have in common: a way to encode a message by itself, without a reference to
 * earlier ones, so that the outcome is good for all of them. The same object means the same agreement.
 */
export interface SharedEncoder {
  /** What encodes one whole message of that size, in bytes; null where it is to be sent as it is. */
  forMessage(size: number): Pick<Required<Extension>, 'encode' | 'encoded'> | null;
  /** Whether to encode a message of that size takes so long that it is better done elsewhere. */
  takesLong(size: number): boolean;
}

/**
 * An extension in use on one connection. It sees data frames only (RFC 6455 §5.5), and on the way in only those of
 * messages whose first frame carries one of its RSV bits: a message without them was left as it is. On the way out
 * extensions apply in the negotiated order, on the way in they are undone in reverse (§9.1).
 *
 * What takes long may be done elsewhere: an extension that is given `whenReady` may return null and call it later, once,
 * not before it has returned. Where `whenReady` is null it has to be done at once.
 */
export interface Extension {
  readonly name: string;
  /** The RSV bits that this extension gives a meaning: a combination of RSV1, RSV2, RSV3, at least one. */
  readonly rsv: number;
  /**
   * Undoes the transformation of one piece of a message. What it returns is handed to the application, so it must not
   * change afterwards.
   *
   * @param data the unmasked payload, or a piece of it; it may be changed in place, and is the caller's again when null
   *   was returned or nothing more comes of it
   * @param rsv the RSV bits on the first frame of the message
   * @param finished true with the last piece of the message
   * @param limit the most bytes that may come out; more is a `RangeError`, raised before they are stored
   * @returns what comes out, or the first part of it where there is `more`; null when `more` gives it later
   * @throws an Error when the data cannot be decoded; the connection then fails with 1007
   */
  decode(
    data: Uint8Array,
    rsv: number,
    finished: boolean,
    limit: number,
    whenReady: (() => void) | null,
  ): Uint8Array | null;
  /**
   * The next part of what comes out of a piece, as `decode`; undefined when that was all. An extension without it gives
   * everything with `decode`.
   */
  more?(limit: number, whenReady: (() => void) | null): Uint8Array | null | undefined;
  /**
   * Whether a message that begins is to be encoded; `encode` follows then for each of its frames. All are without it.
   *
   * @param size of its first frame, in bytes
   * @param finished whether that is all of it
   * @param compress false where the sender asked that it be not compressed
   */
  encodes?(size: number, finished: boolean, compress: boolean): boolean;
  /**
   * Transforms the payload of one outgoing frame.
   *
   * @param payload must not be changed in place
   * @param first true for the first frame of a message
   * @param finished true for the last frame of a message
   * @returns null when `encoded` gives it later; nothing else is encoded before
   */
  encode(payload: Uint8Array, first: boolean, finished: boolean, whenReady: (() => void) | null): EncodedPayload | null;
  /** What `encode` did not return, once `whenReady` was called. */
  encoded?(): EncodedPayload;
  /** For messages that go to many connections; without it each of them encodes by itself. */
  readonly shared?: SharedEncoder;
  /**
   * A message that `shared` has encoded is sent next, between two messages of this connection's own: what follows must not
   * refer to what came before it.
   */
  interposed?(): void;
  /** The connection has ended: nothing is decoded any more, and only what was queued before is still encoded. */
  close?(): void;
}
