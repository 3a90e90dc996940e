/**
 * Sec-WebSocket-Extensions (RFC 6455 §9.1): its grammar, and who agrees to what. Extension names are compared exactly
 * as they are spelled: all registered ones are lower case, and so does RFC 7692 write its own.
 */

import { LocalProtocolError, RemoteProtocolError } from '../errors.js';
import { isToken, TOKEN_CHARACTERS } from '../handshake/grammar.js';
import type { Extension, ExtensionOffer, ExtensionParameter, SupportedExtension } from './extension.js';

/**
 * What a server agrees to.
 *
 * | an offer, in the client's order        | outcome                                             |
 * | -------------------------------------- | --------------------------------------------------- |
 * | of a name that is not supported        | declined                                            |
 * | of a name already taken                | declined: the client's earlier offer was preferred  |
 * | that `accept` declines                 | declined; the next supported one of that name tries |
 * | whose RSV bits are already taken       | likewise (RFC 6455 §9.1)                            |
 * | otherwise                              | taken                                               |
 *
 * @param requested the offers, or the value of the field, repeated fields joined by commas
 * @returns the value of the answering field, null for none, and new instances in the order of the answer
 * @throws RemoteProtocolError `INVALID_EXTENSION` when `requested` is a string that breaks the grammar
 * @throws LocalProtocolError `INVALID_EXTENSION` when an extension answers with what cannot be written
 */
export function serverExtensionsHandshake(
  requested: readonly ExtensionOffer[] | string,
  supported: readonly SupportedExtension[],
): { header: string | null; extensions: Extension[] } {
  const answer = new Map<string, ExtensionOffer>();
  const extensions: Extension[] = [];
  let rsv = 0;
  for (const { name, params } of offersOf(requested)) {
    for (const candidate of supported) {
      if (candidate.name !== name || answer.has(name)) continue;
      const accepted = candidate.accept(params);
      if (accepted === null || (accepted.extension.rsv & rsv) !== 0) continue;
      rsv |= accepted.extension.rsv;
      extensions.push(accepted.extension);
      answer.set(name, { name, params: accepted.params });
    }
  }
  return { header: answer.size === 0 ? null : formatExtensions([...answer.values()]), extensions };
}

/**
 * What a client makes of a server's answer.
 *
 * @param accepted the elements of the answer, or the value of the field
 * @param proposed what the client offered
 * @returns new instances in the order of the answer, which is the order they apply in
 * @throws RemoteProtocolError `INVALID_EXTENSION` for a broken grammar, an extension that was not offered or comes
 * twice, RSV bits that two of them claim, or parameters that `finalize` refuses
 */
export function clientExtensionsHandshake(
  accepted: readonly ExtensionOffer[] | string,
  proposed: readonly SupportedExtension[],
): Extension[] {
  const names = new Set<string>();
  const extensions: Extension[] = [];
  let rsv = 0;
  for (const { name, params } of offersOf(accepted)) {
    const proposal = proposed.find((candidate) => candidate.name === name);
    if (proposal === undefined) throw invalid(`the server accepted ${name}, which was not offered`);
    if (names.has(name)) throw invalid(`the server accepted ${name} twice`);
    names.add(name);
    const extension = finalize(proposal, params);
    if ((extension.rsv & rsv) !== 0) throw invalid(`${name} uses an RSV bit that another extension has taken`);
    rsv |= extension.rsv;
    extensions.push(extension);
  }
  return extensions;
}

function finalize(proposal: SupportedExtension, params: readonly ExtensionParameter[]): Extension {
  try {
    return proposal.finalize(params);
  } catch (error) {
    throw invalid(`${proposal.name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function offersOf(offers: readonly ExtensionOffer[] | string): readonly ExtensionOffer[] {
  return typeof offers === 'string' ? parseExtensions(offers) : offers;
}

// Whitespace may stand between any two words: RFC 6455 §9.1 takes its grammar from RFC 2616, implied LWS included.
const WORD = new RegExp(`[ \\t]*([${TOKEN_CHARACTERS}]+)[ \\t]*`, 'y');
// "the value after quoted-string unescaping MUST conform to the 'token' ABNF" (RFC 6455 §9.1).
const QUOTED = new RegExp(`[ \\t]*"((?:\\\\?[${TOKEN_CHARACTERS}])+)"[ \\t]*`, 'y');

/**
 * Reads the value of Sec-WebSocket-Extensions, repeated fields joined by commas (RFC 6455 §9.1).
 *
 * @throws RemoteProtocolError `INVALID_EXTENSION` for anything that is not exactly of that grammar, such as empty
 * elements
 */
export function parseExtensions(value: string): ExtensionOffer[] {
  let position = 0;

  function match(pattern: RegExp): string | null {
    pattern.lastIndex = position;
    const found = pattern.exec(value);
    if (found === null) return null;
    position = pattern.lastIndex;
    return found[1];
  }

  function expect(...patterns: RegExp[]): string {
    for (const pattern of patterns) {
      const found = match(pattern);
      if (found !== null) return found;
    }
    throw invalid(`Sec-WebSocket-Extensions is malformed at character ${position + 1}`);
  }

  function skip(separator: string): boolean {
    if (value[position] !== separator) return false;
    position++;
    return true;
  }

  const offers: ExtensionOffer[] = [];
  do {
    const name = expect(WORD);
    const params: ExtensionParameter[] = [];
    while (skip(';')) {
      const parameter = expect(WORD);
      params.push({ name: parameter, value: skip('=') ? expect(WORD, QUOTED).replaceAll('\\', '') : null });
    }
    offers.push({ name, params });
  } while (skip(','));
  if (position < value.length) throw invalid(`Sec-WebSocket-Extensions is malformed at character ${position + 1}`);
  return offers;
}

/**
 * Writes the value of Sec-WebSocket-Extensions. Quotes are never needed: every value is a token.
 *
 * @throws LocalProtocolError `INVALID_EXTENSION` when a name or a value is not a token
 */
export function formatExtensions(offers: readonly ExtensionOffer[]): string {
  return offers
    .map(({ name, params }) =>
      [
        token(name),
        ...params.map((param) => token(param.name) + (param.value === null ? '' : `=${token(param.value)}`)),
      ].join('; '),
    )
    .join(', ');
}

function token(word: string): string {
  if (!isToken(word)) throw new LocalProtocolError('INVALID_EXTENSION', `not a token: ${JSON.stringify(word)}`);
  return word;
}

function invalid(message: string): RemoteProtocolError {
  return new RemoteProtocolError('INVALID_EXTENSION', message);
}
