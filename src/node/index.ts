/** `millrace`: WebSocket servers for Node.js. */

export { CloseCode, LocalProtocolError, RemoteProtocolError, SendLimitError } from '../core/index.js';
export { accept } from './accept.js';
export { Attachment, type AttachOptions, attach } from './attach.js';
export { type CloseOptions, Endpoint, type EndpointOptions } from './endpoint.js';
export type { HandlerResult, Handlers } from './handlers.js';
export type { OriginRule } from './origins.js';
export { Peer } from './peer.js';
export { type ServeOptions, Server, serve } from './serve.js';
export type { EndpointStats } from './stats.js';
export {
  type Acceptance,
  Rejection,
  reject,
  type UpgradeHandler,
  type UpgradeRequest,
  type UpgradeResult,
} from './upgrade.js';
