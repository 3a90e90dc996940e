/** Faults that the person at the terminal can do something about. */

/** Printed as one line without a stack, then the command exits. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly exitCode: 1 | 2;

  /** @param exitCode 2 for a wrong command line, 1 for everything else */
  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
