/** Header fields of a handshake, whatever HTTP carries them: finding, checking and reading those that are ours. */

import { LocalProtocolError, RemoteProtocolError } from '../errors.js';
import type { HeaderList } from '../events.js';
import type { ExtensionOffer } from '../extensions/extension.js';
import { parseExtensions } from '../extensions/negotiation.js';
import { isFieldText, isFieldValue, isToken, splitList } from './grammar.js';
import { checkFieldCount } from './http1.js';

/**
 * The fields that a handshake writes and reads itself. Content-Length and Transfer-Encoding are among them because
 * neither side of a handshake that succeeds has a body (RFC 9110 §8.6).
 */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'host',
  'upgrade',
  'connection',
  'content-length',
  'transfer-encoding',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
]);

/** The values of the field `name`, given in lower case, in the order of the wire. */
export function valuesOf(headers: HeaderList, name: string): string[] {
  return headers.filter(([found]) => found.toLowerCase() === name).map(([, value]) => value);
}

/** The fields that are not the handshake's own. */
export function extraHeadersOf(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !OWN_FIELDS.has(name.toLowerCase()));
}

/**
 * Checks fields that somebody else's HTTP has read.
 *
 * @throws RemoteProtocolError `TOO_MANY_HEADERS`, `INVALID_HEADER`
 */
export function checkReceivedHeaders(headers: HeaderList, maxHeaderFields: number): void {
  checkFieldCount(headers.length, maxHeaderFields);
  for (const [name, value] of headers) {
    if (!isToken(name)) throw new RemoteProtocolError('INVALID_HEADER', 'a field name is not a token');
    if (!isFieldText(value)) throw new RemoteProtocolError('INVALID_HEADER', `the value of ${name} is malformed`);
  }
}

/**
 * Checks fields before they are sent, so that none can smuggle in another.
 *
 * @throws LocalProtocolError `INVALID_HEADER`
 */
export function checkHeaders(headers: HeaderList): void {
  for (const [name, value] of headers) {
    if (!isToken(name)) {
      throw new LocalProtocolError('INVALID_HEADER', `not a field name: ${JSON.stringify(name)}`);
    }
    if (!isFieldValue(value)) throw new LocalProtocolError('INVALID_HEADER', `not a field value, for ${name}`);
  }
}

/**
 * Checks the fields that a caller adds to a handshake.
 *
 * @throws LocalProtocolError `INVALID_HEADER`, or `RESERVED_HEADER` for one that the handshake writes itself
 */
export function checkExtraHeaders(headers: HeaderList): void {
  checkHeaders(headers);
  for (const [name] of headers) {
    if (OWN_FIELDS.has(name.toLowerCase())) {
      throw new LocalProtocolError('RESERVED_HEADER', `${name} is written by the handshake itself`);
    }
  }
}

/** Whether `names` can stand in Sec-WebSocket-Protocol: tokens, and none of them twice (RFC 6455 §4.1). */
export function areSubprotocols(names: readonly string[]): boolean {
  return names.every(isToken) && new Set(names).size === names.length;
}

/**
 * The subprotocols that a client offers, in its order of preference. The field may be repeated (RFC 6455 §11.3.4).
 *
 * @throws RemoteProtocolError `INVALID_SUBPROTOCOL`
 */
export function offeredSubprotocols(headers: HeaderList): string[] {
  const values = valuesOf(headers, 'sec-websocket-protocol');
  if (values.length === 0) return [];
  const names = splitList(values);
  if (!areSubprotocols(names)) {
    throw new RemoteProtocolError('INVALID_SUBPROTOCOL', 'Sec-WebSocket-Protocol is not a list of unique tokens');
  }
  return names;
}

/**
 * The subprotocol that a server chose, or null for none (RFC 6455 §4.1, §11.3.4).
 *
 * @throws RemoteProtocolError `INVALID_SUBPROTOCOL` when it is given twice or was not offered
 */
export function chosenSubprotocol(headers: HeaderList, offered: readonly string[]): string | null {
  const values = valuesOf(headers, 'sec-websocket-protocol');
  if (values.length === 0) return null;
  if (values.length > 1) throw new RemoteProtocolError('INVALID_SUBPROTOCOL', 'Sec-WebSocket-Protocol is repeated');
  if (!offered.includes(values[0])) {
    throw new RemoteProtocolError('INVALID_SUBPROTOCOL', 'the server chose a subprotocol that was not offered');
  }
  return values[0];
}

/**
 * The extensions that a client offers. The field may be repeated (RFC 6455 §9.1).
 *
 * @throws RemoteProtocolError `INVALID_EXTENSION`
 */
export function offeredExtensions(headers: HeaderList): ExtensionOffer[] {
  const values = valuesOf(headers, 'sec-websocket-extensions');
  return values.length === 0 ? [] : parseExtensions(values.join(', '));
}

/**
 * The extensions that a server accepted.
 *
 * @throws RemoteProtocolError `INVALID_EXTENSION`, also for a repeated field: a response may not (RFC 6455 §11.3.2)
 */
export function acceptedExtensions(headers: HeaderList): ExtensionOffer[] {
  if (valuesOf(headers, 'sec-websocket-extensions').length > 1) {
    throw new RemoteProtocolError('INVALID_EXTENSION', 'Sec-WebSocket-Extensions is repeated');
  }
  return offeredExtensions(headers);
}
