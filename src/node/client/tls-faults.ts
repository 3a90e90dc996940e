/** A client that speaks TLS to a server that does not, or the other way round: how each of them shows. */

import type { RejectConnection } from '../../core/index.js';

/** What OpenSSL, in any version of Node, says of bytes that are no TLS. */
const NOT_TLS: ReadonlySet<unknown> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_DATA_LENGTH_TOO_LONG',
  'ERR_SSL_RECORD_LAYER_FAILURE',
  'ERR_SSL_BAD_RECORD_TYPE',
  'ERR_SSL_UNKNOWN_PROTOCOL',
  'ERR_SSL_HTTP_REQUEST',
]);

/** Whether an error of a TLS handshake says that the server does not speak TLS. */
export function isNotTls(error: Error): boolean {
  return NOT_TLS.has((error as NodeJS.ErrnoException).code);
}

const ALERT = 0x15;
const MAJOR_VERSION = 0x03;

/** Whether the first bytes that a server sent are an alert of TLS (RFC 8446 §5.1, §6), which HTTP cannot begin with. */
export function isTlsAlert(first: Uint8Array): boolean {
  return first[0] === ALERT && (first.length === 1 || first[1] === MAJOR_VERSION);
}

// In order: nginx, Apache httpd, Go's net/http and what is built on it, Tomcat.
const COMPLAINTS =
  /plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL|HTTP request to an HTTPS server|requires TLS/i;

/** Whether a rejection complains of plain HTTP on a port for HTTPS. */
export function complainsOfPlainHttp({ statusCode }: RejectConnection, body: Buffer): boolean {
  return statusCode === 400 && COMPLAINTS.test(body.toString('latin1'));
}
