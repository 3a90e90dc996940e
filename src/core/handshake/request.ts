/** The client's request: the checks of the server that reads it (RFC 6455 §4.2.1), and the making of it (§4.1). */

import { LocalProtocolError, RemoteProtocolError } from '../errors.js';
import { type HeaderList, Request } from '../events.js';
import type { SupportedExtension } from '../extensions/extension.js';
import { formatExtensions } from '../extensions/negotiation.js';
import {
  areSubprotocols,
  checkExtraHeaders,
  extraHeadersOf,
  offeredExtensions,
  offeredSubprotocols,
  valuesOf,
} from './fields.js';
import { isHost, isOriginForm, listHas, splitAbsoluteForm, TOKEN_CHARACTERS } from './grammar.js';
import { isKey } from './key.js';

/** The only version of the protocol there is (RFC 6455 §4.1). */
const VERSION = '13';

/** The parts of a request line. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
  /** Such as `1.1`. */
  readonly httpVersion: string;
}

/** A request as another HTTP parser has read it. */
export interface ParsedRequest extends RequestLine {
  readonly headers: HeaderList;
}

const REQUEST_LINE = new RegExp(`^([${TOKEN_CHARACTERS}]+) ([^ ]+) HTTP/(\\d\\.\\d)$`);
const HTTP_0_9 = /^[A-Za-z]+ [^ ]+$/;

/**
 * Reads a request line (RFC 9112 §3): single spaces, nothing else.
 *
 * @throws RemoteProtocolError `INVALID_START_LINE`, or `HTTP_VERSION` for HTTP/0.9
 */
export function parseRequestLine(line: string): RequestLine {
  const match = REQUEST_LINE.exec(line);
  if (match === null) {
    if (HTTP_0_9.test(line)) throw new RemoteProtocolError('HTTP_VERSION', 'HTTP/1.1 is needed, not HTTP/0.9');
    throw new RemoteProtocolError('INVALID_START_LINE', 'not a request line');
  }
  const [, method, target, httpVersion] = match;
  checkHttpVersion(httpVersion);
  return { method, target, httpVersion };
}

/** RFC 6455 §4.2.1 item 1: HTTP/1.1 or higher; what is higher than 1.x is not written as lines. */
function checkHttpVersion(version: string): void {
  if (!/^1\.[1-9]$/.test(version)) {
    throw new RemoteProtocolError('HTTP_VERSION', `HTTP/1.1 is needed, not HTTP/${version}`);
  }
}

/**
 * Checks a client's request (RFC 6455 §4.2.1).
 *
 * @returns the event, and the Sec-WebSocket-Key to answer
 * @throws RemoteProtocolError `HTTP_VERSION`, `INVALID_METHOD`, `TRANSFER_ENCODING`, `REQUEST_BODY`, `INVALID_HOST`,
 * `INVALID_TARGET`, `MISSING_UPGRADE`, `UNSUPPORTED_VERSION`, `INVALID_KEY`, `INVALID_SUBPROTOCOL`, `INVALID_EXTENSION`
 */
export function checkRequest(parsed: ParsedRequest): { request: Request; key: string } {
  const { method, headers } = parsed;
  checkHttpVersion(parsed.httpVersion);
  if (method !== 'GET') throw new RemoteProtocolError('INVALID_METHOD', `the method is ${method}, not GET`);
  refuseBody(headers);
  const { host, target } = addressOf(parsed);

  const noUpgrade = !listHas(valuesOf(headers, 'upgrade'), 'websocket');
  if (noUpgrade || !listHas(valuesOf(headers, 'connection'), 'upgrade')) {
    const field = noUpgrade ? 'Upgrade does not list websocket' : 'Connection does not list Upgrade';
    throw new RemoteProtocolError('MISSING_UPGRADE', `the request does not ask for a WebSocket: ${field}`);
  }
  checkVersion(headers);
  const keys = valuesOf(headers, 'sec-websocket-key');
  if (keys.length !== 1 || !isKey(keys[0])) {
    throw new RemoteProtocolError('INVALID_KEY', 'Sec-WebSocket-Key is not 16 bytes of base64, given once');
  }

  return { request: requestOf(host, target, headers), key: keys[0] };
}

/**
 * The event of a request whose address and version are right.
 *
 * @throws RemoteProtocolError `INVALID_SUBPROTOCOL`, `INVALID_EXTENSION`
 */
export function requestOf(host: string, target: string, headers: HeaderList): Request {
  return new Request({
    host,
    target,
    subprotocols: offeredSubprotocols(headers),
    extensions: offeredExtensions(headers),
    extraHeaders: extraHeadersOf(headers),
  });
}

/**
 * RFC 6455 §4.2.1 item 6.
 *
 * @throws RemoteProtocolError `UNSUPPORTED_VERSION`
 */
export function checkVersion(headers: HeaderList): void {
  const versions = valuesOf(headers, 'sec-websocket-version');
  if (versions.length !== 1 || versions[0] !== VERSION) {
    throw new RemoteProtocolError('UNSUPPORTED_VERSION', `Sec-WebSocket-Version is not ${VERSION}`);
  }
}

/**
 * A WebSocket has no use for a body, and where it ends is what two parsers can disagree about: what one of them takes
 * for a body, the other takes for frames. So there must be none (RFC 9112 §6.1, §11.2; RFC 9110 §9.3.6).
 *
 * @throws RemoteProtocolError `TRANSFER_ENCODING`, `REQUEST_BODY`
 */
export function refuseBody(headers: HeaderList): void {
  if (valuesOf(headers, 'transfer-encoding').length > 0) {
    throw new RemoteProtocolError('TRANSFER_ENCODING', 'a request for a WebSocket may not have a Transfer-Encoding');
  }
  if (valuesOf(headers, 'content-length').some((length) => length !== '0')) {
    throw new RemoteProtocolError('REQUEST_BODY', 'a request for a WebSocket may not have a body');
  }
}

function addressOf(parsed: ParsedRequest): { host: string; target: string } {
  // RFC 9112 §3.2: a request with no Host, with two, or with a bad one must get 400. Where there are two, a proxy may
  // have routed by one and we would serve by the other.
  const hosts = valuesOf(parsed.headers, 'host');
  if (hosts.length !== 1 || !isHost(hosts[0])) {
    throw new RemoteProtocolError('INVALID_HOST', 'Host is not a host with an optional port, given once');
  }
  // RFC 9112 §3.2.2: the authority of an absolute form counts, and Host is ignored.
  const address = splitAbsoluteForm(parsed.target) ?? { host: hosts[0], target: parsed.target };
  if (!isOriginForm(address.target) || !isHost(address.host)) {
    throw new RemoteProtocolError('INVALID_TARGET', 'the request target is not a path or a URI of http or ws');
  }
  return address;
}

/**
 * The header fields of a client's request (RFC 6455 §4.1). The target is checked as well, though it is no field.
 *
 * @param proposed the extensions to offer; `request.extensions` is not read
 * @throws LocalProtocolError `INVALID_TARGET`, `INVALID_HOST`, `INVALID_SUBPROTOCOL`, `INVALID_EXTENSION`,
 * `INVALID_HEADER`, `RESERVED_HEADER`
 */
export function requestFields(request: Request, key: string, proposed: readonly SupportedExtension[]): HeaderList {
  return [
    ['Host', request.host],
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Key', key],
    ...webSocketFields(request, proposed),
  ];
}

/**
 * The fields of a request that every version of HTTP has: the version, what is offered, and those that the caller adds.
 *
 * @throws LocalProtocolError as `requestFields` does
 */
export function webSocketFields(request: Request, proposed: readonly SupportedExtension[]): HeaderList {
  if (!isOriginForm(request.target)) {
    throw new LocalProtocolError('INVALID_TARGET', 'the target must be visible ASCII from "/" on, without a fragment');
  }
  if (!isHost(request.host)) {
    throw new LocalProtocolError('INVALID_HOST', 'the host must be a name or an address, with an optional port');
  }
  if (!areSubprotocols(request.subprotocols)) {
    throw new LocalProtocolError('INVALID_SUBPROTOCOL', 'the subprotocols must be unique tokens');
  }
  checkExtraHeaders(request.extraHeaders);
  const offers = proposed.flatMap((extension) =>
    extension.offers().map((params) => ({ name: extension.name, params })),
  );

  const fields: (readonly [string, string])[] = [['Sec-WebSocket-Version', VERSION]];
  if (request.subprotocols.length > 0) fields.push(['Sec-WebSocket-Protocol', request.subprotocols.join(', ')]);
  if (offers.length > 0) fields.push(['Sec-WebSocket-Extensions', formatExtensions(offers)]);
  return [...fields, ...request.extraHeaders];
}
