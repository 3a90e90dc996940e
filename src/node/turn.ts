/**
 * The end of a turn of the event loop. Whatever handlers, timers and promises queue in one turn is written when it
 * ends, once a connection.
 */

/** Something to be done at the end of a turn; an object, because a closure for each connection would cost memory. */
export interface TurnEnd {
  onTurnEnd(): void;
}

let early: TurnEnd[] = [];
let waiting: TurnEnd[] = [];
let isScheduled = false;

function run(): void {
  const first = early;
  early = [];
  let isDone = false;
  try {
    call(first, beforeTurnEnd);
    isDone = true;
  } finally {
    isScheduled = false;
    // Those who have asked only now are for the next turn.
    if (!isDone || early.length > 0) schedule();
  }
  const entries = waiting;
  waiting = [];
  call(entries, atTurnEnd);
}

function call(entries: readonly TurnEnd[], again: (entry: TurnEnd) => void): void {
  let next = 0;
  try {
    while (next < entries.length) entries[next++].onTurnEnd();
  } finally {
    // What one of them throws is no reason to forget the others.
    for (; next < entries.length; next++) again(entries[next]);
  }
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(run);
}

/** Calls back when the current turn ends. Asking twice calls twice: whoever asks remembers that it has. */
export function atTurnEnd(entry: TurnEnd): void {
  schedule();
  waiting.push(entry);
}

/** The same, ahead of all who ask with `atTurnEnd`, those too who ask only then. */
export function beforeTurnEnd(entry: TurnEnd): void {
  schedule();
  early.push(entry);
}
