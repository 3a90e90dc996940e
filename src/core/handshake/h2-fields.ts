/**
 * Header blocks of HTTP/2 (RFC 9113 §8.2, §8.3) and HTTP/3 (RFC 9114 §4.2, §4.3), which are alike: pseudo-headers,
 * then fields with lower-case names. A stack may have checked some of this before; here nobody is trusted to.
 */

import { RemoteProtocolError } from '../errors.js';
import type { HeaderList } from '../events.js';
import type { HandshakeLimits } from '../limits.js';
import { checkReceivedHeaders } from './fields.js';
import { isFieldValue } from './grammar.js';
import { checkFieldCount } from './http1.js';

/** A header block, taken apart. */
export interface Block {
  /** By name, with the colon. */
  readonly pseudo: ReadonlyMap<string, string>;
  readonly fields: HeaderList;
}

/** What a field counts beyond its name and value (RFC 9113 §6.5.2). */
const FIELD_OVERHEAD = 32;

/** RFC 9113 §8.2.2: what speaks of one connection has no place where many streams share it. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Takes a header block apart.
 *
 * @param known the pseudo-headers that may occur
 * @throws RemoteProtocolError `INVALID_PSEUDO_HEADER` for one that is unknown, repeated or behind a field;
 * `INVALID_HEADER` for what RFC 9113 §8.2 calls malformed
 */
export function splitBlock(headers: HeaderList, known: ReadonlySet<string>): Block {
  const count = headers.findIndex(([name]) => !name.startsWith(':'));
  const pseudo = new Map<string, string>();
  for (const [name, value] of count < 0 ? headers : headers.slice(0, count)) {
    // RFC 9113 §8.3: each of these is malformed. A second :path, say, is one that somebody on the way did not look at.
    if (!known.has(name)) throw invalidPseudo(`${JSON.stringify(name)} is not known here`);
    if (pseudo.has(name)) throw invalidPseudo(`${name} is repeated`);
    pseudo.set(name, value);
  }
  const fields = count < 0 ? [] : headers.slice(count);
  for (const [name, value] of fields) {
    if (name.startsWith(':')) throw invalidPseudo(`${JSON.stringify(name)} is behind a field`);
    if (name !== name.toLowerCase()) throw invalid('a field name has upper-case letters');
    if (isConnectionSpecific(name, value)) throw invalid(`${name} is of HTTP/1.1, or says what is`);
    if (!isFieldValue(value)) throw invalid(`the value of ${JSON.stringify(name)} is malformed`);
  }
  checkReceivedHeaders(fields, Number.POSITIVE_INFINITY);
  return { pseudo, fields: withOneCookie(fields) };
}

/** RFC 9113 §8.2.3: a Cookie may come in crumbs, which are put together for whoever knows only the whole. */
function withOneCookie(fields: HeaderList): HeaderList {
  const crumbs = fields.filter(([name]) => name === 'cookie').map(([, value]) => value);
  if (crumbs.length < 2) return fields;
  return [...fields.filter(([name]) => name !== 'cookie'), ['cookie', crumbs.join('; ')]];
}

/** What may be sent: names in lower case, and nothing that speaks of a connection, which a caller need not know. */
export function sendable(fields: HeaderList): HeaderList {
  return fields
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name, value]) => !isConnectionSpecific(name, value));
}

/** Of TE only the one word may be there, in any case as all words of RFC 9110's grammar. */
function isConnectionSpecific(name: string, value: string): boolean {
  return name === 'te' ? value.toLowerCase() !== 'trailers' : CONNECTION_SPECIFIC.has(name);
}

/** Adds up the header blocks of one handshake, so that interim responses cannot go on for ever. */
export class BlockMeter {
  readonly #limits: HandshakeLimits;
  #count = 0;
  #size = 0;

  constructor(limits: HandshakeLimits) {
    this.#limits = limits;
  }

  /** @throws RemoteProtocolError `HEADERS_TOO_LARGE`, `TOO_MANY_HEADERS`, `INVALID_HEADER` for what is not strings */
  add(headers: HeaderList): void {
    const { maxHeaderSize, maxHeaderFields } = this.#limits;
    this.#count += headers.length;
    checkFieldCount(this.#count, maxHeaderFields);
    for (const [name, value] of headers) {
      // What has no length would have the size be NaN, and that is over no limit.
      if (typeof name !== 'string' || typeof value !== 'string') throw invalid('a name or a value is not a string');
      this.#size += name.length + value.length + FIELD_OVERHEAD;
      if (this.#size > maxHeaderSize) {
        throw new RemoteProtocolError(
          'HEADERS_TOO_LARGE',
          `the header block is over maxHeaderSize, ${maxHeaderSize} bytes`,
        );
      }
    }
  }
}

function invalid(what: string): RemoteProtocolError {
  return new RemoteProtocolError('INVALID_HEADER', `the header block is malformed: ${what}`);
}

function invalidPseudo(what: string): RemoteProtocolError {
  return new RemoteProtocolError('INVALID_PSEUDO_HEADER', `the header block is malformed: ${what}`);
}
