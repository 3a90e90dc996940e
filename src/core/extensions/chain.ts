/**
 * Several extensions that decode a message as if they were one: each undoes what its neighbour has given, in the reverse
 * of the order in which they were applied (RFC 6455 §9.1).
 */

import type { Extension } from './extension.js';

/** What decodes messages. */
export type Decoder = Pick<Extension, 'decode' | 'more'>;

const NOTHING = new Uint8Array(0);

/** @param decoders in the order in which they undo their work; one of them may serve again and again */
export function decoderOf(decoders: readonly Extension[]): Decoder | null {
  if (decoders.length > 1) return new Chain(decoders);
  return decoders.length === 0 ? null : decoders[0];
}

/** One extension, and how far it is with what it was given. */
interface Stage {
  readonly extension: Extension;
  /** Whether there may be more of what it was given last. */
  isBusy: boolean;
  /** Whether it was given the end of the message. */
  isFinished: boolean;
}

/** The decoders of one message. */
class Chain implements Decoder {
  readonly #stages: readonly Stage[];
  #piece: Uint8Array | undefined;
  #finished = false;
  #rsv = 0;

  constructor(decoders: readonly Extension[]) {
    this.#stages = decoders.map((extension) => ({ extension, isBusy: false, isFinished: false }));
  }

  decode(
    data: Uint8Array,
    rsv: number,
    finished: boolean,
    limit: number,
    whenReady: (() => void) | null,
  ): Uint8Array | null {
    this.#piece = data;
    this.#finished = finished;
    this.#rsv = rsv;
    const found = this.more(limit, whenReady);
    return found === undefined ? NOTHING : found;
  }

  more(limit: number, whenReady: (() => void) | null): Uint8Array | null | undefined {
    return this.#pull(this.#stages.length - 1, limit, whenReady);
  }

  /** What the stage gives next; it is given what it needs. */
  #pull(index: number, limit: number, whenReady: (() => void) | null): Uint8Array | null | undefined {
    const stage = this.#stages[index];
    const { extension } = stage;
    for (;;) {
      if (stage.isBusy) {
        const more = extension.more?.(limit, whenReady);
        if (more !== undefined) return more;
        stage.isBusy = false;
      }
      let given = index === 0 ? this.#piece : this.#pull(index - 1, limit, whenReady);
      if (given === null) return null;
      let finished = index === 0 && this.#finished;
      if (index === 0) {
        this.#piece = undefined;
      } else if (given === undefined && this.#stages[index - 1].isFinished && !stage.isFinished) {
        // That it was the last is known only now that nothing more has come.
        given = NOTHING;
        finished = true;
      }
      if (given === undefined) return undefined;
      stage.isFinished = finished;
      stage.isBusy = true;
      const found = extension.decode(given, this.#rsv, finished, limit, whenReady);
      if (found === null || found.length > 0) return found;
    }
  }
}
