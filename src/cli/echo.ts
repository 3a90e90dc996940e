/** The server of `millrace serve`: echoes on `/echo` and `/`, pushes its counts on `/stats`, serves the page. */

import { type Peer, reject, type Server, serve, type UpgradeRequest, type UpgradeResult } from '../node/index.js';
import { HostCheck, isOwnOrigin } from './hosts.js';
import { pageListener } from './page.js';
import { Stats } from './stats.js';

export type Role = 'echo' | 'stats';

const ROLES: Readonly<Record<string, Role>> = { '/': 'echo', '/echo': 'echo', '/stats': 'stats' };

/** Milliseconds between two snapshots. */
const PUSH_INTERVAL = 1000;

const MAX_MESSAGE_SIZE = 16 * 1024 * 1024;

export interface EchoOptions {
  readonly port: number;
  readonly host: string;
}

/** Starts the server; rejects as `serve` does. */
export async function startEcho({ port, host }: EchoOptions): Promise<Server<Role>> {
  const stats = new Stats();
  const hosts = new HostCheck(host);
  const watchers = new Watchers(stats);

  return serve<Role>({
    port,
    hostname: host,
    maxMessageSize: MAX_MESSAGE_SIZE,
    perMessageDeflate: true,
    request: pageListener(hosts, () => stats.snapshot()),

    upgrade: (request) => decide(request, hosts),

    open(ws) {
      if (ws.data === 'stats') {
        watchers.add(ws);
        return;
      }
      stats.openConnections++;
      stats.totalConnections++;
    },

    message(ws, data) {
      if (ws.data === 'stats') return;
      const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
      stats.messagesReceived++;
      stats.bytesReceived += bytes;
      if (!ws.isOpen) return;
      ws.send(data);
      stats.messagesEchoed++;
      stats.bytesEchoed += bytes;
    },

    close(ws) {
      if (ws.data === 'stats') watchers.delete(ws);
      else stats.openConnections--;
    },
  });
}

function decide({ target, host, headers }: UpgradeRequest, hosts: HostCheck): UpgradeResult<Role> {
  const path = target.split('?', 1)[0];
  if (!hosts.accepts(host)) return reject(421);
  if (!Object.hasOwn(ROLES, path)) return reject(404);
  const role = ROLES[path];
  if (role === 'stats' && !isOwnOrigin(headers.origin, host)) return reject(403);
  return { data: role };
}

/** The connections that get snapshots; the clock runs only while there are any. */
class Watchers {
  readonly #peers = new Set<Peer<Role>>();
  readonly #stats: Stats;
  #timer: NodeJS.Timeout | undefined;

  constructor(stats: Stats) {
    this.#stats = stats;
  }

  add(ws: Peer<Role>): void {
    this.#peers.add(ws);
    this.#stats.watching = this.#peers.size;
    this.#timer ??= setInterval(() => this.#push(), PUSH_INTERVAL).unref();
    ws.send(JSON.stringify(this.#stats.snapshot()));
  }

  delete(ws: Peer<Role>): void {
    this.#peers.delete(ws);
    this.#stats.watching = this.#peers.size;
    if (this.#peers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #push(): void {
    const text = JSON.stringify(this.#stats.snapshot());
    for (const ws of this.#peers) {
      // Old snapshots are of no use to a reader that is slow: it gets the next one that it has room for.
      if (ws.bufferedAmount === 0) ws.send(text);
    }
  }
}
