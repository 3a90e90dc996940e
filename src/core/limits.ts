/**
 * The limits of a connection and of a handshake, all on by default. `Infinity` switches one off and means it.
 */

/** Limits of an established connection; sizes in bytes, times in milliseconds. */
export interface ConnectionLimits {
  /** The largest message taken, after extensions. A larger one fails the connection with 1009. */
  readonly maxMessageSize: number;
  /** The largest payload of one frame on the wire. A larger one fails the connection with 1009. */
  readonly maxFrameSize: number;
  /** The most frames a message may come in, empty ones included. More fail the connection with 1008. */
  readonly maxFragments: number;
  /** Above this many raw bytes waiting to be read, `receiveData` asks to stop reading. */
  readonly receiveHighWater: number;
  /** Above this many bytes queued, `queue…` asks to slow down. */
  readonly sendHighWater: number;
  /** At or below this many bytes queued, the drain that `queue…` asked for has come. */
  readonly sendLowWater: number;
  /**
   * The most bytes queued, frame headers among them; what happens to a message that would pass it is the overflow
   * policy's. Only a Close and the Pong or Ping that waits in its slot, a few hundred bytes, may. By default it has room
   * for the largest message on top of `sendHighWater`: who sends no more once `queue…` has returned false never meets it.
   */
  readonly sendHardLimit: number;
  /** How long the peer may take to answer our Close and to end the stream afterwards. */
  readonly closeTimeout: number;
  /** How long the peer may be silent before a Ping asks whether it is there. */
  readonly pingInterval: number;
  /** How long anything at all may take to come after that Ping. */
  readonly pingTimeout: number;
}

const MiB = 1024 * 1024;

export const DEFAULT_LIMITS: ConnectionLimits = Object.freeze({
  maxMessageSize: 16 * MiB,
  maxFrameSize: 16 * MiB,
  maxFragments: 131_072,
  receiveHighWater: 64 * 1024,
  sendHighWater: 64 * 1024,
  sendLowWater: 16 * 1024,
  sendHardLimit: 16 * MiB + 128 * 1024,
  closeTimeout: 10_000,
  pingInterval: 30_000,
  pingTimeout: 20_000,
});

/** Limits of an opening handshake; sizes in bytes, times in milliseconds. */
export interface HandshakeLimits {
  /** The largest header block, start line included. */
  readonly maxHeaderSize: number;
  /** The most header fields. */
  readonly maxHeaderFields: number;
  /** How long the handshake may take. */
  readonly handshakeTimeout: number;
}

export const DEFAULT_HANDSHAKE_LIMITS: HandshakeLimits = Object.freeze({
  maxHeaderSize: 16 * 1024,
  maxHeaderFields: 100,
  handshakeTimeout: 10_000,
});
