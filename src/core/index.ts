/**
 * `millrace/core`: the WebSocket protocol without input or output. Bytes go in and events come out, events go in and
 * bytes come out; sockets, timers and servers are somebody else's.
 */

export { CloseCode, checkClose, isSendableCode } from './close.js';
export { Connection, type Transport } from './connection.js';
export { LocalProtocolError, ProtocolError, RemoteProtocolError } from './errors.js';
export {
  AcceptConnection,
  BytesMessage,
  CloseConnection,
  type CloseOrigin,
  type FrameEvent,
  type HandshakeEvent,
  type HeaderList,
  NEED_DATA,
  PAUSED,
  Ping,
  Pong,
  RejectConnection,
  RejectData,
  Request,
  TextMessage,
} from './events.js';
export { hasPersistentContexts } from './extensions/deflate/codec.js';
export type { DeflateParameters } from './extensions/deflate/parameters.js';
export {
  type EncodedPayload,
  type Extension,
  type ExtensionOffer,
  type ExtensionParameter,
  RSV1,
  RSV2,
  RSV3,
  type SharedEncoder,
  type SupportedExtension,
} from './extensions/extension.js';
export {
  clientExtensionsHandshake,
  formatExtensions,
  parseExtensions,
  serverExtensionsHandshake,
} from './extensions/negotiation.js';
export {
  AgreedDeflate,
  type DeflateStats,
  PerMessageDeflate,
  type PerMessageDeflateOptions,
} from './extensions/permessage-deflate.js';
export { Kind } from './frames/kind.js';
export { FrameLog, SharedFrames } from './frames/log.js';
export type { Delivery } from './frames/reader.js';
export { SendLimitError } from './frames/sender.js';
export { H1Handshake, type HandshakeOptions, type ParsedRequest, type ParsedResponse } from './handshake/h1.js';
export { H2Handshake, type H2HandshakeOptions, type H2Output } from './handshake/h2.js';
export type { Handshake } from './handshake/handshake.js';
export { handshakeLimits } from './handshake/options.js';
export { type ConnectionLimits, DEFAULT_HANDSHAKE_LIMITS, DEFAULT_LIMITS, type HandshakeLimits } from './limits.js';
export type { MaskingKeySource } from './masking.js';
export { ConnectionConfig, type ConnectionOptions, type OverflowPolicy } from './options.js';
export { PreparedMessage, type PreparedMessageOptions } from './prepared.js';
export { ConnectionState, ConnectionType } from './state.js';
export { WSConnection } from './ws-connection.js';
