/** The paths of request targets, and which of them take WebSockets. */

import { LocalProtocolError } from '../core/index.js';
import { testOf } from './patterns.js';

/** RFC 9112 §3.2.2: servers take a target in absolute form as well, and only its path counts here. */
const AUTHORITY = /^(?:http|ws)s?:\/\/[^/?#]*/i;

/** The path of a target, without its query. */
export function pathOf(target: string): string {
  const rest = target.replace(AUTHORITY, '');
  const end = rest.search(/[?#]/);
  return (end < 0 ? rest : rest.slice(0, end)) || '/';
}

/**
 * Makes the test of an option `path`.
 *
 * @throws LocalProtocolError `INVALID_OPTION` for a string that no path can equal
 */
export function pathTest(path: string | RegExp | undefined): (path: string) => boolean {
  if (path === undefined) return () => true;
  if (path instanceof RegExp) return testOf(path);
  if (typeof path !== 'string' || pathOf(path) !== path || !path.startsWith('/')) {
    throw new LocalProtocolError('INVALID_OPTION', 'path must be a RegExp, or a string from "/" on without a query');
  }
  return (asked) => asked === path;
}
