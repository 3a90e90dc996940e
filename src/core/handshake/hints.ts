/** How a server answers each fault of a client, in each version of HTTP; what is not listed is a 400. */

import type { RemoteProtocolError } from '../errors.js';
import { type HeaderList, RejectConnection } from '../events.js';

/** By the code of the fault: the status, and fields that go with it. */
export type Hints = Readonly<Record<string, readonly [statusCode: number, headers?: HeaderList]>>;

const UPGRADE: HeaderList = [['Upgrade', 'websocket']];
const VERSION: HeaderList = [['Sec-WebSocket-Version', '13']];

const COMMON: Hints = {
  HANDSHAKE_TIMEOUT: [408],
  HEADERS_TOO_LARGE: [431],
  TOO_MANY_HEADERS: [431],
  TRANSFER_ENCODING: [501], // RFC 9112 §6.1
};

/** RFC 6455 §4.2.1. */
export const H1_HINTS: Hints = {
  ...COMMON,
  INVALID_METHOD: [405, [['Allow', 'GET']]], // RFC 9110 §15.5.6
  MISSING_UPGRADE: [426, UPGRADE], // RFC 9110 §15.5.22
  UNSUPPORTED_VERSION: [426, [...UPGRADE, ...VERSION]], // RFC 6455 §4.2.2, §4.4
  HTTP_VERSION: [505],
};

/** RFC 8441 §5. A 426 would have to name an Upgrade, which HTTP/2 does not have. */
export const H2_HINTS: Hints = {
  ...COMMON,
  INVALID_METHOD: [405, [['Allow', 'CONNECT']]],
  MISSING_PROTOCOL: [501], // A tunnel to somewhere else (RFC 9110 §9.3.6): this is no proxy.
  UNSUPPORTED_PROTOCOL: [501], // RFC 9220 §3
  UNSUPPORTED_VERSION: [400, VERSION],
};

/** The rejection that tells the client about `error`. */
export function hintFrom(hints: Hints, { code }: RemoteProtocolError): RejectConnection {
  const [statusCode, headers = []] = hints[code] ?? [400];
  return new RejectConnection({ statusCode, headers });
}
