/** What the tests of single connections share. */

import type { Peer, ServeOptions, Server } from '../../src/node/index.js';
import { deferred, type Log, RawClient, recording, start } from './support.js';

/** The server's end of a connection, and its client. */
export interface Pair {
  readonly server: Server;
  readonly peer: Peer;
  readonly client: RawClient;
  /** The calls of handlers that the options do not replace; `open` is not among them. */
  readonly log: Log;
}

/** A server whose one peer is handed out, and a raw client of it. */
export async function pair(options: ServeOptions = {}): Promise<Pair> {
  const opened = deferred<Peer>();
  const { log, handlers } = recording();
  const server = await start({ ...handlers, ...options, open: (ws) => opened.resolve(ws) });
  const client = await RawClient.open(server.port);
  return { server, peer: await opened.promise, client, log };
}

/** A Blob that is read when the test says so. */
export class SlowBlob extends Blob {
  readonly gate = deferred();

  override async arrayBuffer(): Promise<ArrayBuffer> {
    await this.gate.promise;
    return super.arrayBuffer();
  }
}
