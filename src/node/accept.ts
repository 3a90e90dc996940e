/** `accept`: WebSockets for frameworks that route upgrade requests themselves. */

import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Duplex } from 'node:stream';
import { LocalProtocolError } from '../core/index.js';
import { Endpoint, type EndpointOptions } from './endpoint.js';
import type { Peer } from './peer.js';

/** An endpoint for each options object, so that limits such as `maxConnections` hold from call to call. */
const endpoints = new WeakMap<object, Endpoint<never>>();

/**
 * Takes one upgrade request, in the `'upgrade'` listener of somebody else's HTTP server, or one extended CONNECT, in the
 * `'connect'` listener of a server of node:http2, with `request.stream` and no bytes for `socket` and `head`. The options are checked once
 * and their limits hold for all calls with the same object; who wants to count connections or close them all makes an
 * `Endpoint` and calls its `accept`.
 *
 * @returns a promise of the connection, open and with `open` called; of null when the request was refused or its client
 *   went away. It does not reject for anything that a client does.
 * @throws LocalProtocolError `INVALID_OPTION`, as a rejection; the socket is untouched then
 */
export async function accept<Data = unknown>(
  request: IncomingMessage | Http2ServerRequest,
  socket: Duplex,
  head: Uint8Array,
  options: EndpointOptions<Data>,
): Promise<Peer<Data> | null> {
  if (typeof options !== 'object' || options === null) {
    throw new LocalProtocolError('INVALID_OPTION', 'options must be an object');
  }
  let endpoint = endpoints.get(options) as Endpoint<Data> | undefined;
  if (endpoint === undefined) {
    endpoint = new Endpoint(options);
    endpoints.set(options, endpoint as unknown as Endpoint<never>);
  }
  return endpoint.accept(request, socket, head);
}
