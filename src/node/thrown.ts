/** What a user's code throws, which may be anything. */

import { inspect } from 'node:util';

/** It as an Error; what is none becomes the cause of one. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(typeof thrown === 'string' ? thrown : inspect(thrown), { cause: thrown });
}

/** For where nobody listens: a warning of the process. */
export function warn(thrown: unknown): void {
  process.emitWarning(asError(thrown));
}
