/** The load generator: what loads a server, and checks what comes back. */

export { EchoLoad, type EchoTraffic } from './echo.js';
export { type FaultCode, LoadFault } from './fault.js';
export { HandshakeLoad, type HandshakeTraffic } from './handshake.js';
export { Histogram, type Latency } from './histogram.js';
export { IdleLoad, type IdleTraffic } from './idle.js';
export type { Replies } from './inbox.js';
export type { LoadResult, Progress, RunOptions } from './result.js';
export { RoomLoad, type RoomTraffic } from './room.js';
export type { LoadTarget } from './target.js';
