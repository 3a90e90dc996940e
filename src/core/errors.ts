/**
 * The two ways in which things go wrong. A peer that breaks the protocol is a `RemoteProtocolError`; a caller that
 * asks for something the protocol does not allow is a `LocalProtocolError`. Each carries a stable `code`.
 */

import type { RejectConnection } from './events.js';

/** What both errors share, for `instanceof` checks that take either. */
export abstract class ProtocolError extends Error {
  /** A stable, machine-readable name of what went wrong, such as `INVALID_UTF8`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The caller asked for something that the protocol or a limit forbids. It is thrown before any state changes, so the
 * connection goes on as if the call had not been made.
 */
export class LocalProtocolError extends ProtocolError {
  override readonly name: string = 'LocalProtocolError';
}

/**
 * The peer broke the protocol or went over a limit. In the handshake it is thrown, with an `eventHint` where the
 * peer can still be told; afterwards it comes as the `error` of a close event.
 */
export class RemoteProtocolError extends ProtocolError {
  override readonly name: string = 'RemoteProtocolError';
  /** On a server, the rejection that tells the client what was wrong; null where nobody can be told. */
  readonly eventHint: RejectConnection | null;

  constructor(code: string, message: string, eventHint: RejectConnection | null = null) {
    super(code, message);
    this.eventHint = eventHint;
  }
}
