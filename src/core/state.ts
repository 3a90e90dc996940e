/**
 * Where a connection stands, and what moves it on.
 *
 * The rules this file holds:
 *
 *  1. A state changes when an event is handed to the caller or sent by the caller, never when the bytes of an
 *     event merely arrive. Reader and state therefore always agree about what the caller has seen.
 *  2. Each side sends one Close at most. Who has sent one is all that tells OPEN, REMOTE_CLOSING, LOCAL_CLOSING
 *     and CLOSED apart (RFC 6455 §7.1.3, §7.1.4).
 *  3. CLOSED is final. A violation, the end of the stream or a missed deadline leads there from anywhere.
 */

/** Which end of the connection this is. Only clients mask (RFC 6455 §5.1). */
export enum ConnectionType {
  CLIENT = 1,
  SERVER = 2,
}

/** The state of a connection, from the opening handshake to the end. */
export enum ConnectionState {
  /** The opening handshake is not finished. */
  CONNECTING = 0,
  /** Messages flow both ways. */
  OPEN = 1,
  /** The peer's Close was handed to the caller; ours is still to be sent. */
  REMOTE_CLOSING = 2,
  /** Our Close was sent; the peer may still send messages until its own Close. */
  LOCAL_CLOSING = 3,
  /** Both Closes were exchanged, or the connection failed. */
  CLOSED = 4,
  /** A handshake is being rejected, and the body of the rejection is still under way. */
  REJECTING = 5,
}

/** What can move an established connection to another state. */
export enum Transition {
  /** The peer's Close was handed to the caller. */
  CLOSE_RECEIVED = 0,
  /** Our Close was sent. */
  CLOSE_SENT = 1,
  /** A violation, the end of the stream, or a deadline that passed. */
  FAILED = 2,
}

const { OPEN, REMOTE_CLOSING, LOCAL_CLOSING, CLOSED } = ConnectionState;

const TRANSITIONS: Readonly<
  Partial<Record<ConnectionState, readonly [ConnectionState, ConnectionState, ConnectionState]>>
> = {
  //                 CLOSE_RECEIVED  CLOSE_SENT     FAILED
  [OPEN]: [REMOTE_CLOSING, LOCAL_CLOSING, CLOSED],
  [REMOTE_CLOSING]: [REMOTE_CLOSING, CLOSED, CLOSED],
  [LOCAL_CLOSING]: [CLOSED, LOCAL_CLOSING, CLOSED],
};

/** The state that follows `state` on `transition`; CLOSED stays CLOSED. */
export function nextState(state: ConnectionState, transition: Transition): ConnectionState {
  return TRANSITIONS[state]?.[transition] ?? CLOSED;
}
