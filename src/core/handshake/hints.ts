import { RemoteProtocolError } from '../errors.js';
import { type HeaderList, RejectConnection } from '../events.js';

const UPGRADE: HeaderList = [['Upgrade', 'websocket']];

/** How a server answers each fault of a client; what is not listed is a 400 (RFC 6455 §4.2.1). */
const REJECTIONS: Readonly<Record<string, readonly [statusCode: number, headers?: HeaderList]>> = {
  INVALID_METHOD: [405, [['Allow', 'GET']]], // RFC 9110 §15.5.6
  HANDSHAKE_TIMEOUT: [408],
  MISSING_UPGRADE: [426, UPGRADE], // RFC 9110 §15.5.22
  UNSUPPORTED_VERSION: [426, [...UPGRADE, ['Sec-WebSocket-Version', '13']]], // RFC 6455 §4.2.2, §4.4
  HEADERS_TOO_LARGE: [431],
  TOO_MANY_HEADERS: [431],
  TRANSFER_ENCODING: [501], // RFC 9112 §6.1
  HTTP_VERSION: [505],
};

/** `error`, with the rejection that tells the client about it. */
export function withHint(error: RemoteProtocolError): RemoteProtocolError {
  const [statusCode, headers = []] = REJECTIONS[error.code] ?? [400];
  return new RemoteProtocolError(error.code, error.message, new RejectConnection({ statusCode, headers }));
}
