/**
 * What observers can subscribe to with `node:diagnostics_channel`. A channel without subscribers costs one look.
 *
 * | channel | published | with |
 * | --- | --- | --- |
 * | `millrace:open` | a connection is open, before its handler is called | `{ ws }` |
 * | `millrace:message` | a message came, before its handler is called | `{ ws, data, isBinary }` |
 * | `millrace:close` | a connection is over, before its handler is called | `{ ws, code, reason, origin }` |
 * | `millrace:error` | a handler, the peer or the stream failed | `{ ws, error }` |
 */

import { channel } from 'node:diagnostics_channel';

export const openChannel = channel('millrace:open');
export const messageChannel = channel('millrace:message');
export const closeChannel = channel('millrace:close');
export const errorChannel = channel('millrace:error');
