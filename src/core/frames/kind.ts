/** What `poll` found: plain numbers, so that a loop over millions of them compares constants. */

/** More bytes are needed first. */
export const NEED_DATA = 0;
export const TEXT = 1;
export const BYTES = 2;
export const PING = 3;
export const PONG = 4;
export const CLOSE = 5;
/** The connection is paused by its owner. */
export const PAUSED = 6;
/** Inside the core only: the peer broke the protocol. */
export const VIOLATION = 7;

/** The kinds that `Connection.poll` returns, by name. */
export const Kind = Object.freeze({ NEED_DATA, TEXT, BYTES, PING, PONG, CLOSE, PAUSED } as const);
export type Kind = (typeof Kind)[keyof typeof Kind];
