/** `millrace`: WebSocket servers and clients for Node.js. */

export {
  CloseCode,
  type DeflateParameters,
  type DeflateStats,
  LocalProtocolError,
  PerMessageDeflate,
  type PerMessageDeflateOptions,
  RemoteProtocolError,
  SendLimitError,
} from '../core/index.js';
export { accept } from './accept.js';
export { type AttachableServer, Attachment, type AttachOptions, attach } from './attach.js';
export { type Accepted, type ClientOptions, type ConnectOptions, connect } from './client/connect.js';
export type { DialOptions } from './client/dial.js';
export { CloseEvent, type CloseEventInit, ErrorEvent, type ErrorEventInit } from './client/events.js';
export { HandshakeError, type HandshakeErrorInit } from './client/handshake-error.js';
export type { Target } from './client/target.js';
export type { TransportOptions } from './client/transport.js';
export {
  type BinaryType,
  WebSocket,
  type WebSocketData,
  type WebSocketEventMap,
  type WebSocketInit,
  type WebSocketOptions,
} from './client/websocket.js';
export { type WebSocketCloseInfo, WebSocketError } from './client/websocket-error.js';
export {
  type ClosedInfo,
  type WebSocketConnection,
  WebSocketStream,
  type WebSocketStreamOptions,
} from './client/websocket-stream.js';
export type { DeflateOption } from './deflate.js';
export { type CloseOptions, Endpoint, type EndpointOptions } from './endpoint.js';
export type { Http2Options } from './h2/options.js';
export type { HandlerResult, Handlers } from './handlers.js';
export type { HandlerTimes } from './meter.js';
export type { OriginRule } from './origins.js';
export type { Sendable } from './outbox.js';
export { Peer, type PublishOptions, type SendOptions } from './peer.js';
export { broadcast } from './pubsub/broadcast.js';
export type { BroadcastOptions, Publishable } from './pubsub/message.js';
export { type ServeOptions, Server, serve } from './serve.js';
export type { EndpointStats, TopicStats } from './stats.js';
export {
  type Acceptance,
  Rejection,
  reject,
  type UpgradeHandler,
  type UpgradeRequest,
  type UpgradeResult,
} from './upgrade.js';
