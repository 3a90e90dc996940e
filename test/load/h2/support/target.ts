/**
 * The server in a process of its own, and what every attack must leave alone: all attacks go through `attack`, which
 * measures the server, lets a well-behaved client on a session of its own echo all along, and holds the server
 * afterwards to what it was before.
 *
 * `MILLRACE_NODE` names another Node.js for the server.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ServeOptions } from '../../../../src/node/index.js';
import { closeFrame, concat, frame, noise, until } from '../../../node/support.js';
import { Child, poll } from '../../support/processes.js';
import { Code, data, END_STREAM, rstStream } from './frames.js';
import { RawPeer, type RawStream } from './peer.js';

export { Child, closeFrame, concat, frame, noise, sleep, until };

export const KiB = 1024;
export const MiB = 1024 * 1024;

/** What the heap and the memory outside of it may have grown by when all is over: caches, and code that was compiled. */
const HELD_MARGIN = 2 * MiB;
/** What the process may grow by during an attack that names no bound of its own: garbage that nobody had to collect yet. */
const RSS_MARGIN = 96 * MiB;

/** What the server is given, as far as it can be told to another process. */
export interface TargetOptions extends Omit<ServeOptions, 'upgrade' | 'request' | 'tls'> {
  /** Whether it is an `attach` to a server of node:http2 without TLS. */
  readonly h2c?: boolean;
  /** Milliseconds that `upgrade` takes for /slow. */
  readonly upgradeDelay?: number;
}

if (process.env['MILLRACE_NODE'] !== undefined) process.execPath = process.env['MILLRACE_NODE'];

type Counts = Readonly<Record<string, number>>;

/** What holds at a moment. */
export interface State {
  readonly open: number;
  readonly opening: number;
  readonly refused: number;
  readonly total: number;
  /** Sessions of an h2c server. */
  readonly sessions: number;
  readonly timers: number;
  /** `process.getActiveResourcesInfo()`, counted. */
  readonly resources: Counts;
  /** Calls of handlers by name; `abort` is that of `signal`. */
  readonly calls: Counts;
  readonly errorCodes: Counts;
  readonly closeCodes: Counts;
}

/** The same, with what is measured; bytes after collecting garbage. */
export interface Report extends State {
  readonly memory: { readonly rss: number; readonly peakRss: number; readonly held: number };
  /** Streams and sessions of node:http2 in the heap. */
  readonly objects: Partial<Record<'streams' | 'sessions', number>>;
  /** Milliseconds of CPU time so far. */
  readonly cpu: number;
  /** The most bytes that a connection had queued, and that a stream had unread, since the last report. */
  readonly mostQueued: number;
  readonly mostUnread: number;
  /** The most listeners that any event of a session had when a request came. */
  readonly mostListeners: number;
  readonly warnings: readonly string[];
  readonly rejections: readonly string[];
  readonly exceptions: readonly string[];
}

export class Target {
  readonly child: Child;
  readonly port: number;
  /** Whether TLS is spoken. */
  readonly secure: boolean;
  /** The major and the minor version of the Node.js that it runs. */
  readonly node: readonly [major: number, minor: number];

  private constructor(child: Child, port: number, secure: boolean, version: string) {
    this.child = child;
    this.port = port;
    this.secure = secure;
    const [major, minor] = version.split('.').map(Number);
    this.node = [major, minor];
  }

  static async start(options: TargetOptions = {}): Promise<Target> {
    const child = await Child.start('../h2/support/server.js');
    const port = await child.ask<number>('listen', options);
    return new Target(child, port, options.h2c !== true, await child.ask<string>('version'));
  }

  state(): Promise<State> {
    return this.child.ask('state');
  }

  report(): Promise<Report> {
    return this.child.ask('report');
  }

  connect(options: Parameters<typeof RawPeer.connect>[1] = {}): Promise<RawPeer> {
    return RawPeer.connect(this.port, { secure: this.secure, ...options });
  }

  connectMany(count: number, options: Parameters<typeof RawPeer.connect>[1] = {}): Promise<RawPeer[]> {
    return RawPeer.many(count, this.port, { secure: this.secure, ...options });
  }

  /** Waits until what is asked for holds. */
  settled(condition: (state: State) => boolean, what: string, patience?: number): Promise<State> {
    return poll(what, () => this.state(), condition, patience);
  }

  /** Waits until nothing of any client is left. */
  async quiet(patience?: number): Promise<void> {
    await this.settled(
      ({ open, opening, timers, sessions, resources }) =>
        open + opening + timers + sessions === 0 && sockets(resources) === 0,
      'every connection, timer, session and socket to be gone',
      patience,
    );
  }
}

export function sockets(resources: Counts): number {
  return (resources['TCPSocketWrap'] ?? 0) + (resources['TLSWrap'] ?? 0);
}

export interface AttackOptions extends TargetOptions {
  /** The most bytes that the server's process may grow by meanwhile. */
  readonly rss?: number;
  /** The most milliseconds of CPU time that it may take, the witness's share included. */
  readonly cpu?: number;
  /** Milliseconds that the server may take to get rid of everything. */
  readonly patience?: number;
  /** Milliseconds that the witness may wait for an echo. */
  readonly witnessPatience?: number;
  /** Whether sessions may stay, or WebSockets too. */
  readonly keeps?: 'sessions' | 'all' | 'nothing';
}

/**
 * Attacks a server.
 *
 * @returns the server's report when all is over, with what was counted since the warm-up; the witness is counted too,
 *   which closes with 1000
 */
export async function attack(
  { rss = RSS_MARGIN, cpu, patience, witnessPatience = 60_000, keeps = 'nothing', ...options }: AttackOptions,
  work: (target: Target) => Promise<void>,
): Promise<Report> {
  const target = await Target.start(options);
  await warmUp(target);
  const before = await target.report();
  const witness = await Witness.start(target);
  const started = performance.now();
  await work(target);
  await witness.end();
  if (keeps === 'nothing') await target.quiet(patience);
  else if (keeps === 'sessions') await target.settled(areAllGone, 'every WebSocket to be gone', patience);
  const after = await target.report();
  const grown = after.memory.peakRss - before.memory.rss;
  const held = after.memory.held - before.memory.held;
  const spent = after.cpu - before.cpu;
  if (process.env['MILLRACE_FIGURES'] !== undefined) {
    const took = Math.round(performance.now() - started);
    const { calls, closeCodes, errorCodes } = since(before, after);
    const figures = {
      grown: mebibytes(grown),
      held: mebibytes(held),
      queued: after.mostQueued,
      unread: after.mostUnread,
      cpu: Math.round(spent),
    };
    console.log(
      `${expect.getState().currentTestName}: ${took} ms, ${JSON.stringify(figures)}, ${witness.told()}\n` +
        `  ${JSON.stringify([calls, closeCodes, errorCodes, after.objects])}`,
    );
  }
  expect(witness.slowest, 'milliseconds that the witness waited').toBeLessThan(witnessPatience);
  expect({ ...after, memory: null }).toMatchObject({ warnings: [], rejections: [], exceptions: [] });
  if (keeps === 'nothing') checkSessions(before, after);
  if (keeps === 'nothing') expect(held, 'bytes held when all is over').toBeLessThan(HELD_MARGIN);
  expect(grown, 'bytes that the process has grown by').toBeLessThan(rss);
  if (cpu !== undefined) expect(spent, 'milliseconds of CPU time').toBeLessThan(cpu);
  if (keeps !== 'all') expect(after.calls['close'], 'as many closes as opens').toBe(after.calls['open']);
  return since(before, after);
}

const areAllGone = ({ open, opening }: State) => open + opening === 0;

function checkSessions(before: Report, after: Report): void {
  expect(after.resources).toEqual(before.resources);
  expect(after.objects.streams ?? 0, 'streams that are kept').toBeLessThanOrEqual(before.objects.streams ?? 0);
  expect(after.objects.sessions ?? 0, 'sessions that are kept').toBeLessThanOrEqual(before.objects.sessions ?? 0);
}

/** A report with what was counted since another one. */
function since(before: Report, after: Report): Report {
  const less = (counts: Counts, base: Counts) =>
    Object.fromEntries(
      Object.entries(counts).flatMap(([name, count]) => {
        const more = count - (base[name] ?? 0);
        return more === 0 ? [] : [[name, more]];
      }),
    );
  return {
    ...after,
    refused: after.refused - before.refused,
    total: after.total - before.total,
    cpu: after.cpu - before.cpu,
    calls: less(after.calls, before.calls),
    closeCodes: less(after.closeCodes, before.closeCodes),
    errorCodes: less(after.errorCodes, before.errorCodes),
  };
}

function mebibytes(bytes: number): number {
  return Math.round((bytes / MiB) * 10) / 10;
}

/** Has the server do everything once, so that what is made with the first use does not look like a leak. */
async function warmUp(target: Target): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const peers = await target.connectMany(5);
    await Promise.all(peers.map((peer) => warmUpOn(peer)));
  }
  await target.quiet();
}

async function warmUpOn(peer: RawPeer): Promise<void> {
  const [closing, ending, reset, order] = await peer.openMany(4);
  for (const stream of [closing, ending, reset]) {
    stream.send(concat(frame(1, 'warm'), frame(2, noise(20 * KiB)), frame(9, 'up')));
  }
  closing.send(closeFrame(1000));
  peer.write(data(ending.id, '', END_STREAM));
  await peer.until(() => reset.frames.length === 3, 'echoes');
  peer.write(rstStream(reset.id, Code.CANCEL));
  order.send(frame(1, '!close 4000'));
  await order.closeCode();
  await peer.answered(peer.ask('/no/100'));
  await peer.answered(peer.ask('/slow'));
  const gone = peer.ask('/never');
  await peer.seen();
  peer.write(rstStream(gone.id, Code.CANCEL));
  await peer.seen();
  peer.socket.destroy();
}

/** A client that keeps the rules, and has one message after the other echoed on a session of its own. */
export class Witness {
  readonly #peer: RawPeer;
  readonly #stream: RawStream;
  readonly #over: Promise<void>;
  #echoes = 0;
  slowest = 0;
  #stopping = false;

  private constructor(peer: RawPeer, stream: RawStream) {
    this.#peer = peer;
    this.#stream = stream;
    this.#over = this.#run();
    // Whoever ends this hears of it.
    this.#over.catch(() => {});
  }

  static async start(target: Target): Promise<Witness> {
    const peer = await target.connect();
    return new Witness(peer, await peer.open());
  }

  async end(): Promise<void> {
    const seen = this.#echoes;
    // The second from now was asked for after the attack.
    const late = until(() => this.#echoes > seen + 1, 'an echo after the attack');
    late.catch(() => {});
    await Promise.race([late, this.#over]);
    this.#stopping = true;
    await this.#over;
    this.#stream.send(closeFrame(1000));
    expect(await this.#stream.closeCode()).toBe(1000);
    await this.#peer.until(() => this.#stream.isOver, 'the end of the stream');
    this.#peer.write(data(this.#stream.id, '', END_STREAM));
    await this.#peer.seen();
    this.#peer.socket.destroy();
  }

  told(): string {
    return `${this.#echoes} echoes, the slowest ${Math.round(this.slowest)} ms`;
  }

  async #run(): Promise<void> {
    const { frames } = this.#stream;
    while (!this.#stopping) {
      const message = noise(1 + ((this.#echoes * 37) % 5000), this.#echoes);
      const sent = performance.now();
      this.#stream.send(frame(2, message));
      await this.#peer.until(() => frames.length > 0 || this.#stream.isOver, 'an echo');
      const [echo] = frames.splice(0);
      if (echo === undefined || !echo.payload.equals(message)) throw new Error(`echo ${this.#echoes} is wrong`);
      this.slowest = Math.max(this.slowest, performance.now() - sent);
      this.#echoes++;
      await sleep(5);
    }
  }
}

/** How often each value is there. */
export function tally(values: readonly (string | number | null)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}
