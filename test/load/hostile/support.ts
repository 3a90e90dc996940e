/**
 * What the attacks share: a server in a process of its own, what it is measured by, and a client that keeps no rule.
 *
 * All attacks go through `attack`: it measures the server, lets a well-behaved client echo all along, and holds the
 * server afterwards to what it was before.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import WebSocket from 'ws';
import type { DeflateStats } from '../../../src/core/index.js';
import type { ServeOptions } from '../../../src/node/index.js';
import {
  atEnd,
  closeFrame,
  concat,
  type Deferred,
  decode,
  deferred,
  frame,
  noise,
  request,
  until,
  within,
} from '../../node/support.js';
import { poll } from '../support/processes.js';

export { closeFrame, concat, frame, noise, request, sleep, until, within };

export const KiB = 1024;
export const MiB = 1024 * 1024;

/** What the heap and the memory outside of it may have grown by when all is over: caches, and code that was compiled. */
const HELD_MARGIN = 2 * MiB;
/** What the process may grow by during an attack that names no bound of its own: garbage that nobody had to collect yet. */
const RSS_MARGIN = 64 * MiB;

// The server.

/** What `serve` is given, as far as it can be told to another process. */
export interface TargetOptions extends Omit<ServeOptions, 'upgrade' | 'request'> {
  /** Milliseconds that `upgrade` takes for targets but /. */
  readonly upgradeDelay?: number;
  /** Milliseconds until an ordinary request is answered; they are answered 426 at once where it is missing. */
  readonly answerDelay?: number;
}

type Counts = Readonly<Record<string, number>>;

/** What holds at a moment. */
export interface State {
  readonly size: number;
  /** Timers that run, with a reference or without. */
  readonly timers: number;
  /** `process.getActiveResourcesInfo()`, counted. */
  readonly resources: Counts;
  /** Calls of handlers by name. */
  readonly calls: Counts;
  /** Calls of `error`, and failures of orders, by the code of the error. */
  readonly errorCodes: Counts;
  /** What `server.stats()` says of compression; null without it. */
  readonly deflate: DeflateStats | null;
}

/** The same, with all else that was counted since the start; bytes after collecting garbage. */
export interface Report extends State {
  readonly memory: { readonly rss: number; readonly peakRss: number; readonly held: number };
  /** The most bytes that a connection had queued since the last report. */
  readonly mostQueued: number;
  /** Calls of `close` by code. */
  readonly closeCodes: Counts;
  readonly warnings: readonly string[];
  readonly rejections: readonly string[];
  readonly exceptions: readonly string[];
}

interface Answer {
  readonly id: number;
  readonly result: unknown;
}

/** A server in another process. */
export class Target {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (result: unknown) => void>();
  readonly #died: Promise<never>;
  #asked = 0;

  constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    child.on('message', ({ id, result }: Answer) => {
      this.#answers.get(id)?.(result);
      this.#answers.delete(id);
    });
    this.#died = new Promise((_, reject) => {
      child.once('exit', (code, signal) => reject(new Error(`the server has died: ${code ?? signal}`)));
    });
    this.#died.catch(() => {});
  }

  static async start(options: TargetOptions): Promise<Target> {
    const program = fileURLToPath(new URL('server-echo.js', import.meta.url));
    const child = fork(program, [JSON.stringify(options)], { execArgv: ['--expose-gc'] });
    atEnd(() => child.kill('SIGKILL'));
    const port = await within(
      new Promise<number>((resolve, reject) => {
        child.once('message', ({ result }: Answer) => resolve(result as number));
        child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
      }),
      'the server',
    );
    return new Target(child, port);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  report(): Promise<Report> {
    return this.#ask('report') as Promise<Report>;
  }

  state(): Promise<State> {
    return this.#ask('state') as Promise<State>;
  }

  /** `server.close`; resolves to the milliseconds that it took. */
  close(options: { code?: number; timeout?: number } = {}): Promise<number> {
    return this.#ask('close', options) as Promise<number>;
  }

  /** Waits until what is asked for holds. */
  settled(condition: (state: State) => boolean, what: string, patience?: number): Promise<State> {
    return poll(what, () => this.state(), condition, patience);
  }

  /** Closes the server and lets go of the process, which then must end by itself. */
  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', (...how) => resolve(how)));
    await this.close({ timeout: 0 });
    this.#child.disconnect();
    expect(await within(ended, 'the process of the server to end by itself')).toEqual([0, null]);
  }

  #ask(name: string, argument?: unknown): Promise<unknown> {
    const id = ++this.#asked;
    const answer = new Promise((resolve) => {
      this.#answers.set(id, resolve);
      // Who has died says so to whoever waits; the callback is for those who ask later.
      this.#child.send({ id, name, argument }, (error) => error && resolve(this.#died));
    });
    return within(Promise.race([answer, this.#died]), `the server to answer '${name}'`);
  }
}

// Attacks.

export interface AttackOptions extends TargetOptions {
  /** The most bytes that the server's process may grow by meanwhile. */
  readonly rss?: number;
}

/**
 * Attacks a server, and holds it to what every attack must leave alone.
 *
 * @returns the server's report when all is over, with what was counted since the warm-up: the witness, too, opens and
 *   closes with 1000
 */
export async function attack(
  { rss = RSS_MARGIN, ...options }: AttackOptions,
  work: (target: Target) => Promise<void>,
): Promise<Report> {
  const target = await Target.start(options);
  await warmUp(target);
  const before = await target.report();
  const witness = await Witness.start(target.port);
  const started = performance.now();
  await work(target);
  await witness.end();
  await target.settled(({ size, timers }) => size + timers === 0, 'every connection and timer to be gone');
  await target.settled((state) => total(state) <= total(before), 'every handle to be closed');
  const after = await target.report();
  const grown = after.memory.peakRss - before.memory.rss;
  const held = after.memory.held - before.memory.held;
  if (process.env['MILLRACE_FIGURES'] !== undefined) {
    const took = Math.round(performance.now() - started);
    const figures = { grown: mebibytes(grown), held: mebibytes(held), queuedKiB: Math.round(after.mostQueued / KiB) };
    const { calls, closeCodes, errorCodes } = since(before, after);
    console.log(
      `${expect.getState().currentTestName}: ${took} ms, MiB ${JSON.stringify(figures)}, ${witness.told()}\n` +
        `  ${JSON.stringify([calls, closeCodes, errorCodes])}`,
    );
  }
  expect(after.resources).toEqual(before.resources);
  expect({ ...after, memory: null }).toMatchObject({ warnings: [], rejections: [], exceptions: [] });
  expect(held, 'bytes held when all is over').toBeLessThan(HELD_MARGIN);
  expect(grown, 'bytes that the process has grown by').toBeLessThan(rss);
  expect(after.calls['close'], 'as many closes as opens').toBe(after.calls['open']);
  await target.end();
  return since(before, after);
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
    calls: less(after.calls, before.calls),
    closeCodes: less(after.closeCodes, before.closeCodes),
    errorCodes: less(after.errorCodes, before.errorCodes),
  };
}

function total({ resources }: State): number {
  return Object.values(resources).reduce((sum, count) => sum + count, 0);
}

function mebibytes(bytes: number): number {
  return Math.round((bytes / MiB) * 10) / 10;
}

/** Has the server do everything once, so that what is made with the first use does not look like a leak. */
async function warmUp(target: Target): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const clients = await Attacker.openMany(target.port, 20);
    for (const [i, client] of clients.entries()) {
      client.write(concat(frame(1, 'warm'), frame(2, noise(20 * KiB)), frame(9, 'up'), frame(10)));
      client.write(frame(1, 'x', { fin: false }));
      client.write(concat(frame(0, 'y'), i % 2 === 0 ? closeFrame(1000) : frame(3)));
      await client.closeCode();
      if (i % 4 === 0) client.socket.resetAndDestroy();
      else client.socket.destroy();
    }
    const plain = ['GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'nonsense\r\n\r\n'];
    await Promise.all(plain.map((bytes) => Attacker.ask(target.port, bytes)));
  }
  await target.settled(({ size, timers }) => size + timers === 0, 'the warm-up to be over');
  await target.settled(({ resources }) => (resources['TCPSocketWrap'] ?? 0) === 0, 'the warm-up to be closed');
}

/** A client that keeps the rules, and has one message after the other echoed. */
export class Witness {
  readonly #ws: WebSocket;
  readonly #closed: Promise<number>;
  readonly #over: Promise<void>;
  #echoes = 0;
  #slowest = 0;
  #stopping = false;

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    this.#closed = new Promise((resolve) => ws.once('close', resolve));
    this.#over = this.#run();
    // Whoever ends this hears of it.
    this.#over.catch(() => {});
  }

  static async start(port: number): Promise<Witness> {
    const ws = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    atEnd(() => ws.terminate());
    await within(new Promise((resolve) => ws.once('open', resolve)), 'the witness to open');
    return new Witness(ws);
  }

  async end(): Promise<void> {
    const seen = this.#echoes;
    // The second from now was asked for after the attack.
    const late = until(() => this.#echoes > seen + 1, 'an echo after the attack');
    late.catch(() => {});
    await Promise.race([late, this.#over]);
    this.#stopping = true;
    await this.#over;
    this.#ws.close(1000);
    expect(await within(this.#closed, 'the witness to close')).toBe(1000);
  }

  /** The longest that it has waited for an echo, in milliseconds. */
  get slowest(): number {
    return this.#slowest;
  }

  told(): string {
    return `${this.#echoes} echoes, the slowest ${Math.round(this.#slowest)} ms`;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const number = this.#echoes;
      const isText = number % 2 === 0;
      const message = isText ? `${number} ✓ ${'x'.repeat(number % 300)}` : noise(1 + ((number * 37) % 5000), number);
      const sent = performance.now();
      const echo = new Promise<[Buffer, boolean]>((resolve) => {
        this.#ws.once('message', (...echoed) => resolve(echoed as [Buffer, boolean]));
      });
      this.#ws.send(message);
      const answer = await within(Promise.race([echo, this.#closed]), 'an echo');
      if (typeof answer === 'number') throw new Error(`the well-behaved connection was closed with ${answer}`);
      const [data, isBinary] = answer;
      if (isBinary === isText || !data.equals(Buffer.from(message))) throw new Error(`echo ${number} is wrong`);
      this.#slowest = Math.max(this.#slowest, performance.now() - sent);
      this.#echoes++;
      await sleep(5);
    }
  }
}

// Attackers.

/** The most bytes of what the server says that an attacker remembers. */
const MEMORY = 64 * KiB;

/** A TCP connection and what is wanted of it, nothing more. */
export class Attacker {
  readonly socket: Socket;
  /** Resolves once the TCP connection is there, or has failed. */
  readonly connected: Promise<void>;
  /** Resolves when the server has ended its side, or the connection is over. */
  readonly ended: Promise<void>;
  readonly closed: Promise<void>;
  isEnded = false;
  isClosed = false;
  error: NodeJS.ErrnoException | null = null;
  /** Bytes that came, of which the first are in `seen`. */
  received = 0;
  seen: Buffer = Buffer.alloc(0);
  #waiting: { condition: () => boolean; found: Deferred }[] = [];

  constructor(port: number) {
    const [connected, ended, closed] = [deferred(), deferred(), deferred()];
    this.connected = connected.promise;
    this.ended = ended.promise;
    this.closed = closed.promise;
    this.socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.socket.on('connect', () => connected.resolve());
    this.socket.on('data', (chunk) => {
      this.received += chunk.length;
      if (this.seen.length < MEMORY) this.seen = Buffer.concat([this.seen, chunk]);
      this.#look();
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('end', () => {
      this.isEnded = true;
      ended.resolve();
      this.#look();
    });
    this.socket.on('close', () => {
      this.isClosed = true;
      connected.resolve();
      ended.resolve();
      closed.resolve();
      this.#look();
    });
    atEnd(() => this.socket.destroy());
  }

  /** Connects. */
  static async connect(port: number): Promise<Attacker> {
    const attacker = new Attacker(port);
    await within(attacker.connected, 'a connection');
    return attacker;
  }

  /** Connects and opens a WebSocket. */
  static async open(port: number, headers: Readonly<Record<string, string>> = {}): Promise<Attacker> {
    const attacker = await Attacker.connect(port);
    attacker.write(request(headers));
    await attacker.until(() => attacker.head !== null, 'the answer to a handshake');
    expect(attacker.head).toMatch(/^HTTP\/1\.1 101 /);
    return attacker;
  }

  /** Connections one after the other would take long, and all at once would pass the backlog of the server. */
  static async many(count: number, make: (index: number) => Promise<Attacker>): Promise<Attacker[]> {
    const all: Attacker[] = [];
    for (let i = 0; i < count; i += WAVE) {
      const wave = Array.from({ length: Math.min(WAVE, count - i) }, (_, j) => make(i + j));
      all.push(...(await Promise.all(wave)));
    }
    return all;
  }

  static openMany(port: number, count: number, headers?: Readonly<Record<string, string>>): Promise<Attacker[]> {
    return Attacker.many(count, () => Attacker.open(port, headers));
  }

  static connectMany(port: number, count: number): Promise<Attacker[]> {
    return Attacker.many(count, () => Attacker.connect(port));
  }

  /** Connects, sends, reads to the end, and closes. */
  static async ask(port: number, bytes: string | Uint8Array): Promise<Attacker> {
    const attacker = await Attacker.connect(port);
    attacker.write(bytes);
    await within(attacker.ended, 'the server to end');
    attacker.socket.destroy();
    return attacker;
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Writes `chunk` so many times, as fast as TCP takes it, until the connection is over or `until` says so. */
  async pour(chunk: Uint8Array, times: number, until = () => false): Promise<void> {
    for (let i = 0; i < times && !this.isClosed && !this.socket.destroyed && !until(); i++) {
      await new Promise<void>((resolve) => {
        this.socket.write(chunk, () => resolve());
      });
    }
  }

  /** The same, but gives up once TCP has taken nothing for so many milliseconds. */
  async pourUntilStuck(chunk: Uint8Array, times: number, patience = 2000): Promise<'stuck' | 'poured'> {
    let last = performance.now();
    let done = false;
    const poured = this.pour(chunk, times, () => {
      last = performance.now();
      return done;
    });
    let over = false;
    poured.then(() => {
      over = true;
    });
    await until(() => over || performance.now() - last > patience, 'the server to take or leave it');
    done = true;
    return over ? 'poured' : 'stuck';
  }

  /** What the server has answered the request with, up to the empty line. */
  get head(): string | null {
    const end = this.seen.indexOf('\r\n\r\n');
    return end < 0 ? null : this.seen.toString('latin1', 0, end + 2);
  }

  /** The status code of that. */
  get status(): number {
    return Number(this.head?.split(' ', 2)[1]);
  }

  /** The frames that came, as far as they are remembered. */
  get frames(): { readonly opcode: number; readonly payload: Buffer }[] {
    const frames = [];
    for (let at = this.seen.indexOf('\r\n\r\n') + 4; ; ) {
      const found = decode(this.seen.subarray(at));
      if (found === null) return frames;
      frames.push(found.frame);
      at += found.size;
    }
  }

  /** The status code of the server's Close, or what there was instead. */
  async closeCode(): Promise<number | string> {
    const close = () => this.frames.find(({ opcode }) => opcode === 8);
    await this.until(() => close() !== undefined || this.isEnded || this.isClosed, 'a Close');
    const found = close();
    if (found === undefined) return this.error?.code ?? 'no Close';
    return found.payload.length === 0 ? 1005 : found.payload.readUInt16BE(0);
  }

  /** Waits until something holds of what has come. */
  async until(condition: () => boolean, what: string, patience?: number): Promise<void> {
    if (condition() || this.isClosed) return;
    const found = deferred();
    this.#waiting.push({ condition, found });
    await within(found.promise, what, patience);
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ condition, found }) => {
      if (!this.isClosed && !condition()) return true;
      found.resolve();
      return false;
    });
  }
}

const WAVE = 200;

/** Waits for something of every attacker. */
export async function all<T>(attackers: readonly Attacker[], what: (attacker: Attacker) => Promise<T>): Promise<T[]> {
  return Promise.all(attackers.map(what));
}

/** How often each value is there. */
export function tally(values: readonly (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** A frame many times over, as one chunk. */
export function repeated(bytes: Uint8Array, count: number): Buffer {
  return Buffer.alloc(bytes.length * count, bytes);
}
