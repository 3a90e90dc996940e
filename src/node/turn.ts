/**
 * The end of a turn of the event loop. Whatever handlers, timers and promises queue in one turn is written when it
 * ends, once a connection.
 */

/** Something to be done at the end of a turn; an object, because a closure for each connection would cost memory. */
export interface TurnEnd {
  onTurnEnd(): void;
}

let waiting: TurnEnd[] = [];

function run(): void {
  const entries = waiting;
  waiting = [];
  let next = 0;
  try {
    while (next < entries.length) entries[next++].onTurnEnd();
  } finally {
    // What one of them throws is no reason to forget the others.
    for (const entry of entries.slice(next)) atTurnEnd(entry);
  }
}

/** Calls back when the current turn ends. Asking twice calls twice: whoever asks remembers that it has. */
export function atTurnEnd(entry: TurnEnd): void {
  if (waiting.length === 0) setImmediate(run);
  waiting.push(entry);
}
