/** `millrace`: WebSocket servers for Node.js. */

export { CloseCode, LocalProtocolError, RemoteProtocolError, SendLimitError } from '../core/index.js';
export type { HandlerResult, Handlers } from './handlers.js';
export { Peer } from './peer.js';
export { type CloseOptions, type ServeOptions, Server, serve } from './serve.js';
export {
  type Acceptance,
  Rejection,
  reject,
  type UpgradeHandler,
  type UpgradeRequest,
  type UpgradeResult,
} from './upgrade.js';
