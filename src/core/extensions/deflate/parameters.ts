/**
 * The negotiation of permessage-deflate (RFC 7692 §7.1): its four parameters, what a server answers to an offer, and what
 * a client makes of an answer.
 */

import type { ExtensionParameter } from '../extension.js';

export const SERVER_NO_CONTEXT_TAKEOVER = 'server_no_context_takeover';
export const CLIENT_NO_CONTEXT_TAKEOVER = 'client_no_context_takeover';
export const SERVER_MAX_WINDOW_BITS = 'server_max_window_bits';
export const CLIENT_MAX_WINDOW_BITS = 'client_max_window_bits';

/** What one side wants, or both have agreed on. */
export interface DeflateParameters {
  /** The server begins every message with an empty window (§7.1.1.1). */
  readonly serverNoContextTakeover: boolean;
  /** The client does (§7.1.1.2). */
  readonly clientNoContextTakeover: boolean;
  /** The base-2 logarithm of the server's window, 8 to 15 (§7.1.2.1). */
  readonly serverMaxWindowBits: number;
  /** The client's (§7.1.2.2). */
  readonly clientMaxWindowBits: number;
}

export const MIN_WINDOW_BITS = 8;
export const MAX_WINDOW_BITS = 15;
/** The least for a compressor of ours: zlib has no raw DEFLATE with a window of 8. */
export const MIN_COMPRESSOR_BITS = 9;

/** The parameters of one offer or answer; an absent one is undefined. */
interface Found {
  serverNoContextTakeover?: true;
  clientNoContextTakeover?: true;
  serverMaxWindowBits?: number;
  /** True without a value, which only an offer may have. */
  clientMaxWindowBits?: number | true;
}

/** "A decimal integer value without leading zeroes between 8 to 15, inclusive" (§7.1.2). */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/** @throws Error for a parameter that is unknown, repeated, or has a value that it cannot have */
function read(params: readonly ExtensionParameter[]): Found {
  const found: Found = {};
  const seen = new Set<string>();
  for (const { name, value } of params) {
    if (seen.has(name)) throw new Error(`${name} comes twice`);
    seen.add(name);
    switch (name) {
      case SERVER_NO_CONTEXT_TAKEOVER:
        found.serverNoContextTakeover = flag(name, value);
        break;
      case CLIENT_NO_CONTEXT_TAKEOVER:
        found.clientNoContextTakeover = flag(name, value);
        break;
      case SERVER_MAX_WINDOW_BITS:
        found.serverMaxWindowBits = windowBits(name, value);
        break;
      case CLIENT_MAX_WINDOW_BITS:
        found.clientMaxWindowBits = value === null ? true : windowBits(name, value);
        break;
      default:
        throw new Error(`${name} is no parameter of it`);
    }
  }
  return found;
}

function flag(name: string, value: string | null): true {
  if (value !== null) throw new Error(`${name} has a value`);
  return true;
}

function windowBits(name: string, value: string | null): number {
  if (value === null || !WINDOW_BITS.test(value)) throw new Error(`${name} is not a number from 8 to 15`);
  return Number(value);
}

/**
 * What a server agrees to, and how it says so.
 *
 * | parameter                  | in the offer | of ours | answer                                      |
 * | -------------------------- | ------------ | ------- | ------------------------------------------- |
 * | server_no_context_takeover | either has it          | | it                                          |
 * |                            | neither                | | –                                           |
 * | client_no_context_takeover | either has it          | | it                                          |
 * |                            | neither                | | –                                           |
 * | server_max_window_bits     | –            | 15      | –                                           |
 * |                            | –            | n       | n; declined where that is 8                 |
 * |                            | m            | n       | the lesser; declined where that is 8        |
 * | client_max_window_bits     | –            | 15      | –                                           |
 * |                            | –            | n       | declined: it could not be told              |
 * |                            | no value     | 15      | –                                           |
 * |                            | no value     | n       | n                                           |
 * |                            | m            | n       | the lesser, – where that is 15              |
 * | anything else              | any          |         | declined                                    |
 *
 * @returns null to decline
 */
export function answerOffer(
  params: readonly ExtensionParameter[],
  own: DeflateParameters,
): { readonly params: readonly ExtensionParameter[]; readonly agreed: DeflateParameters } | null {
  let offer: Found;
  try {
    offer = read(params);
  } catch {
    return null;
  }
  const { clientMaxWindowBits: clientBits, serverMaxWindowBits: serverBits = MAX_WINDOW_BITS } = offer;
  if (clientBits === undefined && own.clientMaxWindowBits < MAX_WINDOW_BITS) return null;
  const agreed: DeflateParameters = {
    serverNoContextTakeover: own.serverNoContextTakeover || offer.serverNoContextTakeover === true,
    clientNoContextTakeover: own.clientNoContextTakeover || offer.clientNoContextTakeover === true,
    serverMaxWindowBits: Math.min(own.serverMaxWindowBits, serverBits),
    clientMaxWindowBits: Math.min(
      own.clientMaxWindowBits,
      typeof clientBits === 'number' ? clientBits : MAX_WINDOW_BITS,
    ),
  };
  if (agreed.serverMaxWindowBits < MIN_COMPRESSOR_BITS) return null;
  const mustTell = offer.serverMaxWindowBits !== undefined;
  return { params: listed(agreed, mustTell), agreed };
}

/** What a client offers: its wish, and `client_max_window_bits` always, to say that it could. */
export function offer(own: DeflateParameters): ExtensionParameter[] {
  const params = listed({ ...own, clientMaxWindowBits: MAX_WINDOW_BITS }, false);
  const { clientMaxWindowBits: bits } = own;
  params.push({ name: CLIENT_MAX_WINDOW_BITS, value: bits < MAX_WINDOW_BITS ? String(bits) : null });
  return params;
}

/**
 * What a client makes of an answer to its offer.
 *
 * | parameter                  | in the offer | in the answer | outcome                                       |
 * | -------------------------- | ------------ | ------------- | --------------------------------------------- |
 * | server_no_context_takeover | it           | –             | refused: the server may not ignore it         |
 * |                            | any          | it            | taken                                         |
 * | client_no_context_takeover | any          | any           | the client does as either of them says        |
 * | server_max_window_bits     | n            | –             | refused: the server may not ignore it         |
 * |                            | n            | m             | m, refused where that is more than n          |
 * |                            | –            | m             | m                                             |
 * | client_max_window_bits     | no value     | –             | 15                                            |
 * |                            | n            | –             | n                                             |
 * |                            | no value     | m             | m, refused where that is 8                    |
 * |                            | n            | m             | m, refused where that is 8 or more than n     |
 * |                            | any          | no value      | refused                                       |
 *
 * @throws Error that says what is wrong
 */
export function takeAnswer(params: readonly ExtensionParameter[], own: DeflateParameters): DeflateParameters {
  const answer = read(params);
  const { serverMaxWindowBits: serverBits, clientMaxWindowBits: clientBits = own.clientMaxWindowBits } = answer;
  if (own.serverNoContextTakeover && answer.serverNoContextTakeover === undefined) {
    throw new Error(`the server leaves out ${SERVER_NO_CONTEXT_TAKEOVER}`);
  }
  if (own.serverMaxWindowBits < MAX_WINDOW_BITS && serverBits === undefined) {
    throw new Error(`the server leaves out ${SERVER_MAX_WINDOW_BITS}`);
  }
  if (clientBits === true) throw new Error(`${CLIENT_MAX_WINDOW_BITS} has no value`);
  checkBits(SERVER_MAX_WINDOW_BITS, serverBits ?? MAX_WINDOW_BITS, own.serverMaxWindowBits);
  checkBits(CLIENT_MAX_WINDOW_BITS, clientBits, own.clientMaxWindowBits);
  if (clientBits < MIN_COMPRESSOR_BITS) throw new Error(`${CLIENT_MAX_WINDOW_BITS} is less than this client can do`);
  return {
    serverNoContextTakeover: answer.serverNoContextTakeover === true,
    clientNoContextTakeover: own.clientNoContextTakeover || answer.clientNoContextTakeover === true,
    serverMaxWindowBits: serverBits ?? MAX_WINDOW_BITS,
    clientMaxWindowBits: clientBits,
  };
}

function checkBits(name: string, bits: number, most: number): void {
  if (bits > most) throw new Error(`${name} is more than was offered`);
}

/** The parameters that say more than their absence would. */
function listed(agreed: DeflateParameters, tellServerBits: boolean): ExtensionParameter[] {
  const { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } = agreed;
  const params: ExtensionParameter[] = [];
  if (serverNoContextTakeover) params.push({ name: SERVER_NO_CONTEXT_TAKEOVER, value: null });
  if (clientNoContextTakeover) params.push({ name: CLIENT_NO_CONTEXT_TAKEOVER, value: null });
  if (tellServerBits || serverMaxWindowBits < MAX_WINDOW_BITS) {
    params.push({ name: SERVER_MAX_WINDOW_BITS, value: String(serverMaxWindowBits) });
  }
  if (clientMaxWindowBits < MAX_WINDOW_BITS) {
    params.push({ name: CLIENT_MAX_WINDOW_BITS, value: String(clientMaxWindowBits) });
  }
  return params;
}
