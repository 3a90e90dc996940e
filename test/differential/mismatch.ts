/** What is told of kernels, or of a way to run them, that do not do what they must. */

/** Told, after each input, which subject took how long over it. */
export type Meter = (subject: string, milliseconds: number) => void;

/** Something does not do what it must; the rest of the message shows the difference. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch';
  readonly subject: string;

  constructor(subject: string, cause: unknown) {
    super(`${subject}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    this.subject = subject;
  }
}
