/** The server's response: the checks of the client that reads it (RFC 6455 §4.1), and the making of it (§4.2.2). */

import { LocalProtocolError, RemoteProtocolError } from '../errors.js';
import { AcceptConnection, type HeaderList, type RejectConnection, type Request } from '../events.js';
import type { SupportedExtension } from '../extensions/extension.js';
import { clientExtensionsHandshake } from '../extensions/negotiation.js';
import {
  acceptedExtensions,
  checkExtraHeaders,
  checkHeaders,
  chosenSubprotocol,
  extraHeadersOf,
  valuesOf,
} from './fields.js';
import { listHas } from './grammar.js';
import { acceptFor } from './key.js';

/** The parts of a status line that matter. */
export interface StatusLine {
  readonly statusCode: number;
  /** The minor version of HTTP/1.x. */
  readonly minorVersion: number;
}

/** A response as another HTTP parser has read it. */
export interface ParsedResponse {
  readonly statusCode: number;
  readonly headers: HeaderList;
}

// The space after the code is required (RFC 9112 §4), and left out by many servers that have no reason to give.
const STATUS_LINE = /^HTTP\/(\d)\.(\d) ([1-9]\d\d)(?: .*)?$/;

/**
 * Reads a status line (RFC 9112 §4). HTTP/1.0 may reject, but not accept.
 *
 * @throws RemoteProtocolError `INVALID_START_LINE`, `HTTP_VERSION`
 */
export function parseStatusLine(line: string): StatusLine {
  const match = STATUS_LINE.exec(line);
  if (match === null) throw new RemoteProtocolError('INVALID_START_LINE', 'not a status line');
  const [, major, minor, code] = match;
  const statusCode = Number(code);
  if (major !== '1' || (minor === '0' && statusCode === 101)) {
    throw new RemoteProtocolError('HTTP_VERSION', `HTTP/1.1 is needed, not HTTP/${major}.${minor}`);
  }
  return { statusCode, minorVersion: Number(minor) };
}

/**
 * Checks a response with status 101 (RFC 6455 §4.1).
 *
 * @param request what was sent, with the key `key`
 * @param proposed the extensions offered
 * @throws RemoteProtocolError `MISSING_UPGRADE`, `INVALID_ACCEPT`, `INVALID_SUBPROTOCOL`, `INVALID_EXTENSION`
 */
export function checkAcceptance(
  headers: HeaderList,
  request: Request,
  key: string,
  proposed: readonly SupportedExtension[],
): AcceptConnection {
  const upgrades = valuesOf(headers, 'upgrade');
  if (upgrades.length !== 1 || upgrades[0].toLowerCase() !== 'websocket') {
    throw new RemoteProtocolError('MISSING_UPGRADE', 'the server switched protocols, but Upgrade is not websocket');
  }
  if (!listHas(valuesOf(headers, 'connection'), 'upgrade')) {
    throw new RemoteProtocolError('MISSING_UPGRADE', 'the server switched protocols without Upgrade in Connection');
  }
  // Only this shows that the server has read our request as a WebSocket's, and is no cache or confused HTTP server.
  const accepts = valuesOf(headers, 'sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0] !== acceptFor(key)) {
    throw new RemoteProtocolError('INVALID_ACCEPT', 'Sec-WebSocket-Accept does not answer our key');
  }
  return acceptOf(headers, request, proposed);
}

/**
 * The event of a response that accepts.
 *
 * @param proposed the extensions offered
 * @throws RemoteProtocolError `INVALID_SUBPROTOCOL`, `INVALID_EXTENSION`
 */
export function acceptOf(
  headers: HeaderList,
  request: Request,
  proposed: readonly SupportedExtension[],
): AcceptConnection {
  return new AcceptConnection({
    subprotocol: chosenSubprotocol(headers, request.subprotocols),
    extensions: clientExtensionsHandshake(acceptedExtensions(headers), proposed),
    extraHeaders: extraHeadersOf(headers),
  });
}

/**
 * The header fields of a server's 101 (RFC 6455 §4.2.2).
 *
 * @param extensions the value of Sec-WebSocket-Extensions, or null for none
 * @throws LocalProtocolError `INVALID_SUBPROTOCOL`, `INVALID_HEADER`, `RESERVED_HEADER`
 */
export function acceptFields(
  accept: AcceptConnection,
  request: Request,
  key: string,
  extensions: string | null,
): HeaderList {
  return [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', acceptFor(key)],
    ...chosenFields(accept, request, extensions),
  ];
}

/**
 * The fields of an acceptance that every version of HTTP has: what is chosen, and those that the caller adds.
 *
 * @throws LocalProtocolError as `acceptFields` does
 */
export function chosenFields(accept: AcceptConnection, request: Request, extensions: string | null): HeaderList {
  const { subprotocol, extraHeaders } = accept;
  if (subprotocol !== null && !request.subprotocols.includes(subprotocol)) {
    throw new LocalProtocolError('INVALID_SUBPROTOCOL', `the client did not offer ${JSON.stringify(subprotocol)}`);
  }
  checkExtraHeaders(extraHeaders);
  const fields: (readonly [string, string])[] = [];
  if (subprotocol !== null) fields.push(['Sec-WebSocket-Protocol', subprotocol]);
  if (extensions !== null) fields.push(['Sec-WebSocket-Extensions', extensions]);
  return [...fields, ...extraHeaders];
}

/**
 * The header fields of a rejection. `Connection: close` is added unless Connection is given, and a body without a
 * Content-Length lasts until the connection is closed: nothing needs framing, and every client understands it.
 *
 * @returns the fields, and the number of bytes that the body must have, null when its end is the end of the connection
 * @throws LocalProtocolError `INVALID_STATUS`, `INVALID_HEADER`, `RESERVED_HEADER` for a Transfer-Encoding,
 * `BODY_LENGTH` for a Content-Length that is malformed or announces a body where there is none
 */
export function rejectFields(reject: RejectConnection): { fields: HeaderList; bodyLength: number | null } {
  const bodyLength = checkRejection(reject);
  const { headers, hasBody } = reject;
  const added: (readonly [string, string])[] = [];
  if (!hasBody && valuesOf(headers, 'content-length').length === 0) added.push(['Content-Length', '0']);
  if (valuesOf(headers, 'connection').length === 0) {
    // RFC 9110 §7.8: whoever sends Upgrade, as a 426 must, names it in Connection.
    const upgrade = valuesOf(headers, 'upgrade').length > 0;
    added.push(['Connection', upgrade ? 'close, Upgrade' : 'close']);
  }
  return { fields: [...headers, ...added], bodyLength };
}

/**
 * Checks a rejection before it is sent.
 *
 * @returns the number of bytes that the body must have; null when nothing says so, or there is none
 * @throws LocalProtocolError as `rejectFields` does
 */
export function checkRejection({ statusCode, headers, hasBody }: RejectConnection): number | null {
  if (!Number.isInteger(statusCode) || statusCode < 300 || statusCode > 599) {
    throw new LocalProtocolError('INVALID_STATUS', `a rejection has a status of 300 to 599, not ${statusCode}`);
  }
  if (statusCode === 304 && hasBody) throw new LocalProtocolError('INVALID_STATUS', 'a 304 has no body');
  checkHeaders(headers);
  if (valuesOf(headers, 'transfer-encoding').length > 0) {
    throw new LocalProtocolError('RESERVED_HEADER', 'the body of a rejection is sent without a Transfer-Encoding');
  }
  const lengths = valuesOf(headers, 'content-length');
  if (lengths.length > 1 || !lengths.every((length) => (hasBody ? /^\d{1,15}$/ : /^0$/).test(length))) {
    throw new LocalProtocolError('BODY_LENGTH', 'Content-Length is malformed, repeated, or announces a missing body');
  }
  return hasBody && lengths.length === 1 ? Number(lengths[0]) : null;
}

const REASONS: Readonly<Record<number, string>> = {
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

/** The status line of a rejection; the reason may be empty, the space before it may not (RFC 9112 §4). */
export function rejectStatusLine(statusCode: number): string {
  return `HTTP/1.1 ${statusCode} ${REASONS[statusCode] ?? ''}`;
}
