/** Extended CONNECT (RFC 8441 §4, §5; RFC 9220 §3): the request and the response, read and made. */

import { LocalProtocolError, RemoteProtocolError } from '../errors.js';
import type { AcceptConnection, HeaderList, RejectConnection, Request } from '../events.js';
import type { SupportedExtension } from '../extensions/extension.js';
import { valuesOf } from './fields.js';
import { isHost, isOriginForm } from './grammar.js';
import { sendable, splitBlock } from './h2-fields.js';
import { checkVersion, refuseBody, requestOf, webSocketFields } from './request.js';
import { checkRejection, chosenFields } from './response.js';

/** The scheme of the URI that a request is for: `https` for wss (RFC 8441 §5). */
export type Scheme = 'https' | 'http';

const OF_REQUESTS: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority', ':protocol']);
const OF_RESPONSES: ReadonlySet<string> = new Set([':status']);

/**
 * Checks a client's request. What HTTP/1.1 needs besides (Connection, Upgrade, Host, Sec-WebSocket-Key) is not asked
 * for; a Host or a key is not looked at.
 *
 * @throws RemoteProtocolError `INVALID_PSEUDO_HEADER`, `INVALID_HEADER`, `INVALID_METHOD`, `MISSING_PROTOCOL`,
 * `UNSUPPORTED_PROTOCOL`, `INVALID_SCHEME`, `INVALID_TARGET`, `INVALID_HOST`, `REQUEST_BODY`, `UNSUPPORTED_VERSION`,
 * `INVALID_SUBPROTOCOL`, `INVALID_EXTENSION`
 */
export function checkConnect(headers: HeaderList): Request {
  const { pseudo, fields } = splitBlock(headers, OF_REQUESTS);
  const method = pseudo.get(':method');
  const protocol = pseudo.get(':protocol');
  if (method === undefined) throw new RemoteProtocolError('INVALID_PSEUDO_HEADER', ':method is missing');
  if (method !== 'CONNECT') {
    // RFC 8441 §4: there is no :protocol with another method, but neither would this be the place for that.
    throw new RemoteProtocolError('INVALID_METHOD', `the method is ${method}, not CONNECT`);
  }
  if (protocol === undefined) {
    throw new RemoteProtocolError('MISSING_PROTOCOL', 'a CONNECT without :protocol asks for a tunnel, not a WebSocket');
  }
  if (protocol.toLowerCase() !== 'websocket') {
    throw new RemoteProtocolError('UNSUPPORTED_PROTOCOL', 'the :protocol asked for is not websocket');
  }
  const scheme = pseudo.get(':scheme')?.toLowerCase();
  if (scheme !== 'https' && scheme !== 'http') {
    throw new RemoteProtocolError('INVALID_SCHEME', ':scheme is not https or http');
  }
  const target = pseudo.get(':path') ?? '';
  if (!isOriginForm(target)) throw new RemoteProtocolError('INVALID_TARGET', ':path is missing, or not a path');
  const host = pseudo.get(':authority') ?? '';
  // RFC 9113 §8.3.1: no userinfo either.
  if (!isHost(host)) {
    throw new RemoteProtocolError('INVALID_HOST', ':authority is missing, or not a host with an optional port');
  }
  refuseBody(fields);
  checkVersion(fields);
  return requestOf(host, target, fields);
}

/**
 * The header block of a client's request.
 *
 * @param proposed the extensions to offer; `request.extensions` is not read
 * @throws LocalProtocolError as `webSocketFields` does
 */
export function connectHeaders(request: Request, scheme: Scheme, proposed: readonly SupportedExtension[]): HeaderList {
  const fields = webSocketFields(request, proposed);
  return [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', scheme],
    [':path', request.target],
    [':authority', request.host],
    ...sendable(fields),
  ];
}

/** A response, taken apart. */
export interface ConnectResponse {
  readonly statusCode: number;
  readonly headers: HeaderList;
  /** What Content-Length says the body has; null where it says nothing. */
  readonly bodyLength: number | null;
}

/**
 * Checks the form of a response.
 *
 * @throws RemoteProtocolError `INVALID_PSEUDO_HEADER`, `INVALID_HEADER`, `INVALID_STATUS`, `INVALID_BODY`
 */
export function checkResponse(received: HeaderList): ConnectResponse {
  const { pseudo, fields: headers } = splitBlock(received, OF_RESPONSES);
  const status = pseudo.get(':status') ?? '';
  // RFC 9113 §8.6: there is no 101 here, for there is nothing to switch.
  if (!/^[1-9]\d\d$/.test(status) || status === '101') {
    throw new RemoteProtocolError('INVALID_STATUS', ':status is missing, or not one that can be');
  }
  const statusCode = Number(status);
  const lengths = new Set(valuesOf(headers, 'content-length'));
  const [length] = lengths;
  // RFC 9110 §9.3.6: a 2xx to a CONNECT has none, and what it says of one is ignored.
  if (statusCode < 300 || length === undefined) return { statusCode, headers, bodyLength: null };
  if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) {
    throw new RemoteProtocolError('INVALID_BODY', 'Content-Length is malformed, or says two things');
  }
  // RFC 9110 §8.6: here it tells of what is not sent.
  return { statusCode, headers, bodyLength: statusCode === 304 ? null : Number(length) };
}

/**
 * The header block of an acceptance.
 *
 * @throws LocalProtocolError as `chosenFields` does
 */
export function acceptHeaders(accept: AcceptConnection, request: Request, extensions: string | null): HeaderList {
  return [[':status', '200'], ...sendable(chosenFields(accept, request, extensions))];
}

/**
 * The header block of a rejection, and the number of bytes that its body must have; null when its end tells.
 *
 * @throws LocalProtocolError as `rejectFields` does
 */
export function rejectHeaders(reject: RejectConnection): { headers: HeaderList; bodyLength: number | null } {
  const bodyLength = checkRejection(reject);
  return { headers: [[':status', String(reject.statusCode)], ...sendable(reject.headers)], bodyLength };
}

/** @throws LocalProtocolError `INVALID_OPTION` */
export function checkScheme(scheme: unknown): asserts scheme is Scheme {
  if (scheme === 'https' || scheme === 'http') return;
  throw new LocalProtocolError('INVALID_OPTION', "scheme must be 'https' or 'http'");
}
