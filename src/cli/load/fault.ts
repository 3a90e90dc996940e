/** What a load finds wrong with a server. */

/**
 * - `CORRUPT` a reply that is not what it should be, or no WebSocket frame at all;
 * - `MISSING` a later reply came in its place: one was left out, or two changed places;
 * - `UNEXPECTED` something came that nobody waited for, or that had come before;
 * - `CLOSED` the connection ended;
 * - `TIMEOUT` nothing came for too long;
 * - `HANDSHAKE` the connection could not be opened.
 */
export type FaultCode = 'CORRUPT' | 'MISSING' | 'UNEXPECTED' | 'CLOSED' | 'TIMEOUT' | 'HANDSHAKE';

/** A server did something wrong; the message says what was expected and what came. */
export class LoadFault extends Error {
  override readonly name = 'LoadFault';
  readonly code: FaultCode;
  /** Which connection, from 0; null where it was none of them. */
  connection: number | null = null;

  constructor(code: FaultCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Says on which connection it was. */
  on(connection: number): this {
    if (this.connection !== null) return this;
    this.connection = connection;
    this.message = `connection ${connection}: ${this.message}`;
    return this;
  }
}
