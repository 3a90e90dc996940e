/** `millrace bench`: the load generator on a server of the user's. */

import { performance } from 'node:perf_hooks';
import { LocalProtocolError } from '../core/index.js';
import { LiveLine } from './bench/live.js';
import type { BenchOptions } from './bench/options.js';
import { type Circumstances, introduction, report, summary } from './bench/summary.js';
import { UserError } from './errors.js';
import { EchoLoad, LoadFault, type LoadResult } from './load/index.js';

/** The part of the duration that goes ahead and does not count. */
const WARM_UP = 0.1;

/** What a shell makes of SIGINT and SIGTERM. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Resolves with the exit code. */
export async function benchCommand(options: BenchOptions): Promise<number> {
  const interruption = new Interruption();
  const live = new LiveLine(process.stderr);
  const load = new EchoLoad(options.target, options.traffic);
  try {
    const done = await measure(load, options, live, interruption.signal);
    live.clear();
    if (done === null) process.stderr.write('millrace: ended before anything was measured\n');
    else process.stdout.write(options.json ? asJson(report(options, ...done)) : summary(options, ...done));
    return interruption.exitCode;
  } catch (error) {
    live.clear();
    return failed(error, options);
  } finally {
    await load.close();
    interruption.dispose();
  }
}

/** Null when it was ended before it had begun to count. */
async function measure(
  load: EchoLoad,
  options: BenchOptions,
  live: LiveLine,
  signal: AbortSignal,
): Promise<[LoadResult, Circumstances] | null> {
  const { duration, traffic, json } = options;
  const warmUp = duration * WARM_UP;
  if (!json) process.stdout.write(introduction(options, warmUp));
  live.say(`  opening ${traffic.connections} connections`);
  await load.connect();
  if (signal.aborted) return null;
  live.say('  warming up');
  await load.run(warmUp, { signal });
  if (signal.aborted) return null;
  const before = performance.eventLoopUtilization();
  const onProgress = (progress: Parameters<LiveLine['show']>[0]) => live.show(progress, duration);
  const result = await load.run(duration, { signal, onProgress });
  const rests = traffic.rate === undefined && traffic.replies !== 'none';
  const busy = rests ? performance.eventLoopUtilization(before).utilization : null;
  return [result, { interrupted: signal.aborted, busy }];
}

/** @returns the exit code; throws what is no fault of a server's */
function failed(error: unknown, { json, url }: BenchOptions): number {
  // A header field or subprotocol that cannot be: found when the request is made.
  if (error instanceof LocalProtocolError) throw new UserError(error.message, 2);
  if (!(error instanceof LoadFault)) throw error;
  const { name, code, message } = error;
  if (json) process.stdout.write(asJson({ url, error: { name, code, message } }));
  process.stderr.write(`millrace: ${name} ${code}: ${message}\n`);
  return 1;
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The first signal ends the run, the second one the process. */
class Interruption {
  exitCode = 0;
  readonly #abort = new AbortController();
  readonly #onSignal = (name: NodeJS.Signals): void => {
    const code = EXIT_CODES[name as keyof typeof EXIT_CODES];
    if (this.exitCode !== 0) process.exit(code);
    this.exitCode = code;
    this.#abort.abort();
  };

  constructor() {
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  dispose(): void {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
  }
}
