/** Upgrade requests as node:http emits them: which of them are for a WebSocket, and for whom. */

import type { IncomingMessage } from 'node:http';
import { pathOf } from './paths.js';

/** Whether a request's Upgrade lists websocket (RFC 9110 §7.8); `h2c` and whatever else there is are not for us. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  const { upgrade } = headers;
  return upgrade?.split(',').some((name) => name.trim().toLowerCase() === 'websocket') ?? false;
}

/** The path that a request is for. */
export function requestPath({ url = '' }: IncomingMessage): string {
  return pathOf(url);
}
