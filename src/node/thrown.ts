/** What a user's code throws, which may be anything, and may itself throw when it is looked at. */

import { inspect } from 'node:util';

const UNSHOWABLE = 'what was thrown cannot be shown';

/** It as an Error; what is none becomes the cause of one. Never throws. */
export function asError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown;
    return new Error(typeof thrown === 'string' ? thrown : inspect(thrown), { cause: thrown });
  } catch {
    return new Error(UNSHOWABLE, { cause: thrown });
  }
}

/** For where nobody listens: a warning of the process. Never throws. */
export function warn(thrown: unknown): void {
  const error = asError(thrown);
  process.emitWarning(isShowable(error) ? error : new Error(UNSHOWABLE, { cause: error }));
}

/** Whether Node can print it, which it does later, when nobody is there to catch what that throws. */
function isShowable(error: NodeJS.ErrnoException): boolean {
  try {
    return `${error.name}${error.code}${error.stack}${error}` !== '';
  } catch {
    return false;
  }
}
