/** What the tests of pub/sub share: a server with connections at hand, and their clients. */

import { LocalProtocolError, type Peer, type ServeOptions, type Server } from '../../../src/node/index.js';
import { type Log, RawClient, recording, start, until } from '../support.js';

export interface Hub {
  readonly server: Server;
  /** In the order in which they were opened. */
  readonly peers: Peer[];
  readonly clients: RawClient[];
  /** The calls of handlers that the options do not replace, with the number of the connection. */
  readonly log: Log;
  /** One more. */
  join(): Promise<{ peer: Peer; client: RawClient }>;
}

/** A server and so many raw clients of it. */
export async function hub(count: number, options: ServeOptions = {}): Promise<Hub> {
  const peers: Peer[] = [];
  const clients: RawClient[] = [];
  const { log, handlers } = recording();
  const server = await start({
    ...handlers,
    close: (ws, code, reason) => void log.push(['close', peers.indexOf(ws), code, reason]),
    error: (ws, error) => void log.push(['error', peers.indexOf(ws), error]),
    ...options,
    open: (ws) => {
      peers.push(ws);
      return options.open?.(ws);
    },
  });
  const join = async () => {
    const client = await RawClient.open(server.port);
    clients.push(client);
    await until(() => peers.length === clients.length, 'the connection to be open');
    return { peer: peers.at(-1) as Peer, client };
  };
  for (let i = 0; i < count; i++) await join();
  return { server, peers, clients, log, join };
}

/** The payloads of data frames that came, as texts, once there are so many. */
export async function received(client: RawClient, count: number): Promise<string[]> {
  const found = () => client.frames.filter(({ opcode }) => opcode < 8);
  await until(() => found().length >= count || client.closed, `${count} messages`);
  return found().map(({ payload }) => payload.toString());
}

/** The same, once everything has come that the server has sent: a text that each is sent last tells. */
export async function receivedBy({ peers, clients }: Pick<Hub, 'peers' | 'clients'>): Promise<string[][]> {
  const last = 'that is all';
  for (const peer of peers) peer.send(last);
  const all: string[][] = [];
  for (const [i, client] of clients.entries()) {
    if (!peers[i].isOpen) await until(() => client.ended || client.closed, 'the end');
    else await until(() => client.texts().at(-1) === last || client.closed, 'the last message');
    all.push((await received(client, 0)).filter((text) => text !== last));
  }
  return all;
}

/** The code of the LocalProtocolError that is thrown. */
export function codeOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (!(error instanceof LocalProtocolError)) throw error;
    return error.code;
  }
  return null;
}
