/**
 * Which connections still owe answers to ordinary requests. Pipelined behind one of these, a request for a WebSocket
 * cannot be taken: what answers the earlier request would be written into the WebSocket, or to a socket that is no
 * longer there, and fail with nobody to hear of it.
 *
 * Node tells of every request on a diagnostics channel, whosever HTTP server it came to. A listener of ours on that
 * server would not see what a framework passes on to `accept`.
 */

import { subscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const unfinished = new WeakMap<Duplex, Set<ServerResponse>>();

// From the start: a request that came before the first `accept` may be answered after it.
subscribe('http.server.request.start', (message) => {
  const { socket, response } = message as { socket: Duplex; response: ServerResponse };
  const others = unfinished.get(socket);
  if (others === undefined) unfinished.set(socket, new Set([response]));
  else others.add(response);
  response.on('close', () => unfinished.get(socket)?.delete(response));
});

/**
 * Whether some answers are not given yet. The last one is given once it has ended, even if that is still being written:
 * its client may have read all of it by now.
 */
export function owesAnswers(stream: Duplex): boolean {
  const [first, second] = unfinished.get(stream) ?? [];
  return second !== undefined || (first !== undefined && !first.writableEnded);
}
