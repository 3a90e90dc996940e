/** The point at which a stream stops being an HTTP server's and becomes ours. */

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { owesAnswers } from './answers.js';

/** @returns false for a stream that is of no use, because its client has gone or waits for other answers; it is closed */
export function takeOver(stream: Duplex): boolean {
  if (stream.destroyed || stream.readableEnded || !stream.writable || owesAnswers(stream)) {
    stream.destroy();
    return false;
  }
  if ('setNoDelay' in stream) (stream as Socket).setNoDelay(true).setTimeout(0);
  // Over TLS Node would end our side together with the client's, ahead of the answers to what it sent before.
  stream.allowHalfOpen = true;
  return true;
}
