/**
 * Which web pages may open a WebSocket. A browser lets any page connect anywhere, with the user's cookies for that
 * server, and only says in the Origin field which page it was (RFC 6455 §4.1, §10.2).
 */

import { LocalProtocolError } from '../core/index.js';
import { testOf } from './patterns.js';

/** An origin as `https://example.com`, a pattern, or null for requests without an Origin field. */
export type OriginRule = string | RegExp | null;

/** Whether an Origin field, or its absence, is allowed. */
export type OriginTest = (origin: string | undefined) => boolean;

/** A scheme and an authority, nothing behind them (RFC 6454 §6.2). */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s,]+$/i;

/** What browsers send for a page without an origin of its own: a sandboxed frame, a file (RFC 6454 §6.1). */
const OPAQUE = 'null';

/**
 * Makes the test of an option `origins`; null where every origin is allowed.
 *
 * @throws LocalProtocolError `INVALID_OPTION`
 */
export function originTest(rules: readonly OriginRule[] | undefined): OriginTest | null {
  if (rules === undefined) return null;
  if (!Array.isArray(rules)) throw invalid('must be a list');
  const listed = new Set<string>();
  const patterns: ((origin: string) => boolean)[] = [];
  let allowsNone = false;
  for (const rule of rules as readonly OriginRule[]) {
    if (rule === null) allowsNone = true;
    else if (rule instanceof RegExp) patterns.push(testOf(rule));
    else listed.add(checked(rule));
  }
  return (origin) => {
    if (origin === undefined) return allowsNone;
    const normal = normalised(origin);
    if (listed.has(normal)) return true;
    // Any page can be in a sandboxed frame, so a pattern that is generous about names does not mean this one.
    return normal !== OPAQUE && patterns.some((matches) => matches(origin));
  };
}

function checked(rule: string): string {
  if (rule === OPAQUE) return rule;
  if (typeof rule !== 'string' || !ORIGIN.test(rule)) {
    throw invalid(
      `cannot hold ${JSON.stringify(rule)}: an origin looks like "https://example.com", and nothing follows`,
    );
  }
  // Of these a browser sends the host as a URL has it: in punycode, addresses in their shortest form.
  if (!/^https?:/i.test(rule)) return normalised(rule);
  if (!URL.canParse(rule)) throw invalid(`cannot hold ${JSON.stringify(rule)}, which is not a URL`);
  return new URL(rule).origin;
}

/** In lower case, without the port that the scheme has by default. */
function normalised(origin: string): string {
  const lower = origin.toLowerCase();
  const port = /^(?:http|ws):/.test(lower) ? ':80' : /^(?:http|ws)s:/.test(lower) ? ':443' : null;
  return port !== null && lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
}

function invalid(what: string): LocalProtocolError {
  return new LocalProtocolError('INVALID_OPTION', `origins ${what}`);
}
