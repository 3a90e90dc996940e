/**
 * What all loads have in common: they open connections, keep their traffic up for a while, wait for the last reply, and
 * end at the first thing that is wrong.
 */

import { LoadFault } from './fault.js';
import { Histogram } from './histogram.js';
import type { LoadResult, RunOptions } from './result.js';
import { type Endpoint, endpointOf, type LoadTarget } from './target.js';
import { Watch, type Watched } from './watch.js';

/** Milliseconds between two calls of `onProgress`. */
const PROGRESS = 200;

/** Everything that is counted, from the beginning. */
export interface Counts {
  messages: number;
  bytes: number;
  sentBytes: number;
  wireSent: number;
  wireReceived: number;
}

interface Run {
  readonly started: number;
  readonly before: Counts;
  readonly resolve: (result: LoadResult) => void;
  readonly reject: (fault: LoadFault) => void;
  /** What must not outlive the run. */
  readonly cleanUp: (() => void)[];
  isStopping: boolean;
}

export abstract class Load {
  protected readonly endpoint: Endpoint;
  /** Of the run that is under way; null where latencies are not wanted. */
  protected latency: Histogram | null = null;
  readonly #records: boolean;
  #run: Run | null = null;
  #fault: LoadFault | null = null;
  #isConnected = false;
  #isClosed = false;

  /**
   * @param records whether latencies are recorded
   * @throws TypeError for a wrong URL
   */
  constructor(target: LoadTarget, records: boolean) {
    this.endpoint = endpointOf(target);
    this.#records = records;
  }

  /** Opens every connection, a few dozen at a time. Rejects with a LoadFault: `HANDSHAKE`, or another for what came at once. */
  async connect(): Promise<void> {
    await this.open();
    if (this.#fault !== null) throw this.#fault;
    this.#isConnected = true;
  }

  /**
   * Keeps the traffic up for `ms` milliseconds, then waits for the last reply. It may be called again.
   *
   * @returns what came of it. Rejects with a LoadFault for the first thing that was wrong, also if that was before; the
   *   load is of no more use then but to be closed
   */
  run(ms: number, { signal, onProgress }: RunOptions = {}): Promise<LoadResult> {
    if (this.#fault !== null) return Promise.reject(this.#fault);
    if (!this.#isConnected || this.#isClosed) return Promise.reject(new Error('a load runs between connect and close'));
    if (this.#run !== null) return Promise.reject(new Error('a load has one run at a time'));
    return new Promise((resolve, reject) => {
      this.latency = this.#records ? new Histogram() : null;
      const cleanUp: (() => void)[] = [];
      const started = performance.now();
      this.#run = { started, before: this.counts(), resolve, reject, cleanUp, isStopping: false };
      const stop = () => this.#stop();
      const timer = setTimeout(stop, ms);
      signal?.addEventListener('abort', stop);
      cleanUp.push(
        () => clearTimeout(timer),
        () => signal?.removeEventListener('abort', stop),
      );
      const watch = new Watch(this.watched, this.endpoint.timeout, started);
      every(watch.interval, cleanUp, () => {
        const stuck = watch.look(performance.now());
        if (stuck >= 0) this.fail(this.#stuck(stuck));
      });
      if (onProgress !== undefined) this.#reportTo(onProgress, cleanUp);
      this.begin(started);
      if (signal?.aborted) stop();
    });
  }

  /** Ends the connections and waits until they are gone. A run that is under way is a fault then. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#run !== null) this.fail(new LoadFault('CLOSED', 'the load was closed while it ran'));
    await this.end();
  }

  // What the kinds of load bring.

  protected abstract open(): Promise<void>;
  /** Begins to send. */
  protected abstract begin(now: number): void;
  /** The time is over: sends what is due and then no more. Once nothing is waited for, `settle` is to be called. */
  protected abstract finish(): void;
  /** Sends no more, at once. */
  protected abstract stop(): void;
  /** Whether something is still to come. */
  protected abstract get isWaiting(): boolean;
  /** Ends every connection in order. */
  protected abstract end(): Promise<void>;
  /** Cuts every connection off. */
  protected abstract cutOff(): void;
  protected abstract counts(): Counts;
  protected abstract get watched(): readonly Watched[];
  /** What a stuck connection waits for. */
  protected abstract describeWait(connection: number): string;

  // What they are given.

  /** Whether messages are to be sent. */
  protected get isRunning(): boolean {
    return this.#run !== null && !this.#run.isStopping;
  }

  /** Ends the run if all is done. */
  protected settle(): void {
    const run = this.#run;
    if (run === null || !run.isStopping || this.isWaiting) return;
    this.#over(run);
    run.resolve(this.#result(run));
  }

  /** Something is wrong. */
  protected fail(thrown: unknown): void {
    if (!(thrown instanceof LoadFault)) throw thrown;
    if (this.#fault !== null) return;
    this.#fault = thrown;
    const run = this.#run;
    this.stop();
    this.cutOff();
    if (run === null) return;
    this.#over(run);
    run.reject(thrown);
  }

  #stop(): void {
    if (this.#run === null || this.#run.isStopping) return;
    this.#run.isStopping = true;
    this.finish();
    this.settle();
  }

  #over({ cleanUp }: Run): void {
    this.#run = null;
    for (const clean of cleanUp) clean();
  }

  #stuck(connection: number): LoadFault {
    const { timeout } = this.endpoint;
    const wait = this.describeWait(connection);
    return new LoadFault('TIMEOUT', `nothing has come for ${timeout / 1000} s; ${wait}`).on(connection);
  }

  #result({ started, before }: Run): LoadResult {
    const now = this.counts();
    return {
      messages: now.messages - before.messages,
      bytes: now.bytes - before.bytes,
      sentBytes: now.sentBytes - before.sentBytes,
      wire: { sent: now.wireSent - before.wireSent, received: now.wireReceived - before.wireReceived },
      elapsed: performance.now() - started,
      latency: this.latency,
    };
  }

  #reportTo(onProgress: NonNullable<RunOptions['onProgress']>, cleanUp: (() => void)[]): void {
    let messages = 0;
    let elapsed = 0;
    every(PROGRESS, cleanUp, () => {
      const result = this.#result(this.#run as Run);
      const rate = ((result.messages - messages) * 1000) / (result.elapsed - elapsed);
      ({ messages, elapsed } = result);
      onProgress({ ...result, rate });
    });
  }
}

function every(ms: number, cleanUp: (() => void)[], work: () => void): void {
  const timer = setInterval(work, ms);
  cleanUp.push(() => clearInterval(timer));
}
