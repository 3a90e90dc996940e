/**
 * The end of a turn of the event loop. Whatever handlers, timers and promises queue in one turn is written when it
 * ends, once a connection.
 */

let waiting: (() => void)[] = [];

function run(): void {
  const callbacks = waiting;
  waiting = [];
  for (const callback of callbacks) callback();
}

/** Calls back when the current turn ends. Asking twice calls twice: whoever asks remembers that it has. */
export function atTurnEnd(callback: () => void): void {
  if (waiting.length === 0) setImmediate(run);
  waiting.push(callback);
}
